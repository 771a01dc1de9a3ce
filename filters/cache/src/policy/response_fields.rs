//! Which fields of a response are stored and sent on (RFC 9111 §3.1, RFC 9110 §7.6.1).

use std::collections::BTreeMap;

use super::field::{Section, is_token, members};

/// Fields of one connection, and those that only mean something to the proxy they were sent to (RFC 9111 §3.1, RFC 9110 §7.6.1).
const HOP_BY_HOP: [&str; 11] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// What a 304 does not change of a stored response: it describes the content that is kept (RFC 9111 §3.2).
const OF_CONTENT: [&str; 4] = ["content-encoding", "content-type", "content-range", "content-length"];

/// Fields that are not stored, as many as a response may list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excluded {
    names: Vec<String>,
}

impl Excluded {
    /// Those that Connection lists (RFC 9110 §7.6.1: MUST be removed), besides `named` ones.
    pub fn read(response: &(impl Section + ?Sized), named: impl IntoIterator<Item = String>) -> Self {
        let connection = response.combined("connection").unwrap_or_default();
        let listed = members(&connection).filter(|name| is_token(name));
        let listed = listed.map(|name| String::from_utf8_lossy(name).to_ascii_lowercase());
        let mut names: Vec<String> = named.into_iter().chain(listed).collect();
        names.sort_unstable();
        Self { names }
    }

    /// Whether a field of that name, in lower case, is left out. Pseudo-fields are, and so is Age, which is computed anew, and
    /// Content-Length, which the body tells.
    pub fn covers(&self, name: &str) -> bool {
        name.starts_with(':')
            || HOP_BY_HOP.contains(&name)
            || matches!(name, "age" | "content-length")
            || self.names.binary_search_by(|known| known.as_str().cmp(name)).is_ok()
    }
}

/// Whether a 304 changes a stored field of that name.
pub fn is_updated(name: &str) -> bool {
    !OF_CONTENT.contains(&name)
}

/// `stored` lines after a 304 or a HEAD has brought `new` ones (RFC 9111 §3.2): fields that came replace all lines of their name, in
/// the first one's place; `changes` says which may.
pub fn updated(
    stored: impl Iterator<Item = (String, Vec<u8>)>,
    new: Vec<(String, Vec<u8>)>,
    changes: impl Fn(&str) -> bool,
) -> Vec<(String, Vec<u8>)> {
    let mut fresh: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    let mut order = Vec::new();
    for (name, value) in new.into_iter().filter(|(name, _)| changes(name)) {
        if !fresh.contains_key(&name) {
            order.push(name.clone());
        }
        fresh.entry(name).or_default().push(value);
    }
    let mut lines = Vec::new();
    let mut done: Vec<String> = Vec::new();
    for (name, value) in stored {
        if let Some(values) = fresh.remove(&name) {
            lines.extend(values.into_iter().map(|value| (name.clone(), value)));
            done.push(name);
        } else if !done.contains(&name) {
            lines.push((name, value));
        }
    }
    let rest = order.into_iter().filter_map(|name| fresh.remove(&name).map(|values| (name, values)));
    lines.extend(rest.flat_map(|(name, values)| values.into_iter().map(move |value| (name.clone(), value))));
    lines
}

/// Whether a 304 to a client carries it: what describes the content does not belong there (RFC 9110 §15.4.5).
pub fn goes_into_not_modified(name: &str) -> bool {
    !name.starts_with("content-") || matches!(name, "content-location" | "content-security-policy")
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn fields_of_the_connection_and_named_ones_are_left_out() {
        let lines = [("connection".to_owned(), b"close, X-Hop".to_vec())];
        let excluded = Excluded::read(&lines[..], ["set-cookie".to_owned()]);
        for name in ["connection", "x-hop", "set-cookie", "te", "age", ":status", "content-length"] {
            assert!(excluded.covers(name), "{name}");
        }
        let many: Vec<String> = (0..1000).map(|n| format!("x-{n}")).collect();
        let lines = [("connection".to_owned(), many.join(",").into_bytes())];
        let all = Excluded::read(&lines[..], []);
        assert!(many.iter().all(|name| all.covers(name)) && !all.covers("x-1000"));
        assert!(!excluded.covers("etag") && !Excluded::default().covers("set-cookie"));
    }

    #[test]
    fn what_describes_the_content_stays_and_is_not_sent_without_it() {
        assert!(!is_updated("content-type") && is_updated("etag") && is_updated("content-location"));
        assert!(!goes_into_not_modified("content-type") && goes_into_not_modified("content-location"));
    }

    #[test]
    fn an_update_replaces_all_lines_of_a_name_in_their_place() {
        let line = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        let stored = vec![line("a", "1"), line("b", "1"), line("a", "2"), line("c", "1")];
        let new = vec![line("d", "9"), line("a", "3"), line("c", "8"), line("a", "4")];
        let lines = updated(stored.into_iter(), new, |name| name != "c");
        assert_eq!(lines, [line("a", "3"), line("a", "4"), line("b", "1"), line("c", "1"), line("d", "9")]);
    }
}
