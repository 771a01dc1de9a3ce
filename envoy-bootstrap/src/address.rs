//! Where something listens: a TCP address or a Unix socket.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde_json::{Value, json};

/// A TCP address or the path of a Unix socket; written `host:port`, `[v6]:port` or `unix:/path`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A host, by IP address or by DNS name, and a port; port 0 lets Envoy choose one where it listens.
    Tcp {
        /// IP address (without brackets) or DNS name.
        host: String,
        /// Port.
        port: u16,
    },
    /// A Unix socket; Linux allows some 100 bytes of path.
    Unix(PathBuf),
}

/// What is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither host:port nor unix:/path")]
pub struct AddressError(String);

impl Address {
    /// A port of the loopback interface.
    pub fn loopback(port: u16) -> Self {
        Self::Tcp { host: "127.0.0.1".to_owned(), port }
    }

    /// Envoy's `core.v3.Address`.
    pub(crate) fn to_envoy(&self) -> Value {
        match self {
            Self::Tcp { host, port } => json!({"socket_address": {"address": host, "port_value": port}}),
            Self::Unix(path) => json!({"pipe": {"path": path}}),
        }
    }

    /// Whether reaching it takes a DNS look-up.
    pub(crate) fn is_name(&self) -> bool {
        matches!(self, Self::Tcp { host, .. } if host.parse::<std::net::IpAddr>().is_err())
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let error = || AddressError(text.to_owned());
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(error()) } else { Ok(Self::Unix(path.into())) };
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(error)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = bare.unwrap_or(host);
        if host.is_empty() || (bare.is_none() && host.contains(':')) {
            return Err(error());
        }
        Ok(Self::Tcp { host: host.to_owned(), port: port.parse().map_err(|_| error())? })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_as_it_is_written() {
        for text in ["127.0.0.1:0", "[::1]:18000", "controller.ferrule:18000", "unix:/run/ferrule/xds.sock"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "localhost", ":80", "host:", "host:65536", "::1:80", "unix:", "[]:1"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
