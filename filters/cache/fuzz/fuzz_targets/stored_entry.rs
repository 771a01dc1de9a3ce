//! Any bytes as a stored entry: it is refused, or read from end to end and written as it was.

#![no_main]

use ferrule_cache::store::codec::{Head, decode_entry, encode_entry, parts};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((stored, head)) = decode_entry(bytes) else { return };
    let parts_read = parts(&head);
    let written = encode_entry(&stored, &Head::encode(&parts_read));
    let (again, head) = decode_entry(&written).expect("what was written");
    assert_eq!(again, stored);
    assert_eq!(parts(&head), parts_read);
});
