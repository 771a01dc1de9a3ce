//! What the proxies of each gateway made of what was published for it.
//!
//! Invariants: a gateway counts as programmed when every proxy that is connected runs the whole of a snapshot; while
//! a newer snapshot is under way the verdict on the one before it stands, so that edits do not make status flicker.

use std::collections::BTreeMap;
use std::sync::Arc;

use ferrule_xds::{Event, Kind, Refused};

/// How a gateway stands with its proxies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No proxy is connected.
    NoProxy,
    /// Proxies are connected, and none has taken up a snapshot in full.
    Pending,
    /// All proxies run the snapshot of this generation, or a newer one.
    Programmed(u64),
    /// A proxy refuses some of what it was sent.
    Refused,
}

/// A resource that a proxy refuses, by kind and name.
pub(crate) type Refusals = BTreeMap<(Kind, Arc<str>), Refused>;

/// All gateways and their proxies.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    gateways: BTreeMap<Arc<str>, Gateway>,
}

#[derive(Debug, Default)]
struct Gateway {
    /// By stream: a proxy that restarts has two for a while.
    proxies: BTreeMap<u64, Proxy>,
}

#[derive(Debug, Default)]
struct Proxy {
    synced: Option<u64>,
    refusals: Refusals,
}

impl Delivery {
    /// Takes in what a proxy did; returns the gateway that it is part of.
    pub(crate) fn on_event(&mut self, event: Event) -> Arc<str> {
        match event {
            Event::Connected(peer) => {
                self.gateway(&peer.group).proxies.entry(peer.stream).or_default();
                peer.group
            }
            Event::Disconnected(peer) => {
                let gateway = self.gateway(&peer.group);
                gateway.proxies.remove(&peer.stream);
                if gateway.proxies.is_empty() {
                    self.gateways.remove(&peer.group);
                }
                peer.group
            }
            Event::Acked { peer, kind, accepted, removed } => {
                let proxy = self.gateway(&peer.group).proxies.entry(peer.stream).or_default();
                for name in accepted.into_iter().map(|(name, _)| name).chain(removed) {
                    proxy.refusals.remove(&(kind, name));
                }
                peer.group
            }
            Event::Nacked { peer, refused } => {
                let proxy = self.gateway(&peer.group).proxies.entry(peer.stream).or_default();
                proxy.refusals.insert((refused.kind, refused.name.clone()), refused);
                peer.group
            }
            Event::Reported { peer, .. } => peer.group,
            Event::Synced { peer, generation, refused } => {
                let by_name =
                    refused.into_iter().map(|refused| ((refused.kind, refused.name.clone()), refused));
                let proxy = Proxy { synced: Some(generation), refusals: by_name.collect() };
                self.gateway(&peer.group).proxies.insert(peer.stream, proxy);
                peer.group
            }
        }
    }

    /// How a gateway stands.
    pub(crate) fn verdict(&self, gateway: &str) -> Verdict {
        let Some(Gateway { proxies }) = self.gateways.get(gateway) else { return Verdict::NoProxy };
        // A proxy that refuses a listener never asks for its routes, so it may never be done with a snapshot.
        if proxies.values().any(|proxy| !proxy.refusals.is_empty()) {
            return Verdict::Refused;
        }
        // A proxy that has just connected does not make those that serve any less programmed.
        let synced = proxies.values().filter_map(|proxy| proxy.synced).min();
        synced.map_or(Verdict::Pending, Verdict::Programmed)
    }

    /// What the proxies of a gateway refuse; of several proxies' words one's stand.
    pub(crate) fn refusals(&self, gateway: &str) -> Refusals {
        let proxies = self.gateways.get(gateway).into_iter().flat_map(|gateway| gateway.proxies.values());
        proxies.flat_map(|proxy| proxy.refusals.clone()).collect()
    }

    /// How many proxies are connected, over all gateways.
    pub(crate) fn proxies(&self) -> usize {
        self.gateways.values().map(|gateway| gateway.proxies.len()).sum()
    }

    fn gateway(&mut self, name: &Arc<str>) -> &mut Gateway {
        self.gateways.entry(name.clone()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use ferrule_xds::Peer;

    use super::*;

    fn peer(stream: u64) -> Peer {
        Peer { group: "d/g".into(), node: "n".into(), stream }
    }

    fn refused() -> Refused {
        Refused { kind: Kind::Routes, name: "r".into(), version: Some(1), message: "no".into() }
    }

    fn synced(stream: u64, generation: u64, refused: Vec<Refused>) -> Event {
        Event::Synced { peer: peer(stream), generation, refused }
    }

    #[test]
    fn a_gateway_is_programmed_once_all_its_proxies_are() {
        let mut delivery = Delivery::default();
        assert_eq!(delivery.verdict("d/g"), Verdict::NoProxy);
        delivery.on_event(Event::Connected(peer(1)));
        assert_eq!(delivery.verdict("d/g"), Verdict::Pending);
        delivery.on_event(synced(1, 7, vec![]));
        assert_eq!(delivery.verdict("d/g"), Verdict::Programmed(7));
        delivery.on_event(Event::Connected(peer(2)));
        delivery.on_event(synced(2, 5, vec![refused()]));
        assert_eq!(delivery.verdict("d/g"), Verdict::Refused);
        delivery.on_event(Event::Disconnected(peer(2)));
        assert_eq!(delivery.verdict("d/g"), Verdict::Programmed(7));
        delivery.on_event(Event::Disconnected(peer(1)));
        assert_eq!(delivery.verdict("d/g"), Verdict::NoProxy);
    }

    #[test]
    fn a_refusal_shows_at_once_and_goes_when_a_later_version_is_accepted() {
        let mut delivery = Delivery::default();
        delivery.on_event(Event::Connected(peer(2)));
        delivery.on_event(Event::Nacked { peer: peer(2), refused: refused() });
        assert_eq!(delivery.verdict("d/g"), Verdict::Refused);
        delivery.on_event(Event::Disconnected(peer(2)));
        delivery.on_event(synced(1, 1, vec![]));
        delivery.on_event(Event::Nacked { peer: peer(1), refused: refused() });
        assert_eq!(delivery.verdict("d/g"), Verdict::Refused);
        assert_eq!(delivery.refusals("d/g").into_values().collect::<Vec<_>>(), [refused()]);
        let accepted = vec![("r".into(), 2)];
        delivery.on_event(Event::Acked { peer: peer(1), kind: Kind::Routes, accepted, removed: vec![] });
        assert_eq!(delivery.verdict("d/g"), Verdict::Programmed(1));
        assert!(delivery.refusals("d/g").is_empty());
    }
}
