//! A pod's volumes: folders of the machine, filled from the API server and kept fresh.
//!
//! Invariants:
//! - Files of a ConfigMap, Secret or projected volume change all at once: `..data` leads to a folder that is swapped.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use k8s_openapi::api::core::v1::{DownwardAPIVolumeFile, KeyToPath, Volume, VolumeProjection};

use super::content::{self, Data};
use super::worker::Worker;

/// How often content is compared with the API server's; the kubelet takes a minute.
const REFRESH: Duration = Duration::from_secs(5);

/// How long a token is valid unless a volume says otherwise; it is fetched anew at a fraction of it.
const TOKEN_SECONDS: i64 = 3600;

/// The link to the current folder.
const CURRENT: &str = "..data";

/// Files by their path in the volume.
type Files = BTreeMap<String, Vec<u8>>;

/// The volumes of a pod.
pub(super) struct Volumes {
    folders: HashMap<String, PathBuf>,
    /// Volumes that containers may only read.
    filled: Vec<Volume>,
}

impl Volumes {
    /// Makes all volumes of the pod.
    ///
    /// # Errors
    /// Something that they refer to is not there yet.
    pub(super) async fn fill(worker: &Worker) -> anyhow::Result<Self> {
        let mut ours = Self { folders: HashMap::new(), filled: Vec::new() };
        let volumes = worker.spec().and_then(|spec| spec.volumes.clone()).unwrap_or_default();
        for volume in volumes {
            let folder = worker.folder.join("volumes").join(&volume.name);
            let folder = ours.make(worker, &volume, folder).await;
            let folder = folder.with_context(|| format!("the volume {}", volume.name))?;
            ours.folders.insert(volume.name.clone(), folder);
        }
        Ok(ours)
    }

    async fn make(&mut self, worker: &Worker, volume: &Volume, folder: PathBuf) -> anyhow::Result<PathBuf> {
        if let Some(path) = &volume.host_path {
            return Ok(path.path.clone().into());
        }
        fs::create_dir_all(&folder)?;
        let group = worker.spec().and_then(|spec| spec.security_context.as_ref()?.fs_group);
        chown(&folder, None, group.and_then(|group| u32::try_from(group).ok()))?;
        if volume.empty_dir.is_some() {
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o777))?;
        } else {
            let files = files(worker, volume).await?;
            swap(&folder, &files, mode(volume), group)?;
            self.filled.push(volume.clone());
        }
        Ok(folder)
    }

    /// Where a volume is.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.folders.get(name).cloned()
    }

    /// Whether containers may write to a volume.
    pub(super) fn is_writable(&self, name: &str) -> bool {
        self.filled.iter().all(|volume| volume.name != name)
    }

    /// Follows changes of what the volumes show, for ever; what cannot be read stays as it was.
    pub(super) async fn keep_fresh(&self, worker: &Worker) {
        let group = worker.spec().and_then(|spec| spec.security_context.as_ref()?.fs_group);
        let mut round = 0_i64;
        loop {
            tokio::time::sleep(REFRESH).await;
            round += 1;
            for volume in &self.filled {
                // Tokens differ each time; so a volume with one is filled anew long before it expires, not always.
                if has_token(volume) && round % 100 != 0 {
                    continue;
                }
                let folder = worker.folder.join("volumes").join(&volume.name);
                let fresh = files(worker, volume).await;
                let swapped = fresh.and_then(|files| swap(&folder, &files, mode(volume), group));
                if let Err(error) = swapped {
                    tracing::debug!("the volume {} of {}: {error:#}", volume.name, worker.name);
                }
            }
        }
    }
}

fn has_token(volume: &Volume) -> bool {
    let sources = volume.projected.as_ref().and_then(|projected| projected.sources.as_ref());
    sources.into_iter().flatten().any(|source| source.service_account_token.is_some())
}

fn mode(volume: &Volume) -> u32 {
    let given = (volume.secret.as_ref().and_then(|one| one.default_mode))
        .or_else(|| volume.config_map.as_ref().and_then(|one| one.default_mode))
        .or_else(|| volume.projected.as_ref().and_then(|one| one.default_mode))
        .or_else(|| volume.downward_api.as_ref().and_then(|one| one.default_mode));
    given.and_then(|mode| u32::try_from(mode).ok()).unwrap_or(0o644)
}

