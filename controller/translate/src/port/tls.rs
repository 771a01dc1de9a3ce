//! A port whose connections begin with TLS: a chain for each listener, found by the host name that the client asks for.
//!
//! Invariant: connections for a host belong to the listener whose host name fits it best. Where that listener can do
//! nothing with them they are closed; they never end up with a sibling.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::tcp;
use super::{Output, Sources};
use crate::gateways::tls::{CERTIFICATE, ClientValidation, PRIVATE_KEY, Termination};
use crate::gateways::{ListenerPlan, Protocol};
use crate::hostname::{covers, intersection, specificity};
use crate::object::{Key, ObjectRef};
use crate::stream::{Precedence, StreamOutcome};
use crate::translation::ResourceKind;
use crate::xds;
use crate::xds::listener::{Chain, NetworkFilter, Sni};

/// Offered to clients of HTTPS, the preferred one first (RFC 7301).
const HTTP: [&str; 2] = ["h2", "http/1.1"];

/// The chains of the listeners at these places, and the certificates that they need. `http` is what requests end up in.
pub(super) fn chains<'a>(
    sources: Sources<'a>,
    open: &[usize],
    http: Option<&NetworkFilter>,
    output: &mut Output<'a>,
) -> Vec<Chain> {
    let mut chains = Vec::new();
    for place in open {
        let listener = &sources.plan.listeners[*place];
        if let Some(termination) = &listener.termination {
            secrets(sources, termination, output);
        }
        if listener.protocol == Some(Protocol::Https) {
            chains.push(of_https(listener, sources.plan.label(*place), http));
        } else if let Some(protocol) = listener.protocol {
            let routes = routes(sources, open, *place);
            chains.extend(of_streams(sources, *place, protocol, &routes, output));
        }
    }
    chains
}

/// The route that serves each host name of a listener.
fn routes<'a>(sources: Sources<'a>, open: &[usize], place: usize) -> BTreeMap<String, &'a StreamOutcome> {
    let listener = &sources.plan.listeners[place].hostname;
    let mut best: BTreeMap<String, (Precedence, &StreamOutcome)> = BTreeMap::new();
    let attached = sources.streams.iter().map(|(_, outcome)| outcome);
    for outcome in attached.filter(|outcome| outcome.is_attached(sources.key, place)) {
        for own in outcome.hostnames() {
            let domain = intersection(listener, &own);
            let Some(domain) = domain.filter(|domain| owner(sources, open, domain) == Some(place)) else {
                continue;
            };
            let candidate = (outcome.precedence(&own), outcome);
            let wins = |held: &(Precedence, &StreamOutcome)| candidate.0 < held.0;
            if best.get(domain).is_none_or(wins) {
                best.insert(domain.to_owned(), candidate);
            }
        }
    }
    best.into_iter().map(|(domain, (_, outcome))| (domain, outcome)).collect()
}

/// The listener with the most specific host name that covers a host.
fn owner(sources: Sources<'_>, open: &[usize], domain: &str) -> Option<usize> {
    let hostname = |place: usize| sources.plan.listeners[place].hostname.as_str();
    let covering = open.iter().copied().filter(|place| covers(hostname(*place), domain));
    covering.max_by_key(|place| specificity(hostname(*place)))
}

/// A chain for each host name that a route serves, and one that closes all other connections for the listener.
fn of_streams<'a>(
    sources: Sources<'a>,
    place: usize,
    protocol: Protocol,
    routes: &BTreeMap<String, &'a StreamOutcome>,
    output: &mut Output<'a>,
) -> Vec<Chain> {
    let listener = &sources.plan.listeners[place];
    let label = sources.plan.label(place);
    let tls = listener.termination.as_ref().map(|termination| xds::tls::downstream(termination, &[]));
    let passes = protocol == Protocol::TlsPassthrough;
    let chain = |host: &str, tls, filter| {
        let asks_for = Some(Sni { host: host.to_owned(), only_tls: passes });
        Chain { name: format!("{label}/{host}"), asks_for, tls, filter }
    };
    let mut chains = Vec::new();
    for (host, outcome) in routes {
        // Without a certificate there is nothing to end TLS with.
        if !passes && tls.is_none() {
            chains.push(chain(host, None, xds::tcp::refuse()));
        } else {
            chains.push(chain(host, tls.clone(), tcp::filter(outcome, protocol, output)));
        }
    }
    let host = &listener.hostname;
    if !host.is_empty() && !routes.contains_key(host) {
        chains.push(chain(host, None, xds::tcp::refuse()));
    }
    chains
}

fn of_https(listener: &ListenerPlan, name: String, http: Option<&NetworkFilter>) -> Chain {
    let asks_for = Some(Sni { host: listener.hostname.clone(), only_tls: false });
    match (&listener.termination, http) {
        (Some(termination), Some(http)) => {
            let tls = Some(xds::tls::downstream(termination, &HTTP));
            Chain { name, asks_for, tls, filter: http.clone() }
        }
        _ => Chain { name, asks_for, tls: None, filter: xds::tcp::refuse() },
    }
}

/// Certificates and authorities, each a resource of its own, so that a new one leaves listeners and connections alone.
fn secrets(sources: Sources<'_>, termination: &Termination, output: &mut Output<'_>) {
    for key in &termination.certificates {
        certificate(sources, key, output);
    }
    if let Some(clients) = &termination.clients {
        authorities(clients, output);
    }
}

fn certificate(sources: Sources<'_>, key: &Key, output: &mut Output<'_>) {
    let secret = sources.world.secrets.get(key);
    let pair = secret.and_then(|secret| Some((secret.value(CERTIFICATE)?, secret.value(PRIVATE_KEY)?)));
    let Some((chain, private)) = pair else { return };
    let name = format!("{}/{}", key.0, key.1);
    let secret = xds::secret::certificate(&name, chain, private);
    output.insert(ResourceKind::Secret, &name, &secret, [ObjectRef::at("", "Secret", key)].into());
}

fn authorities(clients: &Arc<ClientValidation>, output: &mut Output<'_>) {
    let mut bundle = Vec::new();
    for material in &clients.authorities {
        bundle.extend_from_slice(material.authorities().unwrap_or_default());
        bundle.push(b'\n');
    }
    let secret = xds::secret::authorities(&clients.name, &bundle, clients.insecure);
    output.insert(ResourceKind::Secret, &clients.name, &secret, [clients.from.clone()].into());
}
