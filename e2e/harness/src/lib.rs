//! Runs one YAML case of an Envoy filter in process, in a dynamic module and in a wasm module.
