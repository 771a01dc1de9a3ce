//! Holds the status of every object: says what changes, and keeps a file for each where asked to.
//!
//! Invariants: nothing is written or said that did not change; a status written once is read again after a restart,
//! so that transition times stay; only files of ours are removed; a status is shared with the translation that it is
//! from, for there are thousands.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use anyhow::Context;
use ferrule_translate::{ObjectRef, Status};
use serde_json::{Value, json};

use super::overlay::Overlay;
use super::time::Timed;
use crate::manifest::{self, Part};
use crate::record::{Condition, Record};
use crate::yaml;

/// More changes at once than these are summed up.
const MANY: usize = 40;

/// The status of every object.
#[derive(Debug, Default)]
pub(crate) struct StatusWriter {
    folder: Option<PathBuf>,
    held: BTreeMap<ObjectRef, Timed>,
    /// Objects of which there is nothing to say.
    silent: Vec<ObjectRef>,
    /// What an earlier run left in the folder, by file name.
    earlier: HashMap<String, Value>,
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
            None => HashMap::new(),
        };
        Ok(Self { folder, earlier, ..Self::default() })
    }

    /// Takes over the status of all objects as of `now`; returns what to tell people.
    pub(crate) fn update(
        &mut self,
        fresh: &BTreeMap<ObjectRef, Arc<Status>>,
        overlays: &BTreeMap<ObjectRef, Overlay>,
        now: &str,
    ) -> Vec<String> {
        let gone: Vec<ObjectRef> =
            self.held.keys().filter(|object| !fresh.contains_key(*object)).cloned().collect();
        for object in &gone {
            self.held.remove(object);
            self.remove(&file_name(object));
        }
        let now: Arc<str> = now.into();
        let mut changed = Vec::new();
        for (object, status) in fresh {
            let status = match overlays.get(object) {
                Some(overlay) => Arc::new(overlay.over(status)),
                None => status.clone(),
            };
            changed.extend(self.put(object, status, &now));
        }
        for name in std::mem::take(&mut self.earlier).into_keys() {
            self.remove(&name);
        }
        tell(changed)
    }

    /// Takes over which objects have no status.
    pub(crate) fn list_silent(&mut self, objects: Vec<ObjectRef>) {
        self.silent = objects;
    }

    /// All of them, those of which there is nothing to say last.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record> {
        let held = self.held.iter().map(|(object, timed)| Record::of(object, &timed.with_times()));
        held.chain(self.silent.iter().map(Record::silent))
    }

    /// Takes over one status; returns what changed, if anything did.
    fn put(&mut self, object: &ObjectRef, status: Arc<Status>, now: &Arc<str>) -> Option<Change> {
        let before = self.held.get(object);
        if before.is_some_and(|before| before.is_of(&status)) {
            return None;
        }
        let told = before.map(|before| Told::of(object, &before.with_times()));
        let earlier = self.earlier.remove(&file_name(object)).and_then(|value| revive(value, &status));
        let earlier = earlier.map(|status| Timed::written(status, now));
        let timed = Timed::new(status, before.or(earlier.as_ref()), now);
        let full = timed.with_times();
        self.write(object, &full);
        self.held.insert(object.clone(), timed);
        Some(Change::new(object, told, Told::of(object, &full)))
    }

    fn write(&self, object: &ObjectRef, status: &Status) {
        let Some(folder) = &self.folder else { return };
        let path = folder.join(file_name(object));
        if let Err(error) = put(&path, &Record::of(object, status)) {
            tracing::error!("{}: {error:#}", path.display());
        }
    }

    fn remove(&self, name: &str) {
        let Some(folder) = &self.folder else { return };
        // Someone else may have removed it.
        let _ = fs::remove_file(folder.join(name));
    }
}

/// What people are told of a status.
#[derive(PartialEq, Eq)]
struct Told {
    verdict: String,
    is_bad: bool,
}

