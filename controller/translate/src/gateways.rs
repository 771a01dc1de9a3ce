//! Which Gateways are ours, and which of their listeners take routes.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::gateway::{Gateway, Listener, RouteGroupKind};
use crate::api::meta::{GATEWAY_GROUP, ObjectMeta};
use crate::hostname;
use crate::object::{Key, ObjectRef};
use crate::problem::{Problem, Reason};
use crate::world::World;

/// One of our Gateways.
pub(crate) struct GatewayPlan {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) reference: ObjectRef,
    pub(crate) listeners: Vec<ListenerPlan>,
    /// Of the Gateway as a whole; it is served nevertheless.
    pub(crate) problems: Vec<Problem>,
}

/// One listener of it.
pub(crate) struct ListenerPlan {
    pub(crate) name: Arc<str>,
    /// Empty for every host.
    pub(crate) hostname: String,
    pub(crate) port: u16,
    pub(crate) kinds: Vec<RouteGroupKind>,
    pub(crate) problems: Vec<Problem>,
}

impl ListenerPlan {
    /// Whether routes can attach: problems with references alone do not hinder that.
    pub(crate) fn takes_routes(&self) -> bool {
        self.problems.iter().all(|problem| problem.reason == Reason::InvalidRouteKinds)
            && !self.kinds.is_empty()
    }
}

/// Plans every Gateway whose class is one of ours.
pub(crate) fn plan(world: &World, controller_name: &str) -> BTreeMap<Key, GatewayPlan> {
    let is_ours = |gateway: &Gateway| {
        let key: Key = ("".into(), gateway.spec.gateway_class_name.as_str().into());
        world.gateway_classes.get(&key).is_some_and(|class| class.spec.controller_name == controller_name)
    };
    let ours = world.gateways.iter().filter(|(_, gateway)| is_ours(gateway));
    ours.map(|(key, gateway)| (key.clone(), plan_gateway(key, gateway))).collect()
}

fn plan_gateway(key: &Key, gateway: &Arc<Gateway>) -> GatewayPlan {
    let reference = ObjectRef::at(GATEWAY_GROUP, "Gateway", key);
    let all = &gateway.spec.listeners;
    let listeners = all
        .iter()
        .enumerate()
        .map(|(place, listener)| plan_listener(&reference, all, place, listener))
        .collect();
    let parameters = gateway.spec.infrastructure.as_ref().and_then(|infra| infra.parameters_ref.as_ref());
    let problems = parameters.map(|parameters| {
        let detail = format!("{}/{} is not supported", parameters.group, parameters.kind);
        Problem::new(&reference, "spec.infrastructure.parametersRef", Reason::InvalidParameters, detail)
    });
    GatewayPlan {
        gateway: Arc::clone(gateway),
        problems: problems.into_iter().collect(),
        reference,
        listeners,
    }
}

fn plan_listener(gateway: &ObjectRef, all: &[Listener], place: usize, listener: &Listener) -> ListenerPlan {
    let field = format!("spec.listeners[{place}]");
    let mut problems: Vec<Problem> = refusals(listener)
        .into_iter()
        .map(|(inner, reason, detail)| Problem::new(gateway, format!("{field}.{inner}"), reason, detail))
        .collect();
    problems.extend(conflict(gateway, &field, all, place, listener));
    let kinds = supported_kinds(gateway, &field, listener, &mut problems);
    ListenerPlan {
        name: listener.name.as_str().into(),
        hostname: hostname(listener),
        port: listener.port,
        kinds,
        problems,
    }
}

/// In lower case; empty for every host.
fn hostname(listener: &Listener) -> String {
    listener.hostname.as_deref().unwrap_or_default().to_ascii_lowercase()
}

