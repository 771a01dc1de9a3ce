//! Which cluster a backend reference means, or why it means none.

use std::net::IpAddr;
use std::sync::Arc;

use crate::api::backend::{Backend, BackendStatus};
use crate::api::http_route::HTTPBackendRef;
use crate::api::meta::KGATEWAY_GROUP;
use crate::api::reference::BackendObjectReference;
use crate::api::service::{Service, ServicePort};
use crate::api::stream_route::BackendRef;
use crate::aws::{self, Functions};
use crate::kinds::World;
use crate::object::{Key, ObjectRef};
use crate::problem::{Problem, Reason};
use crate::status::{Status, condition};

/// A destination, in the order of names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Destination {
    /// A `Backend`.
    Backend(Key, Application),
    /// A port of a Service.
    Service(Key, u16, Application),
}

/// What is spoken to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Application {
    /// HTTP in the version that the destination says, or else HTTP/1.1.
    Http,
    /// gRPC: HTTP/2, though the destination does not say so.
    Grpc,
    /// A stream of bytes, which the Gateway may wrap in TLS of its own.
    Tcp,
    /// A stream of bytes that is the client's own TLS and stays as it is.
    Tls,
    /// Datagrams.
    Udp,
}

impl Application {
    /// What HTTPRoutes and GRPCRoutes speak.
    pub(crate) fn of_route(kind: &str) -> Self {
        if kind == "GRPCRoute" { Self::Grpc } else { Self::Http }
    }

    /// What a cluster's name says of it.
    fn suffix(self) -> &'static str {
        match self {
            Self::Http => "",
            Self::Grpc => "/http2",
            Self::Tcp => "/tcp",
            Self::Tls => "/tls",
            Self::Udp => "/udp",
        }
    }

    /// Transport protocol of a Service's port.
    fn transport(self) -> &'static str {
        if self == Self::Udp { "UDP" } else { "TCP" }
    }
}

impl Destination {
    /// Name of its cluster: the same for as long as the object is, however routes change.
    pub(crate) fn cluster(&self) -> String {
        match self {
            Self::Backend((namespace, name), application) => {
                format!("backend/{namespace}/{name}{}", application.suffix())
            }
            Self::Service((namespace, name), port, application) => {
                format!("service/{namespace}/{name}/{port}{}", application.suffix())
            }
        }
    }

    /// What requests of the proxy's own call it, as host or as authority.
    pub(crate) fn authority(&self) -> String {
        match self {
            Self::Backend((namespace, name), _) => format!("{name}.{namespace}"),
            Self::Service((namespace, name), port, _) => format!("{name}.{namespace}.svc:{port}"),
        }
    }

    /// The first and the last that a Service may be.
    pub(crate) fn ports(service: &Key) -> (Self, Self) {
        let first = Self::Service(service.clone(), 0, Application::Http);
        (first, Self::Service(service.clone(), u16::MAX, Application::Udp))
    }

    /// The object that it is.
    pub(crate) fn reference(&self) -> ObjectRef {
        match self {
            Self::Backend(key, _) => reference(key),
            Self::Service(key, ..) => ObjectRef::at("", "Service", key),
        }
    }
}

/// The port of a Service that carries `application` under that number.
pub(crate) fn port_of(service: &Service, port: u16, application: Application) -> Option<&ServicePort> {
    let transport = application.transport();
    let is_meant =
        |known: &&ServicePort| known.port == port && known.protocol.as_deref().unwrap_or("TCP") == transport;
    service.spec.ports.iter().find(is_meant)
}

/// Whether an `appProtocol` means HTTP/2 (KEP-3726, and what Backends have in kgateway).
pub(crate) fn is_http2(app_protocol: Option<&str>) -> bool {
    matches!(app_protocol, Some("http2" | "grpc" | "grpc-web" | "kubernetes.io/h2c"))
}