async fn files(worker: &Worker, volume: &Volume) -> anyhow::Result<Files> {
    if let Some(source) = &volume.secret {
        let name = source.secret_name.clone().unwrap_or_default();
        let data = content::secret(worker, &name).await?;
        return picked("Secret", &name, data, source.items.as_deref(), source.optional);
    }
    if let Some(source) = &volume.config_map {
        let data = content::config_map(worker, &source.name).await?;
        return picked("ConfigMap", &source.name, data, source.items.as_deref(), source.optional);
    }
    if let Some(source) = &volume.downward_api {
        return fields(worker, source.items.as_deref().unwrap_or_default());
    }
    let Some(projected) = &volume.projected else { bail!("its kind is none that is known here") };
    let mut whole = Files::new();
    for source in projected.sources.as_deref().unwrap_or_default() {
        whole.extend(projection(worker, source).await?);
    }
    Ok(whole)
}

async fn projection(worker: &Worker, source: &VolumeProjection) -> anyhow::Result<Files> {
    if let Some(source) = &source.secret {
        let data = content::secret(worker, &source.name).await?;
        return picked("Secret", &source.name, data, source.items.as_deref(), source.optional);
    }
    if let Some(source) = &source.config_map {
        let data = content::config_map(worker, &source.name).await?;
        return picked("ConfigMap", &source.name, data, source.items.as_deref(), source.optional);
    }
    if let Some(source) = &source.downward_api {
        return fields(worker, source.items.as_deref().unwrap_or_default());
    }
    if let Some(source) = &source.service_account_token {
        let seconds = source.expiration_seconds.unwrap_or(TOKEN_SECONDS);
        let token = content::token(worker, source.audience.as_deref(), seconds).await?;
        return Ok(Files::from([(source.path.clone(), token)]));
    }
    if let Some(source) = &source.cluster_trust_bundle {
        let name = source.name.clone().context("a trust bundle without a name is not known here")?;
        let bundle = content::trust_bundle(worker, &name).await?;
        return match bundle {
            Some(bundle) => Ok(Files::from([(source.path.clone(), bundle)])),
            None if source.optional == Some(true) => Ok(Files::new()),
            None => bail!("the ClusterTrustBundle {name} is not there"),
        };
    }
    bail!("one of its sources is none that is known here")
}

/// The files of a ConfigMap or Secret: all keys, or those that items name.
fn picked(
    kind: &str,
    name: &str,
    data: Option<Data>,
    items: Option<&[KeyToPath]>,
    optional: Option<bool>,
) -> anyhow::Result<Files> {
    let optional = optional == Some(true);
    let Some(data) = data else {
        anyhow::ensure!(optional, "the {kind} {name} is not there");
        return Ok(Files::new());
    };
    let Some(items) = items.filter(|items| !items.is_empty()) else { return Ok(data) };
    let mut files = Files::new();
    for item in items {
        match data.get(&item.key) {
            Some(value) => drop(files.insert(item.path.clone(), value.clone())),
            None => anyhow::ensure!(optional, "the {kind} {name} has no key {}", item.key),
        }
    }
    Ok(files)
}

fn fields(worker: &Worker, items: &[DownwardAPIVolumeFile]) -> anyhow::Result<Files> {
    let mut files = Files::new();
    for item in items {
        let field = item.field_ref.as_ref().context("only fields of the pod are known here")?;
        files.insert(item.path.clone(), content::field(worker, &field.field_path)?.into_bytes());
    }
    Ok(files)
}

