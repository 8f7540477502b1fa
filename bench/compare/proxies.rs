//! The proxies and their configurations: one worker, one listener, one target, no access log, the same keep-alive.

use super::Outcome;
use super::arena::Arena;
use super::options::{Options, is_wanted};
use super::process::Running;
use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How a proxy is configured and started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Forebay,
    HaproxyDefault,
    HaproxySplice,
    Nginx,
    Envoy,
    /// A baseline relay: its arguments are LISTEN and TARGET.
    Relay,
}

/// A proxy that was found.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    pub(crate) name: String,
    pub(crate) version: String,
    kind: Kind,
    program: PathBuf,
}

const NGINX_MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// Every wanted proxy on this machine, forebay first, then forebay again: what separates these two is noise.
pub(crate) fn find(options: &Options) -> Vec<Proxy> {
    let forebay = options.forebay.as_path();
    let envoy = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/envoy");
    let mut candidates = vec![
        ("forebay", Kind::Forebay, Some(forebay.to_path_buf())),
        ("forebay-again", Kind::Forebay, Some(forebay.to_path_buf())),
        ("haproxy", Kind::HaproxyDefault, located("FOREBAY_BENCH_HAPROXY", "haproxy")),
        ("haproxy-splice", Kind::HaproxySplice, located("FOREBAY_BENCH_HAPROXY", "haproxy")),
        ("nginx", Kind::Nginx, located("FOREBAY_BENCH_NGINX", "nginx")),
        ("envoy", Kind::Envoy, located("FOREBAY_BENCH_ENVOY", "envoy").or(Some(envoy))),
    ];
    if options.engines {
        candidates.push(("tokio", Kind::Relay, located("FOREBAY_BENCH_TOKIO", "baseline_tokio")));
        candidates.push(("tokio-uring", Kind::Relay, located("FOREBAY_BENCH_TOKIO_URING", "baseline_tokio_uring")));
    }
    let wanted = candidates.into_iter().filter(|(name, _kind, _program)| is_wanted(name, &options.proxies));
    wanted
        .filter_map(|(name, kind, program)| {
            let program = program?;
            let version = version_of(kind, &program)?;
            Some(Proxy { name: name.to_owned(), version, kind, program })
        })
        .collect()
}

/// The program that `variable` names, else the one in the search path.
fn located(variable: &str, program: &str) -> Option<PathBuf> {
    if let Some(path) = env::var_os(variable) {
        return Some(PathBuf::from(path));
    }
    let path = env::var_os("PATH")?;
    let places = env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    places.map(|place| place.join(program)).find(|path| path.is_file())
}

/// The first line that the program says of itself; `None` when it does not run.
fn version_of(kind: Kind, program: &Path) -> Option<String> {
    if kind == Kind::Relay {
        return program.is_file().then(|| "of this crate's lock file".to_owned());
    }
    let flag = if matches!(kind, Kind::Envoy | Kind::Forebay) { "--version" } else { "-v" };
    let output = Command::new(program).arg(flag).output().ok().filter(|output| output.status.success())?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let first = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    // Envoy begins with the path it was started from, which is nobody's business.
    Some(first.rsplit_once("  version: ").map_or(first, |(_path, version)| version).to_owned())
}

impl Proxy {
    /// Whether this is a peer: neither forebay nor a baseline.
    pub(crate) fn is_peer(&self) -> bool {
        !matches!(self.kind, Kind::Forebay | Kind::Relay)
    }

