//! The modules, their sizes, and where they go.

use std::path::Path;
use std::{fs, io};

use anyhow::{Context, Result, bail};

use crate::process;
use crate::toolchain::Toolchain;
use crate::workspace::Workspace;

/// See `[profile.wasm]` of the workspace.
const PROFILE: &str = "wasm";

/// A proxy-wasm module.
struct Module {
    /// Name of the filter, and of the file.
    name: &'static str,
    /// Where cargo puts it, below the folder of the profile.
    built: &'static str,
    /// Bytes it may have. Raise it with a reason: V8 compiles each of them once a VM, that is once a worker.
    budget: u64,
}

const MODULES: [Module; 5] = [
    Module { name: "transformation", built: "examples/transformation.wasm", budget: 1_560_000 },
    Module { name: "lambda", built: "examples/lambda.wasm", budget: 520_000 },
    Module { name: "aws_signing", built: "examples/aws_signing.wasm", budget: 325_000 },
    Module { name: "cache", built: "examples/cache.wasm", budget: 760_000 },
    Module { name: "probe", built: "ferrule_probe.wasm", budget: 450_000 },
];

/// Builds all modules into the folder for finished ones.
///
/// # Errors
/// Cargo fails, or a module is larger than its budget.
pub(crate) fn build(workspace: &Workspace, toolchain: &Toolchain) -> Result<()> {
    let folder = workspace.build(toolchain.name());
    let mut cargo = toolchain.cargo("build");
    cargo.args(["--profile", PROFILE, "-p", "ferrule-wasm", "-p", "ferrule-probe", "--lib", "--examples"]);
    process::run(cargo.current_dir(workspace.root()).env("CARGO_TARGET_DIR", &folder))?;
    let built = folder.join(toolchain.target().triple()).join(PROFILE);
    let finished = workspace.modules();
    fs::create_dir_all(&finished).with_context(|| format!("making {}", finished.display()))?;
    let sizes = MODULES.iter().map(|module| {
        let file = finished.join(module.name).with_extension("wasm");
        let size =
            place(&built.join(module.built), &file).with_context(|| format!("placing {}", file.display()))?;
        println!("{}: {size} bytes of {} ({})", module.name, module.budget, file.display());
        Ok((module, size))
    });
    within_budget(&sizes.collect::<Result<Vec<_>>>()?)
}

/// Builds the library of a package of its own, where its cargo puts it.
///
/// # Errors
/// Cargo fails.
pub(crate) fn package(manifest: &Path, target: Option<&Path>, toolchain: &Toolchain) -> Result<()> {
    let mut cargo = toolchain.cargo("build");
    cargo.args(["--profile", PROFILE, "--lib", "--manifest-path"]).arg(manifest);
    target.into_iter().for_each(|folder| {
        cargo.arg("--target-dir").arg(folder);
    });
    process::run(&mut cargo)
}

/// Copies a file where its content is not there yet, so that who looks at times sees no change where there is none.
fn place(from: &Path, to: &Path) -> io::Result<u64> {
    let module = fs::read(from)?;
    if fs::read(to).ok().as_ref() != Some(&module) {
        fs::write(to, &module)?;
    }
    Ok(module.len() as u64)
}

fn within_budget(sizes: &[(&Module, u64)]) -> Result<()> {
    let over = sizes.iter().filter(|(module, size)| *size > module.budget);
    let over: Vec<String> = over
        .map(|(module, size)| {
            format!(
                "{} has {size} bytes, {} of which are above its budget",
                module.name,
                size - module.budget
            )
        })
        .collect();
    if over.is_empty() { Ok(()) } else { bail!("{}", over.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! names {
        ($($filter:ty),+ $(,)?) => { [$(<$filter as ferrule_kit::Filter>::NAME),+] };
    }

    #[test]
    fn every_filter_of_the_catalog_has_a_module() {
        let names: &[&str] = &ferrule_catalog::filters!(names);
        let has_module = |name: &&&str| MODULES.iter().any(|module| module.name == **name);
        assert_eq!(names.iter().filter(has_module).count(), names.len(), "{names:?}");
    }

    #[test]
    fn a_module_above_its_budget_fails_the_build() {
        let [transformation, .., probe] = &MODULES;
        within_budget(&[(transformation, transformation.budget), (probe, 1)]).unwrap();
        let error = within_budget(&[(transformation, 1), (probe, probe.budget + 7)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("probe has {} bytes, 7 of which are above its budget", probe.budget + 7)
        );
    }
}
