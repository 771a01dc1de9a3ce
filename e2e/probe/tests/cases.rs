//! The probe's cases, in process.

fn main() -> std::process::ExitCode {
    envoy_harness::memory::main::<ferrule_probe::Probe>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"))
}