impl Told {
    fn of(object: &ObjectRef, status: &Status) -> Self {
        let record = Record::of(object, status);
        Self { verdict: verdict(&record), is_bad: record.conditions().iter().any(Condition::is_bad) }
    }
}

/// A status that has changed.
struct Change {
    /// What is wrong with the object, each thing once, or that nothing is any more; `None` where that is as before.
    line: Option<String>,
    /// Whether something is or was wrong.
    is_notable: bool,
}

impl Change {
    fn new(object: &ObjectRef, before: Option<Told>, now: Told) -> Self {
        let is_notable = now.is_bad || before.as_ref().is_some_and(|before| before.is_bad);
        Self {
            line: (before.as_ref() != Some(&now)).then(|| format!("{object}: {}", now.verdict)),
            is_notable,
        }
    }
}

fn tell(changed: Vec<Change>) -> Vec<String> {
    let count = changed.len();
    let told = changed.into_iter().filter(|change| count <= MANY || change.is_notable);
    let mut lines: Vec<String> = told.filter_map(|change| change.line).take(MANY).collect();
    if count > MANY {
        lines.push(format!("{count} objects have a new status; see `ferrule get`"));
    }
    lines
}

fn verdict(record: &Record) -> String {
    let conditions = record.conditions();
    let mut bad: Vec<&Condition<'_>> = Vec::new();
    for condition in conditions.iter().filter(|condition| condition.is_bad()) {
        if bad.iter().all(|known| (known.kind, known.message) != (condition.kind, condition.message)) {
            bad.push(condition);
        }
    }
    if bad.is_empty() {
        return "ok".to_owned();
    }
    bad.into_iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

const SUFFIX: &str = ".status.yaml";

/// `kind.namespace.name.status.yaml`, without a namespace where the kind has none. The reader of manifests lets through
/// only names without a slash.
fn file_name(object: &ObjectRef) -> String {
    let ObjectRef { kind, namespace, name, .. } = object;
    let dot = if namespace.is_empty() { "" } else { "." };
    format!("{}.{namespace}{dot}{name}{SUFFIX}", kind.to_lowercase()).replace('/', "_")
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

fn read_earlier(folder: &Path) -> io::Result<HashMap<String, Value>> {
    fs::create_dir_all(folder)?;
    let mut earlier = HashMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) =
            path.file_name().and_then(|name| name.to_str()).filter(|name| name.ends_with(SUFFIX))
        else {
            continue;
        };
        // A file that cannot be read has no times to keep.
        let parts = manifest::read(&fs::read_to_string(&path).unwrap_or_default());
        if let Some(Part::Object(object)) = parts.into_iter().next()
            && let Value::Object(mut fields) = object.value
            && let Some(status) = fields.remove("status")
        {
            earlier.insert(name.to_owned(), status);
        }
    }
    Ok(earlier)
}

/// A status that was written by an earlier run, for an object of the same kind as `like`.
fn revive(value: Value, like: &Status) -> Option<Status> {
    Some(match like {
        Status::GatewayClass(_) => Status::GatewayClass(serde_json::from_value(value).ok()?),
        Status::Gateway(_) => Status::Gateway(serde_json::from_value(value).ok()?),
        Status::Route(_) => Status::Route(serde_json::from_value(value).ok()?),
        Status::Backend(_) => Status::Backend(serde_json::from_value(value).ok()?),
        Status::Policy(_) => Status::Policy(serde_json::from_value(value).ok()?),
    })
}

#[cfg(test)]
mod tests {
    use ferrule_translate::api::backend::BackendStatus;
    use ferrule_translate::api::meta::{Condition, KGATEWAY_GROUP};

    use super::*;

    type World = BTreeMap<ObjectRef, Arc<Status>>;

