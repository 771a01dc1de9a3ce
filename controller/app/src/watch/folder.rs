//! A folder of manifests as a source of objects: looks, reads what changed, tells what follows from it.
//!
//! Invariants: a file is read only when its stamp changed, and parsed only when its text did; a file that is being
//! written is left alone until it is quiet; what cannot be seen (a missing folder, say) keeps what it held.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::catalogue::Catalogue;
use super::changes::Changes;
use super::walk::{Stamp, Walk, walk};
use crate::diagnostic::{Diagnostic, Severity};

/// Largest file that is read; Kubernetes takes objects of 1.5 MiB.
const MAX_FILE: u64 = 16 << 20;
/// Most files that are read.
const MAX_FILES: usize = 100_000;
/// A file is left alone until its last write is this long ago...
const SETTLED: Duration = Duration::from_millis(30);
/// ...but no longer than this.
const IMPATIENT: Duration = Duration::from_millis(500);

/// A folder, or one file, and what was last seen in it.
#[derive(Debug)]
pub(crate) struct Folder {
    /// Absolute.
    root: PathBuf,
    /// As the user gave it.
    given: PathBuf,
    seen: HashMap<PathBuf, Seen>,
    catalogue: Catalogue,
    /// What is wrong with the folder itself.
    unlisted: Vec<Diagnostic>,
}

#[derive(Debug)]
struct Seen {
    shown: Arc<Path>,
    /// `None` where the file must be read again: it was written just before it was read.
    stamp: Option<Stamp>,
    text: u64,
    /// Since when it has been seen being written.
    unsettled: Option<Instant>,
}

/// What a look brought to light.
#[derive(Debug, Default)]
pub(crate) struct Look {
    pub(crate) changes: Changes,
    /// How many files were read.
    pub(crate) read: usize,
    /// Whether to look again soon, because a file is being written.
    pub(crate) again: bool,
    pub(super) walk: Walk,
}

/// Whether to wait for files that are being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Take each file as it is.
    Now,
    /// Leave what is being written for the next look.
    Settled,
}

impl Folder {
    /// Nothing is read yet.
    ///
    /// # Errors
    /// The current folder is gone.
    pub(crate) fn new(given: &Path) -> io::Result<Self> {
        Ok(Self {
            root: std::path::absolute(given)?,
            given: given.to_owned(),
            seen: HashMap::new(),
            catalogue: Catalogue::default(),
            unlisted: Vec::new(),
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Reads what changed since the last look.
    pub(crate) fn look(&mut self, patience: Patience) -> Look {
        let mut look = Look { walk: walk(&self.root), ..Look::default() };
        self.note_unlisted(&look.walk);
        self.forget_missing(&mut look);
        let files = std::mem::take(&mut look.walk.files);
        for (path, stamp) in files.into_iter().take(MAX_FILES) {
            self.visit(&path, stamp, patience, &mut look);
        }
        look
    }

    /// Everything that is wrong with the folder and its files.
    pub(crate) fn diagnostics(&self) -> Vec<Diagnostic> {
        let mut all = self.unlisted.clone();
        all.extend(self.catalogue.diagnostics());
        all
    }

    fn note_unlisted(&mut self, walk: &Walk) {
        let unlisted = walk.unlisted.iter().map(|(path, error)| {
            let message = match error.kind() {
                io::ErrorKind::NotFound => "there is no such folder; what it held stays in use".to_owned(),
                _ => format!("cannot be listed ({error}); what it held stays in use"),
            };
            Diagnostic::of_file(&self.shown(path), message)
        });
        self.unlisted = unlisted.collect();
        if walk.files.is_empty() && walk.unlisted.is_empty() {
            let message = "holds no manifest (*.yaml, *.yml, *.json)";
            let empty = Diagnostic::of_file(&self.given.as_path().into(), message);
            self.unlisted.push(Diagnostic { severity: Severity::Warning, ..empty });
        }
        if walk.files.len() > MAX_FILES {
            let message = format!("holds more than {MAX_FILES} files; the rest is ignored");
            self.unlisted.push(Diagnostic::of_file(&self.given.as_path().into(), message));
        }
    }

    fn forget_missing(&mut self, look: &mut Look) {
        let Look { walk, changes, .. } = look;
        let unknown = |path: &Path| walk.unlisted.iter().any(|(folder, _)| path.starts_with(folder));
        let gone: Vec<PathBuf> = self
            .seen
            .keys()
            .filter(|path| !walk.files.contains_key(*path) && !unknown(path))
            .cloned()
            .collect();
        for path in gone {
            self.seen.remove(&path);
            self.catalogue.forget(&path, changes);
        }
    }

    fn visit(&mut self, path: &Path, stamp: io::Result<Stamp>, patience: Patience, look: &mut Look) {
        let shown = self.shown(path);
        let fresh = Seen { shown: shown.clone(), stamp: None, text: 0, unsettled: None };
        let seen = self.seen.entry(path.to_owned()).or_insert(fresh);
        let stamp = match stamp {
            Ok(stamp) => stamp,
            Err(error) => {
                seen.stamp = None;
                return self.catalogue.refuse(path, &shown, format!("cannot be read: {error}"));
            }
        };
        if seen.stamp == Some(stamp) {
            return;
        }
        let quiet = is_quiet(stamp.modified);
        if !quiet && patience == Patience::Settled {
            let since = *seen.unsettled.get_or_insert_with(Instant::now);
            if since.elapsed() < IMPATIENT {
                look.again = true;
                return;
            }
        }
        seen.unsettled = None;
        seen.stamp = quiet.then_some(stamp);
        look.again |= !quiet;
        self.read(path, &shown, stamp.length, look);
    }

    fn read(&mut self, path: &Path, shown: &Arc<Path>, length: u64, look: &mut Look) {
        match read_text(path, length) {
            Ok(text) => {
                let hash = rapidhash::v3::rapidhash_v3(text.as_bytes()).max(1);
                let Some(seen) = self.seen.get_mut(path) else { return };
                if std::mem::replace(&mut seen.text, hash) != hash {
                    look.read += 1;
                    self.catalogue.read(path, shown, &text, &mut look.changes);
                }
            }
            Err(message) => {
                if let Some(seen) = self.seen.get_mut(path) {
                    // So that the same text is taken up again.
                    seen.text = 0;
                }
                self.catalogue.refuse(path, shown, message);
            }
        }
    }

    /// A path as the user would write it.
    fn shown(&self, path: &Path) -> Arc<Path> {
        if let Some(seen) = self.seen.get(path) {
            return seen.shown.clone();
        }
        match path.strip_prefix(&self.root) {
            Ok(below) if below == Path::new("") => self.given.as_path().into(),
            Ok(below) => self.given.join(below).into(),
            Err(_) => path.into(),
        }
    }
}

fn is_quiet(modified: SystemTime) -> bool {
    // A file from the future has a clock of its own.
    SystemTime::now().duration_since(modified).map_or(true, |age| age >= SETTLED)
}

fn read_text(path: &Path, length: u64) -> Result<String, String> {
    let too_long = || format!("is larger than {} MiB; cut it into several", MAX_FILE >> 20);
    if length > MAX_FILE {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
    read.map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(too_long());
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("is not UTF-8 text (line {line})")
    })
}
