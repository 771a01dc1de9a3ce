//! The event of Envoy's built-in `aws_lambda` filter (`request_response.proto`, names as they are in the proto).

use super::{Incoming, Object, parameters};
use crate::config::PayloadMode;

pub(super) fn write(incoming: &Incoming<'_>, mut event: Object<'_>) {
    event.text("raw_path", &incoming.target);
    event.text("method", &incoming.method);
    let mut headers = event.object("headers");
    for (name, lines) in incoming.grouped() {
        headers.joined(name, ",", lines.iter().map(|(_, value)| &**value));
    }
    drop(headers);
    let mut query = event.object("query_string_parameters");
    let sorted = parameters::sorted(incoming.query);
    for (name, group) in parameters::grouped(&sorted) {
        query.text(name, parameters::values(group).next().unwrap_or_default());
    }
    drop(query);
    incoming.write_body(PayloadMode::Envoy, "is_base64_encoded", &mut event);
}
