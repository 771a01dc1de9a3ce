//! The key under which responses are stored (RFC 9111 §2): the target URI, and what an operator adds or leaves out.
//!
//! A key is the URI's text, then one part a line of request that counts, each after a NUL, which no field can hold. So different
//! requests never make the same key, and all keys of a URL begin with it.

use super::field::{Section, trim};
use super::uri::Uri;

/// What counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRules {
    /// The host does not count: all hosts share.
    pub ignore_host: bool,
    /// The query's parameters.
    pub query: QueryRules,
    /// Names of request fields that count, in lower case.
    pub headers: Vec<String>,
    /// Names of cookies that count.
    pub cookies: Vec<String>,
    /// What else tells requests for one URL apart: those with another partition never share.
    pub partition: Option<String>,
}

/// Which parameters of a query count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryRules {
    /// These alone, where there are any; a final `*` stands for any end.
    pub allow: Option<Vec<String>>,
    /// None of these.
    pub deny: Vec<String>,
    /// Their order does not count.
    pub sort: bool,
}

/// The stored part of a target URI: what purges by URL name.
pub fn url_key(uri: &Uri, rules: &KeyRules) -> Vec<u8> {
    let authority = if rules.ignore_host { "" } else { &uri.authority };
    let mut key = Vec::with_capacity(uri.path.len() + authority.len() + 16);
    for part in [&uri.scheme, "://", authority] {
        key.extend_from_slice(part.as_bytes());
    }
    match uri.path.split_once('?') {
        Some((path, query)) => {
            key.extend_from_slice(path.as_bytes());
            rules.query.write(query, &mut key);
        }
        None => key.extend_from_slice(uri.path.as_bytes()),
    }
    key
}

/// The key of a target as nearly all are written, where all of it and nothing else counts; none for one that must be read first.
pub fn plain(scheme: &[u8], authority: &[u8], path: &[u8]) -> Option<Vec<u8>> {
    let is_host =
        |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b':' | b'[' | b']');
    let is_target = |byte: &u8| matches!(byte, b'!'..=b'~') && *byte != b'#';
    let has_default_port = [&b":"[..], b":80", b":443"].iter().any(|port| authority.ends_with(port));
    let is_plain = matches!(scheme, b"http" | b"https")
        && authority.iter().all(is_host)
        && !has_default_port
        && path.first() == Some(&b'/')
        && path.iter().all(is_target);
    is_plain.then(|| [scheme, b"://", authority, path].concat())
}

/// The key of a request.
pub fn key(uri: &Uri, request: &(impl Section + ?Sized), rules: &KeyRules) -> Vec<u8> {
    let mut key = url_key(uri, rules);
    if let Some(partition) = &rules.partition {
        part(&mut key, "p", partition, None);
    }
    for name in &rules.headers {
        part(&mut key, "h", name, request.combined(name).as_deref().map(trim));
    }
    if !rules.cookies.is_empty() {
        let lines = request.values("cookie");
        for name in &rules.cookies {
            // All of that name: which of them counts is the origin's to say.
            let values: Vec<&[u8]> = lines.iter().flat_map(|line| cookies(line, name)).collect();
            let value = values.join(&b";"[..]);
            part(&mut key, "c", name, (!values.is_empty()).then_some(&value));
        }
    }
    key
}

/// The key of a request of another method, whose content counts.
pub fn with_content(mut key: Vec<u8>, digest: &[u8; 32]) -> Vec<u8> {
    key.extend_from_slice(b"\0b");
    key.extend_from_slice(digest);
    key
}

/// Whether `key` is one of the URL whose key is `url`.
pub fn is_of_url(key: &[u8], url: &[u8]) -> bool {
    key.strip_prefix(url).is_some_and(|rest| matches!(rest.first(), None | Some(0)))
}

/// The partition of a key of the URL whose key is `url`, where it has one.
pub fn partition_of<'a>(key: &'a [u8], url: &[u8]) -> Option<&'a [u8]> {
    let first = key.strip_prefix(url)?.strip_prefix(b"\0")?.split(|byte| *byte == 0).next()?;
    first.strip_prefix(b"p")
}

/// Appends what a request says in a field, or in something of another kind, to a key.
pub(crate) fn part(key: &mut Vec<u8>, kind: &str, name: &str, value: Option<&[u8]>) {
    key.push(0);
    key.extend_from_slice(kind.as_bytes());
    key.extend_from_slice(name.as_bytes());
    // An absent field is another than an empty one.
    if let Some(value) = value {
        key.push(b'=');
        key.extend_from_slice(value);
    }
}

/// The values of a cookie (RFC 6265 §5.4).
fn cookies<'a>(line: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
    line.split(|byte| *byte == b';').map(trim).filter_map(move |pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        (&pair[..at] == name.as_bytes()).then(|| &pair[at + 1..])
    })
}

impl QueryRules {
    fn write(&self, query: &str, key: &mut Vec<u8>) {
        if self.allow.is_none() && self.deny.is_empty() && !self.sort {
            key.push(b'?');
            key.extend_from_slice(query.as_bytes());
            return;
        }
        let mut kept: Vec<&str> = query.split('&').filter(|parameter| self.counts(parameter)).collect();
        if self.sort {
            // By name alone: equal names keep their order, which may mean something.
            kept.sort_by_key(|parameter| name_of(parameter));
        }
        if !kept.is_empty() {
            key.push(b'?');
            key.extend_from_slice(kept.join("&").as_bytes());
        }
    }

