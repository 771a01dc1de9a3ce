//! Which orders stand, which proxies are there, and what they have said of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ferrule_translate::CacheHost;
use ferrule_xds::{Event, Peer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::publish::Caching;

/// How long an order stands, so that proxies that connect later have it, too.
const LASTING: Duration = Duration::from_secs(600);
/// How long a proxy that is gone counts as missing.
const MISSED: Duration = Duration::from_secs(60);
/// Most orders that stand, and most bytes of them.
const MOST: usize = 32;
const MOST_BYTES: usize = 256 << 10;
/// Most bytes that proxies' answers to one order may have.
const ANSWER_BYTES: usize = 16 << 20;

/// A proxy: its gateway and its node's id.
type Proxy = (Arc<str>, Arc<str>);

/// What became of an order at one proxy, the better first: of two replicas' words on one proxy the better holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Standing {
    /// It has carried it out and said what came of it.
    Answered,
    /// It has it; its host does not say what came of it.
    Accepted,
    /// It is connected and has not answered.
    Waiting,
    /// It is not connected any more.
    Gone,
}

/// What a proxy made of an order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Word {
    pub(crate) gateway: Arc<str>,
    pub(crate) proxy: Arc<str>,
    pub(crate) standing: Standing,
    /// What came of it, in the filter's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<Value>,
}

/// What proxies made of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Account {
    pub(crate) proxies: Vec<Word>,
    /// Replicas of the controller that have not said yet what their proxies made of it.
    #[serde(default)]
    pub(crate) unheard: usize,
}

impl Account {
    /// Whether there is nothing more to wait for.
    pub(crate) fn is_complete(&self) -> bool {
        let has_it = |word: &Word| matches!(word.standing, Standing::Answered | Standing::Accepted);
        self.unheard == 0 && !self.proxies.is_empty() && self.proxies.iter().all(has_it)
    }
}

/// Most bytes of what a replica tells: an object of Kubernetes may have 256 KiB of annotations.
const TOLD_BYTES: usize = 128 << 10;

/// What replicas tell each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Told {
    /// Orders that stand, the latest first.
    orders: Vec<Relayed>,
    /// By order.
    words: BTreeMap<String, Vec<Word>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
struct Relayed {
    id: String,
    order: Value,
    /// Seconds since it was given, as of when this was told.
    age: u64,
}

#[derive(Debug)]
struct Given {
    id: String,
    order: Value,
    bytes: usize,
    at: Instant,
    /// Gateways with caches, as they were published with it.
    caching: BTreeMap<Arc<str>, Caching>,
    answers: BTreeMap<Proxy, Value>,
    answer_bytes: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct State {
    given: VecDeque<Given>,
    /// By stream, with the generation that it runs.
    peers: BTreeMap<u64, (Peer, u64)>,
    gone: BTreeMap<Proxy, Instant>,
    /// What each of the other replicas says.
    others: Vec<Told>,
}

/// What a cache filter reports.
#[derive(Deserialize)]
struct Report {
    id: String,
    outcome: Value,
}

impl State {
    pub(super) fn give(&mut self, id: &str, order: Value, now: Instant) {
        let bytes = order.to_string().len();
        self.given.push_back(Given {
            id: id.to_owned(),
            order,
            bytes,
            at: now,
            caching: BTreeMap::new(),
            answers: BTreeMap::new(),
            answer_bytes: 0,
        });
        while self.given.len() > MOST
            || self.given.iter().map(|given| given.bytes).sum::<usize>() > MOST_BYTES
        {
            self.given.pop_front();
        }
    }

    /// Forgets what was long ago; says whether that changes the orders that stand.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        let before = self.given.len();
        self.given.retain(|given| now.duration_since(given.at) < LASTING);
        self.gone.retain(|_, since| now.duration_since(*since) < MISSED);
        self.given.len() != before
    }

    /// The orders that stand.
    pub(super) fn orders(&self) -> Vec<Value> {
        self.given.iter().map(|given| given.order.clone()).collect()
    }

    /// All that stand were published for these gateways.
    pub(super) fn on_published(&mut self, caching: &BTreeMap<Arc<str>, Caching>) {
        // Those that were published before keep the generation that had them first.
        self.given.iter_mut().filter(|given| given.caching.is_empty()).for_each(|given| {
            given.caching.clone_from(caching);
        });
    }

