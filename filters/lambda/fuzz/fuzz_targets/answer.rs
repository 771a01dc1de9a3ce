//! Any answer of Lambda, event-stream frames among them: no panic, an end, and one outcome whichever way the call was made.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/invariants/mod.rs"]
mod invariants;

fuzz_target!(|input: &[u8]| {
    if let Some(answer) = invariants::Answer::parse(input) {
        invariants::check(&answer);
    }
});