/// What there is to say of a Backend, used or not.
pub(crate) struct BackendOutcome {
    pub(crate) reference: ObjectRef,
    pub(crate) status: Arc<Status>,
    pub(crate) problem: Option<Problem>,
}

/// Which object a Backend is.
pub(crate) fn reference(key: &Key) -> ObjectRef {
    ObjectRef::at(KGATEWAY_GROUP, "Backend", key)
}

/// Looks at a Backend.
pub(crate) fn outcome(world: &World, functions: &Functions, key: &Key, backend: &Backend) -> BackendOutcome {
    let reference = reference(key);
    let function = functions.get(key);
    let of_function = || function?.as_ref().err().map(|fault| (fault.field.clone(), fault.why.clone()));
    let problem = fault(backend)
        .or_else(of_function)
        .map(|(field, why)| Problem::new(&reference, field, Reason::InvalidBackend, why));
    let generation = backend.metadata.generation.unwrap_or_default();
    let signer = function.and_then(|function| function.as_ref().ok()).map(|outbound| &outbound.identity);
    let health = signer.filter(|_| problem.is_none()).map(|signer| aws::health(world, signer, generation));
    let unsigned = health.as_ref().and_then(|health| aws::unready(&reference, "spec.aws.auth", health));
    let problem = problem.or(unsigned);
    let problems: Vec<&Problem> = problem.iter().collect();
    let accepted = condition("Accepted", "Accepted", generation, &problems);
    let conditions = std::iter::once(accepted).chain(health).collect();
    let status = Arc::new(Status::Backend(BackendStatus { conditions }));
    BackendOutcome { reference, status, problem }
}

/// A backend as objects of any kind name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    group: Option<&'a str>,
    kind: Option<&'a str>,
    namespace: Option<&'a str>,
    name: &'a str,
    port: Option<u16>,
}

macro_rules! named_by {
    ($($reference:ty),+) => {$(
        impl<'a> From<&'a $reference> for Named<'a> {
            fn from(reference: &'a $reference) -> Self {
                Self {
                    group: reference.group.as_deref(),
                    kind: reference.kind.as_deref(),
                    namespace: reference.namespace.as_deref(),
                    name: &reference.name,
                    port: reference.port,
                }
            }
        }
    )+};
}

named_by!(HTTPBackendRef, BackendRef, BackendObjectReference);

impl Named<'_> {
    /// The object that someone in `namespace` means.
    pub(crate) fn key(&self, namespace: &str) -> Key {
        (self.namespace.unwrap_or(namespace).into(), self.name.into())
    }
}

/// Why a reference leads nowhere.
pub(crate) type Unresolved = (Reason, String);

/// Resolves a reference made by a route that speaks `application`, or by one of its filters.
pub(crate) fn resolve<'a>(
    world: &World,
    from: &ObjectRef,
    backend: impl Into<Named<'a>>,
    application: Application,
) -> Result<Destination, Unresolved> {
    match find(world, from, backend, application)? {
        Destination::Backend(key, _) if is_function(world, &key) => Err((
            Reason::UnsupportedAppProtocol,
            format!("{} is a function, which only backendRefs of HTTPRoutes can call", reference(&key)),
        )),
        found => Ok(found),
    }
}

/// Whether requests to a Backend are calls of a function.
pub(crate) fn is_function(world: &World, backend: &Key) -> bool {
    world.backends.get(backend).is_some_and(|backend| backend.spec.aws.is_some())
}

/// Resolves a reference that may be to a function as well.
pub(crate) fn find<'a>(
    world: &World,
    from: &ObjectRef,
    backend: impl Into<Named<'a>>,
    application: Application,
) -> Result<Destination, Unresolved> {
    let backend = backend.into();
    let group = backend.group.unwrap_or_default();
    let kind = backend.kind.unwrap_or("Service");
    let key = backend.key(&from.namespace);
    let to = ObjectRef::at(group, kind, &key);
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
            format!("no ReferenceGrant in {} lets this {} use {to}", to.namespace, from.kind),
        ));
    }
    match kind {
        "Backend" => backend_of(world, key, &to, application),
        _ => service_of(world, key, &to, (backend.port, application)),
    }
}

