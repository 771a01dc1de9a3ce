//! Any bytes as a Range of a body of any length: what is chosen lies within it.

#![no_main]

use ferrule_cache::policy::range::{Part, select};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, &[u8])| {
    let (length, range) = input;
    if let Part::Bytes { first, last } = select(range, length) {
        assert!(first <= last && last < length);
    }
});
