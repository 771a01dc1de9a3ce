//! A port whose connections go on as they are, to the backends of one route.

use super::{Output, Sources};
use crate::gateways::Protocol;
use crate::stream::{Share, StreamOutcome};
use crate::xds::action::UNRESOLVED;
use crate::xds::listener::NetworkFilter;
use crate::xds::{self};

/// What the connections of the listener at that place end up in.
pub(super) fn lower<'a>(sources: Sources<'a>, place: usize, output: &mut Output<'a>) -> NetworkFilter {
    match winner(sources, place) {
        Some(outcome) => filter(outcome, Protocol::Tcp, output),
        None => xds::tcp::refuse(),
    }
}

/// Of all routes that are attached to a listener that cannot tell its connections apart, one gets them all.
pub(super) fn winner<'a>(sources: Sources<'a>, place: usize) -> Option<&'a StreamOutcome> {
    let attached = sources.streams.iter().map(|(_, outcome)| outcome);
    let attached = attached.filter(|outcome| outcome.is_attached(sources.key, place));
    attached.min_by_key(|outcome| outcome.precedence(""))
}

/// Sends connections where a route says, and notes that it does.
pub(super) fn filter<'a>(
    outcome: &'a StreamOutcome,
    protocol: Protocol,
    output: &mut Output<'a>,
) -> NetworkFilter {
    output.serve(outcome);
    let cluster = |share: &Share| share.to.as_ref().map_or_else(|| UNRESOLVED.to_owned(), |to| to.cluster());
    let shares: Vec<(String, u32)> =
        outcome.shares(protocol).iter().map(|share| (cluster(share), share.weight)).collect();
    if shares.is_empty() { xds::tcp::refuse() } else { xds::tcp::lower(&shares) }
}
