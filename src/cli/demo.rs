//! `forebay demo`: targets, a balancer and a light load in one process, with a failover to watch.

mod story;
mod view;

use super::failure::{Exit, Failure};
use super::{output, serve};
use crate::Balancer;
use crate::config::{AdminAddr, Config, HealthCheck, Listener, Outlier, ProbeKind, TargetGroup};
use crate::load::{self, Mode, Plan, Target, TargetKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use story::Story;

/// What listener and target group are called.
const NAME: &str = "demo";
const TARGETS: usize = 3;
/// Clients per second: visible, and nothing that a laptop would notice.
const RATE: f64 = 200.0;
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = "One of three targets goes away and comes back; no client should notice.\n\n\
    Example:\n  forebay demo --seconds 30")]
pub(super) struct Args {
    /// How long it lasts; Ctrl-C ends it earlier
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=3600))]
    seconds: u16,
}

/// Runs the demo to its end; fails when a client saw an error.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let cannot =
        |what: &str, error: &dyn std::fmt::Display| Failure::new(Exit::CannotStart, format!("{what}: {error}"));
    let mut targets = Vec::new();
    for _ in 0..TARGETS {
        targets.push(Target::start(TargetKind::Echo, ANY_PORT).map_err(|error| cannot("an echo target", &error))?);
    }
    let addresses: Vec<SocketAddr> = targets.iter().map(Target::addr).collect();
    let place = PrivateDirectory::new();
    let balancer = serve::start(config(&addresses, place.socket()))?;
    let stop = Arc::new(AtomicBool::new(false));
    let watching = watch_for_interrupt(Arc::clone(&stop));
    let outcome = drive(args, &balancer, targets, &stop, &place);
    drop(watching);
    balancer.shutdown();
    outcome
}

fn drive(
    args: &Args,
    balancer: &Balancer,
    targets: Vec<Target>,
    stop: &AtomicBool,
    place: &PrivateDirectory,
) -> Result<(), Failure> {
    let listen_addr = *balancer.addresses(NAME).first().expect("the one listener has one address");
    let length = Duration::from_secs(args.seconds.into());
    output::print(&view::opening(listen_addr, &targets, &AdminAddr::Unix(place.socket())));
    let plan =
        Plan { connections: 32, size: 512, rate: RATE, duration: length, ..Plan::new(listen_addr, Mode::Connect) };
    let mut story = Story::new(targets, length);
    let report = load::run_until(&plan, |progress| {
        story.tick(progress, &balancer.link().view());
        if stop.load(Relaxed) { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
    });
    let report = report.map_err(|error| Failure::new(Exit::CannotStart, format!("the load: {error}")))?;
    output::print(&view::closing(&report, story.ending()));
    match report.errors.total() {
        0 => Ok(()),
        errors => Err(Failure::new(Exit::SawErrors, format!("clients saw {errors} errors"))),
    }
}

/// Short intervals, so that one sees in seconds what takes longer with the defaults.
fn config(targets: &[SocketAddr], socket: PathBuf) -> Config {
    let check = HealthCheck {
        kind: ProbeKind::Tcp { send: Vec::new(), expect: Vec::new() },
        port: None,
        source_address: None,
        interval: Duration::from_millis(500),
        timeout: Duration::from_millis(400),
        jitter_percent: 10,
        healthy_threshold: 2,
        unhealthy_threshold: 3,
        fast_interval: Duration::from_millis(200),
    };
    let mut config = Config {
        listeners: vec![Listener::tcp(NAME, ANY_PORT, NAME)],
        target_groups: vec![TargetGroup {
            health_check: Some(check),
            outlier: Outlier { consecutive_failures: 0, ..Outlier::default() },
            ..TargetGroup::new(NAME, targets)
        }],
        ..Config::default()
    };
    config.admin.listen = Some(vec![AdminAddr::Unix(socket)]);
    config.runtime.shutdown_timeout = Duration::from_secs(1);
    config
}

/// A directory of this process alone; removed at the end.
struct PrivateDirectory(PathBuf);

impl PrivateDirectory {
    /// A name; the admin API makes the directory, mode 0700.
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("forebay-demo-{}", std::process::id())))
    }

    fn socket(&self) -> PathBuf {
        self.0.join("admin.sock")
    }
}

impl Drop for PrivateDirectory {
    fn drop(&mut self) {
        drop(std::fs::remove_dir(&self.0));
    }
}

/// Sets `stop` at Ctrl-C; ends when what it returns is dropped.
fn watch_for_interrupt(stop: Arc<AtomicBool>) -> tokio::sync::oneshot::Sender<()> {
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            tokio::select! {
                interrupted = tokio::signal::ctrl_c() => stop.store(interrupted.is_ok(), Relaxed),
                _dropped = ended => {}
            }
        });
    });
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_of_the_demo_is_valid_as_a_file() {
        let config = config(&["127.0.0.1:9".parse().expect("literal")], "/x.sock".into());
        assert!(config.target_groups[0].health_check.as_ref().is_some_and(|check| check.timeout <= check.interval));
        assert_eq!(crate::admin::show_addr(&config.admin.listen.expect("set")[0]), "unix:/x.sock");
    }
}
