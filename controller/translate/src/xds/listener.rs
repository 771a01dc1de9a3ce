//! A port of a Gateway -> `envoy.config.listener.v3.Listener`.

use envoy_types::pb::envoy::config::core::v3::TransportSocket;
pub(crate) use envoy_types::pb::envoy::config::listener::v3::Filter as NetworkFilter;
use envoy_types::pb::envoy::config::listener::v3::listener_filter;
use envoy_types::pb::envoy::config::listener::v3::{FilterChain, FilterChainMatch, Listener, ListenerFilter};
use envoy_types::pb::envoy::extensions::filters::listener::tls_inspector::v3::TlsInspector;
use envoy_types::pb::google::protobuf::UInt32Value;

use super::any;
use super::cluster::address;

/// The most that is held of one message when a filter needs all of it, bytes; Envoy's own default, made explicit.
const BUFFER_LIMIT: u32 = 1024 * 1024;

/// What becomes of some of a port's connections.
pub(crate) struct Chain {
    /// Whose chain it is.
    pub(crate) name: String,
    /// Which connections; all where it is `None`.
    pub(crate) asks_for: Option<Sni>,
    /// How their TLS ends here; `None` for connections that stay as they are.
    pub(crate) tls: Option<TransportSocket>,
    pub(crate) filter: NetworkFilter,
}

/// Connections of TLS, by the host name that the client asks for (RFC 6066 section 3).
pub(crate) struct Sni {
    /// In lower case, exact or a wildcard; empty for those that no other chain takes.
    pub(crate) host: String,
    /// Whether what is no TLS is turned away, which otherwise fails in the handshake.
    pub(crate) only_tls: bool,
}

/// The listener of a port. Connections that no chain takes are closed.
pub(crate) fn lower(name: &str, port: u16, chains: Vec<Chain>) -> Listener {
    let inspects = chains.iter().any(|chain| chain.asks_for.is_some());
    Listener {
        name: name.to_owned(),
        address: Some(address("0.0.0.0", port)),
        listener_filters: inspects.then(tls_inspector).into_iter().collect(),
        filter_chains: chains.into_iter().map(Chain::lower).collect(),
        per_connection_buffer_limit_bytes: Some(UInt32Value { value: BUFFER_LIMIT }),
        ..Listener::default()
    }
}

fn tls_inspector() -> ListenerFilter {
    ListenerFilter {
        name: "envoy.filters.listener.tls_inspector".to_owned(),
        config_type: Some(listener_filter::ConfigType::TypedConfig(any(&TlsInspector::default()))),
        ..ListenerFilter::default()
    }
}

impl Chain {
    /// The chain of all connections of a port.
    pub(crate) fn of_all(filter: NetworkFilter) -> Self {
        Self { name: String::new(), asks_for: None, tls: None, filter }
    }

    fn lower(self) -> FilterChain {
        FilterChain {
            name: self.name,
            filter_chain_match: self.asks_for.map(Sni::lower),
            transport_socket: self.tls,
            filters: vec![self.filter],
            ..FilterChain::default()
        }
    }
}

impl Sni {
    fn lower(self) -> FilterChainMatch {
        FilterChainMatch {
            server_names: if self.host.is_empty() { Vec::new() } else { vec![self.host] },
            transport_protocol: if self.only_tls { "tls".to_owned() } else { String::new() },
            ..FilterChainMatch::default()
        }
    }
}
