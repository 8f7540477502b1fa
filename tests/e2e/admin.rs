//! The shapes of the admin API, its errors, its socket, and the metrics.

use crate::harness::{Forebay, Launch, Target, ask, list, not_run, promtool, refused_addr};
use serde_json::{Value, json};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;

fn text(targets: &[Target]) -> String {
    format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\n[target_groups.web]\n\
         balance = \"maglev\"\ntargets = [{}]\n",
        list(targets)
    )
}

/// Checks that `value` has every field of `shape` with a value of the same kind; `null` in the shape allows anything.
fn has_shape(value: &Value, shape: &Value, path: &str) {
    match (value, shape) {
        (_, Value::Null) | (Value::String(_), Value::String(_)) | (Value::Bool(_), Value::Bool(_)) => {}
        (Value::Number(value), Value::Number(shape)) => {
            assert!(shape.is_f64() || value.is_u64(), "{path} is a whole number: {value}");
        }
        (Value::Array(values), Value::Array(shapes)) => {
            for shape in shapes {
                assert!(!values.is_empty(), "{path} is empty");
                for (index, value) in values.iter().enumerate() {
                    has_shape(value, shape, &format!("{path}[{index}]"));
                }
            }
        }
        (Value::Object(fields), Value::Object(shapes)) => {
            for (name, shape) in shapes {
                let field = fields.get(name).unwrap_or_else(|| panic!("{path}.{name} is missing in {value}"));
                has_shape(field, shape, &format!("{path}.{name}"));
            }
        }
        _ => panic!("{path} is {value}, not like {shape}"),
    }
}

#[test]
fn bodies_have_their_documented_shape() {
    let targets = [Target::named("a"), Target::named("b")];
    let forebay = Forebay::start(&text(&targets));
    let held = ask(forebay.addr("web"));
    let target = json!({"id":"","address":"","weight":1,"backup":false,"state":"","health":"","ejected_until":null,
        "eligible":true,
        "reason":"","active":3,"opened":10,"connect_failures":0,"origin":""});
    let group = json!({"name":"web","balance":"maglev","fail_open":false,"eligible":1,"targets":[target]});
    let shapes = [
        (
            "/v1/status",
            json!({"version":"","pid":1,"state":"","ready":true,"engine":"","engine_reason":"","workers":2,
            "generation":7,
            "uptime_seconds":1.5,"config_file":"","differs_from_file":false,"pending_restart":[],
            "last_reload":null,"limits":{"max_connections":1,"max_flows":1},"sessions":3,"flows":0}),
        ),
        (
            "/v1/listeners",
            json!({"generation":7,"listeners":[{"name":"","protocol":"","addresses":[""],"state":"",
            "forward":[{"target_group":"","weight":1}],"active":3,"opened":10,"closed":7,"refused":0,
            "bytes_to_target":0,"bytes_to_client":0}]}),
        ),
        ("/v1/target_groups", json!({"generation":7,"target_groups":[group]})),
        ("/v1/target_groups/web", group.clone()),
        (
            "/v1/explain?listener=web&client=192.0.2.7:1234",
            json!({"listener":"","client":"","verdict":"","refused":null,"rule":null,
            "split_point":null,"target_group":"","balance":"","hash_key":"","slot":1,"probes":0,"target":"",
            "address":"",
            "deterministic":true,"candidates":[{"target":"","eligible":true,"reason":""}]}),
        ),
    ];
    for (path, shape) in &shapes {
        has_shape(&forebay.json(path), shape, path);
    }
    let status = forebay.json("/v1/status");
    let expected = [
        ("pid", json!(forebay.pid())),
        ("state", json!("serving")),
        ("ready", json!(true)),
        ("workers", json!(2)),
        ("sessions", json!(1)),
        ("flows", json!(0)),
        ("pending_restart", json!([])),
        ("config_file", json!(forebay.config_file().to_str().unwrap())),
        ("version", json!(env!("CARGO_PKG_VERSION"))),
    ];
    for (field, value) in expected {
        assert_eq!(status[field], value, "{field} in {status}");
    }
    assert!(["epoll", "uring"].iter().any(|engine| status["engine"] == *engine), "{status}");
    let listener = &forebay.json("/v1/listeners")["listeners"][0];
    assert_eq!(
        (&listener["name"], &listener["state"], &listener["active"], &listener["opened"]),
        (&json!("web"), &json!("active"), &json!(1), &json!(1))
    );
    let explained = forebay.json("/v1/explain?listener=web&client=192.0.2.7:1234");
    assert_eq!(
        (&explained["verdict"], &explained["refused"], &explained["rule"]),
        (&json!("target"), &Value::Null, &Value::Null)
    );
    assert_eq!(explained["candidates"].as_array().unwrap().len(), 2);
    assert_eq!(forebay.get("/healthz").status, 200);
    assert_eq!(forebay.get("/readyz").status, 200);
    assert!(held.is_served());
}

