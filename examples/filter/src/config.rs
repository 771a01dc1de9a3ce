//! The configuration as written in YAML or JSON, and what it may say.

use ferrule_kit::ConfigError;
use serde::Deserialize;

/// Fields by which HTTP itself works (RFC 9110 §7.2, §7.6.1, §8.6; RFC 9112 §6.1).
const TAKEN: [&str; 4] = ["host", "connection", "content-length", "transfer-encoding"];

/// Which header carries the id, and what becomes of a request without one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A field name in lower case.
    pub header: String,
    /// What to do with a request that has none.
    pub missing: Missing,
}

/// What to do with a request without an id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Missing {
    /// Make one: 128 random bits in hexadecimal.
    #[default]
    Make,
    /// Answer 400.
    Refuse,
}

impl Default for Config {
    fn default() -> Self {
        Self { header: "x-correlation-id".to_owned(), missing: Missing::default() }
    }
}

impl Config {
    /// Says by [`ConfigError`] which field is wrong and why; Envoy then keeps the configuration that it had.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let header = self.header.as_str();
        if header.is_empty() || !header.bytes().all(is_token) {
            return Err(ConfigError::new("header", format!("{header:?} is no field name in lower case")));
        }
        if TAKEN.contains(&header) {
            return Err(ConfigError::new("header", format!("{header:?} has a meaning of its own in HTTP")));
        }
        Ok(())
    }
}

/// Characters of a field name (RFC 9110 §5.6.2) but for upper case.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
