//! Parts of a stored response (RFC 9110 §14).

use super::date;
use super::entity_tag::EntityTag;
use super::field::{Section, trim};
use super::stored::Stored;

/// What becomes of a Range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it: no range, one that is not understood, or several at once, which a server MAY answer so (§14.2).
    Whole,
    /// 206 with these bytes, the last one included.
    Bytes {
        /// First byte.
        first: u64,
        /// Last byte.
        last: u64,
    },
    /// 416 (§15.5.17).
    Unsatisfiable,
}

/// The part that a Range asks of `length` bytes.
pub fn select(range: &[u8], length: u64) -> Part {
    let Some(spec) = spec(range) else { return Part::Whole };
    let last_byte = length.saturating_sub(1);
    match spec {
        (Some(first), Some(last)) if first > last => Part::Whole,
        (Some(first), last) if first < length => {
            Part::Bytes { first, last: last.unwrap_or(last_byte).min(last_byte) }
        }
        // §14.1.2: a suffix longer than the content is all of it; one of nothing is not satisfiable.
        (None, Some(suffix)) if suffix > 0 && length > 0 => {
            Part::Bytes { first: length.saturating_sub(suffix), last: last_byte }
        }
        _ => Part::Unsatisfiable,
    }
}

type Spec = (Option<u64>, Option<u64>);

/// The one range of a set of byte ranges (§14.1.2); none where it is of another unit, malformed or has several.
fn spec(range: &[u8]) -> Option<Spec> {
    let range = trim(range);
    // §14.1: range units are case-insensitive.
    let set = range.get(..6).filter(|unit| unit.eq_ignore_ascii_case(b"bytes=")).map(|_| &range[6..])?;
    let mut specs = set.split(|byte| *byte == b',').map(trim).filter(|spec| !spec.is_empty());
    let (one, None) = (specs.next()?, specs.next()) else { return None };
    let dash = one.iter().position(|byte| *byte == b'-')?;
    let (first, last) = (&one[..dash], &one[dash + 1..]);
    match (first, last) {
        ([], []) => None,
        ([], suffix) => Some((None, Some(position(suffix)?))),
        (first, []) => Some((Some(position(first)?), None)),
        (first, last) => Some((Some(position(first)?), Some(position(last)?))),
    }
}

fn position(text: &[u8]) -> Option<u64> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    let add = |sum: u64, byte: &u8| Some(sum.saturating_mul(10).saturating_add(digit(byte)?));
    if text.is_empty() { None } else { text.iter().try_fold(0, add) }
}

/// Whether a Range counts: If-Range is absent, or names just this response (RFC 9110 §13.1.5).
pub fn if_range(request: &(impl Section + ?Sized), stored: &Stored, etag: Option<&[u8]>) -> bool {
    let lines = request.values("if-range");
    let Some(condition) = lines.first() else { return true };
    if let Some(wanted) = EntityTag::parse(condition) {
        let known = etag.and_then(EntityTag::parse);
        return known.is_some_and(|known| known.is_strongly(&wanted));
    }
    // A date is a strong validator only where it is older than the response by a second at least (§8.8.2.2).
    let modified = stored.last_modified.filter(|modified| *modified < stored.date);
    modified.is_some_and(|modified| date::parse(trim(condition), stored.date) == Some(modified))
}

/// A Content-Range of bytes (RFC 9110 §14.4).
pub fn content_range(first: u64, last: u64, length: u64) -> String {
    format!("bytes {first}-{last}/{length}")
}

/// The Content-Range of a 416.
pub fn unsatisfied_range(length: u64) -> String {
    format!("bytes */{length}")
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::policy::time::Time;

    fn bytes(first: u64, last: u64) -> Part {
        Part::Bytes { first, last }
    }

    #[test]
    fn single_suffix_and_open_ranges_are_cut_to_the_content() {
        for (range, expected) in [
            ("bytes=0-4", bytes(0, 4)),
            ("bytes=5-", bytes(5, 9)),
            ("bytes=-3", bytes(7, 9)),
            ("bytes=-99", bytes(0, 9)),
            ("bytes=9-99", bytes(9, 9)),
            ("BYTES= 2-2 ", bytes(2, 2)),
            ("bytes=0-99999999999999999999999", bytes(0, 9)),
            ("bytes=10-", Part::Unsatisfiable),
            ("bytes=10-20", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
        ] {
            assert_eq!(select(range.as_bytes(), 10), expected, "{range}");
        }
        assert_eq!(select(b"bytes=0-", 0), Part::Unsatisfiable);
        assert_eq!(select(b"bytes=-1", 0), Part::Unsatisfiable);
    }

    #[test]
    fn what_is_not_understood_is_the_whole() {
        for range in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-4",
            "bytes=1",
            "lines=0-1",
            "bytes=0-1,3-4",
            "bytes=--1",
            "bytes 0-1",
            "bytes=+1-2",
            "bytes=1-2x",
        ] {
            assert_eq!(select(range.as_bytes(), 10), Part::Whole, "{range}");
        }
    }

    #[test]
    fn if_range_is_strong() {
        let stored = Stored {
            status: 200,
            no_cache: false,
            must_revalidate: false,
            response_time: Time(0),
            initial_age: 0,
            lifetime: 0,
            date: 784_111_800,
            last_modified: Some(784_111_777),
            stale_while_revalidate: 0,
            stale_if_error: 0,
        };
        let holds = |value: &str, etag: &str, stored: Stored| {
            let lines = [("if-range".to_owned(), value.as_bytes().to_vec())];
            if_range(&lines[..], &stored, Some(etag.as_bytes()))
        };
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert!(holds("\"a\"", "\"a\"", stored) && holds(date, "", stored));
        assert!(
            !holds("W/\"a\"", "W/\"a\"", stored)
                && !holds("\"b\"", "\"a\"", stored)
                && !holds("junk", "\"a\"", stored)
        );
        assert!(!holds(date, "", Stored { date: 784_111_777, ..stored }));
        assert!(!holds("Sun, 06 Nov 1994 08:49:38 GMT", "", stored));
        assert!(if_range(&[][..] as &[(String, Vec<u8>)], &stored, None));
    }
}
