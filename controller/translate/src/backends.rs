//! Which cluster a backend reference means, or why it means none.

use std::net::IpAddr;
use std::sync::Arc;

use crate::api::backend::{Backend, BackendStatus};
use crate::api::http_route::HTTPBackendRef;
use crate::api::meta::KGATEWAY_GROUP;
use crate::kinds::World;
use crate::object::{Key, ObjectRef};
use crate::problem::{Problem, Reason};
use crate::status::{Status, condition};

/// A destination, in the order of names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Destination {
    /// A `Backend`.
    Backend(Key),
    /// A port of a Service.
    Service(Key, u16),
}

impl Destination {
    /// Name of its cluster: the same for as long as the object is, however routes change.
    pub(crate) fn cluster(&self) -> String {
        match self {
            Self::Backend((namespace, name)) => format!("backend/{namespace}/{name}"),
            Self::Service((namespace, name), port) => format!("service/{namespace}/{name}/{port}"),
        }
    }

    /// The object that it is.
    pub(crate) fn reference(&self) -> ObjectRef {
        match self {
            Self::Backend(key) => ObjectRef::at(KGATEWAY_GROUP, "Backend", key),
            Self::Service(key, _) => ObjectRef::at("", "Service", key),
        }
    }
}

/// What there is to say of a Backend, used or not.
pub(crate) struct BackendOutcome {
    source: Arc<Backend>,
    pub(crate) reference: ObjectRef,
    pub(crate) status: Arc<Status>,
    pub(crate) problem: Option<Problem>,
}

/// Looks at a Backend; what was found earlier holds for as long as the object is the same.
pub(crate) fn outcome(key: &Key, backend: &Arc<Backend>, earlier: Option<BackendOutcome>) -> BackendOutcome {
    if let Some(earlier) = earlier.filter(|earlier| Arc::ptr_eq(&earlier.source, backend)) {
        return earlier;
    }
    let reference = ObjectRef::at(KGATEWAY_GROUP, "Backend", key);
    let problem =
        fault(backend).map(|(field, why)| Problem::new(&reference, field, Reason::InvalidBackend, why));
    let generation = backend.metadata.generation.unwrap_or_default();
    let problems: Vec<&Problem> = problem.iter().collect();
    let conditions = vec![condition("Accepted", "Accepted", generation, &problems)];
    let status = Arc::new(Status::Backend(BackendStatus { conditions }));
    BackendOutcome { source: Arc::clone(backend), reference, status, problem }
}

/// The object that a rule in `namespace` names.
pub(crate) fn key_of(namespace: &str, backend: &HTTPBackendRef) -> Key {
    (backend.namespace.as_deref().unwrap_or(namespace).into(), backend.name.as_str().into())
}

/// Why a reference leads nowhere.
pub(crate) type Unresolved = (Reason, String);

/// Resolves a reference made by a route.
pub(crate) fn resolve(
    world: &World,
    from: &ObjectRef,
    backend: &HTTPBackendRef,
) -> Result<Destination, Unresolved> {
    let group = backend.group.as_deref().unwrap_or_default();
    let kind = backend.kind.as_deref().unwrap_or("Service");
    let to =
        ObjectRef::new(group, kind, backend.namespace.as_deref().unwrap_or(&from.namespace), &backend.name);
    let is_known = matches!((group, kind), ("", "Service") | (KGATEWAY_GROUP, "Backend"));
    if !is_known {
        return Err((
            Reason::InvalidKind,
            format!("{group}/{kind} cannot be a backend; use a Service or a Backend"),
        ));
    }
    if !world.may_refer((&from.group, &from.kind), &from.namespace, &to) {
        return Err((
            Reason::RefNotPermitted,
            format!("no ReferenceGrant in {} lets this route use {to}", to.namespace),
        ));
    }
    let key: Key = (to.namespace.clone(), to.name.clone());
    if kind == "Backend" { backend_of(world, key, &to) } else { service_of(world, key, &to, backend.port) }
}

fn backend_of(world: &World, key: Key, to: &ObjectRef) -> Result<Destination, Unresolved> {
    let backend = world.backends.get(&key).ok_or_else(|| missing(to))?;
    match fault(backend) {
        Some((_, detail)) => Err((Reason::BackendNotFound, format!("{to} is not valid: {detail}"))),
        None => Ok(Destination::Backend(key)),
    }
}

fn service_of(world: &World, key: Key, to: &ObjectRef, port: Option<u16>) -> Result<Destination, Unresolved> {
    let not_found = |detail: String| Err((Reason::BackendNotFound, detail));
    let service = world.services.get(&key).ok_or_else(|| missing(to))?;
    // A name elsewhere would let a namespace reach what it may not (BackendObjectReference, CVE-2021-25740).
    if service.spec.kind.as_deref() == Some("ExternalName") {
        return not_found(format!("{to} is of type ExternalName, which is not supported; use a Backend"));
    }
    let Some(port) = port else { return not_found(format!("{to} needs a port")) };
    let Some(found) = service.spec.ports.iter().find(|known| known.port == port) else {
        return not_found(format!("{to} has no port {port}"));
    };
    let unsupported =
        |what: &str| (Reason::UnsupportedAppProtocol, format!("{to} port {port}: {what} is not supported"));
    if let Some(transport) = found.protocol.as_deref().filter(|transport| *transport != "TCP") {
        return Err(unsupported(&format!("protocol {transport}")));
    }
    match found.app_protocol.as_deref() {
        Some(tls @ ("https" | "kubernetes.io/wss")) => Err(unsupported(&format!("appProtocol {tls}"))),
        _ => Ok(Destination::Service(key, port)),
    }
}

fn missing(to: &ObjectRef) -> Unresolved {
    (Reason::BackendNotFound, format!("{to} does not exist"))
}

/// What is wrong with a Backend: the field, and why.
pub(crate) fn fault(backend: &Backend) -> Option<(String, String)> {
    let spec = &backend.spec;
    let set = [
        ("AWS", spec.aws.is_some()),
        ("Static", spec.fixed.is_some()),
        ("DynamicForwardProxy", spec.dynamic_forward_proxy.is_some()),
        ("GCP", spec.gcp.is_some()),
        ("PriorityGroups", spec.priority_groups.is_some()),
    ];
    let mut set = set.into_iter().filter(|(_, is_set)| *is_set).map(|(kind, _)| kind);
    let (Some(kind), None) = (set.next(), set.next()) else {
        return Some(("spec".to_owned(), "exactly one destination must be set".to_owned()));
    };
    if spec.kind.as_ref().is_some_and(|declared| declared != kind) {
        return Some((
            "spec.type".to_owned(),
            format!("says otherwise than the field that is set, of type {kind}"),
        ));
    }
    let Some(fixed) = &spec.fixed else {
        return Some(("spec".to_owned(), format!("type {kind} is not supported; supported: Static")));
    };
    if fixed.hosts.is_empty() {
        return Some(("spec.static.hosts".to_owned(), "needs at least one host".to_owned()));
    }
    let bad = fixed.hosts.iter().position(|host| host.port == 0 || !is_host(&host.host));
    bad.map(|place| {
        (format!("spec.static.hosts[{place}]"), "needs an IP address or a DNS name, and a port".to_owned())
    })
}

fn is_host(host: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    host.parse::<IpAddr>().is_ok()
        || (host.len() <= 253 && host.trim_end_matches('.').split('.').all(is_label))
}
