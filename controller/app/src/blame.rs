//! Which object a proxy's refusal of a resource is to be laid to: of those that the resource was made from, the ones
//! that changed since the proxy last accepted it.
//!
//! A first configuration that is refused has no such past; then the proxy's words must name the object, or it is
//! the Gateway's alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ferrule_translate::{ObjectRef, ResourceKind, Translation};
use ferrule_xds::{Kind, Refused};

use crate::publish::translated_kind;

/// More suspects than these are none.
const MANY: usize = 8;

type Name = (Kind, Arc<str>);

/// When objects changed, and when resources were accepted; both in ticks, the count of translations.
#[derive(Debug, Default)]
pub(crate) struct Blame {
    /// When objects changed last, if that was after [`Blame::settled`].
    changed: HashMap<ObjectRef, u64>,
    /// The proxies of every gateway that has any run what was translated then, or something newer.
    settled: u64,
    /// The tick that each published generation came from, from the oldest that a proxy may still report on.
    ticks: BTreeMap<u64, u64>,
    gateways: BTreeMap<Arc<str>, Accepted>,
}

#[derive(Debug, Default)]
struct Accepted {
    /// The tick of the snapshot that the proxies reported on last.
    synced: u64,
    /// Resources that they refused then: the tick of what they run instead.
    before: HashMap<Name, u64>,
}

/// Generations remembered; proxies skip what is superseded, so they report on recent ones.
const REMEMBERED: usize = 1024;

impl Blame {
    /// Notes a translation: which objects changed, which are gone, and which generations it was published as.
    pub(crate) fn on_translation<'o>(
        &mut self,
        tick: u64,
        changed: impl IntoIterator<Item = &'o ObjectRef>,
        removed: impl IntoIterator<Item = &'o ObjectRef>,
        generations: impl IntoIterator<Item = u64>,
    ) {
        for object in removed {
            self.changed.remove(object);
        }
        self.changed.extend(changed.into_iter().map(|object| (object.clone(), tick)));
        for generation in generations {
            self.ticks.entry(generation).or_insert(tick);
        }
        while self.ticks.len() > REMEMBERED {
            self.ticks.pop_first();
        }
    }

    /// Notes that the proxies of a gateway run the snapshot of a generation, except for what they refuse.
    pub(crate) fn on_synced(&mut self, gateway: &Arc<str>, generation: u64, refused: &[Refused]) {
        // Endpoints are published without a translation: such a snapshot holds what was translated before.
        let Some((_, tick)) = self.ticks.range(..=generation).next_back() else { return };
        let tick = *tick;
        let accepted = self.gateways.entry(gateway.clone()).or_default();
        let before = std::mem::take(&mut accepted.before);
        for Refused { kind, name, .. } in refused {
            let place = (*kind, name.clone());
            let since = before.get(&place).copied().unwrap_or(accepted.synced);
            accepted.before.insert(place, since);
        }
        accepted.synced = tick;
        self.settle();
    }

    /// Forgets changes that no refusal can be laid to any more: of thousands of objects few change.
    fn settle(&mut self) {
        let since = |of: &Accepted| of.before.values().copied().chain([of.synced]).min();
        let Some(settled) = self.gateways.values().filter_map(since).min() else { return };
        if settled > self.settled {
            self.settled = settled;
            self.changed.retain(|_, tick| *tick > settled);
            self.changed.shrink_to_fit();
        }
    }

    /// Forgets gateways that are not among these.
    pub(crate) fn retain(&mut self, gateways: &BTreeSet<Arc<str>>) {
        self.gateways.retain(|gateway, _| gateways.contains(gateway));
    }

    /// The objects to blame.
    pub(crate) fn suspects(
        &self,
        translation: &Translation,
        gateway: &str,
        refused: &Refused,
    ) -> Vec<ObjectRef> {
        let Some(kind) = translated_kind(refused.kind) else { return Vec::new() };
        let accepted = self.gateways.get(gateway);
        let place = (refused.kind, refused.name.clone());
        let since =
            accepted.map_or(0, |accepted| accepted.before.get(&place).copied().unwrap_or(accepted.synced));
        let changed = |object: &ObjectRef| {
            since < self.settled || self.changed.get(object).is_some_and(|tick| *tick > since)
        };
        let mut suspects: BTreeSet<ObjectRef> = origins(translation, gateway, kind, &refused.name)
            .filter(|object| &*object.kind != "Gateway" && changed(object))
            .cloned()
            .collect();
        let named = |object: &ObjectRef| names(&refused.message, &object.name);
        if suspects.iter().any(named) {
            suspects.retain(named);
        }
        if since == 0 && !suspects.iter().any(named) || suspects.len() > MANY {
            suspects.clear();
        }
        suspects.into_iter().collect()
    }
}

