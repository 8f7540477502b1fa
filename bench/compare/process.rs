//! Processes: starting and ending them, and what they have cost.

use super::Outcome;
use forebay::time::clock;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

const ENDS_WITHIN: Duration = Duration::from_secs(3);

/// Waits without spinning; nobody unparks.
pub(crate) fn pause(length: Duration) {
    thread::park_timeout(length);
}

/// Runs a command to its end.
pub(crate) fn run(words: &[&str]) -> Outcome<()> {
    let output = Command::new(words[0]).args(&words[1..]).output().map_err(|error| format!("{}: {error}", words[0]))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim()).into())
}

/// Runs a command whose failure changes nothing.
pub(crate) fn run_quietly(words: &[&str]) {
    let _failure = Command::new(words[0]).args(&words[1..]).stdout(Stdio::null()).stderr(Stdio::null()).status();
}

/// A child that ends with the value: asked first, killed after [`ENDS_WITHIN`], with its own children.
#[derive(Debug)]
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let family = family_of(self.0.id());
        run_quietly(&["kill", "-TERM", &self.0.id().to_string()]);
        let deadline = clock::now() + ENDS_WITHIN;
        while !self.has_ended() && clock::now() < deadline {
            pause(Duration::from_millis(5));
        }
        for pid in family.iter().filter(|pid| Path::new("/proc").join(pid.to_string()).exists()) {
            run_quietly(&["kill", "-KILL", &pid.to_string()]);
        }
        let _status = self.0.wait();
    }
}

/// A process and all that descend from it.
pub(crate) fn family_of(root: u32) -> Vec<u32> {
    let processes: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, parent_of(pid)?)))
        .collect();
    let mut family = vec![root];
    let mut next = 0;
    while let Some(&one) = family.get(next) {
        family.extend(processes.iter().filter(|(_pid, parent)| *parent == one).map(|(pid, _parent)| *pid));
        next += 1;
    }
    family
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; the parent is the second field after it (proc(5)).
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// CPU time that all threads of a family of processes have used, in nanoseconds: user and kernel, and what the kernel
/// does for the network in their name.
pub(crate) fn cpu_nanos(family: &[u32]) -> u64 {
    let threads =
        family.iter().flat_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten());
    let nanos = threads.filter_map(|thread| {
        let schedstat = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        schedstat.split(' ').next()?.parse::<u64>().ok()
    });
    nanos.sum()
}

/// Memory of a family of processes in bytes, shared pages divided among their users (PSS).
pub(crate) fn memory_bytes(family: &[u32]) -> u64 {
    let kibibytes = family.iter().filter_map(|pid| {
        let smaps = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        smaps.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok())
    });
    kibibytes.sum::<u64>() * 1024
}