    /// Starts it on one CPU, its files in `place`.
    pub(crate) fn start(
        &self,
        arena: &Arena,
        cpu: usize,
        place: &Path,
        listen: SocketAddr,
        target: SocketAddr,
    ) -> Outcome<Running> {
        let written = |file: &str, text: String| -> Outcome<PathBuf> {
            let path = place.join(file);
            fs::write(&path, text)?;
            Ok(path)
        };
        let mut command = arena.at_proxy(cpu, &self.program);
        match self.kind {
            Kind::Forebay => {
                let file = written("forebay.toml", forebay_config(place, listen, target))?;
                command.args(["run", "--config"]).arg(file);
            }
            Kind::HaproxyDefault | Kind::HaproxySplice => {
                let splice = self.kind == Kind::HaproxySplice;
                command.arg("-db").arg("-f").arg(written("haproxy.cfg", haproxy_config(splice, listen, target))?);
            }
            Kind::Nginx => {
                command.arg("-c").arg(written("nginx.conf", nginx_config(place, listen, target))?);
                command.arg("-e").arg(place.join("error.log"));
            }
            Kind::Envoy => {
                command.args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "-c"]);
                command.arg(written("envoy.json", envoy_config(listen, target))?);
            }
            Kind::Relay => {
                command.args([listen.to_string(), target.to_string()]);
            }
        }
        let log = fs::File::create(place.join("output.log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(Running(command.spawn().map_err(|error| format!("{}: {error}", self.name))?))
    }
}

fn forebay_config(place: &Path, listen: SocketAddr, target: SocketAddr) -> String {
    format!(
        r#"[runtime]
workers = 1
[admin]
listen = ["unix:{}"]
[listeners.bench]
bind = "{listen}"
target_group = "bench"
keepalive = "60s"
[target_groups.bench]
targets = ["{target}"]
"#,
        place.join("admin.sock").display()
    )
}

fn haproxy_config(splice: bool, listen: SocketAddr, target: SocketAddr) -> String {
    let splice = if splice { "option splice-auto" } else { "" };
    // The sum of two descriptors for each connection and for each pipe has to stay below the usual limit of 20,000.
    format!(
        "global
  nbthread 1
  maxconn 8800
  maxpipes 500
defaults
  mode tcp
  timeout connect 2s
  timeout client 1h
  timeout server 1h
  option tcpka
  clitcpka-idle 60s
  clitcpka-intvl 10s
  clitcpka-cnt 3
  srvtcpka-idle 60s
  srvtcpka-intvl 10s
  srvtcpka-cnt 3
  {splice}
listen bench
  bind {listen} backlog 4096
  server one {target}
"
    )
}

fn nginx_config(place: &Path, listen: SocketAddr, target: SocketAddr) -> String {
    let module = if Path::new(NGINX_MODULE).exists() { format!("load_module {NGINX_MODULE};") } else { String::new() };
    format!(
        "{module}
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {place}/nginx.pid;
error_log {place}/error.log error;
events {{ worker_connections 19000; }}
stream {{
  server {{
    listen {listen} so_keepalive=60s:10s:3 backlog=4096;
    proxy_pass {target};
    proxy_socket_keepalive on;
    proxy_connect_timeout 2s;
    proxy_timeout 1h;
  }}
}}
",
        place = place.display()
    )
}

fn envoy_config(listen: SocketAddr, target: SocketAddr) -> String {
    let address = |addr: SocketAddr| serde_json::json!({"socket_address": {"address": addr.ip().to_string(), "port_value": addr.port()}});
    // SO_KEEPALIVE, then TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT.
    let keepalive: Vec<_> = [(1, 9, 1), (6, 4, 60), (6, 5, 10), (6, 6, 3)]
        .into_iter()
        .map(|(level, name, value)| serde_json::json!({"level": level, "name": name, "int_value": value}))
        .collect();
    let config = serde_json::json!({"static_resources": {
        "listeners": [{
            "address": address(listen),
            "tcp_backlog_size": 4096,
            "socket_options": keepalive,
            "filter_chains": [{"filters": [{
                "name": "envoy.filters.network.tcp_proxy",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                    "stat_prefix": "bench",
                    "cluster": "bench",
                },
            }]}],
        }],
        "clusters": [{
            "name": "bench",
            "type": "STATIC",
            "connect_timeout": "2s",
            "upstream_connection_options":
                {"tcp_keepalive": {"keepalive_time": 60, "keepalive_interval": 10, "keepalive_probes": 3}},
            "circuit_breakers": {"thresholds": [{"max_connections": 100_000, "max_pending_requests": 100_000}]},
            "load_assignment": {
                "cluster_name": "bench",
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(target)}}]}],
            },
        }],
    }});
    config.to_string()
}
