//! What the API server holds, object by object, and the last good form of each.
//!
//! Invariants:
//! - An object that cannot be read keeps its last good form, as in a folder.
//! - A field that is not known here is let be: the API server has judged it.
//! - An object goes when a watch says so, or when a complete list no longer has it.
//! - What only a status or a version number tells apart is one and the same, so that our own writes lead to nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use ferrule_provision::{MANAGED_BY, MANAGED_BY_LABEL};
use ferrule_translate::{KINDS, Object, ObjectRef};
use kube::Resource;
use kube::api::ApiResource;
use serde_json::Value;

use super::item::Item;
use super::kinds;
use super::live::{Live, Living};
use super::watch::{Extent, Sighting, Source};
use crate::diagnostic::{Diagnostic, Severity};
use crate::object::{self, Wrong};
use crate::selection::Selection;
use crate::watch::{Changes, Loaded, content_hash};

/// All objects that were seen.
#[derive(Debug, Default)]
pub(crate) struct Store {
    selection: Selection,
    living: Living,
    entries: HashMap<ObjectRef, Entry>,
    /// What the lists under way have shown so far.
    lists: HashMap<Source, HashSet<ObjectRef>>,
    faults: BTreeMap<ObjectRef, Vec<Diagnostic>>,
    /// Services that we made for proxies, whole.
    services: BTreeMap<ObjectRef, Value>,
    news: News,
}

/// What has become of the objects.
#[derive(Debug, Default)]
pub(crate) struct News {
    pub(crate) changes: Changes,
    /// Objects whose status or generation is another than before.
    pub(crate) touched: Vec<ObjectRef>,
    /// Whether what is wrong with objects has changed.
    pub(crate) faults: bool,
    /// Whether Services of proxies have changed.
    pub(crate) services: bool,
}

#[derive(Debug)]
struct Entry {
    source: Source,
    good: Option<Arc<Loaded>>,
    /// Hash of the form that was last seen, good or not.
    content: u64,
}

impl Store {
    pub(crate) fn new(selection: Selection, living: Living) -> Self {
        Self { selection, living, ..Self::default() }
    }

    /// What there is to watch of a kind that is read whole.
    pub(crate) fn sources(&self, kind: usize) -> Vec<Source> {
        let extents =
            if KINDS[kind].namespaced { Extent::of(&self.selection) } else { vec![Extent::Everything] };
        extents.into_iter().map(|extent| Source { kind, extent }).collect()
    }

    /// What has changed since this was last asked.
    pub(crate) fn take_news(&mut self) -> News {
        std::mem::take(&mut self.news)
    }

    /// Everything that is wrong with objects as they are now.
    pub(crate) fn diagnostics(&self) -> Vec<Diagnostic> {
        self.faults.values().flatten().cloned().collect()
    }

    /// Services of proxies by namespace.
    pub(crate) fn services(&self) -> HashMap<Arc<str>, Vec<Value>> {
        let mut services: HashMap<Arc<str>, Vec<Value>> = HashMap::new();
        for (key, service) in &self.services {
            services.entry(Arc::clone(&key.namespace)).or_default().push(service.clone());
        }
        services
    }

    /// Takes in what a watch saw.
    pub(crate) fn on_sighting(&mut self, source: Source, resource: &Arc<ApiResource>, sighting: Sighting) {
        match sighting {
            Sighting::Begun => drop(self.lists.insert(source, HashSet::new())),
            Sighting::Seen(item) => self.seen(source, resource, item),
            Sighting::Gone(item) => self.gone(&reference(&source, &item)),
            Sighting::Listed => self.listed(&source),
            Sighting::Unserved => self.forget(&source),
        }
    }

    /// Forgets what is not watched any more. Of a kind that is no longer served there are no objects: its definition
    /// takes them along.
    pub(crate) fn forget(&mut self, source: &Source) {
        self.lists.insert(source.clone(), HashSet::new());
        self.listed(source);
    }

    fn seen(&mut self, source: Source, resource: &Arc<ApiResource>, mut item: Item) {
        let key = reference(&source, &item);
        if let Some(listed) = self.lists.get_mut(&source) {
            listed.insert(key.clone());
        }
        if &*key.kind == "Service" && item.value["metadata"]["labels"][MANAGED_BY_LABEL] == MANAGED_BY {
            self.services.insert(key.clone(), item.value.clone());
            self.news.services = true;
        }
        let status = take_volatile(&mut item.value);
        if kinds::form(source.kind()).is_some()
            && self.living.put(&key, Live::new(Arc::clone(resource), &item, status.as_ref()))
        {
            self.news.touched.push(key.clone());
        }
        let content = content_hash(&item.value, |_| true);
        let before = match self.entries.get(&key) {
            Some(entry) if entry.content == content => return,
            Some(entry) => entry.good.clone(),
            None => None,
        };
        let good = self.load(&key, resource, item, content).or_else(|| before.clone());
        let entry = Entry { source, good: good.clone(), content };
        self.entries.insert(key.clone(), entry);
        let was = before.filter(|_| self.is_selected(&key.namespace));
        let is = good.filter(|_| self.is_selected(&key.namespace));
        let is_namespace = is.as_ref().is_some_and(|is| matches!(is.object, Object::Namespace(_)));
        self.news.changes.add(key.clone(), was, is);
        if is_namespace {
            self.relabelled(&key.name);
        }
    }