    fn with(name: &str, status: &str, message: &str) -> (ObjectRef, Arc<Status>) {
        let condition = Condition {
            kind: "Accepted".into(),
            status: status.into(),
            reason: "R".into(),
            message: message.into(),
            observed_generation: 1,
            last_transition_time: None,
        };
        let object = ObjectRef::new(KGATEWAY_GROUP, "Backend", "d", name);
        (object, Arc::new(Status::Backend(BackendStatus { conditions: vec![condition] })))
    }

    fn update(
        writer: &mut StatusWriter,
        world: impl IntoIterator<Item = (ObjectRef, Arc<Status>)>,
        now: &str,
    ) -> Vec<String> {
        writer.update(&world.into_iter().collect::<World>(), &BTreeMap::new(), now)
    }

    #[test]
    fn what_changed_is_said_once() {
        let mut writer = StatusWriter::default();
        assert_eq!(update(&mut writer, [with("a", "True", "fine")], "1"), ["Backend d/a: ok"]);
        assert_eq!(update(&mut writer, [with("a", "True", "fine")], "2"), [] as [&str; 0]);
        assert_eq!(
            update(&mut writer, [with("a", "False", "broken")], "3"),
            ["Backend d/a: Accepted=False R: broken"]
        );
    }

    #[test]
    fn thousands_of_objects_are_summed_up_but_for_the_bad_ones() {
        let many = (0..1000).map(|number| with(&number.to_string(), "True", ""));
        let lines = update(&mut StatusWriter::default(), many.chain([with("bad", "False", "broken")]), "1");
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains("broken") && lines[1].starts_with("1001 objects"), "{lines:?}");
    }

    #[test]
    fn a_refusal_shows_on_the_object_and_goes_with_it() {
        let mut writer = StatusWriter::default();
        let world: World = [with("a", "True", "")].into();
        writer.update(&world, &BTreeMap::new(), "1");
        let refused = world.keys().map(|object| (object.clone(), Overlay::Refused("no".into()))).collect();
        assert_eq!(writer.update(&world, &refused, "2"), ["Backend d/a: Programmed=False Invalid: no"]);
        writer.update(&world, &BTreeMap::new(), "3");
        assert!(writer.records().all(|record| record.conditions().iter().all(|one| !one.is_bad())));
    }

    #[test]
    fn files_are_named_by_kind_namespace_and_name() {
        let name = |kind, namespace| file_name(&ObjectRef::new(KGATEWAY_GROUP, kind, namespace, "a.b"));
        assert_eq!(name("Backend", "d"), "backend.d.a.b.status.yaml");
        assert_eq!(name("GatewayClass", ""), "gatewayclass.a.b.status.yaml");
    }

    #[test]
    fn objects_without_a_status_are_listed_last() {
        let mut writer = StatusWriter::default();
        writer.list_silent(vec![ObjectRef::new("", "Service", "d", "s")]);
        update(&mut writer, [with("a", "True", "")], "1");
        let told: Vec<_> = writer.records().map(|record| (record.api_version, record.name)).collect();
        let told: Vec<_> = told.iter().map(|(version, name)| (version.as_str(), name.as_str())).collect();
        assert_eq!(told, [("gateway.kgateway.dev/v1alpha1", "a"), ("v1", "s")]);
    }

    #[test]
    fn files_come_change_and_go_and_keep_their_times_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("backend.d.a.status.yaml");
        fs::write(folder.path().join("backend.d.other.yaml"), "not ours").unwrap();
        let start = || StatusWriter::new(Some(folder.path().to_owned())).unwrap();
        update(&mut start(), [with("a", "True", ""), with("b", "True", "")], "1999");
        let mut again = start();
        update(&mut again, [with("a", "True", "")], "2000");
        assert!(fs::read_to_string(&path).unwrap().contains("1999"));
        assert!(!folder.path().join("backend.d.b.status.yaml").exists());
        update(&mut again, [with("a", "False", "")], "2001");
        assert!(fs::read_to_string(&path).unwrap().contains("2001"));
        update(&mut again, [], "2002");
        assert!(!path.exists());
        assert!(folder.path().join("backend.d.other.yaml").exists());
    }
}
