//! The real binary as a child process: started from a configuration text, watched, and checked when it ends.

use super::gate::{Place, place};
use super::http::{Reply, request};
use super::metrics::{Sample, parse};
use super::resources::Resources;
use super::wait::{DEADLINE, Stopwatch, wait_for, within};
use serde_json::Value;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_forebay");

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Exit {
    pub(crate) code: Option<i32>,
    pub(crate) stderr: String,
}

/// A balancer about to be started.
pub(crate) struct Launch {
    text: String,
    prefix: Vec<String>,
    dir: TempDir,
}

impl Launch {
    /// With this configuration. What it leaves open is filled in: a private admin socket, an access log, two unpinned
    /// workers, and
    /// `engine` from FOREBAY_TEST_ENGINE. `DIR` stands for the private directory.
    pub(crate) fn new(text: &str) -> Self {
        let dir = TempDir::with_prefix("forebay-e2e-").expect("a temporary directory can be made");
        Self { text: text.to_owned(), prefix: Vec::new(), dir }
    }

    /// Starts the binary through another program that executes it (`prlimit`, `setpriv`).
    pub(crate) fn through(mut self, prefix: &[&str]) -> Self {
        self.prefix.extend(prefix.iter().map(|&word| word.to_owned()));
        self
    }

    /// The private directory.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Starts, and waits until `/readyz` says so.
    #[track_caller]
    pub(crate) fn start(self) -> Forebay {
        let forebay = self.start_unready();
        forebay.await_ready();
        forebay.rebase();
        forebay
    }

    /// Starts, and waits until the admin API answers.
    #[track_caller]
    pub(crate) fn start_unready(self) -> Forebay {
        let mut forebay = self.spawn();
        wait_for(Duration::from_secs(20), "the admin API answers", || {
            if let Some(status) = forebay.child.try_wait().expect("a child can be waited for") {
                panic!("forebay ended with {status}:\n{}", forebay.stderr());
            }
            forebay.try_get("/v1/listeners").map(|_reply| ())
        });
        forebay.rebase();
        forebay
    }

    /// Starts what is expected to end by itself, and waits for that.
    #[track_caller]
    pub(crate) fn run_to_exit(self) -> Exit {
        let mut forebay = self.spawn();
        forebay.books_are_checked.set(false);
        let status = forebay.wait_exit(DEADLINE);
        Exit { code: status.code(), stderr: forebay.stderr() }
    }

    fn spawn(self) -> Forebay {
        raise_descriptor_limit();
        let place = place();
        let config = self.dir.path().join("forebay.toml");
        fs::write(&config, completed(&self.text, self.dir.path())).expect("the configuration can be written");
        let stderr = File::create(self.dir.path().join("stderr")).expect("a file can be made");
        let mut words = self.prefix.clone();
        words.extend([BINARY.to_owned(), "run".to_owned(), "--config".to_owned(), config.display().to_string()]);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        command.env_remove("FOREBAY_ADMIN").env("NO_COLOR", "1").current_dir(self.dir.path());
        let child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", words[0]));
        Forebay {
            child,
            config,
            dir: self.dir,
            age: Stopwatch::start(),
            descriptors: Cell::new(0),
            books_are_checked: Cell::new(true),
            exited: false,
            _place: place,
        }
    }
}

/// A running balancer. When it goes out of scope its books are checked: every connection accounted for, none left, no
/// descriptor
/// leaked, no panic, no flood of log lines.
pub(crate) struct Forebay {
    child: Child,
    config: PathBuf,
    dir: TempDir,
    age: Stopwatch,
    descriptors: Cell<usize>,
    books_are_checked: Cell<bool>,
    exited: bool,
    _place: Place,
}

impl Forebay {
    /// Starts with this configuration and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(text: &str) -> Self {
        Launch::new(text).start()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn resources(&self) -> Resources {
        Resources(self.pid())
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("admin.sock")
    }

