//! Brings together what all watches see, and tells the pipeline.
//!
//! Invariants:
//! - Nothing is told before every kind that is served has been listed in full, so that a restart never publishes half
//!   a world.
//! - A change that refers to Secrets or ConfigMaps which nobody has read yet waits for them, but not for long.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::mpsc as blocking;
use std::time::Duration;

use ferrule_translate::{KINDS, ObjectRef};
use kube::Client;
use kube::api::ApiResource;
use serde_json::Value;
use tokio::sync::{mpsc, watch as signal};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::definitions::Definitions;
use super::discovery::{self, Served};
use super::kinds::{self, Reading};
use super::referenced::Referrers;
use super::store::{News, Store};
use super::watch::{Sighting, Source, watch};
use crate::watch::{Changes, Update};

/// Sightings that may wait to be taken in; more make the watches wait.
const QUEUE: usize = 2048;
/// How long a change waits for what it refers to.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where what was gathered goes.
pub(crate) struct Outlets {
    /// The pipeline.
    pub(crate) updates: blocking::Sender<Update>,
    /// Objects whose status or generation has changed.
    pub(crate) touched: mpsc::UnboundedSender<Vec<ObjectRef>>,
    /// Services of proxies, by namespace.
    pub(crate) services: signal::Sender<HashMap<Arc<str>, Vec<Value>>>,
    /// Why nothing is told yet; empty once something is.
    pub(crate) waiting: signal::Sender<String>,
}

/// All watches and what they saw.
pub(crate) struct Gather {
    client: Client,
    store: Store,
    referrers: Referrers,
    outlets: Outlets,
    sightings: (mpsc::Sender<Sighted>, mpsc::Receiver<Sighted>),
    running: BTreeMap<Source, JoinHandle<()>>,
    /// Watches that have not listed yet.
    unlisted: BTreeSet<Source>,
    /// Kinds whose watch has ended because they are not served.
    unserved: BTreeSet<usize>,
    /// Kinds that are served, and in which version.
    served: Served,
    /// Kinds whose absence has been told.
    missed: BTreeSet<usize>,
    held: Held,
}

type Sighted = (Source, Arc<ApiResource>, Sighting);

/// Changes that have not been told yet.
#[derive(Debug, Default)]
struct Held {
    changes: Changes,
    /// When the first of them came, or something wrong with an object.
    since: Option<Instant>,
    told_once: bool,
}

impl Held {
    fn add(&mut self, changes: Changes, faults: bool) {
        if faults || !changes.is_empty() {
            self.since.get_or_insert_with(Instant::now);
        }
        self.changes.extend(changes);
    }

    /// When to tell them, whatever they wait for; the first ones wait for ever.
    fn due(&self) -> Option<Instant> {
        self.since.filter(|_| self.told_once).map(|since| since + PATIENCE)
    }

    fn take(&mut self) -> Changes {
        (self.since, self.told_once) = (None, true);
        std::mem::take(&mut self.changes)
    }
}

impl Gather {
    pub(crate) fn new(client: Client, store: Store, controller_name: &str, outlets: Outlets) -> Self {
        Self {
            client,
            store,
            referrers: Referrers::new(controller_name),
            outlets,
            sightings: mpsc::channel(QUEUE),
            running: BTreeMap::new(),
            unlisted: BTreeSet::new(),
            unserved: BTreeSet::new(),
            served: Served::new(),
            missed: BTreeSet::new(),
            held: Held::default(),
        }
    }

