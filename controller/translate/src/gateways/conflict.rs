//! Listeners that cannot be told apart.
//!
//! Listeners on one port must have one protocol and distinct host names. Of those that clash in one object all are
//! refused, because none may be picked as the winner (GatewaySpec.listeners). Between objects the Gateway wins over its
//! ListenerSets, and the older ListenerSet over the younger (ListenerSetSpec.listeners).

use super::ListenerPlan;
use crate::problem::Reason;

/// Notes the conflicts among listeners, which stand in order of precedence.
pub(super) fn find(listeners: &mut [ListenerPlan]) {
    for place in 0..listeners.len() {
        let found = clash(listeners, place);
        if let Some((reason, detail)) = found {
            listeners[place].note("", reason, detail);
        }
    }
}

fn clash(listeners: &[ListenerPlan], place: usize) -> Option<(Reason, String)> {
    let listener = &listeners[place];
    let above = |other: usize| other < place || listeners[other].owner == listener.owner;
    let rivals = (0..listeners.len()).filter(|other| *other != place && above(*other));
    rivals.map(|other| &listeners[other]).find_map(|other| {
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
