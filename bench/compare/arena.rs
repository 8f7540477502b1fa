//! Private network namespaces to compare in.

use super::Outcome;
use super::process::{run, run_quietly};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{self, Command};

/// How client, proxy and targets are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Net {
    /// All in one namespace on 127.0.0.1. Flatters splice: 32 KiB fragments pass by reference.
    Loopback,
    /// A namespace each, two veth pairs with MTU 1500, segmentation offloads on.
    Veth,
    /// The same without segmentation offloads: every packet by itself.
    VethNoOffload,
}

impl Net {
    pub(crate) const ALL: [Self; 3] = [Self::Loopback, Self::Veth, Self::VethNoOffload];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Veth => "veth",
            Self::VethNoOffload => "veth-no-offload",
        }
    }
}

/// Set in every namespace. Without TIME_WAIT the ports of earlier runs do not weigh on later ones: with it, connect(2)
/// gets several times dearer for whoever comes last.
const SETTINGS: [&str; 3] = [
    "net.ipv4.tcp_congestion_control=cubic",
    "net.ipv4.ip_local_port_range=10000 65535",
    "net.ipv4.tcp_max_tw_buckets=0",
];
const PREFIX: &str = "forebay-bench-";

/// The namespaces of one network; they go with the value.
#[derive(Debug)]
pub(crate) struct Arena {
    client: String,
    proxy: String,
    target: String,
    pub(crate) proxy_ip: Ipv4Addr,
    pub(crate) target_ip: Ipv4Addr,
}

impl Arena {
    /// Needs root, or the capabilities to make namespaces.
    pub(crate) fn new(net: Net) -> Outcome<Self> {
        remove_stale();
        let name = |role: &str| format!("{PREFIX}{}-{role}", process::id());
        if net == Net::Loopback {
            let one = name("all");
            let ip = Ipv4Addr::LOCALHOST;
            let arena = Self { client: one.clone(), proxy: one.clone(), target: one, proxy_ip: ip, target_ip: ip };
            make_namespace(&arena.client)?;
            return Ok(arena);
        }
        let arena = Self {
            client: name("client"),
            proxy: name("proxy"),
            target: name("target"),
            proxy_ip: Ipv4Addr::new(10, 77, 1, 2),
            target_ip: Ipv4Addr::new(10, 77, 2, 2),
        };
        for namespace in [&arena.client, &arena.proxy, &arena.target] {
            make_namespace(namespace)?;
        }
        join((&arena.client, "10.77.1.1/24"), (&arena.proxy, "10.77.1.2/24"), "front", net)?;
        join((&arena.proxy, "10.77.2.1/24"), (&arena.target, "10.77.2.2/24"), "back", net)?;
        Ok(arena)
    }

    /// A command that will run in the client's namespace on one CPU.
    pub(crate) fn at_client(&self, cpu: usize, program: &Path) -> Command {
        inside(&self.client, cpu, program)
    }

    /// As [`Self::at_client`], where the proxy lives.
    pub(crate) fn at_proxy(&self, cpu: usize, program: &Path) -> Command {
        inside(&self.proxy, cpu, program)
    }

    /// As [`Self::at_client`], where the targets live.
    pub(crate) fn at_target(&self, cpu: usize, program: &Path) -> Command {
        inside(&self.target, cpu, program)
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        for namespace in [&self.client, &self.proxy, &self.target] {
            run_quietly(&["ip", "netns", "del", namespace]);
        }
    }
}

/// `ip netns exec` and taskset(1) both become the program: its process id is the child's.
fn inside(namespace: &str, cpu: usize, program: &Path) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace, "taskset", "-c", &cpu.to_string()]).arg(program);
    command
}

fn make_namespace(name: &str) -> Outcome<()> {
    run(&["ip", "netns", "add", name])?;
    run(&["ip", "-n", name, "link", "set", "lo", "up"])?;
    for setting in SETTINGS {
        run(&["ip", "netns", "exec", name, "sysctl", "-q", "-w", setting])?;
    }
    Ok(())
}

fn join(left: (&str, &str), right: (&str, &str), device: &str, net: Net) -> Outcome<()> {
    run(&["ip", "-n", left.0, "link", "add", device, "type", "veth", "peer", "name", device, "netns", right.0])?;
    for (namespace, address) in [left, right] {
        run(&["ip", "-n", namespace, "address", "add", address, "dev", device])?;
        if net == Net::VethNoOffload {
            let ethtool = ["ip", "netns", "exec", namespace, "ethtool", "-K", device];
            run(&[&ethtool[..], &["tso", "off", "gso", "off", "gro", "off"]].concat())?;
        }
        run(&["ip", "-n", namespace, "link", "set", device, "mtu", "1500", "up"])?;
    }
    Ok(())
}

/// Removes namespaces of comparisons that were killed.
fn remove_stale() {
    let Ok(listed) = Command::new("ip").args(["netns", "list"]).output() else { return };
    for name in String::from_utf8_lossy(&listed.stdout).split_whitespace() {
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            run_quietly(&["ip", "netns", "del", name]);
        }
    }
}
