//! One listener, of a Gateway or of a ListenerSet: what it serves, and what is wrong with it.

use std::sync::Arc;

use super::Prerouting;
use super::tls::Termination;
use crate::api::gateway::{Gateway, Listener, RouteGroupKind};
use crate::api::listener_set::ListenerSet;
use crate::api::meta::GATEWAY_GROUP;
use crate::hostname;
use crate::object::ObjectRef;
use crate::problem::{Problem, Reason};
use crate::settings::ReservedPorts;

/// One listener.
pub(crate) struct ListenerPlan {
    /// The Gateway or ListenerSet that it stands in.
    pub(crate) owner: ObjectRef,
    source: Source,
    place: usize,
    /// Section name, unique in its owner only.
    pub(crate) name: Arc<str>,
    /// In lower case; empty for every host.
    pub(crate) hostname: String,
    pub(crate) port: u16,
    /// `None` where it is one that is not served.
    pub(crate) protocol: Option<Protocol>,
    pub(crate) kinds: Vec<RouteGroupKind>,
    /// How TLS ends here; `None` where it does not, or cannot for want of a certificate.
    pub(crate) termination: Option<Termination>,
    /// What requests pass before they are routed, if anything.
    pub(crate) prerouting: Option<Arc<Prerouting>>,
    pub(crate) problems: Vec<Problem>,
}

#[derive(Clone)]
enum Source {
    Gateway(Arc<Gateway>),
    Set(Arc<ListenerSet>),
}

/// What a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Protocol {
    Http,
    Https,
    TlsTerminate,
    TlsPassthrough,
    Tcp,
    Udp,
}

/// Where requests come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entrance {
    pub(crate) port: u16,
    /// Whether clients speak TLS.
    pub(crate) secure: bool,
}

/// What carries a listener's protocol. A port of one is not the port of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Transport {
    Tcp,
    Udp,
}

/// As they are written.
const PROTOCOLS: [&str; 5] = ["HTTP", "HTTPS", "TLS", "TCP", "UDP"];

impl Protocol {
    fn of(listener: &Listener) -> Option<Self> {
        let mode = listener.tls.as_ref().and_then(|tls| tls.mode.as_deref());
        match listener.protocol.as_str() {
            "HTTP" => Some(Self::Http),
            "HTTPS" => Some(Self::Https),
            "TLS" if mode == Some("Passthrough") => Some(Self::TlsPassthrough),
            "TLS" => Some(Self::TlsTerminate),
            "TCP" => Some(Self::Tcp),
            "UDP" => Some(Self::Udp),
            _ => None,
        }
    }

    /// Kinds of route that it can carry.
    fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::Http | Self::Https => &["HTTPRoute", "GRPCRoute"],
            Self::TlsTerminate | Self::TlsPassthrough => &["TLSRoute"],
            Self::Tcp => &["TCPRoute"],
            Self::Udp => &["UDPRoute"],
        }
    }

    pub(crate) fn transport(self) -> Transport {
        if self == Self::Udp { Transport::Udp } else { Transport::Tcp }
    }

    /// Whether clients' TLS ends here.
    pub(crate) fn terminates(self) -> bool {
        matches!(self, Self::Https | Self::TlsTerminate)
    }

    /// Whether what comes is seen as requests of HTTP.
    pub(crate) fn has_requests(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }

    /// Whether clients say by a host name which listener of a port they mean.
    fn has_hostname(self) -> bool {
        !matches!(self, Self::Tcp | Self::Udp)
    }
}

impl ListenerPlan {
    /// A Gateway's listener at that place.
    pub(super) fn of_gateway(owner: &ObjectRef, gateway: &Arc<Gateway>, place: usize) -> Self {
        Self::new(owner, Source::Gateway(Arc::clone(gateway)), place)
    }

    /// A ListenerSet's listener at that place.
    pub(super) fn of_set(owner: &ObjectRef, set: &Arc<ListenerSet>, place: usize) -> Self {
        Self::new(owner, Source::Set(Arc::clone(set)), place)
    }

    fn new(owner: &ObjectRef, source: Source, place: usize) -> Self {
        let listener = source.listener(place);
        let mut plan = Self {
            owner: owner.clone(),
            name: listener.name.as_str().into(),
            hostname: listener.hostname.as_deref().unwrap_or_default().to_ascii_lowercase(),
            port: listener.port,
            protocol: Protocol::of(listener),
            kinds: Vec::new(),
            termination: None,
            prerouting: None,
            problems: Vec::new(),
            source,
            place,
        };
        plan.refuse();
        plan.find_kinds();
        plan
    }

    /// Where its requests come in.
    pub(crate) fn entrance(&self) -> Entrance {
        Entrance { port: self.port, secure: self.protocol == Some(Protocol::Https) }
    }

    /// As it is written.
    pub(crate) fn spec(&self) -> &Listener {
        self.source.listener(self.place)
    }

