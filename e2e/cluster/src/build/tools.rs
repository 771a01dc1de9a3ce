//! Tools of the system that a cluster needs.

use std::process::Command;

use anyhow::{Context, bail};

/// Tools, and Debian's packages with them.
const TOOLS: [(&str, &str); 5] = [
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
    ("unshare", "util-linux"),
];

/// Sees to it that all tools are there; installs what is missing from Debian.
///
/// # Errors
/// This is not run as root, or a tool is missing and cannot be installed; the error says how to mend it.
pub(crate) fn require() -> anyhow::Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("network namespaces are made as root only; try: sudo --preserve-env");
    }
    let mut packages: Vec<&str> =
        TOOLS.iter().filter(|(tool, _)| !is_installed(tool)).map(|(_, package)| *package).collect();
    packages.dedup();
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    eprintln!("cluster: installing {list} from Debian");
    let install = format!("apt-get update -q && apt-get install -q -y --no-install-recommends {list}");
    let done = Command::new("sh").args(["-c", &install]).env("DEBIAN_FRONTEND", "noninteractive").output();
    let done = done.with_context(|| format!("{list} missing; install it"))?;
    if !done.status.success() {
        bail!("{list} missing, and `{install}` failed:\n{}", String::from_utf8_lossy(&done.stderr).trim());
    }
    Ok(())
}

fn is_installed(tool: &str) -> bool {
    let folders = crate::process::SYSTEM_PATH.split(':');
    folders.into_iter().any(|folder| std::path::Path::new(folder).join(tool).exists())
}
