//! Writes status to the API server: what is wanted of each object, against what the server holds.
//!
//! Invariants:
//! - Only the leader writes, and nothing before the first translation is known.
//! - One write of an object at a time; while it is under way newer wishes gather, and the last one counts.
//! - A write that fails is tried again as long as it is wanted; one that someone keeps undoing, ever more rarely.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ferrule_translate::{ObjectRef, Status};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::MANAGER;
use super::events::Recorder;
use super::item::Item;
use super::kinds::{self, Form};
use super::live::{Live, Living};
use super::plan::{self, Write};
use super::watch::Pauses;
use crate::status::{Wanted, timestamp};

/// Writes under way at once.
const AT_ONCE: usize = 16;
/// A status that sums up many other objects is written at once, and then when these have been quiet for so long...
const QUIET: Duration = Duration::from_millis(250);
/// ...or have not been quiet for so long.
const BUSY: Duration = Duration::from_secs(3);
/// Writes of the same status that are nothing unusual; then someone else keeps undoing them.
const USUAL: u32 = 5;
/// Longest time between writes that are undone.
const LONGEST_TRUCE: Duration = Duration::from_secs(120);

/// What a desk hears of.
pub(crate) struct Inbox {
    /// What each translation changes.
    pub(crate) wanted: mpsc::UnboundedReceiver<Vec<Wanted>>,
    /// Objects that are not as they were.
    pub(crate) touched: mpsc::UnboundedReceiver<Vec<ObjectRef>>,
    /// Whether we write at all.
    pub(crate) leading: watch::Receiver<bool>,
}

/// Writes status.
pub(crate) struct Desk {
    client: Client,
    controller_name: Arc<str>,
    living: Living,
    recorder: Recorder,
    wanted: HashMap<ObjectRef, Arc<Status>>,
    translated: bool,
    leading: bool,
    queue: Queue,
    /// Since when a status that was written lately changes.
    unrest: HashMap<ObjectRef, Instant>,
    history: HashMap<ObjectRef, History>,
    writing: HashSet<ObjectRef>,
    writes: JoinSet<(ObjectRef, Write, Result<Item, kube::Error>)>,
    /// Pauses while the API server does not answer.
    pauses: Pauses,
    refused: HashSet<ObjectRef>,
}

/// Objects to look at, each once, by time.
#[derive(Debug, Default)]
struct Queue {
    by_time: BTreeMap<(Instant, u64), ObjectRef>,
    times: HashMap<ObjectRef, (Instant, u64)>,
    count: u64,
}

impl Queue {
    /// Has an object looked at at a time, unless that is to happen earlier anyway.
    fn put(&mut self, object: &ObjectRef, at: Instant) {
        if self.times.get(object).is_none_or(|known| known.0 > at) {
            self.set(object, at);
        }
    }

    /// Has an object looked at at a time, and not before.
    fn set(&mut self, object: &ObjectRef, at: Instant) {
        if let Some(known) = self.times.get(object) {
            self.by_time.remove(known);
        }
        self.count += 1;
        self.times.insert(object.clone(), (at, self.count));
        self.by_time.insert((at, self.count), object.clone());
    }

    fn next_due(&self) -> Option<Instant> {
        self.by_time.keys().next().map(|(at, _)| *at)
    }

    fn take_due(&mut self, now: Instant) -> Option<ObjectRef> {
        let entry = self.by_time.first_entry().filter(|entry| entry.key().0 <= now)?;
        let object = entry.remove();
        self.times.remove(&object);
        Some(object)
    }
}

/// What was written of an object.
#[derive(Debug)]
struct History {
    at: Instant,
    /// What was written last, and how often in a row.
    hash: u64,
    times: u32,
}

impl Desk {
    pub(crate) fn new(client: Client, controller_name: &str, living: Living, recorder: Recorder) -> Self {
        Self {
            client,
            controller_name: controller_name.into(),
            living,
            recorder,
            wanted: HashMap::new(),
            translated: false,
            leading: false,
            queue: Queue::default(),
            unrest: HashMap::new(),
            history: HashMap::new(),
            writing: HashSet::new(),
            writes: JoinSet::new(),
            pauses: Pauses::default(),
            refused: HashSet::new(),
        }
    }

    /// Writes until there is nobody left who could want anything.
    pub(crate) async fn run(mut self, mut inbox: Inbox) {
        loop {
            let due = self.queue.next_due().filter(|_| self.writing.len() < AT_ONCE && self.may_write());
            tokio::select! {
                wanted = inbox.wanted.recv() => match wanted {
                    Some(wanted) => self.on_wanted(wanted),
                    None => return,
                },
                Some(touched) = inbox.touched.recv() => self.look_at(touched),
                Ok(()) = inbox.leading.changed() => {
                    self.leading = *inbox.leading.borrow_and_update();
                    self.look_at_all();
                }
                Some(done) = self.writes.join_next() => if let Ok((object, write, result)) = done {
                    self.on_written(&object, &write, result);
                },
                () = at(due) => self.write_due(),
            }
        }
    }

    fn may_write(&self) -> bool {
        self.leading && self.translated
    }

