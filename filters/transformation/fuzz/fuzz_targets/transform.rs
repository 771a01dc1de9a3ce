//! Any configuration on any message: no panic, no stall, and no message that is half done.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/invariants/mod.rs"]
mod invariants;

fuzz_target!(|input: &[u8]| {
    if let Some((template, exchange)) = invariants::Exchange::parse(input) {
        invariants::check(template, &exchange);
    }
});
