//! Edits of fields of calls of functions -> Envoy's `header_mutation` filter.
//!
//! Elsewhere Envoy's router makes these edits, last of all. A call has been signed by then, and its answer has not been read yet.

use envoy_types::pb::envoy::config::common::mutation_rules::v3::HeaderMutation as Mutation;
use envoy_types::pb::envoy::config::common::mutation_rules::v3::header_mutation::Action;
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::{
    HeaderMutation, HeaderMutationPerRoute, Mutations,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_filter::ConfigType;
use envoy_types::pb::google::protobuf::Any;

use super::any;
use super::header::HeaderEdits;

/// Name of the filter in the chain.
pub(crate) const NAME: &str = "ferrule.edits";

/// The filter, which is off but on routes with edits.
pub(crate) fn filter() -> HttpFilter {
    HttpFilter {
        name: NAME.to_owned(),
        disabled: true,
        config_type: Some(ConfigType::TypedConfig(any(&HeaderMutation::default()))),
        ..HttpFilter::default()
    }
}

/// The edits of a route, if it has any.
pub(crate) fn lower(request: HeaderEdits, response: HeaderEdits) -> Option<Any> {
    let (request_mutations, response_mutations) = (mutations(request), mutations(response));
    if request_mutations.is_empty() && response_mutations.is_empty() {
        return None;
    }
    let mutations = Mutations { request_mutations, response_mutations, ..Mutations::default() };
    Some(any(&HeaderMutationPerRoute { mutations: Some(mutations) }))
}

/// Fields are removed first, and then added in their order.
fn mutations(edits: HeaderEdits) -> Vec<Mutation> {
    let removed = edits.remove.into_iter().map(Action::Remove);
    let added = edits.add.into_iter().map(Action::Append);
    removed.chain(added).map(|action| Mutation { action: Some(action) }).collect()
}
