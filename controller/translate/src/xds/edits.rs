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

use super::header::HeaderEdits;
use super::{any, misdirected, scope};

/// Name of the filter in the chain.
pub(crate) const NAME: &str = "ferrule.edits";

/// The filter, which is off but on routes to functions.
pub(crate) fn filter() -> HttpFilter {
    HttpFilter {
        name: NAME.to_owned(),
        disabled: true,
        config_type: Some(ConfigType::TypedConfig(any(&HeaderMutation::default()))),
        ..HttpFilter::default()
    }
}

/// Fields that are between Envoy and us, and no function's business.
const HIDDEN: [&str; 2] = [scope::KEY, misdirected::CHAIN];

/// The edits of a route. Fields that no function is to see go first.
pub(crate) fn lower(mut request: HeaderEdits, response: HeaderEdits) -> Any {
    request.remove.splice(..0, HIDDEN.map(str::to_owned));
    let (request_mutations, response_mutations) = (mutations(request), mutations(response));
    let mutations = Mutations { request_mutations, response_mutations, ..Mutations::default() };
    any(&HeaderMutationPerRoute { mutations: Some(mutations) })
}

/// Fields are removed first, and then added in their order.
fn mutations(edits: HeaderEdits) -> Vec<Mutation> {
    let removed = edits.remove.into_iter().map(Action::Remove);
    let added = edits.add.into_iter().map(Action::Append);
    removed.chain(added).map(|action| Mutation { action: Some(action) }).collect()
}
