//! Parts of a representation: which of them are kept, which belong together, and what they answer (RFC 9111 §3.3, §3.4).
//!
//! Invariant: bytes are only ever joined where one strong entity tag, one length and one coding say that they are of one representation.

use super::entity_tag::EntityTag;
use super::field::{Section, trim};
use super::range::{self, if_range};
use super::stored::Stored;

/// The bytes that a 206 carries (RFC 9110 §14.4): a part of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub first: u64,
    /// Behind the last byte.
    pub end: u64,
    /// Bytes of the whole representation.
    pub complete: u64,
}

impl Span {
    /// Reads a Content-Range whose complete length is known.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(trim(value)).ok()?;
        let (unit, rest) = text.split_once(' ')?;
        let (bounds, complete) = rest.split_once('/')?;
        let (first, last) = bounds.split_once('-')?;
        let (first, last, complete) = (position(first)?, position(last)?, position(complete)?);
        // §14.4: invalid where the last position is before the first, or the complete length is not behind it.
        let is_valid = unit.eq_ignore_ascii_case("bytes") && first <= last && last < complete;
        is_valid.then_some(Self { first, end: last + 1, complete })
    }

    /// How many bytes it has.
    pub fn length(&self) -> u64 {
        self.end - self.first
    }

    /// Its first `length` bytes; none where these are no part: nothing at all, or the whole.
    pub fn cut(self, length: u64) -> Option<Self> {
        let end = self.end.min(self.first.saturating_add(length));
        let is_part = end > self.first && end - self.first < self.complete;
        is_part.then_some(Self { end, ..self })
    }
}

/// A position as a server writes it: what does not fit is none.
fn position(text: &str) -> Option<u64> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // The position behind the last one has to fit as well.
    text.parse().ok().filter(|position| is_digits && *position < u64::MAX)
}

/// What a 206 to `request` carries, where it is of use to others: a single part (RFC 9110 §15.3.7.1) of what was asked for, under a
/// strong tag, which says what else belongs to it (§15.3.7.3).
pub fn span_of(request: &(impl Section + ?Sized), response: &(impl Section + ?Sized)) -> Option<Span> {
    strong_tag(response.values("etag").first().map(|tag| &**tag))?;
    let lines = response.values("content-range");
    // §15.3.7.2: several parts come without Content-Range.
    let ([line], false) = (&lines[..], is_multipart(response)) else { return None };
    let span = Span::parse(line)?;
    let asked = request.combined("range")?;
    let range::Part::Bytes { first, last } = range::select(&asked, span.complete) else { return None };
    // §15.3.7: a server sends what was asked for, or less of it.
    let is_within = first <= span.first && span.end - 1 <= last;
    let lengths = response.values("content-length");
    let says = |text: &[u8]| trim(text) == span.length().to_string().as_bytes();
    (is_within && lengths.iter().all(|text| says(text))).then_some(span)
}

fn is_multipart(response: &(impl Section + ?Sized)) -> bool {
    let types = response.values("content-type");
    types
        .iter()
        .any(|value| trim(value).get(..10).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/")))
}

/// The tag, where it is strong.
pub fn strong_tag(tag: Option<&[u8]>) -> Option<EntityTag<'_>> {
    tag.and_then(EntityTag::parse).filter(|tag| !tag.weak)
}

/// What tells representations apart.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// ETag.
    pub etag: Option<&'a [u8]>,
    /// Content-Encoding.
    pub encoding: Option<&'a [u8]>,
    /// Bytes of all of it.
    pub complete: u64,
}

impl Identity<'_> {
    /// Whether parts of both may be joined (RFC 9110 §15.3.7.3: "if they all share the same strong validator"). A strong tag that
    /// stands for two lengths or codings is a lie.
    pub fn is_of(&self, other: &Identity<'_>) -> bool {
        let same_tag = match (strong_tag(self.etag), strong_tag(other.etag)) {
            (Some(tag), Some(known)) => tag.is_strongly(&known),
            _ => false,
        };
        same_tag && self.complete == other.complete && self.encoding == other.encoding
    }
}

/// More runs of a representation are not kept.
pub const MAX_RUNS: usize = 16;

