//! Any bytes as a date, at any time: no panic, and what is read can be written and read again.

#![no_main]

use ferrule_cache::policy::date;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (i64, &[u8])| {
    let (now, value) = input;
    if let Some(at) = date::parse(value, now / 4)
        && (0..253_402_300_800).contains(&at)
    {
        assert_eq!(date::parse(date::format(at).as_bytes(), now / 4), Some(at));
    }
});
