//! The transformation filter as a proxy-wasm module.

ferrule_wasm::export!(ferrule_catalog::Transformation);
