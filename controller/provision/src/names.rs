//! Names of what is provisioned: the Gateway's own, unless Kubernetes does not take it.
//!
//! A Gateway's name is a DNS subdomain of up to 253 characters; a Service's is a DNS label of up to 63 that begins with
//! a letter (RFC 1035), and the value of a label has 63 characters at most. What had to be changed gets a hash of the
//! whole name, so that two Gateways never share a name.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// A Deployment adds 17 characters to name its pods, and a pod's host name has 63.
const LONGEST: usize = 63 - 17;
/// Longest value of a label.
const LABEL: usize = 63;
/// Characters of a hash.
const HASH: usize = 10;

/// Name of the objects of the Gateway of that name.
#[must_use]
pub fn object_name(gateway: &str) -> String {
    let label = gateway.replace('.', "-");
    let starts = label.starts_with(|first: char| first.is_ascii_lowercase());
    let label = if starts { label } else { format!("gateway-{label}") };
    if label == gateway && label.len() <= LONGEST { label } else { hashed(&label, gateway, LONGEST) }
}

/// Name of the Secret with the credentials of the proxies of the Gateway of that name.
#[must_use]
pub fn credentials_name(gateway: &str) -> String {
    format!("{}-xds", object_name(gateway))
}

/// Name of a further Service of the Gateway of that name, for what `what` tells.
pub(crate) fn further_name(gateway: &str, what: &str) -> String {
    format!("{}-{}", object_name(gateway), hash(what))
}

/// A name as the value of a label.
pub(crate) fn label_value(name: &str) -> String {
    if name.len() <= LABEL { name.to_owned() } else { hashed(name, name, LABEL) }
}

fn hashed(name: &str, of: &str, longest: usize) -> String {
    let mut end = name.len().min(longest - HASH - 1);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}-{}", name[..end].trim_end_matches(['-', '.']), hash(of))
}

/// The beginning of the SHA-256 of a text.
pub(crate) fn hash(text: &str) -> String {
    let mut hex = String::with_capacity(HASH);
    for byte in Sha256::digest(text).iter().take(HASH / 2) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_fits_stays_as_it_is() {
        assert_eq!(object_name("web"), "web");
        assert_eq!(credentials_name("web"), "web-xds");
        assert_eq!(label_value("example.com"), "example.com");
    }

    #[test]
    fn a_name_that_does_not_fit_becomes_a_label_of_its_own() {
        for name in ["example.com", "1", &"a".repeat(47), &"a".repeat(253), &"a.".repeat(126)] {
            let made = object_name(name);
            assert!(made.len() <= LONGEST, "{made}");
            assert!(made.starts_with(|c: char| c.is_ascii_lowercase()), "{made}");
            assert!(
                made.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                "{made}"
            );
            assert!(made.ends_with(&hash(name)) && !made.contains("--"), "{made}");
        }
        assert_ne!(object_name("a.b"), object_name("a-b"));
        let (one, other) = ("x".repeat(252) + "1", "x".repeat(252) + "2");
        assert_ne!(object_name(&one), object_name(&other));
        assert_ne!(label_value(&one), label_value(&other));
        assert_eq!(label_value(&one).len(), LABEL);
    }

    #[test]
    fn a_name_of_any_text_is_cut_between_characters() {
        assert!(object_name(&"ü".repeat(60)).len() <= LONGEST);
    }
}
