//! Holds the status of every object: says what changes, and passes it on.
//!
//! Invariants: nothing is passed on or said that did not change; a status is shared with the translation that it is
//! from, for there are thousands, and what two translations share is not looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use ferrule_shared_map::SharedMap;
use ferrule_translate::{ObjectRef, Status};
use tokio::sync::mpsc;

use super::files::Files;
use super::overlay::Overlay;
use super::time::Timed;
use crate::record::{Condition, Record};

/// More changes at once than these are summed up.
const MANY: usize = 40;

/// A status that is wanted of an object; `None` if none is any more.
pub(crate) type Wanted = (ObjectRef, Option<Arc<Status>>);

/// Where a status goes when it has changed.
#[derive(Debug, Default)]
enum Sink {
    #[default]
    Nowhere,
    Files(Files),
    /// What one update changes goes together.
    Queue(mpsc::UnboundedSender<Vec<Wanted>>, Vec<Wanted>),
}

/// The status of every object.
#[derive(Debug, Default)]
pub(crate) struct StatusWriter {
    sink: Sink,
    held: BTreeMap<ObjectRef, Timed>,
    /// What was taken over last, and the objects that there was more to say of.
    fresh: SharedMap<ObjectRef, Arc<Status>>,
    overlaid: Vec<ObjectRef>,
    /// Objects of which there is nothing to say.
    silent: SharedMap<ObjectRef, ()>,
}

impl StatusWriter {
    /// Keeps files in `folder`, if one is given.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub(crate) fn new(folder: Option<PathBuf>) -> anyhow::Result<Self> {
        let sink = folder.map_or(Ok(Sink::Nowhere), |folder| Files::open(folder).map(Sink::Files))?;
        Ok(Self { sink, ..Self::default() })
    }

    /// Sends what each update changes to whoever writes it, though it be nothing.
    pub(crate) fn to(queue: mpsc::UnboundedSender<Vec<Wanted>>) -> Self {
        Self { sink: Sink::Queue(queue, Vec::new()), ..Self::default() }
    }

    /// Takes over the status of all objects as of `now`; returns what to tell people.
    pub(crate) fn update(
        &mut self,
        fresh: &SharedMap<ObjectRef, Arc<Status>>,
        overlays: &BTreeMap<ObjectRef, Overlay>,
        now: &str,
    ) -> Vec<String> {
        let differing = self.fresh.differences(fresh, Arc::ptr_eq).map(|difference| difference.key);
        let overlaid = self.overlaid.iter().chain(overlays.keys());
        let concerned: BTreeSet<ObjectRef> = differing.chain(overlaid).cloned().collect();
        let now: Arc<str> = now.into();
        let mut changed = Vec::new();
        for object in &concerned {
            let status = match (fresh.get(object), overlays.get(object)) {
                (Some(status), Some(overlay)) => Arc::new(overlay.over(status)),
                (Some(status), None) => status.clone(),
                (None, _) => {
                    if self.held.remove(object).is_some() {
                        self.sink.remove(object);
                    }
                    continue;
                }
            };
            changed.extend(self.put(object, status, &now));
        }
        self.fresh = fresh.clone();
        self.overlaid = overlays.keys().cloned().collect();
        self.sink.finish();
        tell(changed)
    }

    /// Takes over which objects have no status.
    pub(crate) fn list_silent(&mut self, objects: SharedMap<ObjectRef, ()>) {
        self.silent = objects;
    }

    /// All of them, those of which there is nothing to say last.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record> {
        let held = self.held.iter().map(|(object, timed)| Record::of(object, &timed.with_times()));
        held.chain(self.silent.keys().map(Record::silent))
    }

    /// Takes over one status; returns what changed, if anything did.
    fn put(&mut self, object: &ObjectRef, status: Arc<Status>, now: &Arc<str>) -> Option<Change> {
        let before = self.held.get(object);
        if before.is_some_and(|before| before.is_of(&status)) {
            return None;
        }
        let told = before.map(|before| Told::of(object, &before.with_times()));
        let earlier = match &mut self.sink {
            Sink::Files(files) => files.take_earlier(object, &status),
            Sink::Nowhere | Sink::Queue(..) => None,
        };
        let earlier = earlier.map(|status| Timed::written(status, now));
        let timed = Timed::new(status.clone(), before.or(earlier.as_ref()), now);
        let full = timed.with_times();
        self.sink.put(object, status, &full);
        self.held.insert(object.clone(), timed);
        Some(Change::new(object, told, Told::of(object, &full)))
    }
}

impl Sink {
    fn put(&mut self, object: &ObjectRef, status: Arc<Status>, with_times: &Status) {
        match self {
            Self::Nowhere => {}
            Self::Files(files) => files.write(object, with_times),
            Self::Queue(_, passed) => passed.push((object.clone(), Some(status))),
        }
    }

    fn remove(&mut self, object: &ObjectRef) {
        match self {
            Self::Nowhere => {}
            Self::Files(files) => files.remove(object),
            Self::Queue(_, passed) => passed.push((object.clone(), None)),
        }
    }

    /// Everything has been put or removed.
    fn finish(&mut self) {
        match self {
            Self::Nowhere => {}
            Self::Files(files) => files.remove_earlier(),
            // Nobody listens when all is about to end.
            Self::Queue(queue, passed) => drop(queue.send(std::mem::take(passed))),
        }
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

#[cfg(test)]
mod tests {
    use std::fs;

    use ferrule_translate::api::backend::BackendStatus;
    use ferrule_translate::api::meta::{Condition, KGATEWAY_GROUP};

    use super::*;

    type World = SharedMap<ObjectRef, Arc<Status>>;

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
        let world: World = [with("a", "True", "")].into_iter().collect();
        writer.update(&world, &BTreeMap::new(), "1");
        let refused = world.keys().map(|object| (object.clone(), Overlay::Refused("no".into()))).collect();
        assert_eq!(writer.update(&world, &refused, "2"), ["Backend d/a: Programmed=False Invalid: no"]);
        writer.update(&world, &BTreeMap::new(), "3");
        assert!(writer.records().all(|record| record.conditions().iter().all(|one| !one.is_bad())));
    }

    #[test]
    fn objects_without_a_status_are_listed_last() {
        let mut writer = StatusWriter::default();
        let service = ObjectRef::new("", "Service", "d", "s");
        writer.list_silent([(service, ())].into_iter().collect());
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
