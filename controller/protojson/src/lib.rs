//! Prints encoded Envoy messages as protojson, which `prost` cannot.
//!
//! Invariant: what Envoy's API calls sensitive prints as `[redacted]`.
//!
//! The descriptors come from the `.proto` files of the very package whose types encoded the message.

mod embedded;
mod sensitive;

use std::sync::OnceLock;

use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::Value;

static DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Why a message cannot be printed.
#[derive(Debug, thiserror::Error)]
pub enum PrintError {
    /// The built-in descriptors do not load; a defect of the build.
    #[error("the descriptors are damaged: {0}")]
    Descriptors(String),
    /// No descriptor has this name.
    #[error("there is no message {0}")]
    Unknown(String),
    /// The bytes are not of this message, or hold an `Any` of an unknown one.
    #[error("{0}: {1}")]
    Malformed(String, String),
}

/// Prints the encoded message of the full name `message`, such as `envoy.config.cluster.v3.Cluster`.
///
/// # Errors
/// The name is unknown or the bytes are not of that message.
pub fn print(message: &str, encoded: &[u8]) -> Result<Value, PrintError> {
    let descriptor =
        pool()?.get_message_by_name(message).ok_or_else(|| PrintError::Unknown(message.to_owned()))?;
    let malformed = |error: String| PrintError::Malformed(message.to_owned(), error);
    let mut decoded =
        DynamicMessage::decode(descriptor, encoded).map_err(|error| malformed(error.to_string()))?;
    sensitive::redact(&mut decoded);
    let options = SerializeOptions::new().skip_default_fields(true).use_proto_field_name(true);
    let printed = decoded.serialize_with_options(serde_json::value::Serializer, &options);
    printed.map(embedded::restore).map_err(|error| malformed(error.to_string()))
}

fn pool() -> Result<&'static DescriptorPool, PrintError> {
    static POOL: OnceLock<Result<DescriptorPool, String>> = OnceLock::new();
    let pool = POOL.get_or_init(|| DescriptorPool::decode(DESCRIPTORS).map_err(|error| error.to_string()));
    pool.as_ref().map_err(|error| PrintError::Descriptors(error.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_printed_with_the_names_of_its_fields() {
        // RouteConfiguration { name: "r" }
        let printed = print("envoy.config.route.v3.RouteConfiguration", &[0x0a, 1, b'r']).unwrap();
        assert_eq!(printed, serde_json::json!({"name": "r"}));
    }

    #[test]
    fn secrets_are_not_printed() {
        // Secret { name: "s", generic_secret: { secret: { inline_bytes: "hunter2" } } }
        let encoded = b"\x0a\x01s\x2a\x0b\x0a\x09\x12\x07hunter2";
        let printed = print("envoy.extensions.transport_sockets.tls.v3.Secret", encoded).unwrap();
        let secret = serde_json::json!({"secret": {"inline_string": "[redacted]"}});
        assert_eq!(printed, serde_json::json!({"name": "s", "generic_secret": secret}));
        // Secret { tls_certificate: { certificate_chain: { inline_string: "c" }, private_key: { inline_string: "k" } } }
        let encoded = b"\x12\x0a\x0a\x03\x1a\x01c\x12\x03\x1a\x01k";
        let printed = print("envoy.extensions.transport_sockets.tls.v3.Secret", encoded).unwrap();
        assert_eq!(printed["tls_certificate"]["certificate_chain"]["inline_string"], "c");
        assert_eq!(printed["tls_certificate"]["private_key"]["inline_string"], "[redacted]");
    }

    #[test]
    fn a_message_that_embeds_nothing_is_printed_as_such() {
        // FilterConfig { config: {} }, in an Any, in the map of a RouteConfiguration
        let config = b"\x0a\x36type.googleapis.com/envoy.config.route.v3.FilterConfig\x12\x02\x0a\x00";
        let mut entry = b"\x0a\x01f\x12".to_vec();
        entry.push(config.len() as u8);
        entry.extend(config);
        let mut encoded = b"\x82\x01".to_vec();
        encoded.push(entry.len() as u8);
        encoded.extend(entry);
        let printed = print("envoy.config.route.v3.RouteConfiguration", &encoded).unwrap();
        let url = "type.googleapis.com/envoy.config.route.v3.FilterConfig";
        let expected = serde_json::json!({"f": {"@type": url, "config": {}}});
        assert_eq!(printed["typed_per_filter_config"], expected);
    }

    #[test]
    fn unknown_names_and_garbage_are_errors() {
        assert!(matches!(print("envoy.Nothing", &[]), Err(PrintError::Unknown(_))));
        assert!(matches!(print("envoy.config.cluster.v3.Cluster", &[0xff]), Err(PrintError::Malformed(..))));
    }
}
