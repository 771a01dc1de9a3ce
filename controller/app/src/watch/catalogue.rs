//! What the files hold, object by object, and the last good form of each.
//!
//! Invariants:
//! - An object that becomes unreadable keeps its last good form. An object goes when its file is read in full and no
//!   longer has it, or when its file goes; a document that could be anything keeps what its file had.
//! - Of two files with one object the first to have it serves it, until it has it no more.
//! - An object's generation grows when anything but its metadata and status changes.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ferrule_translate::ObjectRef;

use crate::diagnostic::{Diagnostic, Severity};
use crate::manifest::{self, Fault, Identity, Manifest, Mark, Part, Positions};
use crate::object::{self, Wrong};
use crate::watch::changes::{Changes, Invitation, Loaded, Place, content_hash};

/// All files and their objects.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    files: BTreeMap<PathBuf, File>,
    /// The files that have an object; the first one's serves.
    holders: HashMap<ObjectRef, Vec<PathBuf>>,
    /// What the world was told last.
    served: HashMap<ObjectRef, Arc<Loaded>>,
}

#[derive(Debug, Default)]
struct File {
    /// As it is shown to people.
    shown: Option<Arc<Path>>,
    /// Ordered by object; there is a file to each object as a rule, and a map would be mostly room.
    entries: Box<[(ObjectRef, Entry)]>,
    diagnostics: Vec<Diagnostic>,
}

impl File {
    fn entry(&self, key: &ObjectRef) -> Option<&Entry> {
        let place = self.entries.binary_search_by(|(other, _)| other.cmp(key)).ok()?;
        self.entries.get(place).map(|(_, entry)| entry)
    }
}

/// One object of one file.
#[derive(Clone, Debug)]
struct Entry {
    at: Mark,
    good: Option<Arc<Loaded>>,
}

impl Catalogue {
    /// Takes over what a file says now; `shown` is how its path is shown to people.
    pub(super) fn read(&mut self, path: &Path, shown: &Arc<Path>, text: &str, changes: &mut Changes) {
        let before = self.files.remove(path).unwrap_or_default();
        let mut reader = Reader::new(shown, before, &self.served);
        for part in manifest::read(text) {
            reader.part(part);
        }
        let Reader { before: missing, mut entries, diagnostics, lost, .. } = reader;
        let gone = if lost {
            entries.extend(missing.into_iter().filter(|(_, entry)| entry.good.is_some()));
            BTreeMap::new()
        } else {
            missing
        };
        let keys: Vec<ObjectRef> = entries.keys().cloned().collect();
        let file = File { shown: Some(shown.clone()), entries: entries.into_iter().collect(), diagnostics };
        self.files.insert(path.to_owned(), file);
        for key in keys {
            self.hold(path, key, changes);
        }
        for (key, _) in gone {
            self.release(path, key, changes);
        }
    }

    /// Notes that a file cannot be read; its objects stay as they are.
    pub(super) fn refuse(&mut self, path: &Path, shown: &Arc<Path>, message: impl Into<String>) {
        let file = self.files.entry(path.to_owned()).or_default();
        file.shown = Some(shown.clone());
        file.diagnostics = vec![Diagnostic::of_file(shown, message)];
    }

    /// Forgets a file that is gone.
    pub(super) fn forget(&mut self, path: &Path, changes: &mut Changes) {
        let Some(file) = self.files.remove(path) else { return };
        for (key, _) in file.entries {
            self.release(path, key, changes);
        }
    }

    /// Everything that is wrong with the files.
    pub(super) fn diagnostics(&self) -> Vec<Diagnostic> {
        let mut all: Vec<_> = self.files.values().flat_map(|file| file.diagnostics.clone()).collect();
        for (key, holders) in &self.holders {
            let Some((first, others)) = holders.split_first() else { continue };
            all.extend(others.iter().filter_map(|other| self.duplicate(key, first, other)));
        }
        all.sort();
        all
    }

    fn duplicate(&self, key: &ObjectRef, first: &Path, other: &Path) -> Option<Diagnostic> {
        let entry = |path| {
            let file = self.files.get(path)?;
            Some((file.shown.clone()?, file.entry(key)?.at))
        };
        let ((serving, at), (ignored, ignored_at)) = (entry(first)?, entry(other)?);
        let place = format!("{}:{}", serving.display(), at.line);
        Some(Diagnostic {
            file: Some(ignored),
            at: Some(ignored_at),
            object: key.to_string(),
            path: String::new(),
            message: format!("is already defined in {place}, which stays in use; remove one of the two"),
            severity: Severity::Error,
        })
    }

    fn hold(&mut self, path: &Path, key: ObjectRef, changes: &mut Changes) {
        let holders = self.holders.entry(key.clone()).or_default();
        if holders.iter().all(|holder| holder != path) {
            holders.push(path.to_owned());
        }
        if holders.first().is_some_and(|first| first == path) {
            self.serve(key, changes);
        }
    }

