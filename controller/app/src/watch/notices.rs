//! The kernel's word that something changed in the folders of a walk.
//!
//! A notice says "look again", never what changed: the walk finds that out. So a lost, doubled or late notice does
//! no harm, and the slow regular look of the watch catches what no notice tells (network file systems).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// Something changed, and then nothing for a while.
    Changed,
    /// Time is up.
    Deadline,
    /// The watch is to end.
    Stopped,
}

enum Message {
    Changed,
    Stop,
}

/// Ends a wait for good.
#[derive(Clone)]
pub(crate) struct Stopper(Sender<Message>);

impl Stopper {
    /// Ends the watch; returns at once.
    pub(crate) fn stop(&self) {
        // A watch that has ended hears nothing.
        let _ = self.0.send(Message::Stop);
    }
}

/// Waits for notices from a set of folders.
pub(super) struct Notices {
    watcher: RecommendedWatcher,
    inbox: Receiver<Message>,
    sender: Sender<Message>,
    scope: Arc<Mutex<Scope>>,
}

/// What is watched now, and which of its events matter.
#[derive(Default)]
struct Scope {
    root: PathBuf,
    folders: BTreeSet<PathBuf>,
    above: BTreeSet<PathBuf>,
}

impl Notices {
    pub(super) fn new(root: &Path) -> notify::Result<Self> {
        let (sender, inbox) = channel();
        let scope = Arc::new(Mutex::new(Scope { root: root.to_owned(), ..Scope::default() }));
        let (its, outbox) = (scope.clone(), sender.clone());
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if its.lock().unwrap_or_else(PoisonError::into_inner).concerns(&event) {
                let _ = outbox.send(Message::Changed);
            }
        })?;
        Ok(Self { watcher, inbox, sender, scope })
    }

    pub(super) fn stopper(&self) -> Stopper {
        Stopper(self.sender.clone())
    }

    /// Watches exactly these folders. Returns whether new ones joined, whose earlier changes went unnoticed.
    ///
    /// # Errors
    /// The kernel refused one; the others are watched.
    pub(super) fn watch(
        &mut self,
        folders: &BTreeSet<PathBuf>,
        above: &BTreeSet<PathBuf>,
    ) -> notify::Result<bool> {
        let (gone, joining) = self.scope().set(folders, above);
        for folder in gone {
            // The kernel may have dropped it already.
            let _ = self.watcher.unwatch(&folder);
        }
        let mut refused = None;
        for folder in &joining {
            if let Err(error) = self.watcher.watch(folder, RecursiveMode::NonRecursive) {
                self.scope().forget(folder);
                refused = Some(error);
            }
        }
        refused.map_or(Ok(!joining.is_empty()), Err)
    }

    /// Waits for a change and then for `quiet` without one, `most` at most; without a change until `deadline`.
    pub(super) fn wait(&self, deadline: Instant, quiet: Duration, most: Duration) -> Woken {
        match self.inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Message::Changed) => {}
            Err(RecvTimeoutError::Timeout) => return Woken::Deadline,
            Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return Woken::Stopped,
        }
        let until = Instant::now() + most;
        loop {
            let left = until.saturating_duration_since(Instant::now()).min(quiet);
            match self.inbox.recv_timeout(left) {
                Ok(Message::Changed) if !left.is_zero() => {}
                Ok(Message::Changed) | Err(RecvTimeoutError::Timeout) => return Woken::Changed,
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return Woken::Stopped,
            }
        }
    }

    fn scope(&self) -> std::sync::MutexGuard<'_, Scope> {
        self.scope.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scope {
    /// Takes over what is to be watched; returns what no longer is, and what is not yet.
    fn set(
        &mut self,
        folders: &BTreeSet<PathBuf>,
        above: &BTreeSet<PathBuf>,
    ) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let watched: BTreeSet<_> = self.folders.union(&self.above).cloned().collect();
        let wanted: BTreeSet<_> = folders.union(above).cloned().collect();
        (self.folders, self.above) = (folders.clone(), above.clone());
        (watched.difference(&wanted).cloned().collect(), wanted.difference(&watched).cloned().collect())
    }

    fn forget(&mut self, folder: &Path) {
        self.folders.remove(folder);
        self.above.remove(folder);
    }

    /// Whether a look is due. Forgets folders that left their place, so that they are watched anew.
    fn concerns(&mut self, event: &notify::Result<notify::Event>) -> bool {
        let Ok(event) = event else { return true };
        // Our own reading shows as access, too.
        if matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write)) {
            return false;
        }
        for path in &event.paths {
            if matches!(
                event.kind,
                EventKind::Remove(_) | EventKind::Modify(notify::event::ModifyKind::Name(_))
            ) {
                self.forget(path);
            }
        }
        event.need_rescan() || event.paths.iter().any(|path| self.matters(path))
    }

    fn matters(&self, path: &Path) -> bool {
        let below =
            |folders: &BTreeSet<PathBuf>| path.parent().is_some_and(|parent| folders.contains(parent));
        self.root.starts_with(path) || path.starts_with(&self.root) || below(&self.folders)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::super::walk::walk;
    use super::*;

    const LONG: Duration = Duration::from_secs(20);
    const QUIET: Duration = Duration::from_millis(20);

    fn set(paths: &[&Path]) -> BTreeSet<PathBuf> {
        paths.iter().map(|path| path.to_path_buf()).collect()
    }

    fn wait(notices: &Notices, time: Duration) -> Woken {
        notices.wait(Instant::now() + time, QUIET, 5 * QUIET)
    }

    #[test]
    fn a_write_is_noticed_and_a_read_is_not() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("a.yaml");
        fs::write(&file, "1").unwrap();
        let mut notices = Notices::new(root.path()).unwrap();
        assert!(notices.watch(&set(&[root.path()]), &set(&[])).unwrap());
        assert!(!notices.watch(&set(&[root.path()]), &set(&[])).unwrap());
        fs::read(&file).unwrap();
        assert_eq!(wait(&notices, Duration::from_millis(100)), Woken::Deadline);
        fs::write(&file, "2").unwrap();
        assert_eq!(wait(&notices, LONG), Woken::Changed);
    }

    #[test]
    fn a_folder_made_again_is_watched_again() {
        let above = tempfile::tempdir().unwrap();
        let root = above.path().join("config");
        fs::create_dir(&root).unwrap();
        let mut notices = Notices::new(&root).unwrap();
        notices.watch(&set(&[&root]), &set(&[above.path()])).unwrap();
        fs::remove_dir(&root).unwrap();
        assert_eq!(wait(&notices, LONG), Woken::Changed);
        fs::create_dir(&root).unwrap();
        assert_eq!(wait(&notices, LONG), Woken::Changed);
        assert!(notices.watch(&set(&[&root]), &set(&[above.path()])).unwrap());
        fs::write(root.join("a.yaml"), "").unwrap();
        assert_eq!(wait(&notices, LONG), Woken::Changed);
    }

    #[test]
    fn every_way_of_changing_a_folder_is_noticed() {
        let above = tempfile::tempdir().unwrap();
        let root = above.path().join("config");
        let elsewhere = above.path().join("elsewhere");
        let mut notices = Notices::new(&root).unwrap();
        let changes: [(&str, &dyn Fn()); 8] = [
            ("made", &|| fs::create_dir_all(root.join("..1")).unwrap()),
            ("written", &|| fs::write(root.join("a.yaml"), "1").unwrap()),
            ("replaced", &|| fs::rename(root.join("a.yaml"), root.join("b.yaml")).unwrap()),
            ("linked", &|| {
                fs::write(&elsewhere, "1").unwrap();
                symlink(&elsewhere, root.join("c.yaml")).unwrap();
            }),
            ("written through a link", &|| fs::write(&elsewhere, "2").unwrap()),
            ("swapped", &|| {
                symlink("..1", root.join("..tmp")).unwrap();
                fs::rename(root.join("..tmp"), root.join("..data")).unwrap();
            }),
            ("removed", &|| fs::remove_dir_all(&root).unwrap()),
            ("made again", &|| fs::create_dir(&root).unwrap()),
        ];
        for (what, change) in changes {
            while {
                let walk = walk(&root);
                notices.watch(&walk.watch, &walk.above).unwrap()
            } {}
            while wait(&notices, 2 * QUIET) == Woken::Changed {}
            change();
            assert_eq!(wait(&notices, LONG), Woken::Changed, "{what}");
        }
    }

    #[test]
    fn what_goes_on_beside_the_folder_does_not_matter() {
        let above = tempfile::tempdir().unwrap();
        let root = above.path().join("config");
        let mut notices = Notices::new(&root).unwrap();
        notices.watch(&set(&[]), &set(&[above.path()])).unwrap();
        fs::write(above.path().join("other"), "").unwrap();
        assert_eq!(wait(&notices, Duration::from_millis(100)), Woken::Deadline);
        notices.stopper().stop();
        assert_eq!(wait(&notices, LONG), Woken::Stopped);
    }
}
