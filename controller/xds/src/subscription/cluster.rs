//! The one thing that is read from a resource's body: which endpoints a cluster waits for.

use std::sync::Arc;

use prost::Message;

use crate::Resource;

/// `envoy.config.cluster.v3.Cluster.DiscoveryType.EDS`.
const EDS: i32 = 3;

/// The fields of `envoy.config.cluster.v3.Cluster` that name its endpoints.
#[derive(Clone, PartialEq, Message)]
struct Cluster {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int32, tag = "2")]
    discovery_type: i32,
    #[prost(message, optional, tag = "3")]
    eds: Option<EdsClusterConfig>,
}

/// `envoy.config.cluster.v3.Cluster.EdsClusterConfig`.
#[derive(Clone, PartialEq, Message)]
struct EdsClusterConfig {
    #[prost(string, tag = "2")]
    service_name: String,
}

/// The name under which Envoy subscribes to the endpoints of an encoded cluster; `None` if it does not, or if the
/// body is no cluster.
pub(super) fn endpoints_name(resource: &Resource) -> Option<Arc<str>> {
    let cluster = Cluster::decode(resource.body.clone()).ok()?;
    let service_name = cluster.eds.map(|eds| eds.service_name).filter(|name| !name.is_empty());
    (cluster.discovery_type == EDS).then(|| service_name.unwrap_or(cluster.name).into())
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::config::cluster::v3 as pb;

    use super::*;

    fn cluster(discovery: pb::cluster::DiscoveryType, service_name: Option<&str>) -> Resource {
        let eds = service_name
            .map(|name| pb::cluster::EdsClusterConfig { service_name: name.into(), ..Default::default() });
        let discovery = Some(pb::cluster::ClusterDiscoveryType::Type(discovery.into()));
        let cluster = pb::Cluster {
            name: "store".into(),
            cluster_discovery_type: discovery,
            eds_cluster_config: eds,
            alt_stat_name: "unread".into(),
            ..Default::default()
        };
        Resource::encode("store", &cluster)
    }

    #[test]
    fn endpoints_are_named_by_the_service_or_else_by_the_cluster() {
        use pb::cluster::DiscoveryType::{Eds, StrictDns};
        assert_eq!(endpoints_name(&cluster(Eds, Some("svc"))).as_deref(), Some("svc"));
        assert_eq!(endpoints_name(&cluster(Eds, Some(""))).as_deref(), Some("store"));
        assert_eq!(endpoints_name(&cluster(Eds, None)).as_deref(), Some("store"));
        assert_eq!(endpoints_name(&cluster(StrictDns, None)), None);
        assert_eq!(endpoints_name(&Resource::new("bad", &b"\xff\xff\xff"[..])), None);
    }
}
