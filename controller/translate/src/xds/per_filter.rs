//! `typed_per_filter_config`, encoded: configuration of filters for a part of the routes.
//!
//! Invariant: entries are encoded in the order of the filters' names. `prost` has a map in any order, and the same
//! world must give the same bytes.

use std::collections::BTreeMap;

use envoy_types::pb::google::protobuf::Any;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

/// Configuration by name of the filter in the chain.
pub(crate) type PerFilter = BTreeMap<String, Any>;

/// `Route.typed_per_filter_config`.
pub(crate) const OF_ROUTE: u32 = 13;
/// `VirtualHost.typed_per_filter_config`.
pub(crate) const OF_VIRTUAL_HOST: u32 = 15;
/// `RouteConfiguration.typed_per_filter_config`.
pub(crate) const OF_ROUTE_CONFIGURATION: u32 = 16;

/// Appends the entries as `field` of a message. Entries appended later take the place of those of the same filter.
pub(crate) fn put(field: u32, entries: &PerFilter, into: &mut Vec<u8>) {
    for (filter, config) in entries {
        let mut entry = Vec::new();
        bytes(1, filter.as_bytes(), &mut entry);
        bytes(2, &config.encode_to_vec(), &mut entry);
        bytes(field, &entry, into);
    }
}

/// Appends a field of bytes, which is also how texts and messages are encoded.
pub(crate) fn bytes(field: u32, value: &[u8], into: &mut Vec<u8>) {
    encode_key(field, WireType::LengthDelimited, into);
    encode_varint(value.len() as u64, into);
    into.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::config::route::v3::{Route, RouteConfiguration, VirtualHost};

    use super::*;

    #[test]
    fn entries_read_as_the_map_of_each_message() {
        let any = |url: &str| Any { type_url: url.into(), value: vec![1] };
        let entries: PerFilter = [("b".into(), any("x")), ("a".into(), any("y"))].into();
        let encoded = |field| {
            let mut encoded = Vec::new();
            put(field, &entries, &mut encoded);
            encoded
        };
        let expected = entries.clone().into_iter().collect();
        assert_eq!(Route::decode(&*encoded(OF_ROUTE)).unwrap().typed_per_filter_config, expected);
        let host = VirtualHost::decode(&*encoded(OF_VIRTUAL_HOST)).unwrap();
        assert_eq!(host.typed_per_filter_config, expected);
        let routes = RouteConfiguration::decode(&*encoded(OF_ROUTE_CONFIGURATION)).unwrap();
        assert_eq!(routes.typed_per_filter_config, expected);
    }
}
