//! Any bytes as a dictionary: no panic, and a member that follows on one that is read is read, too.

#![no_main]

use ferrule_cache::policy::cdn_cache_control::parse;
use ferrule_cache::policy::structured::{Value, dictionary};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|field: &[u8]| {
    let _ = parse(field);
    if dictionary(field).is_some_and(|members| !members.is_empty() && members.len() < 1000) {
        let more = [field, b", zz=7"].concat();
        let members = dictionary(&more).expect("still a dictionary");
        assert!(members.contains(&(&b"zz"[..], Value::Integer(7))));
    }
});
