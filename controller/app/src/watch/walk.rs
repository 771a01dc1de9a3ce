//! What a folder holds now: manifest files with their stamps, and the folders that changes would show in.
//!
//! Invariants: names that start with a dot are skipped, as editors and Kubernetes volumes put their scaffolding
//! there; links are followed, each folder once; a folder that cannot be listed is told apart from an empty one.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const MAX_DEPTH: usize = 32;

/// Tells contents of a file apart without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) modified: SystemTime,
    /// Seconds and nanoseconds; nothing that writes can set it back.
    changed: (i64, i64),
    pub(super) length: u64,
    file: (u64, u64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> io::Result<Self> {
        Ok(Self {
            modified: metadata.modified()?,
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            length: metadata.len(),
            file: (metadata.dev(), metadata.ino()),
        })
    }
}

/// A walk's findings.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Manifest files by path; `Err` where a file is listed but cannot be looked at.
    pub(super) files: BTreeMap<PathBuf, io::Result<Stamp>>,
    /// Folders that could not be listed; what they held is unknown.
    pub(super) unlisted: Vec<(PathBuf, io::Error)>,
    /// Existing folders in which every change of the above shows.
    pub(super) watch: BTreeSet<PathBuf>,
    /// Existing folders in which the root itself comes and goes.
    pub(super) above: BTreeSet<PathBuf>,
}

/// Walks `root`, a folder or a single file.
pub(super) fn walk(root: &Path) -> Walk {
    let mut walk = Walk::default();
    walk.above.extend(nearest_folder(root));
    watch_target(root, &mut walk.above);
    match fs::metadata(root) {
        Err(error) => walk.unlisted.push((root.to_owned(), error)),
        Ok(metadata) if metadata.is_dir() => {
            let mut seen = HashSet::from([(metadata.dev(), metadata.ino())]);
            list(root, 0, &mut seen, &mut walk);
        }
        Ok(metadata) => {
            walk.files.insert(root.to_owned(), Stamp::of(&metadata));
        }
    }
    walk
}

/// The nearest existing folder above a path.
fn nearest_folder(path: &Path) -> Option<PathBuf> {
    let above = path.ancestors().skip(1);
    let mut named = above.map(|folder| if folder == Path::new("") { Path::new(".") } else { folder });
    named.find(|folder| folder.is_dir()).map(Path::to_owned)
}

/// Where a path is a link, the folder of what it leads to.
fn watch_target(path: &Path, watch: &mut BTreeSet<PathBuf>) {
    if path.is_symlink()
        && let Ok(target) = fs::canonicalize(path)
    {
        watch.extend(target.parent().map(Path::to_owned));
    }
}

fn list(folder: &Path, depth: usize, seen: &mut HashSet<(u64, u64)>, walk: &mut Walk) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return walk.unlisted.push((folder.to_owned(), error)),
    };
    walk.watch.insert(folder.to_owned());
    for entry in entries {
        match entry {
            Ok(entry) if entry.file_name().as_encoded_bytes().starts_with(b".") => {}
            Ok(entry) => visit(&entry.path(), depth, seen, walk),
            Err(error) => walk.unlisted.push((folder.to_owned(), error)),
        }
    }
}

fn visit(path: &Path, depth: usize, seen: &mut HashSet<(u64, u64)>, walk: &mut Walk) {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            watch_target(path, &mut walk.watch);
            if depth < MAX_DEPTH && seen.insert((metadata.dev(), metadata.ino())) {
                list(path, depth + 1, seen, walk);
            }
        }
        Ok(metadata) if is_manifest(path) && metadata.is_file() => {
            watch_target(path, &mut walk.watch);
            walk.files.insert(path.to_owned(), Stamp::of(&metadata));
        }
        Ok(_) => {}
        // Gone since it was listed.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {}
        Err(error) if is_manifest(path) => {
            walk.files.insert(path.to_owned(), Err(error));
        }
        Err(_) => {}
    }
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|known| extension == *known))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(root: &Path) -> Vec<String> {
        let walk = walk(root);
        walk.files.keys().map(|path| path.strip_prefix(root).unwrap().display().to_string()).collect()
    }

    #[test]
    fn manifests_are_found_in_nested_folders_and_nothing_else_is() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("b/c")).unwrap();
        for name in
            ["a.yaml", "b/c/d.json", "b/e.yml", "b/README.md", ".hidden.yaml", "b/.e.yml.swp", "f.yaml~"]
        {
            fs::write(root.path().join(name), "").unwrap();
        }
        assert_eq!(names(root.path()), ["a.yaml", "b/c/d.json", "b/e.yml"]);
    }

    #[test]
    fn a_configmap_volume_shows_each_file_once_and_its_scaffolding_is_watched() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("..2026")).unwrap();
        fs::write(root.path().join("..2026/a.yaml"), "").unwrap();
        symlink("..2026", root.path().join("..data")).unwrap();
        symlink("..data/a.yaml", root.path().join("a.yaml")).unwrap();
        assert_eq!(names(root.path()), ["a.yaml"]);
        let target = fs::canonicalize(root.path().join("..2026")).unwrap();
        assert!(walk(root.path()).watch.contains(&target));
    }

    #[test]
    fn links_in_circles_end() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a.yaml"), "").unwrap();
        symlink(".", root.path().join("again")).unwrap();
        symlink("loop", root.path().join("loop")).unwrap();
        assert_eq!(names(root.path()), ["a.yaml"]);
    }

    #[test]
    fn a_missing_folder_is_not_an_empty_one() {
        let root = tempfile::tempdir().unwrap();
        let missing = root.path().join("x/y");
        let walk = walk(&missing);
        assert_eq!(walk.unlisted.len(), 1);
        assert_eq!(walk.above.into_iter().collect::<Vec<_>>(), [root.path()]);
    }

    #[test]
    fn a_broken_link_is_a_file_that_cannot_be_looked_at() {
        let root = tempfile::tempdir().unwrap();
        symlink("nowhere", root.path().join("a.yaml")).unwrap();
        assert!(walk(root.path()).files.values().all(Result::is_err));
    }

    #[test]
    fn a_single_file_is_a_folder_of_itself() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("manifest");
        fs::write(&file, "").unwrap();
        assert_eq!(walk(&file).files.into_keys().collect::<Vec<_>>(), [file]);
    }
}
