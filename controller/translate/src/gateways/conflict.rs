//! Listeners that cannot be told apart.
//!
//! Listeners on one port must have one protocol and distinct host names. Between objects the Gateway wins over its
//! ListenerSets, and the older ListenerSet over the younger (ListenerSetSpec.listeners); who lost counts no more. Of
//! those that still clash in one object all are refused, because none may be picked as the winner
//! (GatewaySpec.listeners).

use std::ops::Range;

use super::ListenerPlan;
use crate::problem::Reason;

/// Notes the conflicts among listeners, which stand in order of precedence, those of an object together.
pub(super) fn find(listeners: &mut [ListenerPlan]) {
    let mut standing = Vec::new();
    let mut start = 0;
    while let Some(first) = listeners.get(start) {
        let end =
            start + listeners[start..].iter().take_while(|listener| listener.owner == first.owner).count();
        let own = winners(listeners, &standing, start..end);
        let contested = own.iter().map(|place| (*place, clash(listeners, *place, &own))).collect();
        refuse(listeners, contested);
        standing.extend(own);
        start = end;
    }
}

/// Those of an object's listeners that clash with none of an object before it.
fn winners(listeners: &mut [ListenerPlan], standing: &[usize], own: Range<usize>) -> Vec<usize> {
    let found: Vec<_> = own.map(|place| (place, clash(listeners, place, standing))).collect();
    let winners = found.iter().filter(|(_, clash)| clash.is_none()).map(|(place, _)| *place).collect();
    refuse(listeners, found);
    winners
}

fn refuse(listeners: &mut [ListenerPlan], found: Vec<(usize, Option<(Reason, String)>)>) {
    for (place, clash) in found {
        if let Some((reason, detail)) = clash {
            listeners[place].note("", reason, detail);
        }
    }
}

/// How a listener clashes with one of `rivals`.
fn clash(listeners: &[ListenerPlan], place: usize, rivals: &[usize]) -> Option<(Reason, String)> {
    let listener = &listeners[place];
    let mut others = rivals.iter().filter(|other| **other != place).map(|other| &listeners[*other]);
    others.find_map(|other| {
        let (reason, what) = difference(listener, other)?;
        let of_other =
            if other.owner == listener.owner { String::new() } else { format!(" of {}", other.owner) };
        let name = &other.name;
        Some((reason, format!("listener {name}{of_other} has the same port and clashes in its {what}")))
    })
}

fn difference(listener: &ListenerPlan, other: &ListenerPlan) -> Option<(Reason, &'static str)> {
    let protocol = |listener: &ListenerPlan| listener.spec().protocol.clone();
    if other.port != listener.port || (protocol(other) == "UDP") != (protocol(listener) == "UDP") {
        None
    } else if layer(&protocol(other)) != layer(&protocol(listener)) {
        Some((Reason::ProtocolConflict, "protocol"))
    } else if matches!(protocol(other).as_str(), "TCP" | "UDP") {
        // These have nothing but the port to be told apart by (GatewaySpec.listeners).
        Some((Reason::ProtocolConflict, "protocol, of which a port takes one listener"))
    } else if other.hostname == listener.hostname {
        Some((Reason::HostnameConflict, "hostname"))
    } else {
        None
    }
}

/// What can share a port: protocols of one layer, by different host names.
fn layer(protocol: &str) -> &str {
    if protocol == "HTTPS" { "TLS" } else { protocol }
}
