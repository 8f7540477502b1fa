//! Commands and their exit codes.

use crate::harness::{Forebay, Launch, Target, forebay_cli, list};
use serde_json::Value;
use std::process::Output;

fn text(targets: &[Target]) -> String {
    format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n[target_groups.web]\n\
         balance = \"maglev\"\ntargets = [{}]\n",
        list(targets)
    )
}

#[track_caller]
fn ends(args: &[&str], code: i32) -> Output {
    let output = forebay_cli(args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
    if code != 0 && !args.contains(&"--json") {
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "errors go to stderr: {args:?}: {output:?}");
    }
    output
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn check_prints_ok_or_every_problem() {
    let dir = tempfile::tempdir().unwrap();
    let (good, bad) = (dir.path().join("good.toml"), dir.path().join("bad.toml"));
    let targets = [Target::named("a")];
    std::fs::write(&good, text(&targets)).unwrap();
    std::fs::write(&bad, text(&targets).replace("balance", "blance").replace("\"web\"", "\"wbe\"")).unwrap();
    let (good, bad) = (good.to_str().unwrap(), bad.to_str().unwrap());
    let output = ends(&["check", good], 0);
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("ok"), "{output:?}");
    let summary = json(&ends(&["check", good, "--json"], 0));
    assert_eq!(
        (&summary["ok"], &summary["summary"]["targets"], &summary["summary"]["listeners"]),
        (&true.into(), &1.into(), &1.into())
    );
    let output = ends(&["check", bad], 1);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    for part in ["bad.toml:3:16", "bad.toml:5:1", "^", "balance", "wbe"] {
        assert!(stderr.contains(part), "{part} in\n{stderr}");
    }
    let found = json(&ends(&["check", bad, "--json"], 1));
    assert_eq!((&found["ok"], found["diagnostics"].as_array().map(Vec::len)), (&false.into(), Some(2)), "{found}");
    ends(&["check", "/nonexistent/forebay.toml"], 1);
    ends(&["run", "--config", "/nonexistent/forebay.toml"], 1);
    ends(&["run", "--config", bad], 1);
}

#[test]
fn wrong_usage_is_exit_2() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("forebay.toml");
    std::fs::write(&file, text(&[Target::named("a")])).unwrap();
    let file = file.to_str().unwrap();
    ends(&["check", "--nonsense"], 2);
    ends(&["nonsense"], 2);
    ends(&["explain", "--config", file, "--listener", "nobody", "--client", "192.0.2.1:1"], 2);
    ends(&["explain", "--config", file, "--listener", "web", "--client", "somewhere"], 2);
    for command in ["run", "check", "explain", "status", "targets", "target", "reload", "schema", "tcp", "demo"] {
        let output = ends(&[command, "--help"], 0);
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            help.contains("xample") && help.contains(&format!("forebay {command}")),
            "{command} --help has an example:\n{help}"
        );
    }
}

#[test]
fn no_running_forebay_is_exit_4() {
    let dir = tempfile::tempdir().unwrap();
    let socket = format!("unix:{}/none.sock", dir.path().display());
    for command in [&["status"][..], &["targets"], &["reload"], &["target", "web", "a", "drain"]] {
        let args: Vec<&str> = command.iter().copied().chain(["--admin", &socket]).collect();
        ends(&args, 4);
    }
}

