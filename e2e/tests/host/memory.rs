//! How much memory Envoy takes.

use std::fs;

/// By how many bytes the memory of a process grows, at most, while something happens.
pub(crate) fn growth<T>(process: u32, event: impl FnOnce() -> T) -> (T, usize) {
    // Forgets the peak so far (proc_pid_clear_refs(5)).
    fs::write(format!("/proc/{process}/clear_refs"), "5").unwrap();
    let before = peak(process);
    let happened = event();
    (happened, peak(process) - before)
}

fn peak(process: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
