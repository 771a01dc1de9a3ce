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

use ferrule_shared_map::SharedMap;
use ferrule_translate::api::meta::GATEWAY_GROUP;
use ferrule_translate::{
    FunctionCall, Key, ObjectRef, Problem, Settings, Severity as Weight, Translation, Translator, World,
};

use crate::diagnostic::{Diagnostic, Severity};
use crate::metrics::Metrics;
use crate::proxies::{self, Fleet};
use crate::publish::{self, SharedPublisher};
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
    /// Objects that have no status.
    pub(crate) silent: SharedMap<ObjectRef, ()>,
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
    publisher: SharedPublisher,
    metrics: Arc<Metrics>,
    tick: u64,
    proxies: ferrule_provision::Settings,
    fleet: Arc<Fleet>,
    /// What is wrong with the files.
    of_files: Vec<Diagnostic>,
    /// Objects that have no status.
    silent: SharedMap<ObjectRef, ()>,
    /// What objects invite people to try.
    invitations: BTreeMap<ObjectRef, Invitation>,
}

impl Pipeline {
    pub(crate) fn new(settings: Settings, publisher: SharedPublisher, metrics: Arc<Metrics>) -> Self {
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
            silent: SharedMap::new(),
            invitations: BTreeMap::new(),
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
                if !self.work_off(queued).is_none_or(&mut tell) {
                    return;
                }
            }
        })
    }

    /// What was translated last.
    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    /// The functions that a rule of an HTTPRoute calls, and why its other backends lead nowhere.
    pub(crate) fn calls(&self, route: &Key, rule: usize) -> Vec<Result<FunctionCall, Problem>> {
        self.translator.calls(&self.world, route, rule)
    }

    /// How many objects are held.
    pub(crate) fn objects(&self) -> usize {
        self.index.len()
    }

    /// Takes updates into the world and publishes what comes of them. Endpoints alone take no translation: nobody needs
    /// to be told of them.
    fn work_off(&mut self, updates: Vec<Update>) -> Option<Translated> {
        if self.tick == 0 || !updates.iter().all(|update| self.is_of_endpoints(update)) {
            return Some(self.run(updates));
        }
        let (mut changed, mut removed) = (Vec::new(), Vec::new());
        for Update { changes, .. } in updates {
            self.apply(changes, &mut changed, &mut removed);
        }
        // They have no status.
        self.silent.extend(changed.iter().map(|slice| (slice.clone(), ())));
        for slice in &removed {
            self.silent.remove(slice);
        }
        let slices: Vec<_> = changed
            .iter()
            .chain(&removed)
            .map(|slice| (slice.namespace.clone(), slice.name.clone()))
            .collect();
        let endpoints = self.translator.endpoints(&self.world, &slices);
        publish::lock(&self.publisher).replace_endpoints(&endpoints);
        None
    }

    fn is_of_endpoints(&self, update: &Update) -> bool {
        let Update { changes, diagnostics, credentials, .. } = update;
        let objects = changes.put.keys().chain(changes.moved.keys()).chain(&changes.removed);
        credentials.is_none()
            && diagnostics.as_ref().is_none_or(|diagnostics| *diagnostics == self.of_files)
            && objects.into_iter().all(|object| &*object.kind == "EndpointSlice")
    }

    /// Takes updates into the world, translates it and publishes the result.
    pub(crate) fn run(&mut self, updates: Vec<Update>) -> Translated {
        let (mut changed, mut removed) = (Vec::new(), Vec::new());
        for Update { changes, diagnostics, credentials, took } in updates {
            if let Some(diagnostics) = diagnostics {
                self.metrics.reads.observe(took);
                self.metrics.manifest_errors.store(diagnostics.len() as u64, Ordering::Relaxed);
                self.of_files = diagnostics;
            }
            if let Some(credentials) = credentials {
                self.world.credentials = credentials;
            }
            self.apply(changes, &mut changed, &mut removed);
        }
        self.tick += 1;
        let begun = Instant::now();
        let mut translation = self.translator.translate(&self.world);
        self.fleet = Arc::new(proxies::plan(&self.world, &translation, &self.proxies, &self.fleet));
        proxies::report(&self.world, &self.fleet, &mut translation);
        self.metrics.translations.observe(begun.elapsed());
        let published = publish::lock(&self.publisher).publish(&translation);
        let diagnostics = self.diagnostics(&translation);
        self.metrics.objects.store(self.index.len() as u64, Ordering::Relaxed);
        self.metrics.problems.store(diagnostics.len() as u64, Ordering::Relaxed);
        let invitations = self.invitations.values().cloned().collect();
        let (ports, silent) =
            (self.ports(&translation, &published), self.silent(&translation, &changed, &removed));
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
            self.invitations.remove(&object);
            removed.push(object);
        }
        for (object, loaded) in moved {
            self.hold(object, loaded);
        }
        for (object, loaded) in put {
            self.world.apply(loaded.object.clone());
            self.hold(object.clone(), loaded);
            changed.push(object);
        }
    }

    fn hold(&mut self, object: ObjectRef, loaded: Arc<Loaded>) {
        match &loaded.invitation {
            Some(invitation) => drop(self.invitations.insert(object.clone(), Invitation::clone(invitation))),
            None => drop(self.invitations.remove(&object)),
        }
        self.index.insert(object, loaded);
    }

    /// What the listeners of each gateway, those of its ListenerSets among them, are reached by.
    fn ports(&self, translation: &Translation, published: &BTreeMap<Arc<str>, u64>) -> Ports {
        let mut ports = Ports::new();
        let of_gateways =
            self.world.gateways.iter().map(|(key, gateway)| (key.clone(), &gateway.spec.listeners));
        let sets = proxies::accepted_sets(&self.world, translation);
        let of_sets =
            sets.iter().flat_map(|(key, sets)| sets.iter().map(|set| (key.clone(), &set.spec.listeners)));
        for ((namespace, name), listeners) in of_gateways.chain(of_sets) {
            let gateway: Arc<str> = format!("{namespace}/{name}").into();
            if published.contains_key(&gateway) {
                let its = listeners.iter().map(|one| (one.port, one.protocol.to_ascii_lowercase()));
                ports.entry(gateway).or_default().extend(its);
            }
        }
        ports
    }

    fn sets(&self) -> BTreeMap<ObjectRef, Arc<str>> {
        let sets = self.world.listener_sets.iter().map(|(key, set)| {
            let (namespace, name) = proxies::gateway_of(key, set);
            let reference = ObjectRef::new(GATEWAY_GROUP, "ListenerSet", &key.0, &key.1);
            (reference, Arc::from(format!("{namespace}/{name}")))
        });
        sets.collect()
    }

    /// The objects without status. As a rule none but those that have come or gone can have become one, or cease to be.
    fn silent(
        &mut self,
        translation: &Translation,
        changed: &[ObjectRef],
        removed: &[ObjectRef],
    ) -> SharedMap<ObjectRef, ()> {
        for object in changed.iter().chain(removed) {
            let is_silent = self.index.contains_key(object) && !translation.status.contains_key(object);
            match is_silent {
                true => drop(self.silent.insert(object.clone(), ())),
                false => drop(self.silent.remove(object)),
            }
        }
        if self.silent.len() + translation.status.len() != self.index.len() {
            let all = self.index.keys().filter(|object| !translation.status.contains_key(*object));
            self.silent = all.map(|object| (object.clone(), ())).collect();
        }
        self.silent.clone()
    }

    fn diagnostics(&self, translation: &Translation) -> Vec<Diagnostic> {
        let of_objects = translation.problems.iter().map(|problem| self.place(problem));
        let mut all: Vec<_> = self.of_files.iter().cloned().chain(of_objects).collect();
        all.sort();
        all
    }

    /// A problem with the place of its field.
    pub(crate) fn place(&self, problem: &Problem) -> Diagnostic {
        let place = self.index.get(&problem.on).and_then(|loaded| loaded.place.as_deref());
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

#[cfg(test)]
mod tests {
    use ferrule_translate::{Object, Parsed};
    use ferrule_xds::{Options, Server};
    use serde_json::json;

    use super::*;
    use crate::publish::Publisher;

    fn put(kind: &str, name: &str, api_version: &str) -> Update {
        let json = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": {},
            "addressType": "IPv4", "endpoints": [], "ports": []});
        let Ok(Parsed::Object { object, .. }) = Object::parse(json) else { panic!("{kind} is not read") };
        let mut changes = Changes::default();
        changes.put.insert(object.reference(), Arc::new(Loaded::of_server(object, 1)));
        Update::of_objects(changes, Vec::new(), std::time::Duration::ZERO)
    }

    #[test]
    fn endpoints_are_among_the_objects_without_status_though_they_take_no_translation() {
        let (server, _events) = Server::new(Options::default());
        let mut pipeline = Pipeline::new(Settings::default(), Publisher::shared(server), Arc::default());
        assert!(pipeline.work_off(vec![put("Service", "s", "v1")]).is_some());
        assert!(pipeline.work_off(vec![put("EndpointSlice", "e", "discovery.k8s.io/v1")]).is_none());
        let names: Vec<&str> = pipeline.silent.keys().map(|object| &*object.name).collect();
        assert_eq!(names, ["s", "e"]);
    }
}