    pub(super) fn on_event(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Connected(peer) => {
                self.gone.remove(&proxy(peer));
                self.peers.insert(peer.stream, (peer.clone(), 0));
            }
            Event::Disconnected(peer) => {
                self.peers.remove(&peer.stream);
                if !self.peers.values().any(|(other, _)| proxy(other) == proxy(peer)) {
                    self.gone.insert(proxy(peer), now);
                }
            }
            Event::Synced { peer, generation, .. } => {
                self.peers.insert(peer.stream, (peer.clone(), *generation));
            }
            Event::Reported { peer, body } => self.on_report(peer, body),
            Event::Acked { .. } | Event::Nacked { .. } => {}
        }
    }

    fn on_report(&mut self, peer: &Peer, body: &[u8]) {
        let Ok(Report { id, outcome }) = serde_json::from_slice(body) else {
            tracing::debug!(%peer, "a report that makes no sense");
            return;
        };
        let Some(given) = self.given.iter_mut().find(|given| given.id == id) else { return };
        given.answer_bytes += body.len();
        let outcome = if given.answer_bytes > ANSWER_BYTES { Value::Null } else { outcome };
        given.answers.insert(proxy(peer), outcome);
    }

    /// What proxies of all replicas made of an order.
    pub(super) fn account(&self, id: &str, now: Instant) -> Option<Account> {
        let own = self.given.iter().find(|given| given.id == id).map(|given| self.words(given, now))?;
        let mut words: BTreeMap<Proxy, Word> = BTreeMap::new();
        for word in
            own.into_iter().chain(self.others.iter().filter_map(|told| told.words.get(id)).flatten().cloned())
        {
            let known =
                words.entry((word.gateway.clone(), word.proxy.clone())).or_insert_with(|| word.clone());
            if word.standing < known.standing {
                *known = word;
            }
        }
        let unheard = self.others.iter().filter(|told| !told.words.contains_key(id)).count();
        Some(Account { proxies: words.into_values().collect(), unheard })
    }

    /// What other replicas are to hear.
    pub(super) fn told(&self, now: Instant) -> Told {
        let mut told = Told::default();
        let mut room = TOLD_BYTES;
        for given in self.given.iter().rev() {
            let mut words = self.words(given, now);
            let bytes = |words: &[Word]| serde_json::to_string(words).map_or(usize::MAX, |text| text.len());
            if bytes(&words) > room / 2 {
                words.iter_mut().for_each(|word| word.outcome = None);
            }
            let taken = given.bytes.saturating_add(bytes(&words));
            let Some(left) = room.checked_sub(taken) else { break };
            room = left;
            told.words.insert(given.id.clone(), words);
            let age = now.duration_since(given.at).as_secs();
            told.orders.push(Relayed { id: given.id.clone(), order: given.order.clone(), age });
        }
        told
    }

    /// Takes in what the other replicas say; whether that brings orders that are new here.
    pub(super) fn hear(&mut self, others: Vec<Told>, now: Instant) -> bool {
        let mut is_new = false;
        for Relayed { id, order, age } in others.iter().flat_map(|told| told.orders.iter().rev()) {
            let is_known = self.given.iter().any(|given| given.id == *id);
            let at = now.checked_sub(Duration::from_secs(*age)).filter(|_| *age < LASTING.as_secs());
            if let (false, Some(at)) = (is_known, at) {
                self.give(id, order.clone(), at);
                is_new = true;
            }
        }
        self.others = others;
        is_new
    }

    /// What proxies that are connected here made of an order.
    fn words(&self, given: &Given, now: Instant) -> Vec<Word> {
        let mut words: BTreeMap<Proxy, Word> = BTreeMap::new();
        let mut say = |proxy: Proxy, standing, outcome| {
            let word = Word { gateway: proxy.0.clone(), proxy: proxy.1.clone(), standing, outcome };
            words.entry(proxy).or_insert(word);
        };
        for (proxy, outcome) in &given.answers {
            say(proxy.clone(), Standing::Answered, Some(outcome.clone()));
        }
        for (peer, generation) in self.peers.values() {
            if let Some(caching) = given.caching.get(&peer.group) {
                let has_it = caching.host == CacheHost::Wasm && *generation >= caching.generation;
                say(proxy(peer), if has_it { Standing::Accepted } else { Standing::Waiting }, None);
            }
        }
        let missed = self.gone.iter().filter(|(_, since)| now.duration_since(**since) < MISSED);
        for (proxy, _) in missed.filter(|((gateway, _), _)| given.caching.contains_key(gateway)) {
            say(proxy.clone(), Standing::Gone, None);
        }
        words.into_values().collect()
    }
}

fn proxy(peer: &Peer) -> Proxy {
    (Arc::clone(&peer.group), Arc::clone(&peer.node))
}