    fn load(
        &mut self,
        key: &ObjectRef,
        resource: &ApiResource,
        item: Item,
        content: u64,
    ) -> Option<Arc<Loaded>> {
        let generation = item.meta().generation.unwrap_or_default();
        let mut value = item.value;
        drop_nulls(&mut value);
        // Lists of Kubernetes' own kinds leave these out.
        value["apiVersion"] = resource.api_version.as_str().into();
        value["kind"] = resource.kind.as_str().into();
        match object::read(value, generation) {
            Ok((object, unknown_fields)) => {
                let told = unknown_fields.into_iter().map(|field| unknown(key, field)).collect();
                self.tell(key, told);
                Some(Arc::new(Loaded::of_server(object, content)))
            }
            Err(all) => {
                self.tell(key, all.into_iter().map(|wrong| diagnostic(key, wrong)).collect());
                None
            }
        }
    }

    /// Notes what is wrong with an object, instead of what was.
    fn tell(&mut self, key: &ObjectRef, told: Vec<Diagnostic>) {
        let before =
            if told.is_empty() { self.faults.remove(key) } else { self.faults.insert(key.clone(), told) };
        self.news.faults |= before.as_ref() != self.faults.get(key);
    }

    fn gone(&mut self, key: &ObjectRef) {
        self.living.remove(key);
        self.news.services |= self.services.remove(key).is_some();
        self.news.faults |= self.faults.remove(key).is_some();
        let Some(entry) = self.entries.remove(key) else { return };
        let was = entry.good.filter(|_| self.is_selected(&key.namespace));
        self.news.changes.add(key.clone(), was, None);
    }

    /// Drops what a complete list has not shown.
    fn listed(&mut self, source: &Source) {
        let Some(listed) = self.lists.remove(source) else { return };
        let missing = |(key, entry): (&ObjectRef, &Entry)| {
            (entry.source == *source && !listed.contains(key)).then(|| key.clone())
        };
        let missing: Vec<ObjectRef> = self.entries.iter().filter_map(missing).collect();
        missing.iter().for_each(|key| self.gone(key));
    }
}

impl Store {
    fn is_selected(&self, namespace: &str) -> bool {
        namespace.is_empty() || self.selection == Selection::All || self.served(namespace)
    }

    fn served(&self, namespace: &str) -> bool {
        let key = ObjectRef::new("", "Namespace", "", namespace);
        let labels = self.entries.get(&key).and_then(|entry| Some(entry.good.as_ref()?.object.metadata()));
        self.selection.selects(namespace, &labels.map(|metadata| metadata.labels.clone()).unwrap_or_default())
    }

    /// Brings in or takes out everything in a namespace whose labels may decide about it.
    fn relabelled(&mut self, namespace: &str) {
        if !matches!(self.selection, Selection::Labelled(_)) {
            return;
        }
        let is_selected = self.is_selected(namespace);
        for (key, entry) in self.entries.iter().filter(|(key, _)| &*key.namespace == namespace) {
            let Some(good) = &entry.good else { continue };
            if is_selected {
                self.news.changes.add(key.clone(), None, Some(Arc::clone(good)));
            } else {
                self.news.changes.add(key.clone(), Some(Arc::clone(good)), None);
            }
        }
    }
}

/// Takes out what changes without the object becoming another; returns the status.
fn take_volatile(value: &mut Value) -> Option<Value> {
    if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
        metadata.shift_remove("resourceVersion");
    }
    value.as_object_mut()?.shift_remove("status")
}

/// The API server writes some lists that are empty as null, and takes a field that is null for one that is not there.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn reference(source: &Source, item: &Item) -> ObjectRef {
    let (kind, meta) = (source.kind(), item.meta());
    let (namespace, name) = (meta.namespace.as_deref(), meta.name.as_deref());
    ObjectRef::new(kind.group, kind.name, namespace.unwrap_or_default(), name.unwrap_or_default())
}

/// The API server has taken a field that nobody here knows: its definitions are newer, and the rest means what it meant.
fn unknown(key: &ObjectRef, Wrong { path, .. }: Wrong) -> Diagnostic {
    let message =
        "this controller does not know the field and does without it; the cluster's definitions are newer";
    let wrong = Wrong { path, message: message.to_owned() };
    Diagnostic { severity: Severity::Warning, ..diagnostic(key, wrong) }
}

fn diagnostic(key: &ObjectRef, wrong: Wrong) -> Diagnostic {
    Diagnostic {
        file: None,
        at: None,
        object: key.to_string(),
        path: wrong.path,
        message: wrong.message,
        severity: Severity::Error,
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
