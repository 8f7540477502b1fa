//! Network namespaces: a test that changes the network runs itself again inside one of its own.

use std::io::Write as _;
use std::process::Command;

const INSIDE: &str = "FOREBAY_TEST_INSIDE";

/// Runs `body` of the test called `path` (as libtest lists it) in a network namespace with only a loopback device
/// and this `ip_local_port_range`. The namespace ends with the process.
pub(crate) fn in_private_network(path: &str, ports: (u16, u16), body: impl FnOnce()) {
    if std::env::var(INSIDE).as_deref() == Ok(path) {
        return body();
    }
    let setup = format!("ip link set lo up && echo {} {} > /proc/sys/net/ipv4/ip_local_port_range", ports.0, ports.1);
    let ways: [&[&str]; 2] = [&["-n"], &["-Urn"]];
    let works = |flags: &&[&str]| {
        Command::new("unshare").args(*flags).args(["sh", "-c", &setup]).output().is_ok_and(|o| o.status.success())
    };
    let Some(flags) = ways.into_iter().find(works) else {
        return not_run(path, "network namespaces are denied here (neither root nor unprivileged user namespaces)");
    };
    let test = std::env::current_exe().expect("this test has a path");
    let output = Command::new("unshare")
        .args(flags)
        .args(["sh", "-c", &format!("{setup} && exec \"$0\" --exact {path} --nocapture --test-threads 1")])
        .arg(test)
        .env(INSIDE, path)
        .output()
        .expect("unshare was found above");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "inside the namespace:\n{text}");
}

/// Says loudly that a test could not run here; in CI that is a failure.
#[track_caller]
pub(crate) fn not_run(what: &str, why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "NOT RUN: {what}: {why}");
    // Past the capture of libtest: a test that passed by not running must be seen.
    let _unheard = writeln!(std::io::stderr(), "\n*** NOT RUN: {what}: {why} ***\n");
}

#[test]
fn a_private_network_has_its_own_ports() {
    in_private_network("harness::namespace::a_private_network_has_its_own_ports", (40_000, 40_059), || {
        let bound = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!((40_000..40_060).contains(&bound.local_addr().unwrap().port()));
    });
}