/// What of a representation is there: runs of bytes in order, which neither touch nor overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runs {
    list: Vec<(u64, u64)>,
    complete: u64,
}

impl Runs {
    /// One run.
    pub fn of(span: Span) -> Self {
        Self { list: vec![(span.first, span.end)], complete: span.complete }
    }

    /// First byte, and the one behind the last.
    pub fn list(&self) -> &[(u64, u64)] {
        &self.list
    }

    /// Bytes of the whole representation.
    pub fn complete(&self) -> u64 {
        self.complete
    }

    /// Whether nothing is missing.
    pub fn is_whole(&self) -> bool {
        self.list == [(0, self.complete)]
    }

    /// How many bytes of the runs stand before `first`, where all from there to `end` are in one run.
    pub fn place(&self, first: u64, end: u64) -> Option<u64> {
        let mut before = 0;
        for (from, to) in &self.list {
            if *from <= first && end <= *to {
                return Some(before + first - from);
            }
            before += to - from;
        }
        None
    }

    /// With another run, which may overlap those that are there. Of more than [`MAX_RUNS`], the shortest of the old ones go.
    pub fn with(&self, span: Span) -> Self {
        let (mut first, mut end) = (span.first, span.end);
        let mut apart = Vec::new();
        for (from, to) in self.list.iter().copied() {
            if to < first || end < from {
                apart.push((from, to));
            } else {
                (first, end) = (first.min(from), end.max(to));
            }
        }
        while apart.len() >= MAX_RUNS {
            let shortest = (0..apart.len()).min_by_key(|place| apart[*place].1 - apart[*place].0);
            shortest.map(|place| apart.remove(place));
        }
        apart.push((first, end));
        apart.sort_unstable();
        Self { list: apart, complete: self.complete }
    }

    /// Whether these runs answer a GET (RFC 9111 §3.3: "the request is partial and specifies a range wholly within the incomplete
    /// response").
    pub fn answer(&self, request: &(impl Section + ?Sized), stored: &Stored, etag: Option<&[u8]>) -> bool {
        let Some(asked) = request.combined("range") else { return false };
        match range::select(&asked, self.complete) {
            range::Part::Bytes { first, last } => {
                self.place(first, last + 1).is_some() && if_range(request, stored, etag)
            }
            range::Part::Whole | range::Part::Unsatisfiable => false,
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn lines(lines: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
        lines.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec())).collect()
    }

    fn span(first: u64, end: u64, complete: u64) -> Span {
        Span { first, end, complete }
    }

    #[test]
    fn a_content_range_says_first_last_and_length() {
        assert_eq!(Span::parse(b" Bytes 2-4/10 "), Some(span(2, 5, 10)));
        for junk in [
            "",
            "bytes",
            "bytes 2-4",
            "bytes 2-4/*",
            "bytes */10",
            "bytes 4-2/10",
            "bytes 2-10/10",
            "bytes 2-/10",
            "bytes -2/10",
            "lines 2-4/10",
            "bytes=2-4/10",
            "bytes +2-4/10",
            "bytes 2-4/10x",
            "bytes 2 -4/10",
            "bytes 2-4/18446744073709551616",
            "bytes 0-18446744073709551615/18446744073709551615",
            "bytes 2-4/10, bytes 5-6/10",
        ] {
            assert_eq!(Span::parse(junk.as_bytes()), None, "{junk}");
        }
    }

    #[test]
    fn a_part_is_kept_where_it_is_one_asked_for_and_strongly_tagged() {
        let of = |range: &str, response: &[(&str, &str)]| {
            span_of(&lines(&[("range", range)])[..], &lines(response)[..])
        };
        let good = ("content-range", "bytes 2-4/10");
        let tag = ("etag", "\"a\"");
        assert_eq!(of("bytes=2-4", &[good, tag]), Some(span(2, 5, 10)));
        assert_eq!(of("bytes=1-", &[good, tag, ("content-length", "3")]), Some(span(2, 5, 10)));
        assert_eq!(of("bytes=3-4", &[good, tag]), None);
        assert_eq!(of("bytes=2-3", &[good, tag]), None);
        assert_eq!(of("bytes=2-4,6-7", &[good, tag]), None);
        assert_eq!(of("bytes=2-4", &[tag]), None);
        assert_eq!(of("bytes=2-4", &[good, good, tag]), None);
        assert_eq!(of("bytes=2-4", &[good]), None);
        assert_eq!(of("bytes=2-4", &[good, ("etag", "W/\"a\"")]), None);
        assert_eq!(of("bytes=2-4", &[good, tag, ("content-length", "4")]), None);
        let multipart = ("content-type", "Multipart/ByteRanges; boundary=x");
        assert_eq!(of("bytes=2-4", &[good, tag, multipart]), None);
        assert_eq!(span_of(&lines(&[])[..], &lines(&[good, tag])[..]), None);
    }