    fn on_wanted(&mut self, wanted: Vec<Wanted>) {
        let first = !std::mem::replace(&mut self.translated, true);
        let objects: Vec<ObjectRef> = wanted.iter().map(|(object, _)| object.clone()).collect();
        for (object, status) in wanted {
            match status {
                Some(status) => drop(self.wanted.insert(object, status)),
                None => drop(self.wanted.remove(&object)),
            }
        }
        if first { self.look_at_all() } else { self.look_at(objects) }
    }

    fn look_at(&mut self, objects: Vec<ObjectRef>) {
        let now = Instant::now();
        for object in objects {
            let written = self.history.get(&object).map(|history| history.at);
            let sums_up = form(&object) == Some(Form::Applied);
            match written.filter(|at| sums_up && now < *at + BUSY) {
                None => self.queue.put(&object, now),
                Some(_) => {
                    let since = *self.unrest.entry(object.clone()).or_insert(now);
                    self.queue.set(&object, (now + QUIET).min(since + BUSY));
                }
            }
        }
    }

    /// Also at objects of which nothing is wanted: an earlier leader may have left something there.
    fn look_at_all(&mut self) {
        if self.may_write() {
            self.look_at(self.living.objects());
        }
    }

    fn write_due(&mut self) {
        let now = Instant::now();
        while self.writing.len() < AT_ONCE {
            let Some(object) = self.queue.take_due(now) else { return };
            if self.writing.contains(&object) {
                // Looked at again when the write under way is done.
                self.queue.put(&object, now + QUIET);
                continue;
            }
            self.write(object);
        }
    }

    fn write(&mut self, object: ObjectRef) {
        self.unrest.remove(&object);
        let (Some(form), Some(live)) = (form(&object), self.living.get(&object)) else {
            self.history.remove(&object);
            self.refused.remove(&object);
            return;
        };
        let wanted = self.wanted.get(&object).map(|status| &**status);
        let now = timestamp(SystemTime::now());
        let Some(write) = plan::plan(form, &live, wanted, &self.controller_name, &now) else { return };
        if let Some(truce) = self.note(&object, hash(&live, wanted)) {
            self.queue.put(&object, truce);
            return;
        }
        let client = self.client.clone();
        self.writing.insert(object.clone());
        self.writes.spawn(async move {
            let result = send(client, &object, &live, &write).await;
            (object, write, result)
        });
    }

    /// Notes a write; if it is one of many that were undone, when it may take place instead.
    fn note(&mut self, object: &ObjectRef, hash: u64) -> Option<Instant> {
        let now = Instant::now();
        let history = self.history.entry(object.clone()).or_insert(History { at: now, hash, times: 0 });
        if history.hash != hash {
            *history = History { at: now, hash, times: 0 };
        }
        let excess = history.times.saturating_sub(USUAL);
        if excess > 0 {
            let truce = history.at + Duration::from_secs(1 << excess.min(7)).min(LONGEST_TRUCE);
            if truce > now {
                return Some(truce);
            }
        }
        if history.times == USUAL {
            tracing::warn!("{object}: someone else keeps changing the status that is ours to write");
        }
        (history.at, history.times) = (now, history.times + 1);
        None
    }

    fn on_written(&mut self, object: &ObjectRef, write: &Write, result: Result<Item, kube::Error>) {
        self.writing.remove(object);
        match result {
            Ok(mut item) => {
                self.pauses.reset();
                self.refused.remove(object);
                self.recorder.on_written(object, &item, write);
                let status = item.value.as_object_mut().and_then(|fields| fields.shift_remove("status"));
                if let Some(before) = self.living.get(object) {
                    self.living.put(object, Live::new(before.resource, &item, status.as_ref()));
                }
                // What was wanted meanwhile.
                self.look_at(vec![object.clone()]);
            }
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {
                // Gone, or changed meanwhile; the watch tells how. A condition of the truce would be unfair.
                if let Some(history) = self.history.get_mut(object) {
                    history.times = history.times.saturating_sub(1);
                }
                self.queue.put(object, Instant::now() + QUIET);
            }
            Err(error) => {
                if self.refused.insert(object.clone()) {
                    tracing::warn!("{object}: its status cannot be written: {error}; trying again");
                }
                if let Some(history) = self.history.get_mut(object) {
                    history.times = history.times.saturating_sub(1);
                }
                self.queue.put(object, Instant::now() + self.pauses.next());
            }
        }
    }
}

/// What tells a write from another, with the object that it is of.
fn hash(live: &Live, wanted: Option<&Status>) -> u64 {
    rapidhash::v3::rapidhash_v3(&serde_json::to_vec(&(&live.uid, wanted)).unwrap_or_default())
}

fn form(object: &ObjectRef) -> Option<Form> {
    let place = kinds::place(&object.group, &object.kind)?;
    kinds::form(ferrule_translate::KINDS.get(place)?)
}

async fn send(client: Client, object: &ObjectRef, live: &Live, write: &Write) -> Result<Item, kube::Error> {
    let api: Api<Item> = match &*object.namespace {
        "" => Api::all_with(client, &*live.resource),
        namespace => Api::namespaced_with(client, namespace, &*live.resource),
    };
    let body: Value = plan::body(write, live, &object.namespace, &object.name);
    match write.form {
        Form::Applied => {
            api.patch_status(&object.name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&body)).await
        }
        Form::Replaced => {
            let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
            api.patch_status(&object.name, &params, &Patch::Merge(&body)).await
        }
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
