//! What replicas tell each other: each keeps a Lease of its own, with its account of proxies in an annotation.
//!
//! Invariants: times of other machines are never compared with ours; a replica whose Lease has not changed for a while, by
//! our own clock, is taken for gone, and its proxies with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use super::watch::Pauses;
use super::{Identity, MANAGER};
use crate::account::Account;
use crate::orders::{Orders, Told};

/// Label of the Leases.
const LABEL: &str = "ferrule.dev/replica";
/// Annotation with the account.
const ACCOUNT: &str = "ferrule.dev/proxies";
/// Annotation with orders to caches, and what proxies made of them.
const ORDERS: &str = "ferrule.dev/orders";
/// How often a replica shows that it is there.
const REGULAR: Duration = Duration::from_secs(5);
/// The least time between two writes.
const GATHER: Duration = Duration::from_millis(100);
/// How long one that does not is believed.
const LASTING: Duration = Duration::from_secs(15);
/// When what it left is removed.
const REMOVAL: Duration = Duration::from_secs(600);
/// Longest time that a request may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// What is told, and who hears what others tell.
pub(crate) struct Talk {
    pub(crate) ours: watch::Receiver<Account>,
    pub(crate) others: watch::Sender<Vec<Account>>,
    pub(crate) orders: Arc<Orders>,
}

/// Takes part until `stop`: tells what is ours, and hears what others tell.
pub(crate) async fn take_part(
    client: Client,
    namespace: &str,
    identity: Identity,
    talk: Talk,
    mut stop: watch::Receiver<bool>,
) {
    let Talk { ours, others, orders } = talk;
    let leases: Api<Lease> = Api::namespaced(client, namespace);
    let name = name(&identity);
    tokio::select! {
        () = tell(&leases, &name, &identity, ours, &orders) => {}
        () = hear(&leases, &name, others, &orders) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    let _ = tokio::time::timeout(PATIENCE, leases.delete(&name, &DeleteParams::default())).await;
}

/// Identities are names that people choose: their hash is a name that the API server takes.
fn name(identity: &Identity) -> String {
    format!("ferrule-replica-{:016x}", rapidhash::v3::rapidhash_v3(identity.0.as_bytes()))
}

async fn tell(
    leases: &Api<Lease>,
    name: &str,
    identity: &Identity,
    mut ours: watch::Receiver<Account>,
    orders: &Orders,
) {
    let (mut failing, mut news) = (false, orders.news());
    loop {
        let account = ours.borrow_and_update().clone();
        news.mark_unchanged();
        let told = (account, orders.told());
        match tokio::time::timeout(PATIENCE, write(leases, name, identity, &told)).await {
            Ok(Ok(())) => failing = false,
            Ok(Err(error)) if !std::mem::replace(&mut failing, true) => {
                tracing::warn!("Lease {name}: {error}; other replicas do not hear of our proxies");
            }
            Ok(Err(_)) | Err(_) => {}
        }
        tokio::time::sleep(GATHER).await;
        tokio::select! {
            Ok(()) = ours.changed() => {}
            Ok(()) = news.changed() => {}
            () = tokio::time::sleep(REGULAR) => {}
        }
    }
}

async fn write(
    leases: &Api<Lease>,
    name: &str,
    identity: &Identity,
    (account, orders): &(Account, Told),
) -> Result<(), kube::Error> {
    let account = serde_json::to_string(account).map_err(kube::Error::SerdeError)?;
    let orders = serde_json::to_string(orders).map_err(kube::Error::SerdeError)?;
    let annotations = json!({ACCOUNT: account, ORDERS: orders});
    let renewed = Timestamp::try_from(SystemTime::now()).ok();
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": name, "labels": {LABEL: "true"}, "annotations": annotations},
        "spec": {
            "holderIdentity": identity.to_string(), "leaseDurationSeconds": LASTING.as_secs(),
            "renewTime": renewed.map(|at| format!("{at:.6}")),
        },
    });
    leases.patch(name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&lease)).await.map(drop)
}

/// What is known of other replicas, by the names of their Leases.
#[derive(Debug, Default)]
struct Heard(BTreeMap<String, Replica>);

#[derive(Debug)]
struct Replica {
    account: Account,
    orders: Told,
    version: Option<String>,
    /// When it last said something.
    at: Instant,
}

