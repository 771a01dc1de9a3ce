//! The order of HTTP filters.

use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_filter::ConfigType;
use ferrule_aws_signing::AwsSigning;
use ferrule_kit::Filter;
use ferrule_lambda::Lambda;

use super::auth::Auth;
use super::{any, cors, decompressor, edits, filter, scope, session};
use crate::needs::Needs;
use crate::policies::POLICIES;
use crate::settings::Settings;

/// A place in the chain.
enum Slot {
    /// Finds a table for requests that have none.
    Scope,
    /// Those of listeners.
    Prerouting,
    /// The filter of that name of a policy.
    Policy(&'static str),
    /// Envoy's CORS filter.
    Cors,
    /// Authorization servers that are asked.
    Auth,
    /// Envoy's sessions.
    Session,
    /// Edits of fields of calls of functions, which are signed afterwards.
    Edits,
    /// The filter of that name that makes requests fit for AWS.
    Outbound(&'static str),
    /// Envoy's decompressors.
    Decompressors,
    /// Envoy's router.
    Router,
}

/// Every place, in the order in which requests pass them. Responses pass them the other way round: what stands further
/// down gives those above it the response as it has changed it. Preflight requests are answered before anything else looks
/// at them, and what may not pass is transformed by nobody. What is stored is
/// the origin's: Envoy shows it to all filters once more, so what edits responses stands above.
const SLOTS: [Slot; 12] = [
    Slot::Scope,
    Slot::Prerouting,
    Slot::Cors,
    Slot::Auth,
    Slot::Session,
    Slot::Policy("transformation"),
    Slot::Edits,
    Slot::Policy("cache"),
    Slot::Outbound(Lambda::NAME),
    Slot::Outbound(AwsSigning::NAME),
    Slot::Decompressors,
    Slot::Router,
];

/// The filters that a port needs, in their places; `prerouting` are those of its listeners.
pub(crate) fn lower(
    settings: &Settings,
    needs: &Needs,
    port: u16,
    prerouting: &[HttpFilter],
) -> Vec<HttpFilter> {
    SLOTS.iter().flat_map(|slot| filters(slot, settings, needs, port, prerouting)).collect()
}

fn filters(
    slot: &Slot,
    settings: &Settings,
    needs: &Needs,
    port: u16,
    prerouting: &[HttpFilter],
) -> Vec<HttpFilter> {
    match slot {
        Slot::Prerouting => prerouting.to_vec(),
        Slot::Scope => settings.scopes().map(scope::filter).into_iter().collect(),
        Slot::Policy(name) => {
            let is_used = POLICIES.iter().zip(needs.filters).any(|(p, used)| used && p.filter() == *name);
            is_used.then(|| filter::placed(&settings.filter_host, name, port)).into_iter().collect()
        }
        Slot::Edits => needs.edits.then(edits::filter).into_iter().collect(),
        Slot::Outbound(name) => {
            let is_used = needs.outbound.contains_key(name);
            is_used.then(|| filter::placed(&settings.filter_host, name, port)).into_iter().collect()
        }
        Slot::Cors => vec![cors::filter()],
        Slot::Session => needs.sessions.then(session::filter).into_iter().collect(),
        Slot::Auth => needs.auths.keys().map(|name| Auth::place(name)).collect(),
        Slot::Decompressors if needs.decompression => decompressor::filters().collect(),
        Slot::Decompressors => Vec::new(),
        Slot::Router => vec![router()],
    }
}

/// Envoy's router, which ends every chain.
pub(crate) fn router() -> HttpFilter {
    HttpFilter {
        name: "envoy.filters.http.router".to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(&Router::default()))),
        ..HttpFilter::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_has_one_place() {
        for policy in POLICIES {
            let places =
                SLOTS.iter().filter(|slot| matches!(slot, Slot::Policy(name) if *name == policy.filter()));
            assert_eq!(places.count(), 1, "{}", policy.filter());
        }
    }
}
