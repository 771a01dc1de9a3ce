//! The same cases on real Envoy: as dynamic module, which cargo has built beside this test, and as proxy-wasm module.

use std::process::ExitCode;

use envoy_harness::Case;
use envoy_harness::envoy::{Built, NativeModule, Suite, WasmModule};

fn main() -> ExitCode {
    let cases = Case::load_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/cases").as_ref()).expect("cases");
    let built = Built::here().expect("a test that cargo has built");
    let filter = "correlation-id".to_owned();
    let native = NativeModule { module: built.native("correlation_id"), filter: filter.clone() };
    let wasm = WasmModule { module: built.wasm("wasm", "correlation_id"), filter };

    let mut suite = Suite::default();
    suite.add("native", cases.clone(), native);
    suite.add("wasm", cases, wasm);
    suite.main()
}
