//! The resource types served, and the orders in which they are made and broken.

/// A type of xDS resource.
///
/// The variants stand in the order in which they are *made*: additions and changes of
/// what comes earlier are sent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// TLS certificates and other secrets (SDS).
    Secret,
    /// Upstream clusters (CDS).
    Cluster,
    /// Endpoints of a cluster (EDS).
    Endpoints,
    /// Filter configurations found by name (ECDS).
    ExtensionConfig,
    /// Listeners (LDS).
    Listener,
    /// Scopes of routes (SRDS).
    ScopedRoutes,
    /// Route configurations (RDS).
    Routes,
}

impl Kind {
    /// How many kinds there are.
    pub const COUNT: usize = 7;

    /// Every kind, in the order in which additions and changes are sent.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Secret,
        Self::Cluster,
        Self::Endpoints,
        Self::ExtensionConfig,
        Self::Listener,
        Self::ScopedRoutes,
        Self::Routes,
    ];

    /// Every kind, in the order in which removals are sent: each after all kinds that may refer to it.
    ///
    /// Endpoints follow clusters although they are made after them, because clusters refer to endpoints.
    pub const BREAK_ORDER: [Self; Self::COUNT] = [
        Self::Listener,
        Self::ScopedRoutes,
        Self::Routes,
        Self::ExtensionConfig,
        Self::Cluster,
        Self::Endpoints,
        Self::Secret,
    ];

    /// The type URL of the v3 API.
    #[must_use]
    pub const fn type_url(self) -> &'static str {
        match self {
            Self::Secret => "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            Self::Cluster => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            Self::Endpoints => "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            Self::ExtensionConfig => "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            Self::Listener => "type.googleapis.com/envoy.config.listener.v3.Listener",
            Self::ScopedRoutes => "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration",
            Self::Routes => "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        }
    }

    /// The kind with this type URL, if it is one of ours.
    #[must_use]
    pub fn from_type_url(url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_url() == url)
    }

    /// Whether a first request that names nothing asks for everything ("legacy wildcard" of the xDS protocol).
    pub(crate) const fn wildcard_by_default(self) -> bool {
        matches!(self, Self::Cluster | Self::Listener | Self::ScopedRoutes)
    }

    /// Whether removals travel in the same response as additions.
    ///
    /// A listener that takes over another's address, and a scope that takes over another's key, are refused unless
    /// the old one leaves in the same update. Nothing refers to either by name, so nothing is left dangling.
    pub(crate) const fn replaces_in_one_response(self) -> bool {
        matches!(self, Self::Listener | Self::ScopedRoutes)
    }

    /// Whether the resource refers to no other and may always be sent at its newest.
    pub(crate) const fn is_leaf(self) -> bool {
        matches!(self, Self::Secret | Self::Endpoints)
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_type_url() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_type_url(kind.type_url()), Some(kind));
        }
        assert_eq!(Kind::from_type_url("type.googleapis.com/envoy.config.cluster.v2.Cluster"), None);
    }

    #[test]
    fn both_orders_name_every_kind_once() {
        let mut made = Kind::ALL;
        let mut broken = Kind::BREAK_ORDER;
        made.sort();
        broken.sort();
        assert_eq!(made, broken);
        assert_eq!(made.map(Kind::index), [0, 1, 2, 3, 4, 5, 6]);
    }
}
