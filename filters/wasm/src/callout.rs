//! Callouts in Envoy's terms.

use std::time::Duration;

use ferrule_kit::{Callout, CalloutError, CalloutId, Reply};

use crate::hostcalls::{self, NotSent};
use crate::wire::{Buffer, Section};
use crate::{pairs, registry};

const NEEDED: [&str; 3] = [":method", ":path", ":authority"];

/// Starts a callout of the stream `id`.
pub(crate) fn send(id: u32, callout: &Callout) -> Result<CalloutId, CalloutError> {
    let has = |name: &str| callout.fields.iter().any(|(known, _)| known == name);
    if !NEEDED.into_iter().all(has) {
        return Err(CalloutError::MissingFields);
    }
    let milliseconds = milliseconds(callout.timeout);
    let sent = hostcalls::send(&callout.cluster, &callout.fields, &callout.body, milliseconds);
    let token = sent.map_err(|reason| match reason {
        // Envoy says so of all that it does not take, of which the cluster alone is left here.
        NotSent::BadArgument => CalloutError::UnknownCluster,
        NotSent::Failed => CalloutError::Refused,
    })?;
    registry::await_reply(token, id);
    Ok(CalloutId(token.into()))
}

/// What came of a callout whose answer has that many fields and bytes.
pub(crate) fn reply(fields: usize, length: usize) -> Result<Reply<'static>, CalloutError> {
    // Envoy's only sign that there is no answer: each one has at least a status.
    if fields == 0 {
        return Err(CalloutError::Reset);
    }
    let form = hostcalls::field_lines(Section::ReplyHeaders);
    let fields = pairs::read(&form).map(|(name, value)| (name.to_vec().into(), value.to_vec().into()));
    let body = hostcalls::buffer(Buffer::ReplyBody, length);
    let body = (!body.is_empty()).then(|| body.into());
    Ok(Reply { fields: fields.collect(), body: body.into_iter().collect() })
}

/// Envoy takes 0 for no timeout at all, which no callout asks for, and counts in 31 bits.
fn milliseconds(timeout: Duration) -> u32 {
    u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX).clamp(1, i32::MAX.unsigned_abs())
}
