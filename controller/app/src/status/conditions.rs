//! The lists of conditions that a status has, each with the part of the status that it belongs to.

use ferrule_translate::Status;
use ferrule_translate::api::meta::Condition;
use ferrule_translate::api::route::ParentReference;

/// The part of a status that conditions belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part<'s> {
    /// The object itself.
    Object,
    /// A listener of a Gateway, by name.
    Listener(&'s str),
    /// What a route is attached to.
    Parent(&'s ParentReference),
    /// What a policy is attached to.
    Ancestor(&'s ParentReference),
}

/// All lists of conditions.
pub(crate) fn all(status: &Status) -> Vec<(Part<'_>, &[Condition])> {
    match status {
        Status::GatewayClass(class) => vec![(Part::Object, &class.conditions)],
        Status::Backend(backend) => vec![(Part::Object, &backend.conditions)],
        Status::Gateway(gateway) => {
            let listeners = gateway.listeners.iter();
            let own = (Part::Object, &gateway.conditions[..]);
            std::iter::once(own)
                .chain(listeners.map(|one| (Part::Listener(&one.name), &one.conditions[..])))
                .collect()
        }
        Status::ListenerSet(set) => {
            let listeners = set.listeners.iter();
            let own = (Part::Object, &set.conditions[..]);
            std::iter::once(own)
                .chain(listeners.map(|one| (Part::Listener(&one.name), &one.conditions[..])))
                .collect()
        }
        Status::Route(route) => {
            route.parents.iter().map(|one| (Part::Parent(&one.parent_ref), &one.conditions[..])).collect()
        }
        Status::Policy(policy) => policy
            .ancestors
            .iter()
            .map(|one| (Part::Ancestor(&one.ancestor_ref), &one.conditions[..]))
            .collect(),
    }
}

/// All lists of conditions, to be changed.
pub(crate) fn all_mut(status: &mut Status) -> Vec<(Part<'_>, &mut Vec<Condition>)> {
    match status {
        Status::GatewayClass(class) => vec![(Part::Object, &mut class.conditions)],
        Status::Backend(backend) => vec![(Part::Object, &mut backend.conditions)],
        Status::Gateway(gateway) => {
            let listeners = gateway.listeners.iter_mut();
            let own = (Part::Object, &mut gateway.conditions);
            std::iter::once(own)
                .chain(listeners.map(|one| (Part::Listener(&one.name), &mut one.conditions)))
                .collect()
        }
        Status::ListenerSet(set) => {
            let listeners = set.listeners.iter_mut();
            let own = (Part::Object, &mut set.conditions);
            std::iter::once(own)
                .chain(listeners.map(|one| (Part::Listener(&one.name), &mut one.conditions)))
                .collect()
        }
        Status::Route(route) => {
            route.parents.iter_mut().map(|one| (Part::Parent(&one.parent_ref), &mut one.conditions)).collect()
        }
        Status::Policy(policy) => policy
            .ancestors
            .iter_mut()
            .map(|one| (Part::Ancestor(&one.ancestor_ref), &mut one.conditions))
            .collect(),
    }
}