impl Heard {
    fn put(&mut self, lease: Lease, now: Instant) {
        let (name, version) = (lease.metadata.name.unwrap_or_default(), lease.metadata.resource_version);
        let mut annotations = lease.metadata.annotations.unwrap_or_default();
        let mut text = |name| annotations.remove(name).unwrap_or_default();
        // One that makes no sense to us tells of no proxies.
        let account = serde_json::from_str(&text(ACCOUNT)).unwrap_or_default();
        let orders = serde_json::from_str(&text(ORDERS)).unwrap_or_default();
        match self.0.get(&name) {
            Some(known) if known.version == version => {}
            _ => drop(self.0.insert(name, Replica { account, orders, version, at: now })),
        }
    }

    /// The accounts of those that are still there.
    fn accounts(&self, now: Instant) -> Vec<Account> {
        self.living(now).map(|replica| replica.account.clone()).collect()
    }

    /// Their orders, and what their proxies made of those of others.
    fn orders(&self, now: Instant) -> Vec<Told> {
        self.living(now).map(|replica| replica.orders.clone()).collect()
    }

    fn living(&self, now: Instant) -> impl Iterator<Item = &Replica> {
        self.0.values().filter(move |replica| now.duration_since(replica.at) < LASTING)
    }

    /// Leases of those that are long gone.
    fn remains(&self, now: Instant) -> Vec<String> {
        let gone = self.0.iter().filter(|(_, replica)| now.duration_since(replica.at) >= REMOVAL);
        gone.map(|(name, _)| name.clone()).collect()
    }
}

async fn hear(leases: &Api<Lease>, name: &str, others: watch::Sender<Vec<Account>>, orders: &Orders) {
    let config = watcher::Config::default().labels(LABEL);
    let mut events = watcher(leases.clone(), config).boxed();
    let (mut pauses, mut heard, mut listed) = (Pauses::default(), Heard::default(), Vec::new());
    let mut regular = tokio::time::interval(REGULAR);
    loop {
        tokio::select! {
            Some(event) = events.next() => match event {
                Ok(Event::Init) => listed.clear(),
                Ok(Event::InitApply(lease)) => {
                    listed.extend(lease.metadata.name.clone());
                    heard.put(lease, Instant::now());
                }
                Ok(Event::InitDone) => heard.0.retain(|name, _| listed.contains(name)),
                Ok(Event::Apply(lease)) => {
                    pauses.reset();
                    heard.put(lease, Instant::now());
                }
                Ok(Event::Delete(lease)) => drop(heard.0.remove(&lease.metadata.name.unwrap_or_default())),
                Err(error) => {
                    tracing::debug!("Leases of replicas: {error}");
                    tokio::time::sleep(pauses.next()).await;
                }
            },
            _ = regular.tick() => remove(leases, &heard).await,
        }
        heard.0.remove(name);
        orders.hear(heard.orders(Instant::now()));
        let accounts = heard.accounts(Instant::now());
        others.send_if_modified(|known| std::mem::replace(known, accounts) != *known);
    }
}

async fn remove(leases: &Api<Lease>, heard: &Heard) {
    for name in heard.remains(Instant::now()) {
        if let Err(error) = leases.delete(&name, &DeleteParams::default()).await {
            tracing::debug!("Lease {name}: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Taken;

    fn lease(version: &str, account: &Account) -> Lease {
        let metadata = json!({"name": "a", "resourceVersion": version, "annotations": {
            ACCOUNT: serde_json::to_string(account).unwrap()}});
        serde_json::from_value(json!({"metadata": metadata})).unwrap()
    }

    #[test]
    fn a_replica_that_says_nothing_any_more_is_believed_for_a_while_only() {
        let start = Instant::now();
        let taken = Taken { ran: Some(2), refused: None };
        let account = Account::new(BTreeMap::from([("d/g".into(), taken)]), std::iter::empty());
        let mut heard = Heard::default();
        heard.put(lease("1", &account), start);
        // A list shows it again as it was, which is no sign of life.
        heard.put(lease("1", &account), start + LASTING / 2);
        assert_eq!(heard.accounts(start + LASTING / 2).as_slice(), std::slice::from_ref(&account));
        assert_eq!(heard.accounts(start + LASTING), []);
        heard.put(lease("2", &account), start + LASTING);
        assert_eq!(heard.accounts(start + LASTING), [account]);
        assert!(heard.remains(start + REMOVAL).is_empty());
        assert_eq!(heard.remains(start + LASTING + REMOVAL), ["a"]);
    }

    #[test]
    fn any_identity_gives_a_name_that_the_api_server_takes() {
        let name = name(&Identity("Host_1.example:4711".into()));
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
    }
}
