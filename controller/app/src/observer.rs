//! Brings together what was published and what proxies say of it: status, messages, and the Envoys to run.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use ferrule_provision::{AddressReport, Plan};
use ferrule_translate::api::meta::GATEWAY_GROUP;
use ferrule_translate::{ObjectRef, Status};
use ferrule_xds::Event;
use serde_json::Value;
use tokio::sync::watch;

use crate::account::{Account, Taken};
use crate::blame::Blame;
use crate::delivery::{Delivery, Verdict};
use crate::diagnostic::{Diagnostic, Severity, added};
use crate::metrics::Metrics;
use crate::pipeline::Translated;
use crate::status::{Overlay, Standing, StatusWriter, timestamp};
use crate::supervise::Fleet;
use crate::watch::Invitation;

/// What the admin interface looks into.
pub(crate) type SharedWriter = Arc<Mutex<StatusWriter>>;

/// Sees everything that happens after a translation.
pub(crate) struct Observer {
    now: Translated,
    delivery: Delivery,
    blame: Blame,
    writer: SharedWriter,
    metrics: Arc<Metrics>,
    /// `None` where others run the proxies.
    fleet: Option<Fleet>,
    /// Gateways whose Envoy cannot start yet, and why.
    waiting: BTreeMap<Arc<str>, String>,
    /// The generation of each Gateway object that its proxies ran last.
    ran: BTreeMap<Arc<str>, i64>,
    serving: BTreeSet<Arc<str>>,
    invited: HashSet<String>,
    surroundings: Surroundings,
    account: watch::Sender<Account>,
}

/// What a cluster knows of proxies and kinds; a folder knows nothing.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    /// Services that lead to proxies, by namespace.
    pub(crate) services: Option<HashMap<Arc<str>, Vec<Value>>>,
    /// The release of Gateway API.
    pub(crate) bundle: Option<Arc<str>>,
    /// What the proxies of other replicas make of it.
    pub(crate) accounts: Vec<Account>,
}

impl Observer {
    pub(crate) fn new(writer: SharedWriter, metrics: Arc<Metrics>, fleet: Option<Fleet>) -> Self {
        Self {
            now: Translated::default(),
            delivery: Delivery::default(),
            blame: Blame::default(),
            writer,
            metrics,
            fleet,
            waiting: BTreeMap::new(),
            ran: BTreeMap::new(),
            serving: BTreeSet::new(),
            invited: HashSet::new(),
            surroundings: Surroundings::default(),
            account: watch::Sender::default(),
        }
    }

    /// What the proxies that are connected here make of it, for other replicas.
    pub(crate) fn account(&self) -> watch::Receiver<Account> {
        self.account.subscribe()
    }

    /// Takes in what the cluster knows.
    pub(crate) fn on_surroundings(&mut self, surroundings: Surroundings) {
        self.surroundings = surroundings;
    }

    /// Takes in a new translation.
    pub(crate) fn on_translation(&mut self, fresh: Translated) {
        report(&self.now.diagnostics, &fresh.diagnostics);
        let generations = fresh.published.values().copied();
        self.blame.on_translation(fresh.tick, &fresh.changed, &fresh.removed, generations);
        let gateways: BTreeSet<Arc<str>> = fresh.published.keys().cloned().collect();
        self.blame.retain(&gateways);
        self.ran.retain(|gateway, _| gateways.contains(gateway));
        self.serving.retain(|gateway| gateways.contains(gateway));
        if gateways.is_empty() && self.now.published.keys().len() + usize::from(self.now.tick == 0) > 0 {
            tracing::warn!("nothing to serve: there is no Gateway of a GatewayClass of ours");
        }
        self.now = fresh;
        self.run_envoys();
    }

    /// Takes in what a proxy did.
    pub(crate) fn on_event(&mut self, event: Event) {
        if let Event::Synced { peer, generation, refused } = &event {
            self.blame.on_synced(&peer.group, *generation, refused);
        }
        self.delivery.on_event(event);
        self.metrics.proxies.store(self.delivery.proxies() as u64, Ordering::Relaxed);
    }

    /// Starts and stops Envoys; to be called now and then, because ports become free without a word.
    pub(crate) fn run_envoys(&mut self) {
        let Some(fleet) = &mut self.fleet else { return };
        let waiting = fleet.reconcile(&self.now.ports);
        for (gateway, why) in &waiting {
            if self.waiting.get(gateway) != Some(why) {
                tracing::error!("Gateway {gateway}: no Envoy: {why}");
            }
        }
        self.waiting = waiting;
    }

