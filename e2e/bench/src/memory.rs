//! Memory of a process.

use std::fs;

use anyhow::{Context, Result};
use envoy_bootstrap::Envoy;
use serde_json::Value;

/// What `pid` holds of the machine's memory, in MB.
///
/// # Errors
/// The process is gone.
pub(crate) fn resident(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes: f64 = resident.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes / 1024.0)
}

/// Bytes that `envoy` and its modules have allocated and not freed, as its allocator counts them.
///
/// # Errors
/// The admin interface does not tell.
pub(crate) fn allocated(envoy: &Envoy) -> Result<f64> {
    let answer = envoy.admin().context("no admin interface")?.get("/memory")?;
    let memory: Value = serde_json::from_str(&answer.body)?;
    let allocated = memory["allocated"].as_str().context("no `allocated`")?;
    Ok(allocated.parse()?)
}
