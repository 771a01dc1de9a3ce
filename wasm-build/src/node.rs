//! Unit tests as wasm under Node, by `wasm-bindgen-test`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;
use crate::toolchain::Toolchain;
use crate::workspace::Workspace;

/// The crates that know no host: what they do must not depend on where they run.
const PURE: [&str; 6] = [
    "ferrule-aws",
    "ferrule-cache",
    "ferrule-json",
    "ferrule-kit",
    "ferrule-lambda",
    "ferrule-transformation",
];

const RUNNER: &str = "wasm-bindgen-test-runner";

/// Runs the unit tests of the pure crates.
///
/// # Errors
/// A test fails, or there is no Node or no runner and none can be installed.
pub(crate) fn test(workspace: &Workspace, toolchain: &Toolchain) -> Result<()> {
    let _ =
        process::output("node", &["--version"]).context("no `node` here; as root: apt-get install nodejs")?;
    let runner = runner(workspace)?;
    let mut cargo = toolchain.cargo("test");
    cargo.arg("--lib").args(PURE.iter().flat_map(|name| ["-p", name]));
    cargo
        .current_dir(workspace.root())
        .env("CARGO_TARGET_DIR", workspace.build(toolchain.name()))
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner)
        .env("WASM_BINDGEN_TEST_ONLY_NODE", "1");
    process::run(&mut cargo)
}

/// The runner of the very version of `wasm-bindgen` that the workspace has locked, which is the only one that fits.
fn runner(workspace: &Workspace) -> Result<PathBuf> {
    let lock = fs::read_to_string(workspace.root().join("Cargo.lock")).context("reading Cargo.lock")?;
    let version = locked(&lock, "wasm-bindgen").context("Cargo.lock has no wasm-bindgen")?;
    let cache = envoy_bootstrap::cache_folder().context("no folder to install into: set FERRULE_CACHE")?;
    let folder = cache.join(format!("wasm-bindgen-cli-{version}"));
    let runner = folder.join("bin").join(RUNNER);
    if !runner.is_file() {
        install(version, &folder)?;
    }
    Ok(runner)
}

fn install(version: &str, folder: &Path) -> Result<()> {
    eprintln!("wasm-build: installing wasm-bindgen-cli {version}, once; it takes some minutes");
    let install = |locked: &[&str]| {
        let mut cargo = Command::new("cargo");
        cargo.args(["install", "wasm-bindgen-cli", "--version", version, "--root"]).arg(folder).args(locked);
        process::run(&mut cargo)
    };
    // The lock that comes with it may name what the registry at hand does not have.
    install(&["--locked"])
        .or_else(|error| {
            eprintln!("wasm-build: {error:#}; trying newer dependencies");
            install(&[])
        })
        .with_context(|| format!("cannot install {RUNNER} {version}"))
}

/// The version of a package in a lock file.
fn locked<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let (_, after) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    after.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locked_version_is_that_of_the_package_of_that_very_name() {
        let lock = "[[package]]\nname = \"wasm-bindgen-test\"\nversion = \"0.3.1\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.9\"\n";
        assert_eq!(locked(lock, "wasm-bindgen"), Some("0.2.9"));
        assert_eq!(locked(lock, "bindgen"), None);
    }
}