/// Shows `files` in `folder`, all at once; nothing is touched where they are what is shown.
fn swap(folder: &Path, files: &Files, mode: u32, group: Option<i64>) -> anyhow::Result<()> {
    let current = fs::read_link(folder.join(CURRENT)).ok();
    if current.as_ref().is_some_and(|current| shown(&folder.join(current)) == *files) {
        return Ok(());
    }
    let number = current.as_ref().and_then(|old| old.to_str()?.strip_prefix("..")?.parse::<u64>().ok());
    let name = format!("..{}", number.unwrap_or(0) + 1);
    let fresh = folder.join(&name);
    write(&fresh, files, mode, group)?;
    let link = folder.join("..next");
    let _ = fs::remove_file(&link);
    symlink(&name, &link)?;
    fs::rename(&link, folder.join(CURRENT))?;
    show(folder, files)?;
    if let Some(old) = current {
        fs::remove_dir_all(folder.join(old))?;
    }
    Ok(())
}

fn write(folder: &Path, files: &Files, mode: u32, group: Option<i64>) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    for (path, content) in files {
        let inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        anyhow::ensure!(inside, "the path {path} leaves the volume");
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(&path, content)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        chown(&path, None, group.and_then(|group| u32::try_from(group).ok()))?;
    }
    Ok(())
}

/// Links the names at the top to what is behind the current folder, and removes those that are no more.
fn show(folder: &Path, files: &Files) -> anyhow::Result<()> {
    let tops = files.keys().filter_map(|path| path.split('/').next());
    let tops: std::collections::BTreeSet<&str> = tops.collect();
    for top in &tops {
        let link = folder.join(top);
        if fs::symlink_metadata(&link).is_err() {
            symlink(Path::new(CURRENT).join(top), &link)?;
        }
    }
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        if !name.starts_with("..") && !tops.contains(name) {
            fs::remove_file(folder.join(name))?;
        }
    }
    Ok(())
}

/// The files in a folder, with those in folders of it.
fn shown(folder: &Path) -> Files {
    let mut files = Files::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() {
            files.extend(
                shown(&entry.path()).into_iter().map(|(path, content)| (format!("{name}/{path}"), content)),
            );
        } else if let Ok(content) = fs::read(entry.path()) {
            files.insert(name, content);
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(pairs: &[(&str, &str)]) -> Files {
        pairs.iter().map(|(path, content)| ((*path).to_owned(), content.as_bytes().to_vec())).collect()
    }

    #[test]
    fn files_change_all_at_once_and_leave_no_old_ones() {
        let folder = tempfile::tempdir().unwrap();
        let read = |path: &str| fs::read_to_string(folder.path().join(path)).ok();
        swap(folder.path(), &files(&[("a", "1"), ("deep/b", "2")]), 0o600, None).unwrap();
        assert_eq!((read("a"), read("deep/b")), (Some("1".to_owned()), Some("2".to_owned())));
        let before = fs::read_link(folder.path().join(CURRENT)).unwrap();
        swap(folder.path(), &files(&[("a", "1"), ("deep/b", "2")]), 0o600, None).unwrap();
        assert_eq!(
            fs::read_link(folder.path().join(CURRENT)).unwrap(),
            before,
            "equal content is left alone"
        );
        swap(folder.path(), &files(&[("a", "3")]), 0o600, None).unwrap();
        assert_eq!((read("a"), read("deep/b")), (Some("3".to_owned()), None));
        assert!(!folder.path().join(before).exists());
        let mode = fs::metadata(folder.path().join("a")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_path_that_leaves_the_volume_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = swap(folder.path(), &files(&[("../a", "1")]), 0o600, None).unwrap_err();
        assert!(error.to_string().contains("leaves the volume"));
    }

    #[test]
    fn items_pick_keys_and_missing_ones_are_named() {
        let data = files(&[("tls.crt", "c"), ("tls.key", "k")]);
        let item = |key: &str| vec![KeyToPath { key: key.to_owned(), mode: None, path: "crt".to_owned() }];
        let crt = picked("Secret", "s", Some(data.clone()), Some(&item("tls.crt")), None).unwrap();
        assert_eq!(crt, files(&[("crt", "c")]));
        let error = picked("Secret", "s", Some(data), Some(&item("ca.crt")), None).unwrap_err();
        assert_eq!(error.to_string(), "the Secret s has no key ca.crt");
        assert!(picked("Secret", "s", None, None, Some(true)).unwrap().is_empty());
    }
}
