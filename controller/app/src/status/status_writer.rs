//! Holds the status of every object: says what changes, and keeps a file for each where asked to.
//!
//! Invariants: nothing is written or said that did not change; a status written once is read again after a restart,
//! so that transition times stay; only files of ours are removed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::Context;
use serde_json::{Value, json};

use crate::manifest::{self, Part};
use crate::record::{Condition, Record};
use crate::{transition, yaml};

/// More changes at once than these are summed up.
const MANY: usize = 40;

/// An object, by kind, namespace and name.
type Id = (String, String, String);

/// The status of every object.
#[derive(Debug, Default)]
pub(crate) struct StatusWriter {
    folder: Option<PathBuf>,
    held: BTreeMap<Id, Record>,
    /// What an earlier run left in the folder.
    earlier: BTreeMap<Id, Value>,
}

impl StatusWriter {
    /// Keeps files in `folder`, if one is given.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub(crate) fn new(folder: Option<PathBuf>) -> anyhow::Result<Self> {
        let earlier = match &folder {
            Some(folder) => {
                read_earlier(folder).with_context(|| format!("--status-dir {}", folder.display()))?
            }
            None => BTreeMap::new(),
        };
        Ok(Self { folder, held: BTreeMap::new(), earlier })
    }

    /// Takes over the status of all objects as of `now`; returns what to tell people.
    pub(crate) fn update(&mut self, fresh: Vec<Record>, now: &str) -> Vec<String> {
        let before = std::mem::take(&mut self.held);
        let mut changed = Vec::new();
        for mut record in fresh {
            let id = id(&record);
            let known = before.get(&id);
            let old = known.map(|old| &old.status).or_else(|| self.earlier.get(&id)).unwrap_or(&Value::Null);
            transition::stamp(&mut record.status, old, now);
            if known != Some(&record) {
                self.write(&record);
                changed.push(id.clone());
            }
            self.held.insert(id, record);
        }
        let gone = before.keys().chain(self.earlier.keys()).filter(|id| !self.held.contains_key(*id));
        for id in gone.collect::<BTreeSet<_>>() {
            self.remove(id);
        }
        self.earlier.clear();
        self.tell(&changed, &before)
    }

    /// All of them.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.held.values()
    }

    fn tell(&self, changed: &[Id], before: &BTreeMap<Id, Record>) -> Vec<String> {
        let records: Vec<_> =
            changed.iter().filter_map(|id| Some((self.held.get(id)?, before.get(id)))).collect();
        let many = records.len() > MANY;
        let told =
            records.iter().filter(|(record, before)| !many || is_bad(record) || before.is_some_and(is_bad));
        let mut lines: Vec<String> =
            told.filter_map(|(record, before)| line(record, *before)).take(MANY).collect();
        if many {
            lines.push(format!("{} objects have a new status; see `ferrule get`", records.len()));
        }
        lines
    }

    fn write(&self, record: &Record) {
        let Some(folder) = &self.folder else { return };
        let path = folder.join(file_name(&id(record)));
        if let Err(error) = put(&path, record) {
            tracing::error!("{}: {error:#}", path.display());
        }
    }

    fn remove(&self, id: &Id) {
        let Some(folder) = &self.folder else { return };
        // Someone else may have removed it.
        let _ = fs::remove_file(folder.join(file_name(id)));
    }
}

fn is_bad(record: &Record) -> bool {
    record.conditions().iter().any(Condition::is_bad)
}

/// What is new about an object's conditions, bad ones with their message.
fn line(record: &Record, before: Option<&Record>) -> Option<String> {
    let old = before.map(Record::conditions).unwrap_or_default();
    let conditions = record.conditions();
    let news: Vec<String> =
        conditions.iter().filter(|condition| !old.contains(condition)).map(Condition::to_string).collect();
    let name = if record.namespace.is_empty() {
        record.name.clone()
    } else {
        format!("{}/{}", record.namespace, record.name)
    };
    (!news.is_empty()).then(|| format!("{} {name}: {}", record.kind, news.join("; ")))
}

fn id(record: &Record) -> Id {
    (record.kind.clone(), record.namespace.clone(), record.name.clone())
}

