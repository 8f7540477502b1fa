//! What the kernel says of this process: user, capabilities, sandbox.

use super::address::own_uid;
use serde::Serialize;

/// Bit order of capability.h (Linux 6.x).
const CAPABILITIES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// `security` in `/v1/status`.
#[derive(Debug, Default, PartialEq, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "the shape of the contract")]
pub(super) struct SecurityBody {
    uid: u32,
    capabilities: Vec<&'static str>,
    no_new_privs: bool,
    seccomp: bool,
    landlock: bool,
}

impl SecurityBody {
    /// Reads /proc/self/status (proc_pid_status(5)). What cannot be read shows as absent.
    pub(super) fn read() -> Self {
        let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self { uid: own_uid(), ..Self::parse(&text) }
    }

    fn parse(text: &str) -> Self {
        let field = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim).unwrap_or_default()
        };
        let mask = u64::from_str_radix(field("CapEff"), 16).unwrap_or(0);
        let held = |(bit, name): (usize, &&'static str)| (mask >> bit & 1 == 1).then_some(*name);
        Self {
            uid: 0,
            capabilities: CAPABILITIES.iter().enumerate().filter_map(held).collect(),
            no_new_privs: field("NoNewPrivs") == "1",
            seccomp: field("Seccomp") == "2",
            landlock: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_the_bits_of_the_effective_set() {
        let status = "Uid:\t7\t7\t7\t7\nCapEff:\t0000000000001400\nNoNewPrivs:\t1\nSeccomp:\t2\n";
        let body = SecurityBody::parse(status);
        assert_eq!(body.capabilities, ["net_bind_service", "net_admin"]);
        assert!(body.no_new_privs && body.seccomp);
        assert_eq!(SecurityBody::parse(""), SecurityBody::default());
    }
}
