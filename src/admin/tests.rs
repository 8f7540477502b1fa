//! The API from a request to its bytes.

use super::fixture::{FILE, Requests, link_to, view_of};
use super::router::{self, BODY_BOUND_BYTES};
use super::{bind, serve};
use crate::config::{Admin, AdminAddr, AdminState};
use crate::control::{Changed, ControlView, Refusal, Request, TargetChange};
use axum::body::Body;
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

const BOUND: Duration = Duration::from_secs(10);

fn block_on<T>(task: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(BOUND, task).await.expect("in time") })
}

/// Status, content type and body of one request; control answers `answer` to whatever it is asked.
fn ask_with(
    view: ControlView,
    answer: Result<Changed, Refusal>,
    method: &str,
    path: &str,
    body: impl Into<Body>,
) -> (u16, String, String, Option<Request>) {
    let (link, mut requests): (_, Requests) = link_to(view);
    let api = TowerToHyperService::new(router::router(link));
    let request = hyper::Request::builder().method(method).uri(path).body(body.into()).expect("valid");
    block_on(async {
        let control = async {
            let (request, reply) = requests.recv().await?;
            drop(reply.send(answer));
            Some(request)
        };
        let (response, asked) = {
            let call = api.call(request);
            tokio::pin!(call, control);
            tokio::select! {
                response = &mut call => (response, None),
                asked = &mut control => (call.await, asked),
            }
        };
        let Ok(response) = response;
        let kind = response.headers()["content-type"].to_str().expect("text").to_owned();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        (status, kind, String::from_utf8(bytes.to_vec()).expect("text"), asked)
    })
}

fn changed() -> Changed {
    Changed { generation: 8, changed: true, discarded: vec!["web a1".into()], pending_restart: Vec::new() }
}

fn get(path: &str) -> (u16, Value) {
    let (status, _, body, _) = ask_with(view_of(FILE), Ok(changed()), "GET", path, "");
    (status, serde_json::from_str(&body).expect(path))
}

/// The code of an error body, after checking its shape.
fn error_code(body: &str) -> String {
    let body: Value = serde_json::from_str(body).expect("JSON");
    let error = &body["error"];
    assert!(error["message"].is_string() && error["details"].is_array(), "{body}");
    error["code"].as_str().expect("a code").to_owned()
}