    fn release(&mut self, path: &Path, key: ObjectRef, changes: &mut Changes) {
        let Some(holders) = self.holders.get_mut(&key) else { return };
        let served = holders.first().is_some_and(|first| first == path);
        holders.retain(|holder| holder != path);
        if holders.is_empty() {
            self.holders.remove(&key);
        }
        if served {
            self.serve(key, changes);
        }
    }

    /// Has the world take the object from the file whose turn it is.
    fn serve(&mut self, key: ObjectRef, changes: &mut Changes) {
        let holder = self.holders.get(&key).and_then(|holders| holders.first());
        let now = holder.and_then(|path| self.files.get(path)?.entry(&key)?.good.clone());
        let before = match &now {
            Some(now) => self.served.insert(key.clone(), now.clone()),
            None => self.served.remove(&key),
        };
        changes.add(key, before, now);
    }
}

/// Reads one file.
struct Reader<'f> {
    shown: &'f Arc<Path>,
    /// What the file had and has not been met again.
    before: BTreeMap<ObjectRef, Entry>,
    served: &'f HashMap<ObjectRef, Arc<Loaded>>,
    entries: BTreeMap<ObjectRef, Entry>,
    diagnostics: Vec<Diagnostic>,
    /// Whether a document could be anything.
    lost: bool,
}

impl<'f> Reader<'f> {
    fn new(shown: &'f Arc<Path>, before: File, served: &'f HashMap<ObjectRef, Arc<Loaded>>) -> Self {
        let before = before.entries.into_iter().collect();
        Self { shown, before, served, entries: BTreeMap::new(), diagnostics: Vec::new(), lost: false }
    }

    fn part(&mut self, part: Part) {
        match part {
            Part::Unreadable(identity, fault) => {
                self.lost = true;
                self.note(identity.to_string(), fault, Severity::Error);
            }
            Part::Object(manifest) => self.manifest(manifest),
        }
    }

    fn manifest(&mut self, manifest: Manifest) {
        let at = manifest.positions.object();
        let key = match object::key(&manifest.identity) {
            Ok(Some(key)) => key,
            Ok(None) => return self.note_unserved(&manifest.identity, &manifest.positions),
            Err(wrong) => {
                self.lost = true;
                return self.note_wrong(manifest.identity.to_string(), &manifest.positions, wrong);
            }
        };
        if let Some(first) = self.entries.get(&key) {
            let message =
                format!("is already defined on line {}, which stays in use; remove one", first.at.line);
            return self.note(key.to_string(), Fault { at, path: String::new(), message }, Severity::Error);
        }
        let before = self.before.remove(&key).and_then(|entry| entry.good);
        let good = self.load(&key, manifest, before.as_ref()).or(before);
        self.entries.insert(key, Entry { at, good });
    }

    /// The object in its new form, unless something is wrong with it.
    fn load(
        &mut self,
        key: &ObjectRef,
        manifest: Manifest,
        before: Option<&Arc<Loaded>>,
    ) -> Option<Arc<Loaded>> {
        let Manifest { value, positions, faults, .. } = manifest;
        if !faults.is_empty() {
            faults.into_iter().for_each(|fault| self.note(key.to_string(), fault, Severity::Error));
            return None;
        }
        let content = content_hash(&value, |_| true);
        let substance = content_hash(&value, |field| !matches!(field, "metadata" | "status"));
        let invitation = Invitation::of(&value).map(Box::new);
        // An object that moves from one file to another is still the same.
        let generation = match before.or_else(|| self.served.get(key)) {
            Some(known) if known.substance == substance => known.generation,
            Some(known) => known.generation + 1,
            None => 1,
        };
        let object = match before {
            Some(before) if before.content == content => before.object.clone(),
            _ => match object::admit(value, generation) {
                Ok(object) => object,
                Err(all) => {
                    all.into_iter().for_each(|wrong| self.note_wrong(key.to_string(), &positions, wrong));
                    return None;
                }
            },
        };
        let place = Some(Box::new(Place { file: self.shown.clone(), positions }));
        Some(Arc::new(Loaded { object, place, invitation, content, substance, generation }))
    }
}

impl Reader<'_> {
    fn note(&mut self, object: String, fault: Fault, severity: Severity) {
        self.diagnostics.push(Diagnostic::of_fault(self.shown, object, fault, severity));
    }

    fn note_wrong(&mut self, object: String, positions: &Positions, wrong: Wrong) {
        let Wrong { path, mut message } = wrong;
        if positions.is_surprising(&path) {
            message.push_str("; a bare yes, no, on, off, y or n is a boolean in Kubernetes' YAML: quote it");
        }
        self.note(object, Fault { at: positions.find(&path), path, message }, Severity::Error);
    }

    fn note_unserved(&mut self, identity: &Identity, positions: &Positions) {
        let severity = if object::is_for_gateways(identity) { Severity::Error } else { Severity::Warning };
        let message = format!("{} of {} is not served; ignored", identity.kind, identity.api_version);
        let fault = Fault { at: positions.find("kind"), path: "kind".to_owned(), message };
        self.note(identity.to_string(), fault, severity);
    }
}
