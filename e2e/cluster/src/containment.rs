//! What a process is put into before its program starts: namespaces, a root of its own, an end with its parent.
//!
//! Invariants:
//! - This runs in a process of its own (`cluster contain`) and ends by becoming the program, so the process id is the
//!   program's.
//! - The program is killed when the process that asked for it ends, even by SIGKILL.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use rustix::fs::CWD;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind_recursive, mount_change,
    mount_remount, unmount,
};
use rustix::process::{Signal, getppid, pivot_root, set_parent_process_death_signal};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde::{Deserialize, Serialize};

/// How a program is started.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Containment {
    /// The process whose end is the program's end.
    pub(crate) parent: u32,
    /// The network namespace to start in, such as `/proc/1/ns/net`; by default the parent's.
    pub(crate) network: Option<PathBuf>,
    /// A root of its own; by default the machine's.
    pub(crate) root: Option<Root>,
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
    /// Its whole environment.
    pub(crate) environment: Vec<(String, String)>,
    /// The folder that it starts in.
    pub(crate) folder: Option<PathBuf>,
}

/// A root in memory, filled by mounts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Root {
    /// An empty folder of the machine to build it on.
    pub(crate) scratch: PathBuf,
    /// What of the machine is seen in it, in this order.
    pub(crate) mounts: Vec<Mount>,
    /// Small files of its own: path in it, content.
    pub(crate) files: Vec<(PathBuf, String)>,
    /// Whether the root itself may not be written to.
    pub(crate) read_only: bool,
}

/// A file or folder of the machine, seen at a path of the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mount {
    /// Path on the machine.
    pub(crate) from: PathBuf,
    /// Absolute path in the root.
    pub(crate) to: PathBuf,
    /// Whether it may not be written to.
    pub(crate) read_only: bool,
}

/// Reads a [`Containment`] from standard input and becomes its program.
///
/// # Errors
/// Any step failed; on success this does not return.
pub(crate) fn enter() -> anyhow::Result<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("reading what to start")?;
    let containment: Containment = serde_json::from_str(&text).context("parsing what to start")?;
    end_with(containment.parent)?;
    if let Some(path) = &containment.network {
        join_network(path)?;
    }
    if let Some(root) = &containment.root {
        enter_root(root).context("building the root")?;
    }
    Err(become_program(&containment))
}

/// Asks the kernel to kill this process when `parent` ends.
///
/// # Errors
/// The parent has ended already.
pub(crate) fn end_with(parent: u32) -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let ours = getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    if ours != Some(parent) {
        bail!("the process {parent} that asked for this one has ended");
    }
    Ok(())
}

fn join_network(path: &Path) -> anyhow::Result<()> {
    let namespace = fs::File::open(path).with_context(|| format!("opening {}", path.display()))?;
    move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), Some(LinkNameSpaceType::Network))
        .with_context(|| format!("joining {}", path.display()))
}

fn become_program(containment: &Containment) -> anyhow::Error {
    let Some((program, arguments)) = containment.command.split_first() else {
        return anyhow::anyhow!("no command");
    };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(containment.environment.iter().cloned()).stdin(Stdio::null());
    if let Some(folder) = &containment.folder {
        command.current_dir(folder);
    }
    anyhow::Error::new(command.exec()).context(format!("could not start {program}"))
}

fn enter_root(root: &Root) -> anyhow::Result<()> {
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)?;
    mount("tmpfs", &root.scratch, "tmpfs", MountFlags::empty(), Some(c"mode=755"))?;
    for mount in &root.mounts {
        place(root, mount)
            .with_context(|| format!("mounting {} on {}", mount.from.display(), mount.to.display()))?;
    }
    for (path, content) in &root.files {
        let path = inside(root, path)?;
        make_parent(&path)?;
        fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
    }
    let temporary = inside(root, Path::new("/tmp"))?;
    if !temporary.exists() {
        fs::create_dir(&temporary)?;
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o1777))?;
    }
    if root.read_only {
        mount_remount(&root.scratch, MountFlags::BIND | MountFlags::RDONLY, c"")?;
    }
    // pivot_root(2): with both names the same, the old root lies on top of the new one until it is unmounted.
    rustix::process::chdir(&root.scratch)?;
    pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    Ok(rustix::process::chdir("/")?)
}

fn place(root: &Root, mount: &Mount) -> anyhow::Result<()> {
    let from = fs::symlink_metadata(&mount.from)?;
    let to = inside(root, &mount.to)?;
    if from.is_symlink() && mount.read_only {
        make_parent(&to)?;
        return Ok(std::os::unix::fs::symlink(fs::read_link(&mount.from)?, &to)?);
    }
    if fs::metadata(&mount.from)?.is_dir() {
        fs::create_dir_all(&to)?;
    } else if !to.exists() {
        make_parent(&to)?;
        rustix::fs::openat(CWD, &to, rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY, 0o644.into())?;
    }
    mount_bind_recursive(&mount.from, &to)?;
    if mount.read_only {
        mount_remount(&to, MountFlags::BIND | MountFlags::RDONLY, c"")?;
    }
    Ok(())
}

fn inside(root: &Root, path: &Path) -> anyhow::Result<PathBuf> {
    let relative = path.strip_prefix("/").with_context(|| format!("{} is not absolute", path.display()))?;
    if relative.components().any(|part| part == std::path::Component::ParentDir) {
        bail!("{} leaves the root", path.display());
    }
    Ok(root.scratch.join(relative))
}

fn make_parent(path: &Path) -> anyhow::Result<()> {
    let parent = path.parent().context("a path without a folder")?;
    fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_root() {
        let root = Root { scratch: "/scratch".into(), ..Root::default() };
        assert_eq!(inside(&root, Path::new("/etc/hosts")).unwrap(), Path::new("/scratch/etc/hosts"));
        assert!(inside(&root, Path::new("/../etc")).is_err());
        assert!(inside(&root, Path::new("etc")).is_err());
    }

    #[test]
    fn a_process_refuses_to_outlive_a_parent_that_is_gone() {
        let status = std::thread::spawn(|| end_with(u32::MAX).unwrap_err().to_string()).join().unwrap();
        assert!(status.contains("has ended"), "{status}");
        set_parent_process_death_signal(None).unwrap();
    }
}