#[test]
fn every_error_has_the_one_shape() {
    let large = "x".repeat(BODY_BOUND_BYTES + 1);
    let target = "/v1/target_groups/blue/targets/a";
    let cases = [
        ("GET", "/v1/nothing", "", 404, "not_found"),
        ("GET", "/v1/sessions", "", 404, "not_found"),
        ("POST", "/v1/rollback", "", 404, "not_found"),
        ("GET", "/v1/target_groups/none", "", 404, "not_found"),
        ("GET", "/v1/target_groups/%ff", "", 400, "bad_request"),
        ("DELETE", "/v1/status", "", 405, "method_not_allowed"),
        ("GET", "/v1/reload", "", 405, "method_not_allowed"),
        ("PATCH", target, "{", 400, "bad_request"),
        ("PATCH", target, "{}", 400, "bad_request"),
        ("PATCH", target, r#"{"wieght":1}"#, 400, "bad_request"),
        ("PATCH", target, r#"{"weight":1001}"#, 400, "bad_request"),
        ("PATCH", target, r#"{"weight":-1}"#, 400, "bad_request"),
        ("PATCH", target, r#"{"state":"gone"}"#, 400, "bad_request"),
        ("PATCH", target, &large, 413, "too_large"),
        ("POST", "/v1/reload?keep_changes=maybe", "", 400, "bad_request"),
        ("POST", "/v1/config/check", "[listeners.web]\nbid = 1\n", 422, "config_invalid"),
        ("GET", "/v1/explain?listener=web", "", 400, "bad_request"),
        ("GET", "/v1/explain?listener=web&client=x", "", 400, "bad_request"),
        ("GET", "/v1/explain?listener=web&client=1.2.3.4:5&payload=0", "", 400, "bad_request"),
        ("GET", "/v1/explain?listener=no&client=1.2.3.4:5", "", 404, "not_found"),
    ];
    for (method, path, body, status, code) in cases {
        let (got, kind, text, asked) = ask_with(view_of(FILE), Ok(changed()), method, path, body.to_owned());
        assert_eq!((got, &*kind), (status, "application/json"), "{method} {path}: {text}");
        assert_eq!(error_code(&text), code, "{method} {path}");
        assert!(asked.is_none(), "{method} {path} reached control");
    }
}

#[test]
fn what_control_refuses_becomes_the_status_of_the_contract() {
    let invalid = Refusal::Invalid { message: "m".into(), diagnostics: Vec::new(), rendered: String::new() };
    let cases = [
        (Refusal::NotFound("no".into()), 404, "not_found"),
        (Refusal::BadRequest("no".into()), 400, "bad_request"),
        (Refusal::Conflict("no".into()), 409, "conflict"),
        (invalid, 422, "config_invalid"),
        (Refusal::NotAdopted, 503, "not_adopted"),
    ];
    for (refusal, status, code) in cases {
        let (got, _, text, _) = ask_with(view_of(FILE), Err(refusal), "POST", "/v1/reload", "");
        assert_eq!((got, error_code(&text)), (status, code.to_owned()));
    }
}

#[test]
fn a_target_is_named_in_percent_encoding() {
    let path = "/v1/target_groups/blue/targets/odd%2F%C3%A9%22%5C";
    let body = r#"{"state":"draining","weight":3}"#;
    let (status, _, text, asked) = ask_with(view_of(FILE), Ok(changed()), "PATCH", path, body);
    assert_eq!((status, &*text), (200, r#"{"generation":8,"changed":true}"#));
    let Some(Request::ChangeTarget { group, target, change }) = asked else { panic!("{asked:?}") };
    assert_eq!((&*group, &*target), ("blue", "odd/é\"\\"));
    assert_eq!(change, TargetChange { state: Some(AdminState::Draining), weight: Some(3) });
}

#[test]
fn a_reload_tells_what_it_undid() {
    let (_, _, text, asked) = ask_with(view_of(FILE), Ok(changed()), "POST", "/v1/reload?keep_changes=true", "");
    assert!(matches!(asked, Some(Request::Reload { keep_changes: true })));
    assert_eq!(text, r#"{"generation":8,"changed":true,"discarded":["web a1"],"pending_restart":[]}"#);
    let (_, _, _, asked) = ask_with(view_of(FILE), Ok(changed()), "POST", "/v1/reload", "");
    assert!(matches!(asked, Some(Request::Reload { keep_changes: false })));
}

#[test]
fn status_has_every_field_of_the_contract_in_its_order() {
    let (_, _, text, _) = ask_with(view_of(FILE), Ok(changed()), "GET", "/v1/status", "");
    let order = [
        "version",
        "pid",
        "state",
        "ready",
        "engine",
        "engine_reason",
        "workers",
        "generation",
        "uptime_seconds",
        "config_file",
        "differs_from_file",
        "pending_restart",
        "last_reload",
        "limits",
        "sessions",
        "flows",
        "security",
    ];
    let places: Vec<_> = order.iter().map(|key| text.find(&format!("\"{key}\":")).expect(key)).collect();
    assert!(places.is_sorted(), "{text}");
    let body: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(body["state"], "serving");
    assert_eq!(body["last_reload"], json!({ "ok": true, "time": "1970-01-01T00:00:01.500Z", "message": "" }));
    assert_eq!(body["limits"], json!({ "max_connections": 9900, "max_flows": 262_144 }));
    assert_eq!(body["pending_restart"], json!(["runtime.workers"]));
}

#[test]
fn listeners_and_groups_have_the_shape_of_the_contract() {
    let (_, _, text, _) = ask_with(view_of(FILE), Ok(changed()), "GET", "/v1/listeners", "");
    assert_eq!(
        text,
        r#"{"generation":0,"listeners":[{"name":"web","protocol":"tcp","addresses":[],"state":"active","forward":[{"target_group":"blue","weight":3},{"target_group":"green","weight":1}],"active":0,"opened":0,"closed":0,"refused":0,"bytes_to_target":0,"bytes_to_client":0}]}"#
    );
    let (_, _, text, _) = ask_with(view_of(FILE), Ok(changed()), "GET", "/v1/target_groups/blue", "");
    assert_eq!(
        text,
        r#"{"name":"blue","balance":"maglev","fail_open":false,"eligible":2,"targets":[{"id":"127.0.0.1:9001","address":"127.0.0.1:9001","weight":1,"backup":false,"state":"enabled","health":"healthy","ejected_until":null,"eligible":true,"reason":"ok","active":0,"opened":0,"connect_failures":0,"origin":"file"},{"id":"odd/é\"\\","address":"127.0.0.1:9002","weight":2,"backup":true,"state":"enabled","health":"healthy","ejected_until":null,"eligible":true,"reason":"ok","active":0,"opened":0,"connect_failures":0,"origin":"file"}]}"#
    );
    let (_, groups) = get("/v1/target_groups");
    let reasons: Vec<_> = groups["target_groups"][1]["targets"].as_array().expect("a list").iter().collect();
    let reasons: Vec<_> =
        reasons.iter().map(|target| (target["eligible"] == true, target["reason"].as_str())).collect();
    assert_eq!(reasons, [(true, Some("ok")), (false, Some("draining")), (false, Some("weight_zero"))]);
}

#[test]
fn the_configuration_in_force_has_every_key() {
    let (status, body) = get("/v1/config");
    assert_eq!((status, &body["generation"]), (200, &json!(0)));
    assert_eq!(body["config"]["listeners"]["web"]["idle_timeout"], "1h");
    assert_eq!(body["config"]["target_groups"]["blue"]["balance"], "maglev");
}

#[test]
fn a_valid_text_is_checked_without_asking_control() {
    let (status, _, text, asked) = ask_with(view_of(FILE), Ok(changed()), "POST", "/v1/config/check", FILE);
    assert!(asked.is_none());
    assert_eq!(
        (status, &*text),
        (200, r#"{"ok":true,"diagnostics":[],"summary":{"listeners":1,"target_groups":2,"targets":5}}"#)
    );
}

#[test]
fn readiness_tells_why_not() {
    let (status, kind, text, _) = ask_with(view_of(FILE), Ok(changed()), "GET", "/readyz", "");
    assert_eq!((status, &*text), (200, "ready\n"));
    assert!(kind.starts_with("text/plain"), "{kind}");
    let waiting = ControlView { ready: Err("blue: no verdict yet".into()), ..view_of(FILE) };
    let (status, _, text, _) = ask_with(waiting, Ok(changed()), "GET", "/readyz", "");
    assert_eq!((status, &*text), (503, "blue: no verdict yet\n"));
}

async fn exchange(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    answer
}

#[test]
fn a_shutdown_is_answered_whole_and_then_asked_of_control() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.sock");
    let listen = Some(vec![AdminAddr::Unix(path.clone())]);
    let sockets = bind(&Admin { listen, token_file: None }).expect("bound");
    let (link, mut requests) = link_to(view_of(FILE));
    block_on(async {
        let api = tokio::spawn(serve(sockets, link));
        tokio::task::yield_now().await;
        // No `Connection: close` from the client: the answer must end the connection by itself.
        let post = "POST /v1/shutdown HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
        let mut client = UnixStream::connect(&path).await.expect("listening");
        client.write_all(post.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        let (asked, read) = tokio::join!(requests.recv(), client.read_to_string(&mut answer));
        assert!(read.is_ok() && answer.ends_with(r#"{"generation":0,"changed":true}"#), "{answer}");
        assert!(matches!(asked, Some((Request::Shutdown, _))));
        api.abort();
    });
}

#[test]
fn a_thousand_silent_clients_do_not_keep_others_out() {
    let dir = tempfile::tempdir().expect("a directory");
    let (path, token_file) = (dir.path().join("a.sock"), dir.path().join("token"));
    std::fs::write(&token_file, "sesame\n").expect("written");
    let loopback = AdminAddr::Tcp("127.0.0.1:0".parse().expect("literal"));
    let listen = Some(vec![AdminAddr::Unix(path.clone()), loopback]);
    let sockets = bind(&Admin { listen, token_file: Some(token_file) }).expect("bound");
    let AdminAddr::Tcp(tcp) = sockets.addresses()[1] else { panic!("TCP is second") };
    let (link, _requests) = link_to(view_of(FILE));
    block_on(async {
        let api = tokio::spawn(serve(sockets, link));
        let mut silent = Vec::new();
        for _ in 0..1000 {
            let mut client = TcpStream::connect(tcp).await.expect("accepted");
            client.write_all(b"GET /healthz HT").await.ok();
            silent.push(client);
        }
        let get = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let answer = exchange(TcpStream::connect(tcp).await.expect("accepted"), get).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ok\n"), "{answer}");
        let answer = exchange(UnixStream::connect(&path).await.expect("listening"), get).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        let post = "POST /v1/reload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        let answer = exchange(TcpStream::connect(tcp).await.expect("accepted"), post).await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
        api.abort();
        assert!(api.await.is_err_and(|error| error.is_cancelled()));
    });
    assert!(!path.exists(), "the socket goes with the API");
}
