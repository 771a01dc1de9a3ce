//! The trace that a call belongs to, as X-Ray names it.

use ferrule_kit::{Lines, line};

/// AWS's own field, and that of W3C's Trace Context.
pub(crate) const TRACE_ID: &str = "x-amzn-trace-id";
const TRACEPARENT: &str = "traceparent";

/// The client's own trace, or one made of its `traceparent`.
pub(crate) fn trace_id(lines: &Lines<'_>) -> Option<Vec<u8>> {
    let plain = |value: &[u8]| value.len() <= 256 && value.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let own = line(lines, TRACE_ID).filter(|value| !value.is_empty() && plain(value));
    own.map(<[u8]>::to_vec).or_else(|| {
        let parent = line(lines, TRACEPARENT)?;
        of_traceparent(std::str::from_utf8(parent).ok()?).map(String::into_bytes)
    })
}

/// `00-<trace>-<span>-<flags>` (Trace Context §3.2) as `Root=1-<8>-<24>;Parent=<span>;Sampled=<0 or 1>`.
fn of_traceparent(parent: &str) -> Option<String> {
    let mut parts = parent.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let zero = |text: &str| text.bytes().all(|byte| byte == b'0');
    let whole = hex(version, 2) && hex(trace, 32) && hex(span, 16) && hex(flags, 2);
    if !whole || version == "ff" || zero(trace) || zero(span) || (version == "00" && parts.next().is_some()) {
        return None;
    }
    let sampled = u8::from_str_radix(flags, 16).ok()? & 1;
    let (epoch, unique) = trace.split_at_checked(8)?;
    Some(format!("Root=1-{epoch}-{unique};Parent={span};Sampled={sampled}"))
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_traceparent_becomes_a_trace_of_xray() {
        let parent = "00-4efaaf4d1e8720b39541901950019ee5-53995c3f42cd8ad8-01";
        let wanted = "Root=1-4efaaf4d-1e8720b39541901950019ee5;Parent=53995c3f42cd8ad8;Sampled=1";
        assert_eq!(of_traceparent(parent).as_deref(), Some(wanted));
        for wrong in [
            "",
            "00-4efaaf4d1e8720b39541901950019ee5-53995c3f42cd8ad8",
            "00-00000000000000000000000000000000-53995c3f42cd8ad8-01",
            "00-4efaaf4d1e8720b39541901950019ee5-0000000000000000-01",
            "00-4EFAAF4D1E8720B39541901950019EE5-53995c3f42cd8ad8-01",
            "ff-4efaaf4d1e8720b39541901950019ee5-53995c3f42cd8ad8-01",
            "00-4efaaf4d1e8720b39541901950019ee5-53995c3f42cd8ad8-01-x",
        ] {
            assert_eq!(of_traceparent(wrong), None, "{wrong}");
        }
    }
}
