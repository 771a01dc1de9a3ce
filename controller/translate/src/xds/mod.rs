//! Lowering: from what was decided to Envoy's messages.

pub(crate) mod action;
pub(crate) mod auth;
pub(crate) mod chain;
pub(crate) mod cluster;
mod config_source;
pub(crate) mod cors;
pub(crate) mod decompressor;
pub(crate) mod edits;
pub(crate) mod filter;
pub(crate) mod filters;
pub(crate) mod header;
pub(crate) mod limits;
pub(crate) mod listener;
pub(crate) mod manager;
pub(crate) mod matching;
pub(crate) mod mirror;
pub(crate) mod misdirected;
pub(crate) mod orders;
pub(crate) mod outbound;
pub(crate) mod per_filter;
pub(crate) mod prerouting;
pub(crate) mod redirect;
pub(crate) mod rewrite;
pub(crate) mod routes;
pub(crate) mod scope;
pub(crate) mod secret;
pub(crate) mod secret_keeper;
pub(crate) mod session;
pub(crate) mod tcp;
pub(crate) mod tls;
pub(crate) mod udp;
pub(crate) mod upstream_tls;

use std::time::Duration;

use envoy_types::pb::google::protobuf::{Any, Duration as PbDuration};
use prost::{Message, Name};

/// Field of the rule, and why it cannot be lowered.
pub(crate) type Unsupported = (String, String);

/// Wraps a message.
pub(crate) fn any<M: Message + Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec() }
}

pub(crate) fn pb_duration(duration: Duration) -> PbDuration {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    PbDuration { seconds, nanos: i32::try_from(duration.subsec_nanos()).unwrap_or_default() }
}

/// A duration as GEP-2257 writes it: `1h30m`, `10s`, `250ms`; at most four parts of at most five digits.
pub(crate) fn gep2257(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    for _ in 0..4 {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 || digits > 5 {
            return None;
        }
        let (number, after) = rest.split_at(digits);
        let units = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(units);
        total += times(number.parse().ok()?, unit)?;
        rest = after;
        if rest.is_empty() {
            return Some(total);
        }
    }
    None
}

fn times(number: u64, unit: &str) -> Option<Duration> {
    match unit {
        "h" => Some(Duration::from_secs(number * 3600)),
        "m" => Some(Duration::from_secs(number * 60)),
        "s" => Some(Duration::from_secs(number)),
        "ms" => Some(Duration::from_millis(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_gep_2257_writes_them() {
        assert_eq!(gep2257("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(gep2257("250ms"), Some(Duration::from_millis(250)));
        for bad in ["", "1", "s", "1d", "-1s", "123456s", "1s1s1s1s1s", "1.5s"] {
            assert_eq!(gep2257(bad), None, "{bad}");
        }
    }
}
