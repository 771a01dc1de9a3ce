//! Callouts in Envoy's terms.

use std::time::Duration;

use ferrule_kit::{Callout, CalloutError, CalloutId, Reply};
use proxy_wasm::hostcalls as sdk;
use proxy_wasm::types::{BufferType, MapType, Status};

use crate::{hostcalls, pairs};

const NEEDED: [&str; 3] = [":method", ":path", ":authority"];

/// Starts a callout.
pub(crate) fn send(callout: &Callout) -> Result<CalloutId, CalloutError> {
    let has = |name: &str| callout.fields.iter().any(|(known, _)| known == name);
    if !NEEDED.into_iter().all(has) {
        return Err(CalloutError::MissingFields);
    }
    // The SDK takes no other values, and counts the calls itself, so that it cannot be gone round.
    let texts = callout.fields.iter().map(|(name, value)| Some((name.as_str(), str::from_utf8(value).ok()?)));
    let fields = texts.collect::<Option<Vec<_>>>().ok_or(CalloutError::Refused)?;
    let body = (!callout.body.is_empty()).then_some(callout.body.as_slice());
    sdk::dispatch_http_call(&callout.cluster, fields, body, Vec::new(), in_bounds(callout.timeout))
        .map(|token| CalloutId(token.into()))
        .map_err(|status| match status {
            // Envoy says so of all that it does not take, of which the cluster alone is left here.
            Status::BadArgument => CalloutError::UnknownCluster,
            _ => CalloutError::Refused,
        })
}

/// What came of a callout whose answer has that many fields and bytes.
pub(crate) fn reply(fields: usize, body_len: usize) -> Result<Reply<'static>, CalloutError> {
    // Envoy's only sign that there is no answer: each one has at least a status.
    if fields == 0 {
        return Err(CalloutError::Reset);
    }
    let form = hostcalls::field_lines(MapType::HttpCallResponseHeaders);
    let fields = pairs::read(&form).map(|(name, value)| (name.to_vec().into(), value.to_vec().into()));
    let body = hostcalls::buffer(BufferType::HttpCallResponseBody, body_len);
    let body = (!body.is_empty()).then(|| body.into());
    Ok(Reply { fields: fields.collect(), body: body.into_iter().collect() })
}

/// Envoy takes 0 for no timeout at all, which no callout asks for, and counts milliseconds in 31 bits.
fn in_bounds(timeout: Duration) -> Duration {
    timeout.clamp(Duration::from_millis(1), Duration::from_millis(i32::MAX.unsigned_abs().into()))
}
