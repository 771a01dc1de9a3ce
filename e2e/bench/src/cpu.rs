//! CPU time of a process, to the nanosecond, as the Linux scheduler counts it.

use std::fs;

use anyhow::{Context, Result};

/// CPU time that all threads of `pid` have used, in nanoseconds.
///
/// # Errors
/// The process is gone, or the kernel offers no `schedstat`.
pub(crate) fn nanoseconds(pid: u32) -> Result<u64> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).context("listing the threads of Envoy")?;
    let mut total = 0;
    for thread in threads {
        let stat = fs::read_to_string(thread?.path().join("schedstat")).context("reading schedstat")?;
        let on_cpu = stat.split_whitespace().next().context("an empty schedstat")?;
        total += on_cpu.parse::<u64>()?;
    }
    Ok(total)
}

/// The same of `pid` and all processes that it has begun: servers have their workers in processes of their own.
///
/// # Errors
/// As of [`nanoseconds`].
pub(crate) fn of_family(pid: u32) -> Result<u64> {
    let mut total = nanoseconds(pid)?;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        for child in fs::read_to_string(thread?.path().join("children"))?.split_whitespace() {
            total += of_family(child.parse()?)?;
        }
    }
    Ok(total)
}
