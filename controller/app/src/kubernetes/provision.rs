//! Has the proxies of each Gateway made: applies their objects, gives them credentials, removes what is left over.
//!
//! Invariants: only the leader does; an object that is not ours is never overwritten or removed; what others change or
//! remove of ours is put back; what one object is refused for does not hinder the others.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::bail;
use ferrule_provision::{GATEWAY_LABEL, KINDS, Plan, belongs_to, credentials_name, selector};
use ferrule_translate::Key;
use futures::StreamExt;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::MANAGER;
use super::authority::Known;
use super::managed::{self, Id, Managed, Mark};
use crate::proxies::{Fleet, Proxies};

/// Gateways worked on at once.
const AT_ONCE: usize = 8;
/// How often credentials are looked at.
const REGULAR: Duration = Duration::from_secs(600);
/// First pause after a failure, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How long objects without a Gateway are left, which may only be unknown yet.
const GRACE: Duration = Duration::from_secs(10);

/// What a provisioner hears of.
#[derive(Clone)]
pub(crate) struct Inbox {
    /// What there is to be; `None` before the first translation.
    pub(crate) wanted: watch::Receiver<Option<Arc<Fleet>>>,
    pub(crate) authorities: watch::Receiver<Known>,
    pub(crate) leading: watch::Receiver<bool>,
    /// Counts what happens to objects of ours.
    pub(crate) changed: watch::Receiver<u64>,
}

/// Makes proxies.
pub(crate) struct Provisioner {
    client: Client,
    managed: Managed,
    inbox: Inbox,
    done: HashMap<Key, Done>,
    orphans: HashMap<Id, Instant>,
}

/// What was done for a Gateway.
struct Done {
    for_proxies: Proxies,
    authorities: Known,
    /// The objects as they were after it.
    objects: Vec<(Id, u64)>,
    at: Instant,
    /// What did not work out, and how often in a row.
    failure: Option<(String, u32)>,
}

impl Done {
    /// When to look again, whatever happens.
    fn due(&self) -> Instant {
        match &self.failure {
            None => self.at + REGULAR,
            Some((_, times)) => self.at + PAUSES.0.saturating_mul(1 << times.min(&6)).min(PAUSES.1),
        }
    }
}

impl Provisioner {
    pub(crate) fn new(client: Client, managed: Managed, inbox: Inbox) -> Self {
        Self { client, managed, inbox, done: HashMap::new(), orphans: HashMap::new() }
    }

    /// Provisions for ever.
    pub(crate) async fn run(mut self) {
        loop {
            let leading = *self.inbox.leading.borrow_and_update();
            let wanted = self.inbox.wanted.borrow_and_update().clone();
            let authorities = self.inbox.authorities.borrow_and_update().clone();
            self.inbox.changed.borrow_and_update();
            match wanted {
                Some(wanted) if leading && authorities.is_some() && self.managed.is_complete() => {
                    self.pass(&wanted, &authorities).await;
                }
                _ => self.done.clear(),
            }
            let due =
                self.done.values().map(Done::due).chain(self.orphans.values().map(|at| *at + GRACE)).min();
            let due = due.unwrap_or_else(|| Instant::now() + REGULAR);
            let Inbox { wanted, authorities, leading, changed } = &mut self.inbox;
            tokio::select! {
                Ok(()) = wanted.changed() => {}
                Ok(()) = authorities.changed() => {}
                Ok(()) = leading.changed() => {}
                Ok(()) = changed.changed() => {}
                () = tokio::time::sleep_until(due.max(Instant::now() + Duration::from_millis(20))) => {}
            }
        }
    }

    async fn pass(&mut self, wanted: &Fleet, authorities: &Known) {
        self.done.retain(|key, _| wanted.contains_key(key));
        let due: Vec<(Key, Proxies)> = wanted
            .iter()
            .filter(|(key, proxies)| self.is_due(key, proxies, authorities))
            .map(|(key, proxies)| (key.clone(), proxies.clone()))
            .collect();
        let (client, managed) = (self.client.clone(), self.managed.clone());
        let work = due.into_iter().map(|(key, proxies)| {
            let site = Site { client: client.clone(), managed: managed.clone(), key };
            let authorities = authorities.clone();
            async move {
                let (objects, failure) = site.provision(&proxies, &authorities).await;
                (site.key, proxies, authorities, objects, failure)
            }
        });
        let done: Vec<_> = futures::stream::iter(work).buffer_unordered(AT_ONCE).collect().await;
        for (key, for_proxies, authorities, objects, failure) in done {
            let before = self.done.get(&key).and_then(|done| done.failure.clone());
            let failure = failure.map(|told| count(&key, told, before));
            let done = Done { for_proxies, authorities, objects, at: Instant::now(), failure };
            self.done.insert(key, done);
        }
        self.remove_orphans(wanted).await;
    }

    fn is_due(&self, key: &Key, proxies: &Proxies, authorities: &Known) -> bool {
        let Some(done) = self.done.get(key) else { return true };
        let same = |ours: &Known, theirs: &Known| match (ours, theirs) {
            (Some(ours), Some(theirs)) => Arc::ptr_eq(ours, theirs),
            (ours, theirs) => ours.is_none() == theirs.is_none(),
        };
        let is_as_left =
            |(id, state): &(Id, u64)| self.managed.get(id).is_some_and(|mark| mark.state == *state);
        !Arc::ptr_eq(&done.for_proxies.provision, &proxies.provision)
            || !same(&done.authorities, authorities)
            || done.due() <= Instant::now()
            || (done.failure.is_none() && !done.objects.iter().all(is_as_left))
    }