fn backend_of(
    world: &World,
    key: Key,
    to: &ObjectRef,
    application: Application,
) -> Result<Destination, Unresolved> {
    let backend = world.backends.get(&key).ok_or_else(|| missing(to))?;
    if let Some((_, detail)) = fault(backend) {
        return Err((Reason::BackendNotFound, format!("{to} is not valid: {detail}")));
    }
    let app_protocol = backend.spec.fixed.as_ref().and_then(|fixed| fixed.app_protocol.as_deref());
    Ok(Destination::Backend(key, spoken(app_protocol, application)))
}

/// What is said already needs no cluster of its own.
fn spoken(app_protocol: Option<&str>, application: Application) -> Application {
    match application {
        Application::Grpc if is_http2(app_protocol) => Application::Http,
        other => other,
    }
}

fn service_of(
    world: &World,
    key: Key,
    to: &ObjectRef,
    (port, application): (Option<u16>, Application),
) -> Result<Destination, Unresolved> {
    let not_found = |detail: String| Err((Reason::BackendNotFound, detail));
    let service = world.services.get(&key).ok_or_else(|| missing(to))?;
    // A name elsewhere would let a namespace reach what it may not (BackendObjectReference, CVE-2021-25740).
    if service.spec.kind.as_deref() == Some("ExternalName") {
        return not_found(format!("{to} is of type ExternalName, which is not supported; use a Backend"));
    }
    let Some(port) = port else { return not_found(format!("{to} needs a port")) };
    let Some(found) = port_of(service, port, application) else {
        return not_found(format!("{to} has no {} port {port}", application.transport()));
    };
    let app_protocol = found.app_protocol.as_deref();
    if let Some(why) = unspeakable(world, &key, found, application) {
        let detail = format!("{to} port {port}: {why}");
        return Err((Reason::UnsupportedAppProtocol, detail));
    }
    Ok(Destination::Service(key, port, spoken(app_protocol, application)))
}

/// Why a route cannot speak what a Service's port says. What says TLS would get plain text without a BackendTLSPolicy
/// (GEP-1911).
fn unspeakable(world: &World, service: &Key, port: &ServicePort, application: Application) -> Option<String> {
    let said = port.app_protocol.as_deref()?;
    match application {
        Application::Grpc if matches!(said, "kubernetes.io/ws" | "kubernetes.io/wss") => {
            Some(format!("appProtocol {said} carries no gRPC"))
        }
        Application::Http | Application::Grpc if is_tls(said) && !has_tls_policy(world, service, port) => {
            Some(format!("appProtocol {said} needs a BackendTLSPolicy, which says whom to trust"))
        }
        _ => None,
    }
}

/// Names of protocols have no case (RFC 6335 §5.1).
fn is_tls(app_protocol: &str) -> bool {
    app_protocol.eq_ignore_ascii_case("https") || app_protocol == "kubernetes.io/wss"
}

fn has_tls_policy(world: &World, (namespace, name): &Key, port: &ServicePort) -> bool {
    let first: Key = (Arc::clone(namespace), "".into());
    let here = world.backend_tls_policies.range(first..).take_while(|(key, _)| key.0 == *namespace);
    here.flat_map(|(_, policy)| &policy.spec.target_refs).any(|target| {
        (target.group.as_str(), target.kind.as_str(), target.name.as_str()) == ("", "Service", &**name)
            && target.section_name.as_ref().is_none_or(|section| Some(section) == port.name.as_ref())
    })
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
        let unsupported =
            || ("spec".to_owned(), format!("type {kind} is not supported; supported: AWS, Static"));
        return spec.aws.is_none().then(unsupported);
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
