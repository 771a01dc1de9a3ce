//! What became of one TLSRoute, TCPRoute or UDPRoute: where it is attached, where its connections go, and its status.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::meta::{GATEWAY_GROUP, ObjectMeta};
use crate::api::stream_route::{BackendRef, StreamRouteSpec, TCPRoute, TLSRoute, UDPRoute};
use crate::attach::{Attaching, Attachment, attach, dangling};
use crate::backends::{Application, Destination, Named, resolve};
use crate::carried::Dependent;
use crate::gateways::{Gateways, Protocol};
use crate::hostname;
use crate::kinds::World;
use crate::object::{Key, ObjectRef};
use crate::outcome::{Context, RouteId};
use crate::problem::{Problem, Reason};
use crate::report;
use crate::status::Status;

/// Largest share of a backend (BackendRef.weight).
const MAX_WEIGHT: u32 = 1_000_000;

/// A route below HTTP.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Tcp(Arc<TCPRoute>),
    Tls(Arc<TLSRoute>),
    Udp(Arc<UDPRoute>),
}

impl Source {
    /// The route of a world.
    pub(crate) fn of(world: &World, (kind, key): &RouteId) -> Option<Self> {
        Some(match *kind {
            "TCPRoute" => Self::Tcp(Arc::clone(world.tcp_routes.get(key)?)),
            "TLSRoute" => Self::Tls(Arc::clone(world.tls_routes.get(key)?)),
            _ => Self::Udp(Arc::clone(world.udp_routes.get(key)?)),
        })
    }

    /// All routes of a world.
    pub(crate) fn ids(world: &World) -> impl Iterator<Item = RouteId> {
        let tcp = world.tcp_routes.keys().map(|key| ("TCPRoute", key.clone()));
        let tls = world.tls_routes.keys().map(|key| ("TLSRoute", key.clone()));
        tcp.chain(tls).chain(world.udp_routes.keys().map(|key| ("UDPRoute", key.clone())))
    }

    fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::Tcp(route) => &route.metadata,
            Self::Tls(route) => &route.metadata,
            Self::Udp(route) => &route.metadata,
        }
    }

    fn spec(&self) -> &StreamRouteSpec {
        match self {
            Self::Tcp(route) => &route.spec,
            Self::Tls(route) => &route.spec,
            Self::Udp(route) => &route.spec,
        }
    }

    /// What its listeners speak if they leave it open.
    fn application(&self) -> Application {
        match self {
            Self::Tcp(_) => Application::Tcp,
            Self::Tls(_) => Application::Tls,
            Self::Udp(_) => Application::Udp,
        }
    }
}

/// What goes on from a listener of that protocol.
pub(crate) fn application(protocol: Protocol) -> Option<Application> {
    match protocol {
        Protocol::Http | Protocol::Https => None,
        Protocol::TlsPassthrough => Some(Application::Tls),
        Protocol::TlsTerminate | Protocol::Tcp => Some(Application::Tcp),
        Protocol::Udp => Some(Application::Udp),
    }
}

/// Specificity of the own host name, age, namespace and name.
pub(crate) type Precedence = (Reverse<(bool, usize)>, bool, Option<String>, (String, String));

/// A share of a route's connections, never none of them.
pub(crate) struct Share {
    pub(crate) weight: u32,
    /// `None` for those that are refused, because their backend cannot be told.
    pub(crate) to: Option<Destination>,
}

/// A route with its attachments and where its connections go.
pub(crate) struct StreamOutcome {
    source: Source,
    pub(crate) reference: ObjectRef,
    pub(crate) attachments: Vec<Attachment>,
    /// By what goes on from the listeners that it is attached to.
    shares: BTreeMap<Application, Vec<Share>>,
    /// `None` where no parent is ours.
    pub(crate) status: Option<Arc<Status>>,
    pub(crate) problems: Vec<Problem>,
    /// Objects that it names as backends, whether or not they exist.
    named: Vec<Key>,
}

/// What has become of a route.
pub(crate) fn outcome(context: &Context<'_>, id: &RouteId, source: Source) -> StreamOutcome {
    let Context { settings, world, gateways, .. } = context;
    let reference = ObjectRef::at(GATEWAY_GROUP, id.0, &id.1);
    let spec = source.spec();
    let attaching =
        Attaching { reference: &reference, parents: &spec.parent_refs, hostnames: &spec.hostnames };
    let attachments = attach(world, gateways, attaching);
    let mut of_rules = faults(&reference, spec);
    let mut shares = applications(gateways, &attachments);
    // Without a listener, too, the author wants to know whether the backends are right.
    let mut unattached = BTreeMap::from([(source.application(), Vec::new())]);
    let wanted = if shares.is_empty() { &mut unattached } else { &mut shares };
    for (application, shares) in wanted {
        *shares = share_out(world, &reference, backends(spec), *application, &mut of_rules);
    }
    of_rules.sort();
    of_rules.dedup();
    let generation = source.metadata().generation.unwrap_or_default();
    let told: Vec<&Problem> = of_rules.iter().collect();
    let status = report::route_status(&settings.controller_name, generation, &attachments, &told);
    let of_parents = attachments.iter().filter_map(|attachment| attachment.problem.clone());
    let problems = dangling(world, attaching).into_iter().chain(of_parents).chain(of_rules).collect();
    let named = backends(spec).iter().map(|backend| Named::from(backend).key(&id.1.0)).collect();
    let status = status.map(Arc::new);
    StreamOutcome { reference, attachments, shares, status, problems, named, source }
}

