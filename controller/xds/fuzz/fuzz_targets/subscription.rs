//! Drives the subscription state machine with a proxy that does anything: eight bytes an act.
//!
//! `cargo +nightly fuzz run subscription` in `controller/xds`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/proxy/mod.rs"]
mod proxy;

fuzz_target!(|data: &[u8]| {
    let (acts, _) = data.as_chunks();
    let mut proxy = proxy::Proxy::new();
    for act in acts.iter().take(200) {
        proxy.act(*act);
    }
    proxy.settle();
});
