//! What is configured of Redis.

use std::time::Duration;

use ferrule_kit::{ConfigError, SecretSource};
use serde::Deserialize;

use crate::level::breaker;

/// A second level in Redis or Valkey: what is stored there is shared by all proxies that name it, and outlives them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Redis {
    /// `host:port` of one server; not of a cluster.
    pub address: String,
    /// The database's number.
    #[serde(default)]
    pub database: u32,
    /// Who logs in, where there is a password; `default` if not given.
    #[serde(default)]
    pub username: Option<String>,
    /// The password; none if not given.
    #[serde(default)]
    pub password: Option<Secret>,
    /// What all keys begin with, before the storage's name; `ferrule:` if not given.
    #[serde(default)]
    pub key_prefix: Option<String>,
    /// Bytes of Redis' memory for this storage, all told; 1 GiB if not given.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// The longest that a request waits, milliseconds; 100 if not given.
    #[serde(default)]
    pub timeout_milliseconds: Option<u64>,
    /// The longest that a connection may take to come about, milliseconds; 1,000 if not given. No request waits for it beyond its own
    /// time-out.
    #[serde(default)]
    pub connect_timeout_milliseconds: Option<u64>,
    /// When Redis is left alone.
    #[serde(default)]
    pub breaker: Breaker,
}

/// Where a secret comes from: a generic secret of Envoy's.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Secret {
    /// Its name in the secret discovery service, or among the static secrets of the bootstrap.
    pub sds_name: String,
    /// An `envoy.config.core.v3.ConfigSource`; none for a static secret of the bootstrap. Read in a listener's configuration only.
    #[serde(default)]
    pub sds_config: Option<serde_json::Value>,
}

impl From<Secret> for SecretSource {
    fn from(Secret { sds_name, sds_config }: Secret) -> Self {
        Self { name: sds_name, config_source: sds_config.map(|source| source.to_string()) }
    }
}

/// When Redis is left alone, and for how long.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Breaker {
    /// Failures one after the other; 5 if not given.
    #[serde(default)]
    pub failures: Option<u32>,
    /// Milliseconds before it is tried again, by what no request waits for; 5,000 if not given.
    #[serde(default)]
    pub cool_down_milliseconds: Option<u64>,
}

/// The same with all that was not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: u32,
    pub(crate) username: Option<String>,
    /// The name of the secret that the password is.
    pub(crate) password: Option<String>,
    pub(crate) prefix: String,
    pub(crate) bytes: u64,
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) breaker: breaker::Limits,
}

/// Bytes of a second level that is worth it.
const LEAST_BYTES: u64 = 1 << 20;

impl Redis {
    /// # Errors
    /// Says what is wrong, below `storage.redis`.
    pub(crate) fn settings(&self, storage: Option<&str>) -> Result<Settings, ConfigError> {
        let wrong = |field: &str, reason: String| ConfigError::new(format!("storage.redis{field}"), reason);
        if cfg!(target_family = "wasm") {
            return Err(wrong("", "is for the native module: wasm modules cannot connect to it".to_owned()));
        }
        let (host, port) = host_and_port(&self.address)
            .ok_or_else(|| wrong(".address", format!("`{}` is no host:port", self.address)))?;
        if self.username.is_some() && self.password.is_none() {
            return Err(wrong(".username", "has no password".to_owned()));
        }
        let bytes = self.bytes.unwrap_or(1 << 30);
        if bytes < LEAST_BYTES {
            return Err(wrong(".bytes", format!("is less than {LEAST_BYTES}")));
        }
        let milliseconds = |field: &str, value: Option<u64>, default: u64, most: u64| {
            let value = value.unwrap_or(default);
            let bounds = 1..=most;
            if bounds.contains(&value) {
                return Ok(Duration::from_millis(value));
            }
            Err(wrong(field, format!("is not between 1 and {most}")))
        };
        let failures = self.breaker.failures.unwrap_or(5);
        if failures == 0 {
            return Err(wrong(".breaker.failures", "is none".to_owned()));
        }
        let cool_down = self.breaker.cool_down_milliseconds;
        let cool_down = milliseconds(".breaker.coolDownMilliseconds", cool_down, 5_000, 3_600_000)?;
        let prefix = self.key_prefix.as_deref().unwrap_or("ferrule:");
        Ok(Settings {
            host,
            port,
            database: self.database,
            username: self.username.clone(),
            password: self.password.as_ref().map(|secret| secret.sds_name.clone()),
            prefix: storage.map_or_else(|| prefix.to_owned(), |name| format!("{prefix}{name}:")),
            bytes,
            timeout: milliseconds(".timeoutMilliseconds", self.timeout_milliseconds, 100, 10_000)?,
            connect_timeout: milliseconds(
                ".connectTimeoutMilliseconds",
                self.connect_timeout_milliseconds,
                1_000,
                60_000,
            )?,
            breaker: breaker::Limits { failures, cool_down },
        })
    }
}

/// An IPv6 address stands in brackets.
fn host_and_port(address: &str) -> Option<(String, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    let is_host = |host: &str| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/' && byte != b'@')
    };
    let port = port.parse().ok().filter(|port| *port != 0)?;
    is_host(host).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        let of = |address| host_and_port(address).map(|(host, port)| format!("{host} {port}"));
        assert_eq!(of("redis.cache.svc:6379").unwrap(), "redis.cache.svc 6379");
        assert_eq!(of("[::1]:6379").unwrap(), "::1 6379");
        for wrong in [
            "",
            "redis",
            "redis:",
            ":6379",
            "redis:0",
            "redis:65536",
            "::1:6379",
            "[::1:6379",
            "redis://a:6379",
            "a@b:1",
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
