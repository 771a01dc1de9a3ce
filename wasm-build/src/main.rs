//! Builds the proxy-wasm modules.
fn main() {}