    /// Removes objects whose Gateway is not ours any more; those of a Gateway that is gone go with it anyway.
    async fn remove_orphans(&mut self, wanted: &Fleet) {
        let owners: HashSet<&str> =
            wanted.values().filter_map(|proxies| proxies.gateway.metadata.uid.as_deref()).collect();
        let orphans =
            self.managed.select(|_, mark| mark.owner.as_deref().is_some_and(|owner| !owners.contains(owner)));
        self.orphans.retain(|id, _| orphans.contains(id));
        for id in orphans {
            let since = *self.orphans.entry(id.clone()).or_insert_with(Instant::now);
            if since.elapsed() >= GRACE {
                match delete(&self.client, &id).await {
                    Ok(()) => drop(self.orphans.remove(&id)),
                    Err(error) => {
                        tracing::warn!("{} {}/{}: {error}", KINDS[id.0].1, id.1, id.2);
                        self.orphans.insert(id, Instant::now());
                    }
                }
            }
        }
    }
}

/// Tells of a failure that is not the one before, and counts it.
fn count((namespace, name): &Key, told: String, before: Option<(String, u32)>) -> (String, u32) {
    match before {
        Some((known, times)) if known == told => (told, times.saturating_add(1)),
        _ => {
            tracing::warn!("Gateway {namespace}/{name}: its proxies: {told}; trying again");
            (told, 0)
        }
    }
}

/// The proxies of one Gateway.
struct Site {
    client: Client,
    managed: Managed,
    key: Key,
}

impl Site {
    /// Returns the objects as they are then, and what did not work out.
    async fn provision(&self, proxies: &Proxies, authorities: &Known) -> (Vec<(Id, u64)>, Option<String>) {
        let objects: &[Value] = match &proxies.provision.plan {
            Plan::Keep => return (Vec::new(), None),
            Plan::SelfManaged => &[],
            Plan::Apply(objects) => objects,
        };
        let (mut applied, mut failures) = (Vec::new(), Vec::new());
        if let Some(first) = objects.first()
            && let Err(error) = self.credentials(&first["metadata"], authorities).await
        {
            failures.push(format!("Secret {}: {error:#}", credentials_name(&self.key.1)));
        }
        for object in objects {
            match self.apply(object).await {
                Ok(done) => applied.push(done),
                Err(error) => {
                    failures.push(format!("{} {}: {error:#}", object["kind"], object["metadata"]["name"]))
                }
            }
        }
        let kept: HashSet<Id> = objects.iter().filter_map(|object| self.id(object)).collect();
        for id in self.left_over(&kept) {
            if let Err(error) = delete(&self.client, &id).await {
                failures.push(format!("{} {}: {error}", KINDS[id.0].1, id.2));
            }
        }
        (applied, (!failures.is_empty()).then(|| failures.join("; ")))
    }

    fn id(&self, object: &Value) -> Option<Id> {
        let place = KINDS
            .iter()
            .position(|(version, kind, _)| object["apiVersion"] == *version && object["kind"] == *kind)?;
        Some((place, Arc::clone(&self.key.0), object["metadata"]["name"].as_str()?.into()))
    }

    async fn apply(&self, object: &Value) -> anyhow::Result<(Id, u64)> {
        let Some(id) = self.id(object) else { bail!("a kind that is not known") };
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &id.1, &managed::resource(id.0));
        let gateway = &*self.key.1;
        if self.managed.get(&id).is_none()
            && let Some(there) = api.get_opt(&id.2).await?
            && !belongs_to(gateway, &json!({"metadata": {"labels": there.metadata.labels}}))
        {
            bail!("there is one that is not ours; rename it, or the Gateway");
        }
        let params = PatchParams::apply(MANAGER).force();
        let mark = Mark::of(&api.patch(&id.2, &params, &Patch::Apply(object)).await?.metadata);
        self.managed.put(id.clone(), mark.clone());
        Ok((id, mark.state))
    }

    /// Objects of this Gateway that are not among those that it is to have.
    fn left_over(&self, kept: &HashSet<Id>) -> Vec<Id> {
        let label = selector(&self.key.1).remove(GATEWAY_LABEL);
        self.managed.select(|id, mark| {
            id.1 == self.key.0 && mark.labels.get(GATEWAY_LABEL) == label.as_ref() && !kept.contains(id)
        })
    }

    /// Keeps valid credentials in the Gateway's Secret.
    async fn credentials(&self, like: &Value, authorities: &Known) -> anyhow::Result<()> {
        let Some(authorities) = authorities else { bail!("there is no authority yet") };
        let (namespace, gateway) = (&*self.key.0, &*self.key.1);
        let name = credentials_name(gateway);
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let there = secrets.get_opt(&name).await?;
        let now = SystemTime::now();
        if let Some(there) = &there {
            if !belongs_to(gateway, &json!({"metadata": {"labels": there.metadata.labels}})) {
                bail!("there is one that is not ours; rename it, or the Gateway");
            }
            let all = there.data.iter().flatten();
            let data: BTreeMap<String, Vec<u8>> =
                all.map(|(key, ByteString(bytes))| (key.clone(), bytes.clone())).collect();
            if authorities.client_renewal(&data, now, namespace, gateway).is_none() {
                return Ok(());
            }
        }
        let issued = authorities.client(now, namespace, gateway)?.data();
        let data: BTreeMap<String, ByteString> =
            issued.into_iter().map(|(key, bytes)| (key, ByteString(bytes))).collect();
        let metadata = json!({
            "name": name, "namespace": namespace,
            "labels": like["labels"], "ownerReferences": like["ownerReferences"],
        });
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata, "data": data,
        });
        secrets.patch(&name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&secret)).await?;
        Ok(())
    }
}

async fn delete(client: &Client, id: &Id) -> Result<(), kube::Error> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &id.1, &managed::resource(id.0));
    match api.delete(&id.2, &DeleteParams::background()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(error),
    }
}
