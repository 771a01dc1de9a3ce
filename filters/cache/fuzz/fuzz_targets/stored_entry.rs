//! Any bytes as a stored entry, and as one of a second level: it is refused, or read from end to end and written as it was.

#![no_main]

use ferrule_cache::level::copy;
use ferrule_cache::store::codec::{Head, decode_entry, encode_entry, parts};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // What is sealed reaches the code behind the seal; what is not is refused.
    let sealed = copy::seal(bytes.to_vec());
    let within = copy::decode(&sealed).map(|copy| (copy.stored, parts(&copy.head)));
    if let Some((_, parts)) = within {
        let head = Head::encode(&parts);
        assert_eq!(copy::variant_id(&Head::new(&head)).len(), 32);
    }
    if let Some(copy) = copy::decode(bytes) {
        assert_eq!(copy::seal(bytes[..bytes.len() - copy::SEAL].to_vec()), bytes);
        let _ = copy.head.lines().count();
    }
    let Some((stored, head)) = decode_entry(bytes) else { return };
    let parts_read = parts(&head);
    let written = encode_entry(&stored, &Head::encode(&parts_read));
    let (again, head) = decode_entry(&written).expect("what was written");
    assert_eq!(again, stored);
    assert_eq!(parts(&head), parts_read);
});
