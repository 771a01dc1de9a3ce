//! Updates of objects -> world -> translation -> publication, on a thread of its own.
//!
//! Invariants: updates that queue up while one is worked on are taken together; what is wrong is told with the place
//! in the file, whoever found it out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use ferrule_translate::api::meta::GATEWAY_GROUP;
use ferrule_translate::{ObjectRef, Problem, Settings, Severity as Weight, Translation, Translator, World};

use crate::diagnostic::{Diagnostic, Severity};
use crate::metrics::Metrics;
use crate::proxies::{self, Fleet};
use crate::publish::Publisher;
use crate::supervise::Ports;
use crate::watch::{Changes, Invitation, Loaded, Update};

/// A translation that has been published.
#[derive(Clone, Debug, Default)]
pub(crate) struct Translated {
    /// Counts translations, from 1.
    pub(crate) tick: u64,
    pub(crate) translation: Arc<Translation>,
    /// The generation of each gateway's snapshot.
    pub(crate) published: BTreeMap<Arc<str>, u64>,
    /// The ports of each gateway.
    pub(crate) ports: Ports,
    /// Objects that came or changed with this translation.
    pub(crate) changed: Vec<ObjectRef>,
    pub(crate) removed: Vec<ObjectRef>,
    /// Objects that have no status, in order.
    pub(crate) silent: Vec<ObjectRef>,
    /// Everything that is wrong with files and objects.
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) invitations: Vec<Invitation>,
    /// The proxies of each Gateway.
    pub(crate) fleet: Arc<Fleet>,
    /// The Gateway of each ListenerSet.
    pub(crate) sets: BTreeMap<ObjectRef, Arc<str>>,
}

/// Turns updates into publications.
pub(crate) struct Pipeline {
    world: World,
    index: HashMap<ObjectRef, Arc<Loaded>>,
    translator: Translator,
    publisher: Publisher,
    metrics: Arc<Metrics>,
    tick: u64,
    proxies: ferrule_provision::Settings,
    fleet: Arc<Fleet>,
    /// What is wrong with the files.
    of_files: Vec<Diagnostic>,
}

impl Pipeline {
    pub(crate) fn new(settings: Settings, publisher: Publisher, metrics: Arc<Metrics>) -> Self {
        Self {
            world: World::default(),
            index: HashMap::new(),
            translator: Translator::new(settings),
            publisher,
            metrics,
            tick: 0,
            proxies: ferrule_provision::Settings::in_namespace("ferrule-system"),
            fleet: Arc::default(),
            of_files: Vec::new(),
        }
    }

    /// Has proxies made as the operator decides.
    pub(crate) fn with_proxies(self, proxies: ferrule_provision::Settings) -> Self {
        Self { proxies, ..self }
    }

    /// Works off updates until their sender is gone or `tell` returns false.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(crate) fn spawn(
        mut self,
        updates: Receiver<Update>,
        mut tell: impl FnMut(Translated) -> bool + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        thread::Builder::new().name("translate".to_owned()).spawn(move || {
            while let Ok(update) = updates.recv() {
                let queued = std::iter::once(update).chain(updates.try_iter()).collect::<Vec<_>>();
                if !tell(self.run(queued)) {
                    return;
                }
            }
        })
    }

    /// How many objects are held.
    pub(crate) fn objects(&self) -> usize {
        self.index.len()
    }

    /// Takes updates into the world, translates it and publishes the result.
    pub(crate) fn run(&mut self, updates: Vec<Update>) -> Translated {
        let (mut changed, mut removed) = (Vec::new(), Vec::new());
        for Update { changes, diagnostics, took } in updates {
            self.metrics.reads.observe(took);
            self.metrics.manifest_errors.store(diagnostics.len() as u64, Ordering::Relaxed);
            self.of_files = diagnostics;
            self.apply(changes, &mut changed, &mut removed);
        }
        self.tick += 1;
        let begun = Instant::now();
        let mut translation = self.translator.translate(&self.world);
        self.fleet = Arc::new(proxies::plan(&self.world, &translation, &self.proxies, &self.fleet));
        proxies::report(&self.world, &self.fleet, &mut translation);
        self.metrics.translations.observe(begun.elapsed());
        let published = self.publisher.publish(&translation);
        let diagnostics = self.diagnostics(&translation);
        self.metrics.objects.store(self.index.len() as u64, Ordering::Relaxed);
        self.metrics.problems.store(diagnostics.len() as u64, Ordering::Relaxed);
        let invitations = self.index.values().filter_map(|loaded| loaded.invitation.clone()).collect();
        let (ports, silent) = (self.ports(&published), self.silent(&translation));
        Translated {
            tick: self.tick,
            translation: Arc::new(translation),
            published,
            ports,
            changed,
            removed,
            silent,
            diagnostics,
            invitations,
            fleet: Arc::clone(&self.fleet),
            sets: self.sets(),
        }
    }

    fn apply(&mut self, changes: Changes, changed: &mut Vec<ObjectRef>, removed: &mut Vec<ObjectRef>) {
        let Changes { put, moved, removed: gone } = changes;
        for object in gone {
            self.world.remove(&object);
            self.index.remove(&object);
            removed.push(object);
        }
        self.index.extend(moved);
        for (object, loaded) in put {
            self.world.apply(loaded.object.clone());
            self.index.insert(object.clone(), loaded);
            changed.push(object);
        }
    }

    fn ports(&self, published: &BTreeMap<Arc<str>, u64>) -> Ports {
        let of_gateways = self.world.gateways.iter().map(|((namespace, name), gateway)| {
            let ports = gateway.spec.listeners.iter().map(|listener| listener.port).collect();
            (Arc::from(format!("{namespace}/{name}")), ports)
        });
        of_gateways.filter(|(gateway, _)| published.contains_key(gateway)).collect()
    }

    fn sets(&self) -> BTreeMap<ObjectRef, Arc<str>> {
        let sets = self.world.listener_sets.iter().map(|(key, set)| {
            let (namespace, name) = proxies::gateway_of(key, set);
            let reference = ObjectRef::new(GATEWAY_GROUP, "ListenerSet", &key.0, &key.1);
            (reference, Arc::from(format!("{namespace}/{name}")))
        });
        sets.collect()
    }

    fn silent(&self, translation: &Translation) -> Vec<ObjectRef> {
        let silent = self.index.keys().filter(|object| !translation.status.contains_key(object));
        let mut silent: Vec<ObjectRef> = silent.cloned().collect();
        silent.sort();
        silent
    }

    fn diagnostics(&self, translation: &Translation) -> Vec<Diagnostic> {
        let of_objects = translation.problems.iter().map(|problem| self.place(problem));
        let mut all: Vec<_> = self.of_files.iter().cloned().chain(of_objects).collect();
        all.sort();
        all
    }

    /// A problem with the place of its field.
    fn place(&self, problem: &Problem) -> Diagnostic {
        let place = self.index.get(&problem.on).and_then(|loaded| loaded.place.as_ref());
        Diagnostic {
            file: place.map(|place| place.file.clone()),
            at: place.map(|place| place.positions.find(&problem.field)),
            object: problem.on.to_string(),
            path: problem.field.clone(),
            message: problem.detail.clone(),
            severity: match problem.reason.severity() {
                Weight::Error => Severity::Error,
                Weight::Warning => Severity::Warning,
            },
        }
    }
}