const SUFFIX: &str = ".status.yaml";

/// `kind.namespace.name.status.yaml`; names of Kubernetes have no dot in a namespace and no slash anywhere.
fn file_name((kind, namespace, name): &Id) -> String {
    let plain = |text: &str| {
        text.replace(|byte: char| !byte.is_ascii_alphanumeric() && byte != '-' && byte != '.', "_")
    };
    format!("{}.{}.{}{SUFFIX}", plain(&kind.to_lowercase()), plain(namespace), plain(name))
}

/// Writes a file so that readers see the old one or the new one.
fn put(path: &Path, record: &Record) -> anyhow::Result<()> {
    let mut metadata = json!({"name": record.name});
    if !record.namespace.is_empty() {
        metadata["namespace"] = record.namespace.as_str().into();
    }
    let object = json!({"apiVersion": record.api_version, "kind": record.kind, "metadata": metadata, "status": record.status});
    let draft = path.with_extension("draft");
    fs::write(&draft, yaml::documents(&[object])?)?;
    Ok(fs::rename(draft, path)?)
}

fn read_earlier(folder: &Path) -> io::Result<BTreeMap<Id, Value>> {
    fs::create_dir_all(folder)?;
    let mut earlier = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if !path.to_string_lossy().ends_with(SUFFIX) {
            continue;
        }
        // A file that cannot be read has no times to keep.
        for part in manifest::read(&fs::read_to_string(&path).unwrap_or_default()) {
            if let Part::Object(mut object) = part {
                let identity = object.identity;
                let id = (identity.kind, identity.namespace, identity.name);
                if path.file_name().is_some_and(|name| *name == *file_name(&id)) {
                    earlier.insert(id, object.value["status"].take());
                }
            }
        }
    }
    Ok(earlier)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, status: &str, message: &str) -> Record {
        Record {
            api_version: "g/v1".into(),
            kind: "Thing".into(),
            namespace: "d".into(),
            name: name.into(),
            status: json!({"conditions": [{"type": "Accepted", "status": status, "reason": "R", "message": message}]}),
        }
    }

    #[test]
    fn what_changed_is_said_once() {
        let mut writer = StatusWriter::default();
        assert_eq!(writer.update(vec![record("a", "True", "fine")], "1"), ["Thing d/a: Accepted=True R"]);
        assert_eq!(writer.update(vec![record("a", "True", "fine")], "2"), [] as [&str; 0]);
        assert_eq!(
            writer.update(vec![record("a", "False", "broken")], "3"),
            ["Thing d/a: Accepted=False R: broken"]
        );
    }

    #[test]
    fn thousands_of_objects_are_summed_up_but_for_the_bad_ones() {
        let mut writer = StatusWriter::default();
        let mut records: Vec<_> = (0..1000).map(|n| record(&n.to_string(), "True", "")).collect();
        records.push(record("bad", "False", "broken"));
        let lines = writer.update(records, "1");
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains("broken") && lines[1].starts_with("1001 objects"), "{lines:?}");
    }

    #[test]
    fn files_come_change_and_go_and_keep_their_times_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("thing.d.a.status.yaml");
        fs::write(folder.path().join("thing.d.other.yaml"), "not ours").unwrap();
        let start = || StatusWriter::new(Some(folder.path().to_owned())).unwrap();
        let mut writer = start();
        writer.update(vec![record("a", "True", ""), record("b", "True", "")], "1999");
        let mut writer_again = start();
        writer_again.update(vec![record("a", "True", "")], "2000");
        assert!(fs::read_to_string(&path).unwrap().contains("1999"));
        assert!(!folder.path().join("thing.d.b.status.yaml").exists());
        writer_again.update(vec![record("a", "False", "")], "2001");
        assert!(fs::read_to_string(&path).unwrap().contains("2001"));
        writer_again.update(vec![], "2002");
        assert!(!path.exists());
        assert!(folder.path().join("thing.d.other.yaml").exists());
    }

    #[test]
    fn a_name_never_leaves_the_folder() {
        let name = file_name(&("Thing".into(), "..".into(), "../../etc/passwd".into()));
        assert!(!name.contains('/'), "{name}");
    }
}