    /// Brings every object's status up to date and says what changed.
    pub(crate) fn update_status(&mut self) {
        let published = self.now.published.clone();
        let standings: Vec<(Arc<str>, Standing)> = published
            .into_iter()
            .map(|(gateway, generation)| {
                let standing = self.standing(&gateway, generation);
                (gateway, standing)
            })
            .collect();
        let refused = self.refused_objects();
        self.tell(&refused);
        let mut overlays = self.refused_elsewhere();
        overlays.extend(refused.into_iter().map(|(object, words)| (object, Overlay::Refused(words))));
        for (gateway, standing) in &standings {
            overlays.insert(reference(gateway), Overlay::Gateway(standing.clone(), self.addresses(gateway)));
        }
        let by_gateway: BTreeMap<&str, &Standing> =
            standings.iter().map(|(gateway, standing)| (&**gateway, standing)).collect();
        for (set, gateway) in &self.now.sets {
            if let Some(standing) = by_gateway.get(&**gateway) {
                overlays.insert(set.clone(), Overlay::ListenerSet((*standing).clone()));
            }
        }
        if let Some(bundle) = &self.surroundings.bundle {
            let first = ObjectRef::new(GATEWAY_GROUP, "GatewayClass", "", "");
            let classes = self.now.translation.status.range(first..).map(|(object, _)| object);
            for class in classes.take_while(|object| &*object.kind == "GatewayClass") {
                overlays.insert(class.clone(), Overlay::Class(Arc::clone(bundle)));
            }
        }
        let now = timestamp(SystemTime::now());
        let lines = {
            let mut writer = lock(&self.writer);
            writer.list_silent(self.now.silent.clone());
            writer.update(&self.now.translation.status, &overlays, &now)
        };
        lines.iter().for_each(|line| tracing::info!("{line}"));
        for (gateway, standing) in standings {
            self.announce(gateway, &standing);
        }
    }

    /// Where the proxies of a Gateway can be reached; `None` where others provide them.
    fn addresses(&self, gateway: &str) -> Option<AddressReport> {
        let services = self.surroundings.services.as_ref()?;
        let key = gateway.split_once('/').map(|(namespace, name)| (namespace.into(), name.into()))?;
        let proxies = self.now.fleet.get(&key)?;
        if proxies.provision.plan == Plan::SelfManaged {
            return None;
        }
        let of_namespace = services.get(&key.0).map_or(&[][..], Vec::as_slice);
        Some(ferrule_provision::addresses(&proxies.gateway, of_namespace))
    }

    /// Ends what this process runs.
    pub(crate) fn into_fleet(self) -> Option<Fleet> {
        self.fleet
    }

    fn standing(&mut self, gateway: &Arc<str>, published: u64) -> Standing {
        if let Some(why) = self.waiting.get(gateway) {
            return Standing::Refused(why.clone());
        }
        let (own, is_behind) = self.own(gateway, published);
        let others = self.surroundings.accounts.iter().filter_map(|account| account.gateways.get(gateway));
        let all: Vec<&Taken> = own.iter().chain(others).collect();
        if let Some(words) = all.iter().find_map(|taken| taken.refused.clone()) {
            return Standing::Refused(words);
        }
        match all.iter().filter_map(|taken| taken.ran).min() {
            None if all.is_empty() => Standing::Waiting("no proxy is connected"),
            None => Standing::Waiting("the proxy has not taken up the configuration yet"),
            Some(generation) if generation >= self.generation(gateway) && !is_behind => Standing::Programmed,
            Some(generation) => Standing::Earlier(generation),
        }
    }

    /// What the proxies that are connected here have taken up, if there are any, and whether more is under way to them.
    fn own(&mut self, gateway: &Arc<str>, published: u64) -> (Option<Taken>, bool) {
        let verdict = self.delivery.verdict(gateway);
        if matches!(verdict, Verdict::Programmed(generation) if generation >= published) {
            self.ran.insert(gateway.clone(), self.generation(gateway));
        }
        let ran = || self.ran.get(gateway).copied();
        match verdict {
            Verdict::NoProxy => (None, false),
            Verdict::Pending => (Some(Taken::default()), false),
            Verdict::Refused => (Some(Taken { ran: None, refused: Some(self.words(gateway)) }), false),
            Verdict::Programmed(generation) => {
                (Some(Taken { ran: ran(), refused: None }), generation < published)
            }
        }
    }