    pub(crate) fn config_file(&self) -> &Path {
        &self.config
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The first address of a listener, as a client on this machine reaches it.
    #[track_caller]
    pub(crate) fn addr(&self, listener: &str) -> SocketAddr {
        self.addrs(listener)[0]
    }

    /// All addresses of a listener.
    #[track_caller]
    pub(crate) fn addrs(&self, listener: &str) -> Vec<SocketAddr> {
        let body = self.json("/v1/listeners");
        let listeners = body["listeners"].as_array().expect("`listeners` is a list");
        let Some(found) = listeners.iter().find(|l| l["name"] == listener) else {
            panic!("no listener {listener}: {body}")
        };
        let texts = found["addresses"].as_array().expect("`addresses` is a list");
        texts.iter().map(|text| reachable(text.as_str().and_then(|t| t.parse().ok()).expect("an address"))).collect()
    }

    fn try_get(&self, path: &str) -> Result<Reply, String> {
        request(&self.socket(), "GET", path, "").map_err(|error| error.to_string())
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send("GET", path, "")
    }

    #[track_caller]
    pub(crate) fn send(&self, method: &str, path: &str, body: &str) -> Reply {
        match request(&self.socket(), method, path, body) {
            Ok(reply) => reply,
            Err(error) => panic!("{method} {path}: {error}\n{}", self.stderr()),
        }
    }

    /// The body of a GET that must succeed.
    #[track_caller]
    pub(crate) fn json(&self, path: &str) -> Value {
        let reply = self.get(path);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        reply.json()
    }

    /// One target as the API shows it.
    #[track_caller]
    pub(crate) fn target(&self, group: &str, id: &str) -> Value {
        let body = self.json(&format!("/v1/target_groups/{group}"));
        let targets = body["targets"].as_array().expect("`targets` is a list");
        targets.iter().find(|target| target["id"] == id).unwrap_or_else(|| panic!("no target {id}: {body}")).clone()
    }

    /// Waits until a field of a target has this value.
    #[track_caller]
    pub(crate) fn await_target(&self, group: &str, id: &str, field: &str, value: &Value) {
        wait_for(DEADLINE, &format!("{group}/{id} has {field} = {value}"), || {
            let target = self.target(group, id);
            if target[field] == *value { Ok(()) } else { Err(target.to_string()) }
        });
    }

    /// Changes a target; the change must be accepted.
    #[track_caller]
    pub(crate) fn patch(&self, group: &str, id: &str, change: &str) -> Value {
        let reply = self.send("PATCH", &format!("/v1/target_groups/{group}/targets/{id}"), change);
        assert_eq!(reply.status, 200, "PATCH {group}/{id} {change}: {}", reply.body);
        reply.json()
    }

    /// Every sample of `/metrics`.
    #[track_caller]
    pub(crate) fn samples(&self) -> Vec<Sample> {
        parse(&self.get("/metrics").body)
    }

    /// The sum of a metric over all series with these labels; 0 when there is none.
    #[track_caller]
    pub(crate) fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.samples().iter().filter(|sample| sample.is(name, labels)).map(|sample| sample.value).sum()
    }

    /// As [`Self::metric`], for whole numbers.
    #[track_caller]
    pub(crate) fn count(&self, name: &str, labels: &[(&str, &str)]) -> usize {
        format!("{:.0}", self.metric(name, labels)).parse().expect("a count is a whole number that is not negative")
    }

    /// Refused connections of a listener, by reason.
    #[track_caller]
    pub(crate) fn refused(&self, listener: &str, reason: &str) -> usize {
        self.count("forebay_refused_total", &[("listener", listener), ("reason", reason)])
    }

    /// Replaces the configuration file, completed as at the start.
    pub(crate) fn rewrite_config(&self, text: &str) {
        fs::write(&self.config, completed(text, self.dir.path())).expect("the configuration can be written");
    }

    /// `POST /v1/reload`.
    #[track_caller]
    pub(crate) fn reload(&self) -> Reply {
        self.send("POST", "/v1/reload", "")
    }

    /// Takes over a new configuration, which must be accepted.
    #[track_caller]
    pub(crate) fn reload_with(&self, text: &str) -> Value {
        self.rewrite_config(text);
        let reply = self.reload();
        assert_eq!(reply.status, 200, "reload: {}", reply.body);
        reply.json()
    }

    #[track_caller]
    pub(crate) fn generation(&self) -> u64 {
        self.json("/v1/status")["generation"].as_u64().expect("`generation` is a number")
    }

