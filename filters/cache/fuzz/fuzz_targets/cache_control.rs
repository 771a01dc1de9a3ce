//! Any bytes as Cache-Control: no panic, and nothing said after them makes a response more reusable.

#![no_main]

use ferrule_cache::policy::cache_control::{RequestDirectives, ResponseDirectives};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|value: &[u8]| {
    let read = ResponseDirectives::parse(value);
    let more = ResponseDirectives::parse(&[value, b", no-store"].concat());
    // A quoted string that the value leaves open may take the comma in; one that is closed may not.
    let quotes = value.iter().filter(|byte| **byte == b'"').count();
    assert!(more.no_store || quotes % 2 == 1 || value.contains(&b'\\'));
    assert!(!read.no_store || more.no_store);
    let _ = RequestDirectives::parse(Some(value), None);
    let _ = RequestDirectives::parse(None, Some(value));
});
