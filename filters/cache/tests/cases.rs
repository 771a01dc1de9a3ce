//! The cases of this filter, in process.

fn main() -> std::process::ExitCode {
    envoy_harness::memory::main::<ferrule_cache::Cache>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"))
}