    /// Sends a signal by its name without SIG.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.pid())]).status();
        assert!(sent.is_ok_and(|status| status.success()), "signal {name} could not be sent");
    }

    /// Waits until the process has ended. Its books are not checked any more.
    #[track_caller]
    pub(crate) fn wait_exit(&mut self, limit: Duration) -> ExitStatus {
        let stderr = self.dir.path().join("stderr");
        let child = &mut self.child;
        let status = wait_for(limit, "forebay ends", || match child.try_wait() {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err(format!("it still runs:\n{}", fs::read_to_string(&stderr).unwrap_or_default())),
            Err(error) => Err(error.to_string()),
        });
        self.exited = true;
        status
    }

    /// Whether the process still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.path().join("stderr")).unwrap_or_default()).into_owned()
    }

    pub(crate) fn access_log_file(&self) -> PathBuf {
        self.dir.path().join("access.log")
    }

    /// The access log, once it has at least `lines` lines.
    #[track_caller]
    pub(crate) fn access_log(&self, lines: usize) -> Vec<Value> {
        wait_for(DEADLINE, &format!("the access log has {lines} lines"), || {
            let text = fs::read_to_string(self.access_log_file()).map_err(|error| error.to_string())?;
            let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
            let found: Result<Vec<Value>, _> = whole.lines().map(serde_json::from_str).collect();
            let found = found.map_err(|error| format!("{error}: {text}"))?;
            if found.len() >= lines { Ok(found) } else { Err(format!("{} lines", found.len())) }
        })
    }

    #[track_caller]
    pub(crate) fn await_ready(&self) {
        wait_for(Duration::from_secs(20), "/readyz is 200", || {
            let reply = self.try_get("/readyz")?;
            if reply.status == 200 { Ok(()) } else { Err(format!("{reply:?}\n{}", self.stderr())) }
        });
    }

    /// Takes what is open now as what may be open at the end. Several looks: a probe may be under way.
    pub(crate) fn rebase(&self) {
        self.descriptors.set((0..5).map(|_look| self.resources().descriptors()).min().unwrap_or(0));
    }

    /// What must hold after every test; panics otherwise. All clients must be gone.
    #[track_caller]
    pub(crate) fn check_books(&self) {
        let five = Duration::from_secs(5);
        wait_for(five, "every accepted connection is closed and counted once", || balanced(&self.samples(), true));
        let (resources, most) = (self.resources(), self.descriptors.get());
        within(five, "descriptors are back to the baseline", || resources.descriptors() <= most);
        let stderr = self.stderr();
        assert!(!stderr.contains("panicked"), "{stderr}");
        if let Some(flood) = flood(&stderr, self.age.elapsed()) {
            panic!("more than one log line a second: {flood}\n{stderr}");
        }
    }
}

impl Drop for Forebay {
    fn drop(&mut self) {
        let panicking = std::thread::panicking();
        let alive = !self.exited && self.is_running();
        if panicking {
            eprintln!("--- forebay's stderr:\n{}\n---", self.stderr());
        }
        let checked = alive && !panicking && self.books_are_checked.get();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            if checked {
                self.check_books();
            }
        }));
        if alive {
            let _already_gone = self.child.kill();
            let _reaped = self.child.wait();
        }
        if let Err(reason) = outcome {
            eprintln!("--- forebay's stderr:\n{}\n---", self.stderr());
            std::panic::resume_unwind(reason);
        }
        assert!(panicking || self.exited || alive, "forebay ended by itself:\n{}", self.stderr());
    }
}

/// `connections_total = connections_active + Σ connections_closed_total` for every listener, and nothing active when
/// `idle`.
fn balanced(samples: &[Sample], idle: bool) -> Result<(), String> {
    let mut books: BTreeMap<&str, (f64, f64, f64)> = BTreeMap::new();
    for sample in samples {
        let Some(listener) = sample.labels.get("listener") else { continue };
        let (opened, active, closed) = books.entry(listener).or_default();
        match sample.name.as_str() {
            "forebay_connections_total" => *opened += sample.value,
            "forebay_connections_active" => *active += sample.value,
            "forebay_connections_closed_total" => *closed += sample.value,
            _ => {}
        }
    }
    for (listener, (opened, active, closed)) in books {
        if (opened - active - closed).abs() > 0.5 || (idle && active.abs() > 0.5) {
            return Err(format!("{listener}: {opened} opened, {active} active, {closed} closed"));
        }
    }
    Ok(())
}

/// A warning or error that was repeated more than once a second (numbers apart), with a few to spare for edges.
fn flood(stderr: &str, age: Duration) -> Option<String> {
    let allowed = usize::try_from(age.as_secs()).unwrap_or(usize::MAX).saturating_add(20);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for line in stderr.lines() {
        // An operator's reload is answered in the log each time.
        let Some(start) = line.find(" WARN").or_else(|| line.find(" ERROR")) else { continue };
        if line[start..].contains("reload") {
            continue;
        }
        let kind: String = line[start..].chars().filter(|c| !c.is_ascii_digit()).collect();
        *seen.entry(kind).or_default() += 1;
    }
    seen.into_iter().find(|(_kind, count)| *count > allowed).map(|(kind, count)| format!("{count} ×{kind}"))
}

/// The configuration with everything that the harness relies on.
fn completed(text: &str, dir: &Path) -> String {
    let mut text = text.replace("DIR", &dir.display().to_string());
    let mut runtime = String::new();
    if !text.contains("workers =") {
        runtime.push_str("workers = 2\n");
    }
    if !text.contains("pin_workers") {
        runtime.push_str("pin_workers = false\n");
    }
    if let Ok(engine) = std::env::var("FOREBAY_TEST_ENGINE") {
        runtime.push_str(&format!("engine = \"{engine}\"\n"));
    }
    fill(&mut text, "[runtime]", &runtime);
    if !text.contains("[admin]") {
        fill(&mut text, "[admin]", &format!("listen = [\"unix:{}/admin.sock\"]\n", dir.display()));
    }
    if !text.contains("[access_log]") {
        fill(&mut text, "[access_log]", &format!("path = \"{}/access.log\"\n", dir.display()));
    }
    text
}

