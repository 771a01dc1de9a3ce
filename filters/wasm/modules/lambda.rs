//! The Lambda filter as a proxy-wasm module.

ferrule_wasm::export!(ferrule_catalog::Lambda);
