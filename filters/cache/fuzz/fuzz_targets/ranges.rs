//! Any bytes as a Range of a body of any length, and as a Content-Range: what is chosen, or said to be there, lies within it.

#![no_main]

use ferrule_cache::policy::partial::Span;
use ferrule_cache::policy::range::{Part, select};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, &[u8])| {
    let (length, range) = input;
    if let Part::Bytes { first, last } = select(range, length) {
        assert!(first <= last && last < length);
    }
    if let Some(span) = Span::parse(range) {
        assert!(span.first < span.end && span.end <= span.complete);
    }
});
