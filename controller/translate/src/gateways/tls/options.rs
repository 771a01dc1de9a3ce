//! `tls.options` of a listener: what is negotiated, by kgateway's names.

use std::collections::BTreeMap;

/// What is negotiated; Envoy's defaults where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Of TLS 1.2 and below, by OpenSSL's names.
    pub(crate) cipher_suites: Vec<String>,
    /// Such as `X25519`.
    pub(crate) ecdh_curves: Vec<String>,
    pub(crate) min_version: Option<Version>,
    pub(crate) max_version: Option<Version>,
    /// Those offered to clients, the preferred one first.
    pub(crate) alpn_protocols: Option<Vec<String>>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    Tls10,
    Tls11,
    Tls12,
    Tls13,
}

/// Cipher suites of TLS 1.2 and below that Envoy's BoringSSL knows.
const CIPHER_SUITES: [&str; 16] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA",
    "AES256-SHA",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-ECDSA-AES128-SHA256",
];

/// Groups that Envoy's BoringSSL knows.
const ECDH_CURVES: [&str; 5] = ["X25519MLKEM768", "X25519", "P-256", "P-384", "P-521"];

/// Protocols that a listener can speak after TLS.
const ALPN_PROTOCOLS: [&str; 2] = ["h2", "http/1.1"];

impl Options {
    /// Reads the options; also gives those that cannot be followed, and why.
    pub(crate) fn read(written: &BTreeMap<String, String>) -> (Self, Vec<(String, String)>) {
        let mut options = Self::default();
        let mut faults = Vec::new();
        for (key, value) in written {
            if let Err(why) = options.set(key, value) {
                faults.push((key.clone(), why));
            }
        }
        if let (Some(min), Some(max)) = (options.min_version, options.max_version)
            && min > max
        {
            faults.push((MIN_VERSION.to_owned(), format!("is above {MAX_VERSION}")));
        }
        (options, faults)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            CIPHERS => self.cipher_suites = words(value, &CIPHER_SUITES)?,
            CURVES => self.ecdh_curves = words(value, &ECDH_CURVES)?,
            MIN_VERSION => self.min_version = Some(Version::read(value)?),
            MAX_VERSION => self.max_version = Some(Version::read(value)?),
            ALPN => self.alpn_protocols = Some(words(value, &ALPN_PROTOCOLS)?),
            _ => return Err(format!("is not supported; supported: {}", KEYS.join(", "))),
        }
        Ok(())
    }
}

const CIPHERS: &str = "kgateway.dev/cipher-suites";
const CURVES: &str = "kgateway.dev/ecdh-curves";
const MIN_VERSION: &str = "kgateway.dev/min-tls-version";
const MAX_VERSION: &str = "kgateway.dev/max-tls-version";
const ALPN: &str = "kgateway.dev/alpn-protocols";
const KEYS: [&str; 5] = [CIPHERS, CURVES, MIN_VERSION, MAX_VERSION, ALPN];

impl Version {
    fn read(value: &str) -> Result<Self, String> {
        match value {
            "1.0" => Ok(Self::Tls10),
            "1.1" => Ok(Self::Tls11),
            "1.2" => Ok(Self::Tls12),
            "1.3" => Ok(Self::Tls13),
            other => Err(format!("{other:?} is no version of TLS: 1.0, 1.1, 1.2 or 1.3")),
        }
    }
}

/// A list of known words, parted by commas.
fn words(value: &str, known: &[&str]) -> Result<Vec<String>, String> {
    let words = value.split(',').map(str::trim);
    words
        .map(|word| match known.contains(&word) {
            true => Ok(word.to_owned()),
            false => Err(format!("{word:?} is not supported; supported: {}", known.join(", "))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(key: &str, value: &str) -> (Options, Vec<(String, String)>) {
        Options::read(&[(key.to_owned(), value.to_owned())].into())
    }

    #[test]
    fn options_are_lists_of_known_words() {
        let (options, faults) = read(CURVES, "X25519, P-256");
        assert_eq!((options.ecdh_curves, faults), (vec!["X25519".to_owned(), "P-256".to_owned()], vec![]));
        for (key, value) in [(CURVES, "X25519,"), (CIPHERS, "NULL"), (MIN_VERSION, "3"), ("a/b", "c")] {
            assert_eq!(read(key, value).1.len(), 1, "{key}: {value}");
        }
    }

    #[test]
    fn versions_that_leave_none_are_refused() {
        let both = [(MIN_VERSION.to_owned(), "1.3".to_owned()), (MAX_VERSION.to_owned(), "1.2".to_owned())];
        assert_eq!(Options::read(&both.into()).1[0].0, MIN_VERSION);
    }
}