    /// What an origin may take for a parameter that counts does count: a name written in another way, and one behind a `;`.
    fn counts(&self, parameter: &str) -> bool {
        let name = name_of(parameter);
        let is_allowed = |names: &[String]| match decoded(name) {
            Some(name) => {
                names.iter().any(|pattern| matches(pattern.as_bytes(), &name, u8::eq_ignore_ascii_case))
            }
            None => true,
        };
        let is_denied =
            || self.deny.iter().any(|pattern| matches(pattern.as_bytes(), name.as_bytes(), u8::eq));
        parameter.contains(';') || (self.allow.as_deref().is_none_or(is_allowed) && !is_denied())
    }
}

fn name_of(parameter: &str) -> &str {
    parameter.split('=').next().unwrap_or_default()
}

/// Without percent-encoding (RFC 3986 §2.1); none where that is broken.
fn decoded(name: &str) -> Option<Vec<u8>> {
    let mut bytes = name.bytes();
    let mut name = Vec::with_capacity(name.len());
    while let Some(byte) = bytes.next() {
        let mut digit = || u8::try_from(char::from(bytes.next()?).to_digit(16)?).ok();
        name.push(if byte == b'%' { digit()? << 4 | digit()? } else { byte });
    }
    Some(name)
}

fn matches(pattern: &[u8], name: &[u8], is: fn(&u8, &u8) -> bool) -> bool {
    let (start, is_open) = match pattern.strip_suffix(b"*") {
        Some(start) => (start, true),
        None => (pattern, false),
    };
    let begins = name.len() >= start.len() && start.iter().zip(name).all(|(a, b)| is(a, b));
    begins && (is_open || name.len() == start.len())
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn of(path: &str, request: &[(&str, &str)], rules: &KeyRules) -> String {
        let request: Vec<_> = request.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec())).collect();
        let uri = Uri::new("http", b"a.example", path.as_bytes());
        String::from_utf8(key(&uri, &request[..], rules)).unwrap().replace('\0', "|")
    }

    #[test]
    fn without_rules_the_key_is_the_uri() {
        assert_eq!(
            of("/x?b=1&a=2&", &[("cookie", "a=1")], &KeyRules::default()),
            "http://a.example/x?b=1&a=2&"
        );
    }

    #[test]
    fn parameters_are_chosen_and_sorted() {
        let query = |allow: Option<&[&str]>, deny: &[&str], sort| {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
            let query = QueryRules { allow: allow.map(owned), deny: owned(deny), sort };
            of("/x?b=1&utm_a=2&a=3&b=0&c", &[], &KeyRules { query, ..KeyRules::default() })
        };
        assert_eq!(query(None, &["utm_*"], false), "http://a.example/x?b=1&a=3&b=0&c");
        assert_eq!(query(Some(&["b", "c"]), &[], false), "http://a.example/x?b=1&b=0&c");
        assert_eq!(query(None, &["utm_*"], true), "http://a.example/x?a=3&b=1&b=0&c");
        assert_eq!(query(Some(&[]), &[], false), "http://a.example/x");
    }

    #[test]
    fn parameters_that_an_origin_may_take_for_another_count() {
        let of = |path: &str, allow: Option<&str>, deny: &[&str]| {
            let deny = deny.iter().map(|name| (*name).to_owned()).collect();
            let query = QueryRules { allow: allow.map(|name| vec![name.to_owned()]), deny, sort: false };
            of(path, &[], &KeyRules { query, ..KeyRules::default() }).replace("http://a.example", "")
        };
        for alias in ["/x?%62=1", "/x?B=1", "/x?a=1;b=2", "/x?%zz=1", "/x?%6", "/x?b"] {
            assert_eq!(of(alias, Some("b"), &[]), alias);
        }
        assert_eq!(of("/x?a=1&%61=2&bb=3", Some("b"), &[]), "/x");
        assert_eq!(of("/x?utm_a=1;b=2", None, &["utm_*"]), "/x?utm_a=1;b=2");
        assert_eq!(of("/x?utm_a=1&UTM_a=2&ut%6d_a=3", None, &["utm_*"]), "/x?UTM_a=2&ut%6d_a=3");
    }

    #[test]
    fn fields_and_cookies_count_where_they_are_named() {
        let rules =
            KeyRules { headers: vec!["x-a".into()], cookies: vec!["s".into()], ..KeyRules::default() };
        assert_eq!(of("/", &[], &rules), "http://a.example/|hx-a|cs");
        assert_eq!(
            of("/", &[("x-a", ""), ("cookie", "t=2; s=1; s=3")], &rules),
            "http://a.example/|hx-a=|cs=1;3"
        );
        let forged = of("/", &[("x-a", "|cs=1")], &rules);
        assert_eq!(forged, "http://a.example/|hx-a=|cs=1|cs");
    }

    #[test]
    fn partitions_of_a_url_are_apart() {
        let rules = |partition: Option<&str>| KeyRules {
            partition: partition.map(str::to_owned),
            headers: vec!["x-a".into()],
            ..KeyRules::default()
        };
        assert_eq!(of("/x", &[], &rules(Some("a"))), "http://a.example/x|pa|hx-a");
        assert_ne!(of("/x", &[], &rules(Some("a"))), of("/x", &[], &rules(None)));
        assert_eq!(partition_of(b"http://a/x\0pb\0hx-a", b"http://a/x"), Some(&b"b"[..]));
        for other in [&b"http://a/x"[..], b"http://a/x\0hpb", b"http://a/xy\0pb"] {
            assert_eq!(partition_of(other, b"http://a/x"), None);
        }
    }

    #[test]
    fn the_host_can_be_left_out_and_keys_know_their_url() {
        let rules = KeyRules { ignore_host: true, ..KeyRules::default() };
        assert_eq!(of("/x", &[], &rules), "http:///x");
        assert!(is_of_url(b"http://a/x\0hx-a", b"http://a/x") && is_of_url(b"http://a/x", b"http://a/x"));
        assert!(!is_of_url(b"http://a/xy", b"http://a/x"));
    }
}
