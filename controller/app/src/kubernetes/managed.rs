//! What there is of the objects that we make for proxies: watched by our label, only their metadata.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ferrule_provision::{MANAGED_BY, MANAGED_BY_LABEL};
use futures::StreamExt;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ApiResource, DynamicObject};
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource};
use tokio::sync::watch;

use super::watch::{Extent, Pauses};

/// How soon a kind that is not served is asked for again.
const UNSERVED: Duration = Duration::from_secs(300);

/// Place in [`ferrule_provision::KINDS`], namespace and name.
pub(crate) type Id = (usize, Arc<str>, Arc<str>);

/// What is known of one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) labels: BTreeMap<String, String>,
    /// UID of the Gateway that owns it.
    pub(crate) owner: Option<String>,
    /// Hash that changes when anything but a status does.
    pub(crate) state: u64,
}

impl Mark {
    pub(crate) fn of(meta: &ObjectMeta) -> Self {
        let owners = meta.owner_references.iter().flatten();
        Self {
            labels: meta.labels.clone().unwrap_or_default(),
            owner: owners.filter(|owner| owner.kind == "Gateway").map(|owner| owner.uid.clone()).next(),
            state: state(meta),
        }
    }
}

/// Not every kind counts generations; who wrote when is known of every one, and of its status apart.
fn state(meta: &ObjectMeta) -> u64 {
    let writes = meta.managed_fields.iter().flatten();
    let writes = writes.filter(|write| write.subresource.as_deref().unwrap_or_default().is_empty());
    let writes: Vec<_> = writes.map(|write| (&write.manager, &write.operation, &write.time)).collect();
    let what = serde_json::to_vec(&(meta.generation, &meta.uid, writes));
    rapidhash::v3::rapidhash_v3(&what.unwrap_or_default())
}

/// What one watch is of: a place in [`ferrule_provision::KINDS`], and how much of it.
pub(crate) type Realm = (usize, Extent);

/// All of them. Clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Managed(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    marks: HashMap<Id, Mark>,
    /// Of what it is not known yet what there is.
    unlisted: HashSet<Realm>,
}

impl Managed {
    /// Those of the realms, of which nothing is known yet.
    pub(crate) fn of(realms: &[Realm]) -> Self {
        let unlisted = realms.iter().cloned().collect();
        Self(Arc::new(Mutex::new(Inner { marks: HashMap::new(), unlisted })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is known of every kind what there is.
    pub(crate) fn is_complete(&self) -> bool {
        self.lock().unlisted.is_empty()
    }

    pub(crate) fn get(&self, id: &Id) -> Option<Mark> {
        self.lock().marks.get(id).cloned()
    }

    pub(crate) fn put(&self, id: Id, mark: Mark) {
        self.lock().marks.insert(id, mark);
    }

    pub(crate) fn remove(&self, id: &Id) {
        self.lock().marks.remove(id);
    }

    /// All of them that `select` takes.
    pub(crate) fn select(&self, select: impl Fn(&Id, &Mark) -> bool) -> Vec<Id> {
        self.lock().marks.iter().filter(|(id, mark)| select(id, mark)).map(|(id, _)| id.clone()).collect()
    }
}

/// Watches one realm for ever; `changed` counts what happens.
pub(crate) async fn follow(client: Client, realm: Realm, managed: Managed, changed: watch::Sender<u64>) {
    let (place, extent) = &realm;
    let place = *place;
    let all: Api<PartialObjectMeta<DynamicObject>> = extent.api(&client, &resource(place));
    let is_within = |id: &Id| match extent {
        Extent::Namespace(namespace) => id.0 == place && id.1 == *namespace,
        Extent::Everything | Extent::Object(_) => id.0 == place,
    };
    let config = watcher::Config::default().labels(&format!("{MANAGED_BY_LABEL}={MANAGED_BY}"));
    let mut events = watcher(all, config).boxed();
    let mut pauses = Pauses::default();
    let mut listing: HashMap<Id, Mark> = HashMap::new();
    while let Some(event) = events.next().await {
        let id = |one: &PartialObjectMeta<DynamicObject>| -> Id {
            let text = |text: &Option<String>| Arc::from(text.as_deref().unwrap_or_default());
            (place, text(&one.meta().namespace), text(&one.meta().name))
        };
        match event {
            Ok(Event::Init) => listing.clear(),
            Ok(Event::InitApply(one)) => drop(listing.insert(id(&one), Mark::of(one.meta()))),
            Ok(Event::Apply(one)) => managed.put(id(&one), Mark::of(one.meta())),
            Ok(Event::Delete(one)) => managed.remove(&id(&one)),
            Ok(Event::InitDone) => {
                pauses.reset();
                let mut inner = managed.lock();
                inner.marks.retain(|id, _| !is_within(id));
                inner.marks.extend(listing.drain());
                inner.unlisted.remove(&realm);
            }
            Err(error) if is_unserved(&error) => {
                managed.lock().unlisted.remove(&realm);
                tokio::time::sleep(UNSERVED).await;
                continue;
            }
            Err(error) => {
                tracing::debug!("{}: {error}", ferrule_provision::KINDS[place].2);
                tokio::time::sleep(pauses.next()).await;
                continue;
            }
        }
        changed.send_modify(|changes| *changes += 1);
    }
}

fn is_unserved(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 404,
        _ => false,
    }
}

/// One of [`ferrule_provision::KINDS`], for requests.
pub(crate) fn resource(place: usize) -> ApiResource {
    let (api_version, kind, plural) = ferrule_provision::KINDS[place];
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}
