//! One listener, of a Gateway or of a ListenerSet: what it serves, and what is wrong with it.

use std::sync::Arc;

use crate::api::gateway::{Gateway, Listener, RouteGroupKind};
use crate::api::listener_set::ListenerSet;
use crate::api::meta::GATEWAY_GROUP;
use crate::hostname;
use crate::kinds::World;
use crate::object::ObjectRef;
use crate::problem::{Problem, Reason};

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
}

impl Protocol {
    fn of(listener: &Listener) -> Option<Self> {
        match listener.protocol.as_str() {
            "HTTP" => Some(Self::Http),
            _ => None,
        }
    }

    /// Kinds of route that it can carry.
    fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::Http => &["HTTPRoute", "GRPCRoute"],
        }
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
            problems: Vec::new(),
            source,
            place,
        };
        plan.refuse();
        plan.find_kinds();
        plan
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

    /// What it asks for that is not served.
    fn refuse(&mut self) {
        let listener = self.spec().clone();
        if self.protocol.is_none() {
            let detail = format!("{} is not supported; supported: HTTP", listener.protocol);
            self.note("protocol", Reason::UnsupportedProtocol, detail);
        }
        if listener.port == 0 {
            self.note("port", Reason::UnsupportedValue, "must be 1 to 65535");
        }
        if listener.filters.as_ref().is_some_and(|filters| !filters.requests.is_empty()) {
            self.note("filters", Reason::UnsupportedValue, "listener filters are not supported");
        }
        let host = listener.hostname.as_deref().filter(|host| !host.is_empty());
        if let Some(why) = host.and_then(hostname::fault) {
            self.note("hostname", Reason::UnsupportedValue, why);
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

    /// Looks up what it refers to.
    pub(super) fn resolve(&mut self, _world: &World) {}
}

impl Source {
    fn listener(&self, place: usize) -> &Listener {
        match self {
            Self::Gateway(gateway) => &gateway.spec.listeners[place],
            Self::Set(set) => &set.spec.listeners[place],
        }
    }
}
