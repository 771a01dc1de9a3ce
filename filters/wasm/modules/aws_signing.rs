//! The signing filter as a proxy-wasm module.

ferrule_wasm::export!(ferrule_catalog::AwsSigning);