/// What a listener asks for that is not served: field, reason, detail.
fn refusals(listener: &Listener) -> Vec<(&'static str, Reason, String)> {
    let mut refusals = Vec::new();
    if listener.protocol != "HTTP" {
        let detail = format!("{} is not supported; supported: HTTP", listener.protocol);
        refusals.push(("protocol", Reason::UnsupportedProtocol, detail));
    }
    if listener.port == 0 {
        refusals.push(("port", Reason::UnsupportedValue, "must be 1 to 65535".to_owned()));
    }
    if listener.filters.as_ref().is_some_and(|filters| !filters.requests.is_empty()) {
        refusals.push(("filters", Reason::UnsupportedValue, "listener filters are not supported".to_owned()));
    }
    let fault = listener.hostname.as_deref().filter(|host| !host.is_empty()).and_then(hostname::fault);
    refusals.extend(fault.map(|why| ("hostname", Reason::UnsupportedValue, why.to_owned())));
    refusals
}

/// What can share a port: protocols of one group, by different host names.
fn layer(protocol: &str) -> &str {
    if protocol == "HTTPS" { "TLS" } else { protocol }
}

/// Listeners on one port must have one protocol and distinct host names. Of those that clash all are refused, because
/// none may be picked as the winner (GatewaySpec.listeners).
fn conflict(
    gateway: &ObjectRef,
    field: &str,
    all: &[Listener],
    place: usize,
    listener: &Listener,
) -> Option<Problem> {
    let udp = |listener: &Listener| listener.protocol == "UDP";
    let mut others = all
        .iter()
        .enumerate()
        .filter(|(other, o)| *other != place && o.port == listener.port && udp(o) == udp(listener));
    others.find_map(|(_, other)| {
        let (reason, what) = if layer(&other.protocol) != layer(&listener.protocol) {
            (Reason::ProtocolConflict, "protocol")
        } else if hostname(other) == hostname(listener) {
            (Reason::HostnameConflict, "hostname")
        } else {
            return None;
        };
        let detail = format!("listener {} has the same port and clashes in its {what}", other.name);
        Some(Problem::new(gateway, field, reason, detail))
    })
}

fn supported_kinds(
    gateway: &ObjectRef,
    field: &str,
    listener: &Listener,
    problems: &mut Vec<Problem>,
) -> Vec<RouteGroupKind> {
    let ours = RouteGroupKind { group: GATEWAY_GROUP.to_owned(), kind: "HTTPRoute".to_owned() };
    let wanted = listener.allowed_routes.as_ref().map_or(&[][..], |allowed| &allowed.kinds);
    for (place, kind) in wanted.iter().enumerate().filter(|(_, kind)| **kind != ours) {
        let detail = format!("{}/{} cannot attach to a listener of this protocol", kind.group, kind.kind);
        let field = format!("{field}.allowedRoutes.kinds[{place}]");
        problems.push(Problem::new(gateway, field, Reason::InvalidRouteKinds, detail));
    }
    if wanted.is_empty() || wanted.contains(&ours) { vec![ours] } else { Vec::new() }
}

/// Whether a listener lets routes of `namespace` attach.
pub(crate) fn allows(world: &World, gateway: &Gateway, listener: &Listener, namespace: &str) -> bool {
    let namespaces = listener.allowed_routes.as_ref().and_then(|allowed| allowed.namespaces.as_ref());
    match namespaces.and_then(|namespaces| namespaces.from.as_deref()).unwrap_or("Same") {
        "All" => true,
        "Same" => namespace == gateway.metadata.namespace,
        "Selector" => {
            let key: Key = ("".into(), namespace.into());
            let metadata = world.namespaces.get(&key).map(|namespace| namespace.metadata.clone());
            let labels = labels_of(namespace, metadata);
            namespaces.and_then(|namespaces| namespaces.selector.as_ref()).is_some_and(|s| s.selects(&labels))
        }
        _ => false,
    }
}

/// The API server labels every namespace with its name; in a folder no one does.
fn labels_of(namespace: &str, metadata: Option<ObjectMeta>) -> BTreeMap<String, String> {
    let mut labels = metadata.map(|metadata| metadata.labels).unwrap_or_default();
    labels.entry("kubernetes.io/metadata.name".to_owned()).or_insert_with(|| namespace.to_owned());
    labels
}
