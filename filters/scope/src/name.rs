//! Keys: a prefix, then a host name or a wildcard as Gateway API writes them, or `*` for every host.

/// Ends a prefix.
const SEPARATOR: u8 = b'/';

/// The key of exactly the host that `authority` names: in lower case, without port (RFC 3986 §3.2.2 and §3.2.3).
pub(crate) fn key(prefix: &[u8], authority: &[u8]) -> Vec<u8> {
    let host = without_port(authority);
    let mut key = Vec::with_capacity(prefix.len() + 1 + host.len());
    key.extend_from_slice(prefix);
    key.push(SEPARATOR);
    key.extend(host.iter().map(u8::to_ascii_lowercase));
    key
}

fn without_port(authority: &[u8]) -> &[u8] {
    let digits = authority.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (rest, _) = authority.split_at(authority.len() - digits);
    match rest.split_last() {
        // A colon in front of the last one is part of an IPv6 address, unless that is in brackets.
        Some((b':', host)) if host.last() == Some(&b']') || !host.contains(&b':') => host,
        _ => authority,
    }
}

/// What a key begins with.
pub(crate) fn prefix(key: &[u8]) -> &[u8] {
    let end = key.iter().position(|byte| *byte == SEPARATOR).unwrap_or(key.len());
    &key[..end]
}

/// `key`, and the keys of all wildcards that take in its host, the most specific first, `*` last.
pub(crate) fn and_wider(key: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let start = key.iter().position(|byte| *byte == SEPARATOR).map_or(0, |separator| separator + 1);
    let (prefix, host) = key.split_at(start);
    // A wildcard stands for at least one character, and `*` covers `*.example.com` already.
    let dots = host.iter().enumerate().filter(|(at, byte)| **byte == b'.' && *at > 0);
    let above = dots.map(|(at, _)| &host[at..]).filter(move |suffix| host.strip_prefix(b"*") != Some(suffix));
    let all = if host == b"*" { None } else { Some(&b""[..]) };
    let wildcards = above.chain(all).map(move |suffix| [prefix, b"*", suffix].concat());
    std::iter::once(key.to_vec()).chain(wildcards)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(authority: &str) -> String {
        String::from_utf8(key(b"80", authority.as_bytes())).unwrap()
    }

    fn all(key: &str) -> Vec<String> {
        and_wider(key.as_bytes()).map(|key| String::from_utf8(key).unwrap()).collect()
    }

    #[test]
    fn case_and_port_make_no_other_host() {
        for (authority, key) in [
            ("example.com", "80/example.com"),
            ("Example.COM:8080", "80/example.com"),
            ("example.com:", "80/example.com"),
            ("10.0.0.1:80", "80/10.0.0.1"),
            ("[::1]:8080", "80/[::1]"),
            ("[::1]", "80/[::1]"),
            ("::1", "80/::1"),
            ("", "80/"),
            (":80", "80/"),
            ("example.com:http", "80/example.com:http"),
        ] {
            assert_eq!(key_of(authority), key, "{authority}");
        }
    }

    #[test]
    fn wildcards_follow_from_the_most_specific_to_every_host() {
        assert_eq!(
            all("80/a.b.example.com"),
            ["80/a.b.example.com", "80/*.b.example.com", "80/*.example.com", "80/*.com", "80/*"]
        );
        assert_eq!(all("80/*.example.com"), ["80/*.example.com", "80/*.com", "80/*"]);
        assert_eq!(all("80/*"), ["80/*"]);
        assert_eq!(all("80/localhost"), ["80/localhost", "80/*"]);
        assert_eq!(all("80/"), ["80/", "80/*"]);
    }

    #[test]
    fn a_wildcard_stands_for_at_least_one_character() {
        assert_eq!(all("80/.com"), ["80/.com", "80/*"]);
    }
}
