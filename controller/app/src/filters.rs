//! Where the filters are that Envoy is to run.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use ferrule_translate::FilterHost;

use crate::cli::{FilterArgs, Host};

/// The filters, for the translator and for Envoy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filters {
    pub(crate) host: FilterHost,
    /// Folder in which Envoy looks for native modules.
    pub(crate) modules: Option<PathBuf>,
}

/// A filter of every build, which tells whether a folder has the wasm modules.
const PROBE: &str = "transformation.wasm";
const BUILD_NATIVE: &str = "build it by `cargo build --release -p ferrule-native`, or name it by --module";
const BUILD_WASM: &str =
    "build them by `cargo run --release -p wasm-build`, or name their folder by --wasm-dir";

/// The filters that the arguments mean.
///
/// # Errors
/// They are not there; says how to get them.
pub(crate) fn locate(args: &FilterArgs) -> anyhow::Result<Filters> {
    match args.host {
        Host::Native => native(args.module.as_deref()),
        Host::Wasm => wasm(args.wasm_dir.as_deref()),
    }
}

/// The filters as they would be named, wherever they are: for commands that run none.
pub(crate) fn nominal(args: &FilterArgs) -> Filters {
    let host = match args.host {
        Host::Native => FilterHost::Native { module: "ferrule".to_owned() },
        Host::Wasm => {
            let folder = args.wasm_dir.clone().unwrap_or_else(|| PathBuf::from("/usr/lib/ferrule/wasm"));
            FilterHost::Wasm { directory: folder.display().to_string() }
        }
    };
    locate(args).unwrap_or(Filters { host, modules: None })
}

fn native(named: Option<&Path>) -> anyhow::Result<Filters> {
    let path = match named {
        Some(path) => path.to_owned(),
        None => beside_us()?.join("libferrule.so"),
    };
    if !path.is_file() {
        bail!("there is no native module {}; {BUILD_NATIVE}", path.display());
    }
    let path = path.canonicalize().with_context(|| path.display().to_string())?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some(module) = name.strip_prefix("lib").and_then(|name| name.strip_suffix(".so")) else {
        bail!("Envoy loads modules named libNAME.so only, not {}", path.display());
    };
    let module = module.to_owned();
    Ok(Filters { host: FilterHost::Native { module }, modules: path.parent().map(Path::to_owned) })
}

fn wasm(named: Option<&Path>) -> anyhow::Result<Filters> {
    let folder = match named {
        Some(folder) => folder.to_owned(),
        None => {
            let ours = beside_us()?;
            let places = [Some(ours.join("wasm")), ours.parent().map(|above| above.join("wasm"))];
            let found = places.into_iter().flatten().find(|folder| folder.join(PROBE).is_file());
            found.with_context(|| {
                format!("there are no wasm modules beside {}; {BUILD_WASM}", ours.display())
            })?
        }
    };
    if !folder.join(PROBE).is_file() {
        bail!("there is no {PROBE} in {}; {BUILD_WASM}", folder.display());
    }
    let folder = folder.canonicalize().with_context(|| folder.display().to_string())?;
    let directory = folder.to_str().with_context(|| format!("{} is no UTF-8", folder.display()))?.to_owned();
    Ok(Filters { host: FilterHost::Wasm { directory }, modules: None })
}

/// The folder of this program.
fn beside_us() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("cannot tell where ferrule is")?;
    program.parent().map(Path::to_owned).context("ferrule is in no folder")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_found_by_its_path_and_known_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libmine.so");
        std::fs::write(&path, "").unwrap();
        let filters = native(Some(&path)).unwrap();
        assert_eq!(filters.host, FilterHost::Native { module: "mine".into() });
        assert_eq!(filters.modules, Some(folder.path().canonicalize().unwrap()));
    }

    #[test]
    fn what_is_missing_is_named_with_its_remedy() {
        let error = native(Some(Path::new("/no/libferrule.so"))).unwrap_err().to_string();
        assert!(error.contains("/no/libferrule.so") && error.contains("cargo build"), "{error}");
        let error = wasm(Some(Path::new("/no"))).unwrap_err().to_string();
        assert!(error.contains("wasm-build"), "{error}");
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(native(Some(file.path())).unwrap_err().to_string().contains("libNAME.so"));
    }
}
