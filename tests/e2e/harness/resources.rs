//! What a process holds and uses, from /proc.

use std::fs;

/// A process whose resources are looked at.
#[derive(Clone, Copy)]
pub(crate) struct Resources(pub(crate) u32);

impl Resources {
    /// Open file descriptors; 0 when the process is gone.
    pub(crate) fn descriptors(self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.0)).map_or(0, Iterator::count)
    }

    /// Anonymous resident memory, in bytes: what the process itself allocated.
    pub(crate) fn memory_bytes(self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap_or_default();
        field(&status, "RssAnon:").map_or(0, |kib| kib * 1024)
    }

    /// CPU seconds of all living threads.
    pub(crate) fn cpu_seconds(self) -> f64 {
        let nanos: u64 = self
            .threads("schedstat")
            .iter()
            .filter_map(|(_comm, text)| text.split(' ').next()?.parse::<u64>().ok())
            .sum();
        std::time::Duration::from_nanos(nanos).as_secs_f64()
    }

    /// For each thread with `word` in its name: how often it went to sleep, so how often it was woken.
    pub(crate) fn sleeps(self, word: &str) -> Vec<u64> {
        let threads = self.threads("status");
        let named = threads.iter().filter(|(comm, _text)| comm.contains(word));
        named.filter_map(|(_comm, text)| field(text, "voluntary_ctxt_switches:")).collect()
    }

    fn threads(self, file: &str) -> Vec<(String, String)> {
        let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", self.0)) else { return Vec::new() };
        let read = |path: std::path::PathBuf| fs::read_to_string(path).unwrap_or_default();
        tasks.flatten().map(|task| (read(task.path().join("comm")), read(task.path().join(file)))).collect()
    }
}

fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

#[test]
fn this_process_has_descriptors_memory_and_a_past() {
    let me = Resources(std::process::id());
    assert!(me.descriptors() > 2 && me.memory_bytes() > 100_000 && me.cpu_seconds() > 0.0);
    assert!(!me.sleeps("").is_empty());
    assert_eq!(Resources(u32::MAX).descriptors(), 0);
}