/// What is spoken on the listeners that a route is attached to.
fn applications(gateways: &Gateways, attachments: &[Attachment]) -> BTreeMap<Application, Vec<Share>> {
    let listeners = attachments.iter().flat_map(|attachment| {
        let plan = gateways.plans.get(&attachment.gateway);
        attachment.listeners.iter().filter_map(move |place| plan?.listeners.get(*place))
    });
    let spoken = listeners.filter_map(|listener| listener.protocol.and_then(application));
    spoken.map(|application| (application, Vec::new())).collect()
}

fn backends(spec: &StreamRouteSpec) -> &[BackendRef] {
    spec.rules.first().map_or(&[][..], |rule| &rule.backend_refs)
}

/// What the API server would not let in, and what of it cannot be served.
fn faults(reference: &ObjectRef, spec: &StreamRouteSpec) -> Vec<Problem> {
    let refuse = |field: String, why: &str| Problem::new(reference, field, Reason::UnsupportedValue, why);
    let hosts = spec.hostnames.iter().enumerate();
    let hosts = hosts.filter_map(|(at, host)| {
        hostname::fault(host).map(|why| refuse(format!("spec.hostnames[{at}]"), why))
    });
    let further =
        (spec.rules.len() > 1).then(|| refuse("spec.rules".to_owned(), "only one rule can be served"));
    let weights = backends(spec).iter().enumerate().filter(|(_, backend)| weight(backend) > MAX_WEIGHT);
    let weights = weights.map(|(at, _)| {
        let why = format!("must be at most {MAX_WEIGHT}");
        refuse(format!("spec.rules[0].backendRefs[{at}].weight"), &why)
    });
    hosts.chain(further).chain(weights).collect()
}

fn weight(backend: &BackendRef) -> u32 {
    backend.weight.unwrap_or(1)
}

/// Who gets how much. What cannot be resolved keeps its share, which is refused (BackendRef.weight).
fn share_out(
    world: &World,
    reference: &ObjectRef,
    backends: &[BackendRef],
    application: Application,
    problems: &mut Vec<Problem>,
) -> Vec<Share> {
    let mut shares = Vec::new();
    for (at, backend) in backends.iter().enumerate() {
        let to = resolve(world, reference, backend, application).map_err(|(reason, why)| {
            problems.push(Problem::new(reference, format!("spec.rules[0].backendRefs[{at}]"), reason, why));
        });
        let weight = weight(backend).min(MAX_WEIGHT);
        if weight > 0 {
            shares.push(Share { weight, to: to.ok() });
        }
    }
    shares
}

impl Dependent for StreamOutcome {
    fn named(&self) -> &[Key] {
        &self.named
    }
}

impl StreamOutcome {
    /// Where its connections go, on whatever listener; nowhere while it is attached to none.
    pub(crate) fn destinations(&self) -> impl Iterator<Item = &Destination> {
        self.shares.values().flatten().filter_map(|share| share.to.as_ref())
    }

    /// Where connections of listeners of that protocol go.
    pub(crate) fn shares(&self, protocol: Protocol) -> &[Share] {
        application(protocol).and_then(|application| self.shares.get(&application)).map_or(&[], Vec::as_slice)
    }

    /// Whether it is attached to that listener of a Gateway.
    pub(crate) fn is_attached(&self, gateway: &Key, place: usize) -> bool {
        let here = self.attachments.iter().filter(|attachment| attachment.gateway == *gateway);
        here.into_iter().any(|attachment| attachment.listeners.contains(&place))
    }

    /// Host names that it is for, in lower case; one that is empty if it is for all. Those at fault are left out.
    pub(crate) fn hostnames(&self) -> Vec<String> {
        let hosts = &self.source.spec().hostnames;
        if hosts.is_empty() {
            return vec![String::new()];
        }
        let good = hosts.iter().filter(|host| hostname::fault(host).is_none());
        good.map(|host| host.to_ascii_lowercase()).collect()
    }

    /// Of two routes for the same connections the smaller one wins: by its own host name for them, then the older one,
    /// then the first by name (GatewayRouteHostnameIntersectionPrecedence).
    pub(crate) fn precedence(&self, own_host: &str) -> Precedence {
        let metadata = self.source.metadata();
        let created = metadata.creation_timestamp.clone();
        let name = (metadata.namespace.clone(), metadata.name.clone());
        (Reverse(hostname::specificity(own_host)), created.is_none(), created, name)
    }
}
