//! The cases in process: no Envoy, milliseconds.

fn main() -> std::process::ExitCode {
    envoy_harness::memory::main::<correlation_id::CorrelationId>(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/cases"
    ))
}