fn origins<'t>(
    translation: &'t Translation,
    gateway: &str,
    kind: ResourceKind,
    name: &Arc<str>,
) -> impl Iterator<Item = &'t ObjectRef> {
    let key = gateway.split_once('/').map(|(namespace, name)| (namespace.into(), name.into()));
    let of_gateway = key.and_then(|key| translation.origins.get(&key));
    let of_resource = of_gateway.and_then(|origins| origins.get(&(kind, name.clone())));
    of_resource.into_iter().flat_map(|origins| origins.iter())
}

/// Whether `words` has `name` as a word of its own.
fn names(words: &str, name: &str) -> bool {
    let part_of_a_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-' || *byte == b'.';
    words.match_indices(name).any(|(start, found)| {
        let bytes = words.as_bytes();
        let before = start.checked_sub(1).and_then(|at| bytes.get(at));
        !before.is_some_and(part_of_a_name) && !bytes.get(start + found.len()).is_some_and(part_of_a_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(name: &str) -> ObjectRef {
        ObjectRef::new("gateway.networking.k8s.io", "HTTPRoute", "d", name)
    }

    fn translation(names: &[&str]) -> Translation {
        let mut translation = Translation::default();
        let origins = translation.origins.entry(("d".into(), "g".into())).or_default();
        origins.insert((ResourceKind::Routes, "r".into()), names.iter().map(|name| route(name)).collect());
        translation
    }

    fn refused(message: &str) -> Refused {
        Refused { kind: Kind::Routes, name: "r".into(), version: Some(1), message: message.into() }
    }

    #[test]
    fn what_changed_since_the_last_acceptance_is_to_blame() {
        let mut blame = Blame::default();
        let gateway: Arc<str> = "d/g".into();
        let world = translation(&["a", "b", "c"]);
        blame.on_translation(1, &[route("a"), route("b"), route("c")], &[], [10]);
        blame.on_synced(&gateway, 10, &[]);
        blame.on_translation(2, &[route("b")], &[], [11]);
        assert_eq!(blame.suspects(&world, "d/g", &refused("no")), [route("b")]);
        // Still refused after another object changed: both are under suspicion, unless the proxy names one.
        blame.on_synced(&gateway, 11, &[refused("no")]);
        blame.on_translation(3, &[route("c")], &[], [12]);
        assert_eq!(blame.suspects(&world, "d/g", &refused("no")), [route("b"), route("c")]);
        assert_eq!(blame.suspects(&world, "d/g", &refused("route 'c' is bad")), [route("c")]);
        blame.on_synced(&gateway, 12, &[]);
        assert!(blame.suspects(&world, "d/g", &refused("no")).is_empty());
    }

    #[test]
    fn a_first_configuration_blames_only_whom_the_proxy_names() {
        let mut blame = Blame::default();
        let world = translation(&["a", "ab"]);
        blame.on_translation(1, &[route("a"), route("ab")], &[], [10]);
        assert!(blame.suspects(&world, "d/g", &refused("something is wrong")).is_empty());
        assert_eq!(blame.suspects(&world, "d/g", &refused("d/ab: wrong")), [route("ab")]);
    }

    #[test]
    fn what_all_have_taken_up_is_forgotten_but_not_that_a_new_gateway_has_not() {
        let mut blame = Blame::default();
        let world = translation(&["a", "b"]);
        blame.on_translation(1, &[route("a"), route("b")], &[], [10]);
        blame.on_synced(&"d/other".into(), 10, &[]);
        assert!(blame.changed.is_empty());
        assert_eq!(blame.suspects(&world, "d/g", &refused("d/b: wrong")), [route("b")]);
    }
}