#[test]
fn errors_have_one_shape() {
    let targets = [Target::named("a")];
    let forebay = Forebay::start(&text(&targets));
    let cases = [
        ("GET", "/v1/nothing", 404, "not_found"),
        ("GET", "/v1/target_groups/nobody", 404, "not_found"),
        ("GET", "/v1/explain?listener=nobody&client=192.0.2.7:1234", 404, "not_found"),
        ("GET", "/v1/explain?listener=web&client=here", 400, "bad_request"),
        ("GET", "/v1/explain", 400, "bad_request"),
        ("DELETE", "/v1/status", 405, ""),
        ("GET", "/v1/reload", 405, ""),
    ];
    for (method, path, status, code) in cases {
        let reply = forebay.send(method, path, "");
        assert_eq!(reply.status, status, "{method} {path}: {reply:?}");
        let body = reply.json();
        has_shape(&body, &json!({"error":{"code":"","message":"","details":[]}}), path);
        assert!(code.is_empty() || body["error"]["code"] == code, "{method} {path}: {body}");
    }
    let huge = format!("{{\"weight\":1,\"x\":\"{}\"}}", "y".repeat(20_000_000));
    // A server may close before it has read the whole of a body that it refuses.
    if let Ok(reply) = crate::harness::request(&forebay.socket(), "PATCH", "/v1/target_groups/web/targets/x", &huge) {
        assert_eq!(reply.status, 413);
    }
    assert_eq!(forebay.get("/healthz").status, 200);
}

#[test]
fn metrics_please_promtool_and_name_what_is_promised() {
    let targets = [Target::named("a")];
    let (dead, _held) = refused_addr();
    let more = format!(
        "[listeners.dead]\nbind = \"127.0.0.1:0\"\ntarget_group = \"dead\"\n[target_groups.dead]\n\
         targets = [\"{dead}\"]\n\
         [listeners.\"closed\"]\nbind = \"127.0.0.1:0\"\ntarget_group = \"web\"\ndeny = [\"127.0.0.0/8\"]\n\
         [target_groups.checked]\ntargets = [{}]\nhealth_check = {{ interval = \"200ms\", timeout = \"100ms\" }}\n\
         [listeners.checked]\nbind = \"127.0.0.1:0\"\ntarget_group = \"checked\"\n",
        list(&targets)
    );
    let forebay = Forebay::start(&(text(&targets) + &more));
    assert!(ask(forebay.addr("web")).is_served());
    assert!(ask(forebay.addr("dead")).is_reset());
    assert!(ask(forebay.addr("closed")).is_reset());
    forebay.access_log(2);
    let body = forebay.get("/metrics").body;
    let promised = [
        "forebay_build_info",
        "forebay_engine_info",
        "forebay_config_generation",
        "forebay_config_last_reload_successful",
        "forebay_connections_total",
        "forebay_connections_active",
        "forebay_connections_closed_total",
        "forebay_refused_total",
        "forebay_bytes_total",
        "forebay_target_connections_active",
        "forebay_target_connections_total",
        "forebay_target_connect_failures_total",
        "forebay_target_healthy",
        "forebay_target_state",
        "forebay_target_group_fail_open",
        "forebay_probes_total",
        "forebay_probe_duration_seconds_bucket",
        "forebay_connect_duration_seconds_bucket",
        "forebay_session_duration_seconds_bucket",
    ];
    let samples = forebay.samples();
    for name in promised {
        assert!(samples.iter().any(|sample| sample.name == name), "{name} is missing:\n{body}");
    }
    assert!(samples.iter().any(|sample| sample.name.starts_with("forebay_worker_")), "{body}");
    let refused = samples
        .iter()
        .find(|sample| sample.is("forebay_refused_total", &[("listener", "closed"), ("reason", "denied")]));
    assert!(refused.is_some_and(|sample| (sample.value - 1.0).abs() < 0.1), "{body}");
    let clients = body.lines().filter(|line| !line.contains("target=") && line.contains("127.0.0.1")).count();
    assert_eq!(clients, 0, "no client address is a label:\n{body}");
    match promtool(&body) {
        Some(output) => assert!(
            output.status.success() && output.stderr.is_empty() && output.stdout.is_empty(),
            "{output:?}\n{body}"
        ),
        None => not_run("promtool check metrics", "promtool is not installed (scripts/install-peers tests)"),
    }
}

#[test]
fn admin_socket_is_private_replaced_when_stale_and_respected_when_live() {
    let targets = [Target::named("a")];
    let launch = Launch::new(&text(&targets));
    let socket = launch.dir().join("admin.sock");
    drop(UnixListener::bind(&socket).unwrap());
    assert!(socket.exists(), "a stale socket is there");
    let forebay = launch.start();
    let metadata = std::fs::metadata(&socket).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    let second =
        Launch::new(&(text(&targets) + &format!("[admin]\nlisten = [\"unix:{}\"]\n", socket.display()))).run_to_exit();
    assert_eq!(second.code, Some(3), "{}", second.stderr);
    assert_eq!(forebay.get("/healthz").status, 200, "the first one keeps its socket");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_busy_port_is_exit_3_and_names_the_address() {
    let targets = [Target::named("a")];
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let exit = Launch::new(&text(&targets).replace("127.0.0.1:0\"\ntarget_group", &format!("{addr}\"\ntarget_group")))
        .run_to_exit();
    assert_eq!(exit.code, Some(3), "{}", exit.stderr);
    assert!(exit.stderr.contains(&addr), "{}", exit.stderr);
    // Nor is half of another balancer's traffic taken.
    let first = Forebay::start(&text(&targets));
    let addr = first.addr("web").to_string();
    let exit = Launch::new(&text(&targets).replace("127.0.0.1:0\"\ntarget_group", &format!("{addr}\"\ntarget_group")))
        .run_to_exit();
    assert_eq!(exit.code, Some(3), "{}", exit.stderr);
}
