//! Ferrule's filters as proxy-wasm modules.