#[test]
fn commands_show_and_change_a_running_forebay() {
    let targets = [Target::named("a"), Target::named("b")];
    let forebay = Forebay::start(&text(&targets));
    let socket = format!("unix:{}", forebay.socket().display());
    let admin = ["--admin", socket.as_str()];
    let with =
        |args: &[&'static str]| -> Vec<String> { args.iter().copied().chain(admin).map(str::to_owned).collect() };
    let run = |args: &[String], code: i32| ends(&args.iter().map(String::as_str).collect::<Vec<_>>(), code);
    let status = json(&run(&with(&["status", "--json"]), 0));
    assert_eq!((&status["pid"], &status["state"]), (&forebay.pid().into(), &"serving".into()));
    assert!(!run(&with(&["status"]), 0).stdout.is_empty());
    let shown = json(&run(&with(&["targets", "--json"]), 0));
    assert_eq!(shown["target_groups"][0]["targets"].as_array().map(Vec::len), Some(2), "{shown}");
    let id = targets[0].addr().to_string();
    let target = |words: &[&str], code: i32| {
        let mut args = vec!["target", "web"];
        args.extend(words);
        args.extend(admin);
        ends(&args, code)
    };
    for (word, state) in [("drain", "draining"), ("disable", "disabled"), ("enable", "enabled")] {
        target(&[&id, word], 0);
        assert_eq!(forebay.target("web", &id)["state"], state);
    }
    target(&[&id, "weight", "7"], 0);
    assert_eq!(forebay.target("web", &id)["weight"], 7);
    target(&["nobody", "drain"], 5);
    target(
        &[&id, "weight", "1001"],
        if forebay_cli(&["target", "web", &id, "weight", "1001", admin[0], admin[1]]).status.code() == Some(2) {
            2
        } else {
            5
        },
    );
    let config = forebay.config_file().to_str().unwrap();
    ends(&["status", "--config", config], 0);
    forebay.rewrite_config(&text(&targets[1..]));
    run(&with(&["reload"]), 0);
    assert_eq!(forebay.json("/v1/target_groups/web")["eligible"], 1);
    forebay.rewrite_config(&text(&targets).replace("maglev", "magnet"));
    let output = run(&with(&["reload"]), 1);
    assert!(String::from_utf8_lossy(&output.stderr).contains("magnet"), "{output:?}");
    let live = ["explain", "--live", "--listener", "web", "--client", "127.0.0.1:5", "--json", admin[0], admin[1]];
    assert_eq!(json(&ends(&live, 0))["verdict"], "target");
}

#[test]
fn explain_reads_a_file_and_is_the_same_as_live() {
    let targets = [Target::named("a"), Target::named("b"), Target::named("c")];
    let forebay = Forebay::start(&text(&targets));
    let file = forebay.config_file().to_str().unwrap().to_owned();
    for client in ["192.0.2.1:1", "[2001:db8::1]:9", "198.51.100.7:65535"] {
        let offline =
            json(&ends(&["explain", "--config", &file, "--listener", "web", "--client", client, "--json"], 0));
        let live = forebay
            .json(&format!("/v1/explain?listener=web&client={}", client.replace('[', "%5B").replace(']', "%5D")));
        for field in [
            "listener",
            "client",
            "verdict",
            "target_group",
            "balance",
            "hash_key",
            "slot",
            "probes",
            "target",
            "address",
            "split_point",
        ] {
            assert_eq!(offline[field], live[field], "{field} of {client}");
        }
    }
    let text = forebay_cli(&["explain", "--config", &file, "--listener", "web", "--client", "192.0.2.1:1"]);
    assert!(text.status.success() && !text.stdout.is_empty());
}

#[test]
fn denied_client_is_explained_as_refused() {
    let targets = [Target::named("a")];
    let launch = Launch::new(
        &text(&targets).replace("target_group = \"web\"", "target_group = \"web\"\ndeny = [\"192.0.2.0/24\"]"),
    );
    let forebay = launch.start();
    let explained = forebay.json("/v1/explain?listener=web&client=192.0.2.9:1");
    assert_eq!(
        (&explained["verdict"], &explained["refused"], &explained["target"]),
        (&"refused".into(), &"denied".into(), &Value::Null),
        "{explained}"
    );
}

#[test]
fn schema_is_a_json_schema_that_knows_every_table() {
    let schema = json(&ends(&["schema"], 0));
    let text = schema.to_string();
    for key in
        ["runtime", "listeners", "target_groups", "health_check", "fail_open_below", "access_log", "shutdown_timeout"]
    {
        assert!(text.contains(&format!("\"{key}\"")), "{key}");
    }
}