fn fill(text: &mut String, table: &str, lines: &str) {
    match text.find(table) {
        Some(at) => text.insert_str(at + table.len(), &format!("\n{lines}")),
        None => text.push_str(&format!("\n{table}\n{lines}")),
    }
}

fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => addr.ip(),
    };
    SocketAddr::new(ip, addr.port())
}

/// Runs one command of the binary to its end, with a deadline.
#[track_caller]
pub(crate) fn forebay_cli(args: &[&str]) -> Output {
    let mut words = vec!["20", BINARY];
    words.extend(args);
    let output = Command::new("timeout").args(words).env_remove("FOREBAY_ADMIN").env("NO_COLOR", "1").output();
    let output = output.expect("timeout(1) is part of coreutils");
    assert_ne!(output.status.code(), Some(124), "forebay {args:?} did not end");
    output
}

/// `promtool check metrics` on this text; `None` when promtool is not installed.
pub(crate) fn promtool(metrics: &str) -> Option<Output> {
    use std::io::Write as _;
    let program = std::env::var("FOREBAY_PROMTOOL").unwrap_or_else(|_unset| "promtool".into());
    let mut command = Command::new(program);
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    child.stdin.take().expect("stdin is a pipe").write_all(metrics.as_bytes()).expect("promtool reads its input");
    Some(child.wait_with_output().expect("promtool ends"))
}

/// Raises this process's soft descriptor limit to its hard one, once, and returns it: balancers started later inherit
/// it.
pub(crate) fn raise_descriptor_limit() -> usize {
    static LIMIT: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *LIMIT.get_or_init(|| {
        let me = std::process::id().to_string();
        let hard =
            Command::new("prlimit").args(["--pid", &me, "--nofile", "--noheadings", "--output", "HARD"]).output();
        let hard = hard.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
        let _kept = Command::new("prlimit").args(["--pid", &me, &format!("--nofile={hard}:{hard}")]).status();
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
        line.split_whitespace().nth(3).and_then(|soft| soft.parse().ok()).unwrap_or(1024)
    })
}

/// Opens a directory to every user, for balancers that run as another one.
pub(crate) fn open_to_all(dir: &Path) {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o777)).expect("one's own directory can be opened");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_that_do_not_balance_are_found() {
        let metrics = |active, closed| {
            let text = format!(
                "forebay_connections_total{{listener=\"w\"}} 5\nforebay_connections_active{{listener=\"w\"}} {active}\n\
                 forebay_connections_closed_total{{listener=\"w\",reason=\"finished\"}} {closed}\n\
                 forebay_connections_closed_total{{listener=\"w\",reason=\"idle_timeout\"}} 1\n"
            );
            parse(&text)
        };
        assert!(balanced(&metrics(0, 4), true).is_ok() && balanced(&metrics(1, 3), false).is_ok());
        assert!(balanced(&metrics(1, 3), true).is_err() && balanced(&metrics(0, 3), false).is_err());
    }

    #[test]
    fn a_flood_of_log_lines_is_found() {
        let lines =
            |count: u32| (0..count).map(|n| format!("12:00:{n:02} WARN accept: EMFILE {n}\n")).collect::<String>();
        assert_eq!(flood(&lines(20), Duration::from_secs(1)), None);
        assert!(flood(&lines(30), Duration::from_secs(1)).is_some());
        assert_eq!(flood(&lines(30), Duration::from_secs(12)), None);
    }

    #[test]
    fn a_configuration_is_completed_and_its_own_settings_stay() {
        let dir = Path::new("/x");
        let text = completed("[runtime]\nworkers = 1\n[listeners.a]\n", dir);
        assert!(
            text.starts_with("[runtime]\npin_workers = false\n") && text.matches("workers = 1").count() == 1,
            "{text}"
        );
        assert!(text.contains("unix:/x/admin.sock") && text.contains("path = \"/x/access.log\""), "{text}");
        assert!(completed("", dir).contains("workers = 2"));
        let own = completed("[admin]\nlisten = [\"unix:DIR/b.sock\"]\n", dir);
        assert!(own.contains("unix:/x/b.sock") && !own.contains("admin.sock"), "{own}");
    }

    #[test]
    fn the_descriptor_limit_is_raised() {
        assert!(raise_descriptor_limit() >= 1024);
    }
}
