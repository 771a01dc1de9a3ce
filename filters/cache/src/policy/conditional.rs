//! A client's own conditions, evaluated against a stored response (RFC 9111 §4.3.2, RFC 9110 §13).

use super::date;
use super::entity_tag::{EntityTag, lists};
use super::field::{Section, trim};
use super::stored::Stored;
use super::time::Time;

/// Whether the client has this response already, so that 304 answers it.
pub fn is_not_modified(
    request: &(impl Section + ?Sized),
    stored: &Stored,
    etag: Option<&[u8]>,
    now: Time,
) -> bool {
    // RFC 9110 §13.2.1: conditions count only where the answer would be 2xx.
    if !(200..=299).contains(&stored.status) {
        return false;
    }
    // RFC 9110 §13.1.3: If-Modified-Since MUST be ignored beside If-None-Match.
    if let Some(list) = request.combined("if-none-match") {
        return lists(&list, etag.and_then(EntityTag::parse).as_ref());
    }
    let lines = request.values("if-modified-since");
    // RFC 9110 §13.1.3: MUST be ignored where it is no date, or more than one.
    let [since] = &lines[..] else { return false };
    let Some(since) = date::parse(trim(since), now.seconds()) else { return false };
    // RFC 9111 §4.3.2: without Last-Modified, by its Date or the time it came.
    stored.last_modified.unwrap_or(stored.date) <= since
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const STORED: Stored = Stored {
        status: 200,
        no_cache: false,
        must_revalidate: false,
        response_time: Time(0),
        initial_age: 0,
        lifetime: 0,
        date: 2000,
        last_modified: Some(1000),
        stale_while_revalidate: 0,
        stale_if_error: 0,
    };

    fn holds(lines: &[(&str, &str)], stored: Stored) -> bool {
        let lines: Vec<_> = lines.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec())).collect();
        is_not_modified(&lines[..], &stored, Some(b"\"a\""), Time::from_seconds(3000))
    }

    #[test]
    fn tags_go_before_dates() {
        assert!(holds(&[("if-none-match", "\"x\", W/\"a\"")], STORED));
        assert!(holds(&[("if-none-match", "*")], STORED));
        let later = date::format(5000);
        assert!(!holds(&[("if-none-match", "\"x\""), ("if-modified-since", &later)], STORED));
    }

    #[test]
    fn dates_compare_with_last_modified_or_else_with_date() {
        let since = |seconds, stored| holds(&[("if-modified-since", &date::format(seconds))], stored);
        assert!(since(1000, STORED) && !since(999, STORED));
        let undated = Stored { last_modified: None, ..STORED };
        assert!(since(2000, undated) && !since(1999, undated));
        assert!(!holds(&[("if-modified-since", "junk")], STORED));
        let date = date::format(5000);
        assert!(!holds(&[("if-modified-since", &date), ("if-modified-since", &date)], STORED));
    }

    #[test]
    fn conditions_count_for_successes_alone() {
        assert!(!holds(&[("if-none-match", "*")], Stored { status: 404, ..STORED }));
    }
}
