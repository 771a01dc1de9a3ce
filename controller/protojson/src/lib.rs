//! Prints encoded Envoy messages as protojson, which `prost` cannot.
//!
//! The descriptors come from the `.proto` files of the very package whose types encoded the message.

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
    let decoded =
        DynamicMessage::decode(descriptor, encoded).map_err(|error| malformed(error.to_string()))?;
    let options = SerializeOptions::new().skip_default_fields(true).use_proto_field_name(true);
    let printed = decoded.serialize_with_options(serde_json::value::Serializer, &options);
    printed.map_err(|error| malformed(error.to_string()))
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
    fn unknown_names_and_garbage_are_errors() {
        assert!(matches!(print("envoy.Nothing", &[]), Err(PrintError::Unknown(_))));
        assert!(matches!(print("envoy.config.cluster.v3.Cluster", &[0xff]), Err(PrintError::Malformed(..))));
    }
}