    #[test]
    fn only_one_strong_tag_length_and_coding_make_one_representation() {
        let of = |etag: &'static str, encoding: Option<&'static str>, complete| Identity {
            etag: Some(etag.as_bytes()),
            encoding: encoding.map(str::as_bytes),
            complete,
        };
        let known = of("\"a\"", None, 10);
        assert!(known.is_of(&of("\"a\"", None, 10)));
        for other in [
            of("\"b\"", None, 10),
            of("W/\"a\"", None, 10),
            of("a", None, 10),
            of("\"a\"", None, 11),
            of("\"a\"", Some("gzip"), 10),
            Identity { etag: None, ..known },
        ] {
            assert!(!known.is_of(&other) && !other.is_of(&known), "{other:?}");
        }
        assert!(!Identity { etag: None, ..known }.is_of(&Identity { etag: None, ..known }));
        let weak = of("W/\"a\"", None, 10);
        assert!(!weak.is_of(&weak));
    }

    #[test]
    fn runs_join_where_they_touch_and_are_whole_once_all_is_there() {
        let runs = Runs::of(span(2, 4, 10)).with(span(6, 8, 10));
        assert_eq!(runs.list(), [(2, 4), (6, 8)]);
        assert_eq!(runs.with(span(4, 6, 10)).list(), [(2, 8)]);
        assert_eq!(runs.with(span(3, 7, 10)).list(), [(2, 8)]);
        assert_eq!(runs.with(span(0, 1, 10)).list(), [(0, 1), (2, 4), (6, 8)]);
        assert!(!runs.with(span(0, 9, 10)).is_whole() && runs.with(span(0, 10, 10)).is_whole());
        assert_eq!(runs.place(6, 8), Some(2));
        assert_eq!(runs.place(7, 8), Some(3));
        assert_eq!((runs.place(3, 7), runs.place(6, 9), runs.place(0, 1)), (None, None, None));
    }

    #[test]
    fn of_too_many_runs_the_shortest_go() {
        let mut runs = Runs::of(span(0, 5, 1000));
        for n in 1..100 {
            runs = runs.with(span(n * 10, n * 10 + 2, 1000));
        }
        assert_eq!(runs.list().len(), MAX_RUNS);
        assert!(runs.place(0, 5).is_some() && runs.place(990, 992).is_some());
    }

    #[test]
    fn runs_answer_a_range_wholly_within_them() {
        let stored = Stored {
            status: 200,
            no_cache: false,
            must_revalidate: false,
            response_time: super::super::time::Time(0),
            initial_age: 0,
            lifetime: 9,
            date: 0,
            last_modified: None,
            stale_while_revalidate: 0,
            stale_if_error: 0,
        };
        let runs = Runs::of(span(2, 6, 10)).with(span(8, 10, 10));
        let answer = |request: &[(&str, &str)]| runs.answer(&lines(request)[..], &stored, Some(b"\"a\""));
        for within in ["bytes=2-5", "bytes=3-3", "bytes=8-", "bytes=-2", "bytes=9-99"] {
            assert!(answer(&[("range", within)]), "{within}");
        }
        for without in
            ["bytes=1-2", "bytes=5-8", "bytes=-3", "bytes=0-", "bytes=10-", "bytes=2-3,4-5", "junk"]
        {
            assert!(!answer(&[("range", without)]), "{without}");
        }
        assert!(!answer(&[]));
        assert!(answer(&[("range", "bytes=2-5"), ("if-range", "\"a\"")]));
        assert!(!answer(&[("range", "bytes=2-5"), ("if-range", "\"b\"")]));
    }
}
