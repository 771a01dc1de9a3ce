//! A query as names and values.

use std::borrow::Cow;

/// A name and a value.
pub(super) type Parameter<'q> = (Cow<'q, str>, Cow<'q, str>);

/// The parameters in the order of the query, as they were sent.
pub(super) fn raw(query: &[u8]) -> impl Iterator<Item = Parameter<'_>> {
    pairs(query).map(|(name, value)| (super::text(name.into()), super::text(value.into())))
}

/// The parameters, decoded and sorted by name, those of one name in their order.
pub(super) fn decoded(query: &[u8]) -> Vec<Parameter<'_>> {
    let mut parameters: Vec<_> = pairs(query).map(|(name, value)| (decode(name), decode(value))).collect();
    parameters.sort_by(|one, other| one.0.cmp(&other.0));
    parameters
}

/// Sorted by name, those of one name in their order, as they were sent.
pub(super) fn sorted(query: &[u8]) -> Vec<Parameter<'_>> {
    let mut parameters: Vec<_> = raw(query).collect();
    parameters.sort_by(|one, other| one.0.cmp(&other.0));
    parameters
}

/// Names and all their values, of sorted parameters.
pub(super) fn grouped<'p, 'q>(
    parameters: &'p [Parameter<'q>],
) -> impl Iterator<Item = (&'p str, &'p [Parameter<'q>])> {
    let groups = parameters.chunk_by(|one, other| one.0 == other.0);
    groups.filter_map(|group| group.first().map(|(name, _)| (&**name, group)))
}

/// The values of a group.
pub(super) fn values<'p>(group: &'p [Parameter<'_>]) -> impl DoubleEndedIterator<Item = &'p str> {
    group.iter().map(|(_, value)| &**value)
}

fn pairs(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let pairs = query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (pair, &b""[..]),
    })
}

/// Undoes percent signs and plus signs.
fn decode(text: &[u8]) -> Cow<'_, str> {
    super::text(ferrule_aws::decoded_parameter(text))
}
