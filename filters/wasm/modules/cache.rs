//! The cache as a proxy-wasm module: a store for each worker.

ferrule_wasm::export!(ferrule_catalog::Cache);
