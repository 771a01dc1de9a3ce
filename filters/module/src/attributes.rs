//! Envoy's attributes by name.

use ferrule_abi::{ATTRIBUTES, EnvoyBuffer};
use ferrule_kit::Value;

use crate::host::NativeHost;

/// Attributes that Envoy 1.40 shows as integers; it shows each in one way only.
const INTEGERS: [&str; 13] = [
    "connection.id",
    "destination.port",
    "request.size",
    "request.total_size",
    "response.code",
    "response.flags",
    "response.grpc_status",
    "response.size",
    "response.total_size",
    "source.port",
    "upstream.port",
    "upstream.request_attempt_count",
    "xds.listener_direction",
];

/// Attributes that it shows as truth values.
const BOOLEANS: [&str; 2] = ["connection.mtls", "health_check"];

/// The attribute `name`; `None` where there is none or Envoy does not show it to modules.
pub(crate) fn read<'a>(host: &'a NativeHost<'_>, name: &str) -> Option<Value<'a>> {
    let id = ATTRIBUTES.iter().position(|known| *known == name)?;
    let id = u32::try_from(id).ok()?;
    if INTEGERS.contains(&name) {
        integer(host, id)
    } else if BOOLEANS.contains(&name) {
        boolean(host, id)
    } else {
        text(host, id)
    }
}

fn text<'a>(host: &'a NativeHost<'_>, id: u32) -> Option<Value<'a>> {
    let mut value = EnvoyBuffer::EMPTY;
    // SAFETY: the filter is alive, the out-parameter is ours, and Envoy lends the value until the next edit.
    unsafe {
        (host.envoy.http_filter_get_attribute_string)(host.filter, id, &raw mut value)
            .then(|| Value::Text(value.bytes().into()))
    }
}

fn integer(host: &NativeHost<'_>, id: u32) -> Option<Value<'static>> {
    let mut value = 0;
    // SAFETY: the filter is alive, and the out-parameter is ours.
    unsafe { (host.envoy.http_filter_get_attribute_int)(host.filter, id, &raw mut value) }
        .then(|| Value::Int(i64::try_from(value).unwrap_or(i64::MAX)))
}

fn boolean(host: &NativeHost<'_>, id: u32) -> Option<Value<'static>> {
    let mut value = false;
    // SAFETY: the filter is alive, and the out-parameter is ours.
    unsafe { (host.envoy.http_filter_get_attribute_bool)(host.filter, id, &raw mut value) }
        .then_some(Value::Bool(value))
}