    /// Tells other replicas what is new to them.
    fn tell(&mut self, refused: &BTreeMap<ObjectRef, String>) {
        let published = self.now.published.clone();
        let gateways = published.into_iter().filter_map(|(gateway, generation)| {
            let (own, _) = self.own(&gateway, generation);
            Some((gateway, own?))
        });
        let gateways = gateways.collect();
        let refused = refused.iter().map(|(object, words)| (object, words.as_str()));
        let account = Account::new(gateways, refused);
        self.account.send_if_modified(|told| std::mem::replace(told, account) != *told);
    }

    /// What the proxies of a gateway refuse, in their words.
    fn words(&self, gateway: &str) -> String {
        let refusals = self.delivery.refusals(gateway);
        let each = refusals.values().map(|refused| {
            format!("Envoy refuses {:?} {}: {}", refused.kind, refused.name, refused.message.trim())
        });
        each.collect::<Vec<_>>().join("; ")
    }

    /// Objects that proxies connected here refuse, and what is to be said of them.
    fn refused_objects(&self) -> BTreeMap<ObjectRef, String> {
        let mut objects = BTreeMap::new();
        for gateway in self.now.published.keys() {
            for refused in self.delivery.refusals(gateway).values() {
                for suspect in self.blame.suspects(&self.now.translation, gateway, refused) {
                    objects.insert(suspect, format!("Envoy refuses it: {}", refused.message.trim()));
                }
            }
        }
        objects
    }

    fn refused_elsewhere(&self) -> BTreeMap<ObjectRef, Overlay> {
        let refused = self.surroundings.accounts.iter().flat_map(Account::refused);
        refused.map(|(object, words)| (object, Overlay::Refused(words.to_owned()))).collect()
    }

    fn generation(&self, gateway: &str) -> i64 {
        match self.now.translation.status.get(&reference(gateway)).map(|status| &**status) {
            Some(Status::Gateway(status)) => {
                status.conditions.first().map_or(0, |first| first.observed_generation)
            }
            _ => 0,
        }
    }

    /// Where the listeners of a gateway can be reached.
    fn urls(&self, gateway: &str) -> Vec<String> {
        let host = match self.addresses(gateway) {
            Some(report) => report.addresses.into_iter().next().map(|address| address.value),
            None => Some("127.0.0.1".to_owned()),
        };
        let host = host.unwrap_or_else(|| "an address that is yet to be assigned".to_owned());
        let ports = self.now.ports.get(gateway).into_iter().flatten();
        ports.map(|(port, protocol)| format!("{protocol}://{host}:{port}")).collect()
    }

    /// Says once that a gateway serves, and what to try then.
    fn announce(&mut self, gateway: Arc<str>, standing: &Standing) {
        match standing {
            Standing::Programmed if !self.serving.contains(&gateway) => {
                tracing::info!("Gateway {gateway}: serving on {}", self.urls(&gateway).join(", "));
                self.serving.insert(gateway);
                self.invite();
            }
            Standing::Programmed | Standing::Earlier(_) => {}
            Standing::Waiting(_) | Standing::Refused(_) => drop(self.serving.remove(&gateway)),
        }
    }

    fn invite(&mut self) {
        for Invitation { attempt, expected } in &self.now.invitations {
            if self.invited.insert(attempt.clone()) {
                tracing::info!("try: {attempt}");
                for line in expected.iter().flat_map(|expected| expected.lines()) {
                    tracing::info!("expect: {line}");
                }
            }
        }
    }
}

fn report(before: &[Diagnostic], now: &[Diagnostic]) {
    for diagnostic in added(before, now) {
        match diagnostic.severity {
            Severity::Error => tracing::error!("{diagnostic}"),
            Severity::Warning => tracing::warn!("{diagnostic}"),
        }
    }
    for diagnostic in added(now, before) {
        tracing::info!("solved: {diagnostic}");
    }
}

fn reference(gateway: &str) -> ObjectRef {
    let (namespace, name) = gateway.split_once('/').unwrap_or(("", gateway));
    ObjectRef::new(GATEWAY_GROUP, "Gateway", namespace, name)
}

/// The writer; one that a panic left behind is whole, because it changes its parts one by one.
pub(crate) fn lock(writer: &SharedWriter) -> MutexGuard<'_, StatusWriter> {
    writer.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
