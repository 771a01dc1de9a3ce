//! Filters that make requests fit for AWS, as routes switch them on, and as listeners have them follow secrets.

use std::collections::BTreeSet;

use envoy_types::pb::envoy::extensions::filters::http::dynamic_modules::v3::DynamicModuleFilterPerRoute;
use envoy_types::pb::google::protobuf::Any;
use serde_json::{Value, json};

use super::any;
use super::filter::{configuration, module_config, switchable};
use crate::aws::Outbound;
use crate::credentials::Identity;
use crate::settings::FilterHost;

/// Switches the filter on for a route: its name in the chain and its configuration. Only native modules have it.
pub(crate) fn switch(host: &FilterHost, outbound: &Outbound) -> Option<(String, Any)> {
    let FilterHost::Native { module } = host else { return None };
    let per_route = DynamicModuleFilterPerRoute {
        dynamic_module_config: Some(module_config(module)),
        filter_name: outbound.filter.to_owned(),
        filter_config: Some(configuration(outbound.config.to_string())),
        ..DynamicModuleFilterPerRoute::default()
    };
    Some((switchable(host, outbound.filter)?, any(&per_route)))
}

/// The configuration that is no route's: secrets to follow, those of these signers.
pub(crate) fn shared(identities: &BTreeSet<Identity>) -> Value {
    let source = json!({"ads": {}, "resourceApiVersion": "V3"});
    let secrets = identities.iter().map(|one| json!({"sdsName": one.to_string(), "sdsConfig": source}));
    json!({"secrets": secrets.collect::<Vec<_>>()})
}
