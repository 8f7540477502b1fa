//! What the parser takes and refuses.

use super::*;
use crate::admin::{self, fixture};
use crate::config::{Admin, AdminAddr};
use crate::control::{Changed, Refusal, Request};
use clap::error::ErrorKind;

fn parse(line: &str) -> Result<Cli, ErrorKind> {
    Cli::try_parse_from(line.split_whitespace()).map_err(|error| error.kind())
}

#[test]
fn the_definition_is_sound() {
    definition().debug_assert();
}

#[test]
fn every_command_has_help_with_an_example() {
    for command in definition().get_subcommands() {
        let help = command.clone().render_long_help().to_string();
        assert!(help.contains("Example") || command.has_subcommands(), "{}:\n{help}", command.get_name());
        assert!(command.get_about().is_some(), "{}", command.get_name());
    }
}

#[test]
fn a_weight_belongs_to_the_action_weight() {
    assert!(parse("forebay target web a1 drain").is_ok());
    assert!(parse("forebay target web a1 weight 0 --admin unix:/x").is_ok());
    assert_eq!(parse("forebay target web a1 weight").expect_err("no number"), ErrorKind::MissingRequiredArgument);
    assert_eq!(parse("forebay target web a1 weight 1001").expect_err("too much"), ErrorKind::ValueValidation);
    assert_eq!(parse("forebay target web a1 remove").expect_err("no such action"), ErrorKind::InvalidValue);
}

#[test]
fn explain_needs_listener_and_client() {
    assert!(parse("forebay explain --listener web --client 192.0.2.7:1 --json --live").is_ok());
    assert_eq!(parse("forebay explain --listener web").expect_err("no client"), ErrorKind::MissingRequiredArgument);
}

/// A forebay whose control takes every change, served from a thread of its own until this is dropped.
struct Served {
    dir: tempfile::TempDir,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Served {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let listen = Some(vec![AdminAddr::Unix(dir.path().join("a.sock"))]);
        let sockets = admin::bind(&Admin { listen, token_file: None }).expect("bound");
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (listening, listens) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let (link, mut requests) = fixture::link_to(fixture::view_of(fixture::FILE));
                let api = tokio::spawn(admin::serve(sockets, link));
                tokio::task::yield_now().await;
                listening.send(()).expect("the test waits");
                let control = async {
                    while let Some((request, answer)) = requests.recv().await {
                        drop(answer.send(reply_to(&request)));
                    }
                };
                tokio::select! { () = control => {}, _ = stopped => {} }
                api.abort();
                assert!(api.await.is_err_and(|error| error.is_cancelled()));
            });
        });
        listens.recv().expect("it listens");
        Self { dir, stop: Some(stop), thread: Some(thread) }
    }

    fn admin(&self) -> String {
        format!("unix:{}", self.dir.path().join("a.sock").display())
    }

    /// Runs one command against it; the exit code.
    fn run(&self, line: &str) -> u8 {
        let admin = self.admin();
        let words = line.split_whitespace().chain(["--admin", &admin]);
        let cli = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
        cli.command.run().map_or_else(|failure| failure.exit as u8, |_done| 0)
    }
}

fn reply_to(request: &Request) -> Result<Changed, Refusal> {
    match request {
        Request::ChangeTarget { target, .. } if target == "none" => Err(Refusal::NotFound("no such target".into())),
        Request::Reload { keep_changes: true } => {
            Err(Refusal::Invalid { message: "bad".into(), diagnostics: Vec::new(), rendered: "line 3".into() })
        }
        Request::Reload { .. } | Request::ChangeTarget { .. } | Request::Shutdown => {
            Ok(Changed { generation: 2, changed: true, discarded: Vec::new(), pending_restart: Vec::new() })
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok());
        }
    }
}

#[test]
fn commands_exit_as_the_contract_says() {
    let forebay = Served::start();
    let cases = [
        ("forebay status", 0),
        ("forebay status --json", 0),
        ("forebay targets", 0),
        ("forebay target blue a drain", 0),
        ("forebay target blue none enable", 5),
        ("forebay target blue a drain 3", 2),
        ("forebay reload", 0),
        ("forebay reload --keep-changes", 1),
        ("forebay explain --live --listener web --client 10.9.0.1:1", 0),
        ("forebay explain --live --listener none --client 10.9.0.1:1", 5),
        ("forebay explain --live --listener web --client nobody", 2),
    ];
    for (line, exit) in cases {
        assert_eq!(forebay.run(line), exit, "{line}");
    }
    let socket = forebay.admin();
    drop(forebay);
    let cli = Cli::try_parse_from(["forebay", "status", "--admin", &socket]).expect("parsed");
    assert_eq!(cli.command.run().expect_err("it has ended").exit, failure::Exit::NotReached);
}

#[test]
fn the_admin_address_is_the_argument_then_the_file_then_the_default() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("f.toml");
    std::fs::write(&file, format!("admin.listen = [\"unix:/x.sock\"]\n{}", fixture::FILE)).expect("written");
    let find = |admin: Option<&str>, config: Option<&std::path::Path>| {
        let args = admin_args::AdminArgs {
            admin: admin.map(str::to_owned),
            config: config.map(std::path::Path::to_owned),
            token_file: None,
        };
        args.find().map(|(addr, _)| addr).map_err(|failure| failure.exit)
    };
    assert_eq!(find(Some("unix:/y.sock"), Some(&file)), Ok(AdminAddr::Unix("/y.sock".into())));
    assert_eq!(find(None, Some(&file)), Ok(AdminAddr::Unix("/x.sock".into())));
    assert_eq!(find(None, None), Ok(AdminAddr::Unix(admin::default_socket())));
    assert_eq!(find(None, Some(dir.path())), Err(failure::Exit::Config));
}