    /// Gathers until the pipeline has ended. `definitions` wakes it when definitions of kinds may have changed.
    pub(crate) async fn run(mut self, definitions: signal::Receiver<Definitions>) {
        let (tell_served, mut served) = mpsc::channel(1);
        let (ask, asked) = signal::channel(false);
        let discovering =
            tokio::spawn(discovery::follow(self.client.clone(), definitions, asked, tell_served));
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                Some(served) = served.recv() => self.on_served(served),
                _ = self.sightings.1.recv_many(&mut batch, QUEUE) => {}
                () = at(self.held.due()) => {}
            }
            for (source, resource, sighting) in batch.drain(..) {
                self.on_sighting(source, &resource, sighting);
            }
            ask.send_if_modified(|asked| std::mem::replace(asked, self.lacks()) != *asked);
            if !self.tell() {
                break;
            }
        }
        discovering.abort();
        self.running.values().for_each(JoinHandle::abort);
    }

    /// Whether discovery may bring something new.
    fn lacks(&self) -> bool {
        !self.unserved.is_empty() || self.missed.iter().any(|place| kinds::is_expected(&KINDS[*place]))
    }

    /// Starts the watches of kinds that have come, and forgets kinds that have gone.
    fn on_served(&mut self, served: Served) {
        for (place, kind) in KINDS.iter().enumerate() {
            if kinds::reading(kind) == Reading::ByName {
                self.on_served_by_name(place, served.contains_key(&place));
                continue;
            }
            match served.get(&place) {
                Some(resource) => self.on_served_whole(place, resource),
                None => self.on_missing(place),
            }
        }
        self.served = served;
        self.follow_references();
    }

    fn on_served_whole(&mut self, place: usize, resource: &ApiResource) {
        self.missed.remove(&place);
        let has_come = self.unserved.remove(&place);
        for source in self.store.sources(place) {
            if has_come || !self.running.contains_key(&source) {
                self.start(source, resource.clone());
            }
        }
    }

    /// Forgets the objects of a kind that has gone; they are asked for again when it comes back.
    fn on_served_by_name(&mut self, place: usize, is_served: bool) {
        if is_served || !self.served.contains_key(&place) {
            return;
        }
        let of_kind = |source: &&Source| source.kind == place;
        let gone: Vec<Source> = self.running.keys().filter(of_kind).cloned().collect();
        gone.iter().for_each(|source| self.stop(source));
    }

    fn on_missing(&mut self, place: usize) {
        let (kind, sources) = (&KINDS[place], self.store.sources(place));
        if self.unserved.remove(&place) {
            sources.iter().for_each(|source| self.stop(source));
        }
        let is_running = sources.iter().any(|source| self.running.contains_key(source));
        if !is_running && self.missed.insert(place) && kinds::is_expected(kind) {
            tracing::warn!(
                "{} ({} {}) is not served by this cluster: none is read until its definition is installed",
                kind.name,
                kind.group,
                kind.versions.join(", ")
            );
        }
    }

    fn start(&mut self, source: Source, resource: ApiResource) {
        tracing::debug!("watching {source} in {}", resource.api_version);
        self.unlisted.insert(source.clone());
        let watching = watch(self.client.clone(), source.clone(), resource, self.sightings.0.clone());
        if let Some(before) = self.running.insert(source, tokio::spawn(watching)) {
            before.abort();
        }
    }

    fn on_sighting(&mut self, source: Source, resource: &Arc<ApiResource>, sighting: Sighting) {
        if !self.running.contains_key(&source) {
            // It was not to be watched any more, and said so before it stopped.
            return;
        }
        match sighting {
            Sighting::Unserved if !source.is_by_name() => drop(self.unserved.insert(source.kind)),
            Sighting::Listed | Sighting::Unserved => {
                self.store.on_sighting(source.clone(), resource, sighting);
                self.unlisted.remove(&source);
            }
            sighting => self.store.on_sighting(source, resource, sighting),
        }
    }

    /// Tells what has changed, if the time has come; false if nobody listens.
    fn tell(&mut self) -> bool {
        loop {
            let News { changes, touched, faults, services } = self.store.take_news();
            if services {
                self.outlets.services.send_replace(self.store.services());
            }
            if !touched.is_empty() && self.outlets.touched.send(touched).is_err() {
                return false;
            }
            let refers = self.referrers.update(&changes);
            self.held.add(changes, faults);
            if !refers {
                break;
            }
            // What is not referred to any more is gone from the store, too.
            self.follow_references();
        }
        if !self.is_time() {
            return true;
        }
        let changes = self.held.take();
        let update = Update::of_objects(changes, self.store.diagnostics(), Duration::ZERO);
        self.outlets.updates.send(update).is_ok()
    }

    fn is_time(&self) -> bool {
        if !self.held.told_once {
            let waiting = self.waiting();
            let is_time = waiting.is_empty();
            self.outlets.waiting.send_replace(waiting);
            return is_time;
        }
        let Some(since) = self.held.since else { return false };
        let lacks_references = self.unlisted.iter().any(Source::is_by_name);
        !lacks_references || since.elapsed() >= PATIENCE
    }

    /// What the first publication waits for.
    fn waiting(&self) -> String {
        if self.running.is_empty() {
            return "the API server has not answered yet".to_owned();
        }
        let unlisted: Vec<String> = self.unlisted.iter().map(ToString::to_string).collect();
        if unlisted.is_empty() { String::new() } else { format!("not read yet: {}", unlisted.join(", ")) }
    }

    /// Watches what is referred to, and nothing else by name.
    fn follow_references(&mut self) {
        let wanted = self.referrers.sources();
        let idle = |source: &Source| source.is_by_name() && !wanted.contains(source);
        let gone: Vec<Source> = self.running.keys().filter(|source| idle(source)).cloned().collect();
        gone.iter().for_each(|source| self.stop(source));
        for source in wanted {
            let resource = self.served.get(&source.kind).cloned();
            if let Some(resource) = resource.filter(|_| !self.running.contains_key(&source)) {
                self.start(source, resource);
            }
        }
    }

    /// Ends a watch, and forgets what it saw.
    fn stop(&mut self, source: &Source) {
        if let Some(watching) = self.running.remove(source) {
            watching.abort();
        }
        self.unlisted.remove(source);
        self.store.forget(source);
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
