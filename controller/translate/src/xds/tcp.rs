//! Connections that go on as bytes -> Envoy's `TcpProxy`.

use envoy_types::pb::envoy::config::listener::v3::Filter;
use envoy_types::pb::envoy::config::listener::v3::filter::ConfigType;
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::tcp_proxy::weighted_cluster::ClusterWeight;
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::tcp_proxy::{
    ClusterSpecifier, WeightedCluster,
};

use super::action::UNRESOLVED;
use super::any;

/// Sends connections to clusters by weight; a share without a cluster is closed at once.
pub(crate) fn lower(shares: &[(String, u32)]) -> Filter {
    let cluster_specifier = match shares {
        [(cluster, _)] => ClusterSpecifier::Cluster(cluster.clone()),
        shares => {
            let weigh = |(name, weight): &(String, u32)| ClusterWeight {
                name: name.clone(),
                weight: *weight,
                ..ClusterWeight::default()
            };
            ClusterSpecifier::WeightedClusters(WeightedCluster {
                clusters: shares.iter().map(weigh).collect(),
            })
        }
    };
    let proxy = TcpProxy {
        stat_prefix: "tcp".to_owned(),
        cluster_specifier: Some(cluster_specifier),
        ..TcpProxy::default()
    };
    Filter {
        name: "envoy.filters.network.tcp_proxy".to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(&proxy))),
    }
}

/// Closes connections at once.
pub(crate) fn refuse() -> Filter {
    lower(&[(UNRESOLVED.to_owned(), 1)])
}