    /// Its path in its owner.
    pub(crate) fn field(&self) -> String {
        format!("spec.listeners[{}]", self.place)
    }

    /// Whether routes can attach: problems with references alone do not hinder that.
    pub(crate) fn takes_routes(&self) -> bool {
        self.problems.iter().all(|problem| problem.reason.condition() == Some("ResolvedRefs"))
            && !self.kinds.is_empty()
    }

    /// Whether anybody can connect to it.
    pub(crate) fn serves(&self) -> bool {
        let needs_certificate = self.protocol.is_some_and(Protocol::terminates);
        self.takes_routes() && (!needs_certificate || self.termination.is_some())
    }

    /// Whether it carries routes of that kind of Gateway API.
    pub(crate) fn takes(&self, kind: &str) -> bool {
        self.kinds.iter().any(|known| known.group == GATEWAY_GROUP && known.kind == kind)
    }

    /// Notes what is wrong with `inner`, a field of it.
    pub(super) fn note(&mut self, inner: &str, reason: Reason, detail: impl Into<String>) {
        let dot = if inner.is_empty() { "" } else { "." };
        let field = format!("{}{dot}{inner}", self.field());
        self.problems.push(Problem::new(&self.owner, field, reason, detail));
    }

    /// Notes that its port is one that the proxy itself needs.
    pub(super) fn refuse_reserved(&mut self, reserved: &ReservedPorts) {
        let is_tcp = self.protocol.is_some_and(|protocol| protocol.transport() == Transport::Tcp);
        if let Some(purpose) = reserved.get(&self.port).filter(|_| is_tcp) {
            let detail = format!("port {} of a proxy is its own: {purpose}", self.port);
            self.note("port", Reason::PortUnavailable, detail);
        }
    }

    /// What it asks for that is not served.
    fn refuse(&mut self) {
        let listener = self.spec().clone();
        if self.protocol.is_none() {
            let detail =
                format!("{} is not supported; supported: {}", listener.protocol, PROTOCOLS.join(", "));
            self.note("protocol", Reason::UnsupportedProtocol, detail);
        }
        if listener.port == 0 {
            self.note("port", Reason::UnsupportedValue, "must be 1 to 65535");
        }
        let host = listener.hostname.as_deref().filter(|host| !host.is_empty());
        if let Some(why) = host.and_then(hostname::fault) {
            self.note("hostname", Reason::UnsupportedValue, why);
        }
        if let Some(protocol) = self.protocol {
            self.refuse_for(protocol, &listener);
        }
    }

    /// What the protocol has no use for: the validation rules of GatewaySpec.listeners.
    fn refuse_for(&mut self, protocol: Protocol, listener: &Listener) {
        let name = &listener.protocol;
        let must_not = || format!("must not be set for protocol {name}");
        if !protocol.has_hostname() && !self.hostname.is_empty() {
            self.note("hostname", Reason::UnsupportedValue, must_not());
            self.hostname.clear();
        }
        if !protocol.has_requests() && listener.filters.is_some() {
            self.note("filters", Reason::UnsupportedValue, must_not());
        }
        let Some(tls) = &listener.tls else { return };
        let mode = tls.mode.as_deref().unwrap_or("Terminate");
        if !protocol.terminates() && protocol != Protocol::TlsPassthrough {
            self.note("tls", Reason::UnsupportedValue, must_not());
        } else if protocol == Protocol::Https && mode != "Terminate" {
            self.note("tls.mode", Reason::UnsupportedValue, "must be Terminate for protocol HTTPS");
        } else if !matches!(mode, "Terminate" | "Passthrough") {
            self.note("tls.mode", Reason::UnsupportedValue, format!("{mode} is not supported"));
        }
    }

    fn find_kinds(&mut self) {
        let kind = |kind: &&str| RouteGroupKind { group: GATEWAY_GROUP.to_owned(), kind: (*kind).to_owned() };
        let carried: Vec<RouteGroupKind> =
            self.protocol.map_or(&[][..], Protocol::kinds).iter().map(kind).collect();
        let wanted =
            self.spec().allowed_routes.as_ref().map(|allowed| allowed.kinds.clone()).unwrap_or_default();
        if wanted.is_empty() {
            self.kinds = carried;
            return;
        }
        for (place, kind) in wanted.into_iter().enumerate() {
            if carried.contains(&kind) {
                self.kinds.push(kind);
                continue;
            }
            let detail = format!("{}/{} cannot attach to a listener of this protocol", kind.group, kind.kind);
            self.note(&format!("allowedRoutes.kinds[{place}]"), Reason::InvalidRouteKinds, detail);
        }
    }
}

impl Source {
    fn listener(&self, place: usize) -> &Listener {
        match self {
            Self::Gateway(gateway) => &gateway.spec.listeners[place],
            Self::Set(set) => &set.spec.listeners[place],
        }
    }
}
