//! A container's root: the machine's programs and libraries, its image's files, its volumes, names of its own.

use std::path::{Path, PathBuf};

use anyhow::Context;
use k8s_openapi::api::core::v1::{Container, SecurityContext};

use super::container::Runner;
use super::images::{Image, UnknownImage};
use super::worker::Worker;
use crate::containment::{Mount, Root};

/// What all containers see of the machine. Of `/usr` each part by itself, so that images can have a `/usr/local`.
const SYSTEM: [&str; 13] = [
    "/usr/bin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/sbin",
    "/usr/share",
    "/bin",
    "/lib",
    "/lib64",
    "/sbin",
    "/etc/ssl",
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
];

/// Kernel interfaces, which programs write to.
const KERNEL: [&str; 3] = ["/dev", "/proc", "/sys"];

/// Whether a container could not be started for want of its image.
pub(super) fn is_unknown_image(error: &anyhow::Error) -> bool {
    error.is::<UnknownImage>()
}

/// The root of a container.
pub(super) fn root(runner: &Runner<'_>, container: &Container, image: &Image) -> anyhow::Result<Root> {
    let worker = runner.worker;
    let scratch = worker.folder.join("roots").join(&container.name);
    std::fs::create_dir_all(&scratch).context("making the container's folder")?;
    let seen = |paths: &[&str], read_only| -> Vec<Mount> {
        let paths = paths.iter().map(PathBuf::from).filter(|path| path.exists());
        paths.map(|path| Mount { from: path.clone(), to: path, read_only }).collect()
    };
    let mut mounts = seen(&SYSTEM, true);
    mounts.extend(seen(&KERNEL, false));
    mounts.extend(image.mounts.iter().cloned());
    for mount in container.volume_mounts.as_deref().unwrap_or_default() {
        let volume = runner.volumes.path(&mount.name);
        let volume = volume.with_context(|| format!("the volume {} is not in the pod", mount.name))?;
        let from = mount.sub_path.as_ref().map_or(volume.clone(), |part| volume.join(part));
        let read_only = mount.read_only.unwrap_or(false) || !runner.volumes.is_writable(&mount.name);
        mounts.push(Mount {
            from: from.canonicalize().unwrap_or(from),
            to: mount.mount_path.clone().into(),
            read_only,
        });
    }
    let read_only =
        security(container).and_then(|context| context.read_only_root_filesystem).unwrap_or(false);
    Ok(Root { scratch, mounts, files: names(worker), read_only })
}

fn security(container: &Container) -> Option<&SecurityContext> {
    container.security_context.as_ref()
}

/// The files that lead to names: the pod's own, the node's DNS server.
fn names(worker: &Worker) -> Vec<(PathBuf, String)> {
    let address = worker.state.borrow().address.map(|address| address.to_string()).unwrap_or_default();
    let mut hosts = format!("127.0.0.1 localhost\n::1 localhost\n{address} {}\n", worker.name);
    let aliases = worker.spec().and_then(|spec| spec.host_aliases.as_ref());
    for alias in aliases.into_iter().flatten() {
        let names = alias.hostnames.as_deref().unwrap_or_default().join(" ");
        hosts.push_str(&format!("{} {names}\n", alias.ip));
    }
    let resolve = format!(
        "nameserver {}\nsearch {}.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n",
        worker.machine.plan.node(),
        worker.namespace,
    );
    let file = |path: &str, text: String| (Path::new(path).to_owned(), text);
    vec![
        file("/etc/hosts", hosts),
        file("/etc/resolv.conf", resolve),
        file("/etc/hostname", format!("{}\n", worker.name)),
    ]
}

/// The command as the user that the container's and the pod's security contexts name.
///
/// `setpriv` sets the death signal after it has become that user, as the kernel clears it then (prctl(2)).
pub(super) fn as_user(worker: &Worker, container: &Container, command: Vec<String>) -> Vec<String> {
    let ours = security(container);
    let pods = worker.spec().and_then(|spec| spec.security_context.as_ref());
    let user = ours.and_then(|one| one.run_as_user).or_else(|| pods.and_then(|one| one.run_as_user));
    let group = ours.and_then(|one| one.run_as_group).or_else(|| pods.and_then(|one| one.run_as_group));
    let dropped = ours.and_then(|one| one.capabilities.as_ref()?.drop.as_ref());
    let drop_all = dropped.is_some_and(|dropped| dropped.iter().any(|name| name.eq_ignore_ascii_case("ALL")));
    if user.is_none() && group.is_none() && !drop_all {
        return command;
    }
    let mut whole: Vec<String> = ["/usr/bin/setpriv", "--pdeathsig=KILL"].map(ToOwned::to_owned).into();
    whole.extend(user.map(|user| format!("--reuid={user}")));
    whole.extend(group.or(user).map(|group| format!("--regid={group}")));
    whole.push(match pods.and_then(|one| one.fs_group) {
        Some(group) => format!("--groups={group}"),
        None => "--clear-groups".to_owned(),
    });
    if drop_all {
        let kept = kept_capabilities(ours);
        whole.push(format!("--bounding-set=-all{kept}"));
        whole.push(format!("--inh-caps=-all{kept}"));
    }
    whole.push("--".to_owned());
    whole.extend(command);
    whole
}

fn kept_capabilities(security: Option<&SecurityContext>) -> String {
    let added = security.and_then(|one| one.capabilities.as_ref()?.add.as_ref());
    added.into_iter().flatten().map(|name| format!(",+{}", name.to_ascii_lowercase())).collect()
}
