//! Every filter's case table on real Envoy, as dynamic module and as wasm module.
//!
//! Each file is a test: `transformation/native/<case>`, `transformation/wasm/<case>`. The modules are taken from where they are
//! built: `libferrule.so` and `libferrule_probe.so` beside this test's own profile folder (`just native`), and
//! `wasm/<filter>.wasm` in the target folder (`just wasm`).

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use envoy_harness::envoy::{Built, NativeModule, Suite, WasmModule};
use envoy_harness::{Case, Trials};

/// One filter's cases and modules.
struct Table {
    filter: String,
    cases: PathBuf,
    native: &'static str,
}

/// All case tables of the repository.
fn tables(root: &Path) -> std::io::Result<Vec<Table>> {
    let mut tables = vec![Table {
        filter: "probe".to_owned(),
        cases: root.join("e2e/probe/cases"),
        native: "ferrule_probe",
    }];
    for folder in std::fs::read_dir(root.join("filters"))? {
        let folder = folder?;
        let cases = folder.path().join("cases");
        if cases.is_dir() {
            let filter = folder.file_name().to_string_lossy().replace('-', "_");
            tables.push(Table { filter, cases, native: "ferrule" });
        }
    }
    tables.sort_by(|a, b| a.filter.cmp(&b.filter));
    Ok(tables)
}

/// The tests of both hosts.
struct Suites {
    native: Suite,
    wasm: Suite,
}

impl Default for Suites {
    fn default() -> Self {
        // What streams share, such as a cache, is one for all workers, and as wasm each worker's own.
        Self { native: Suite::default(), wasm: Suite::default().with_workers(1) }
    }
}

fn plan(trials: &mut Trials, suites: &mut Suites, table: Table) {
    let Table { filter, cases, native } = table;
    let built = match Built::here() {
        Ok(built) => built,
        Err(error) => return trials.add_broken(&filter, error.to_string()),
    };
    let cases = match Case::load_dir(&cases) {
        Ok(cases) => cases,
        Err(error) => return trials.add_broken(format!("{filter}/cases"), error.to_string()),
    };
    let native = NativeModule { module: built.native(native), filter: filter.clone() };
    let wasm = WasmModule {
        module: built.target().join("wasm").join(format!("{filter}.wasm")),
        filter: filter.clone(),
    };
    if is_built(trials, &format!("{filter}/native"), &native.module, "just native") {
        suites.native.add(&format!("{filter}/native"), cases.clone(), native);
    }
    if is_built(trials, &format!("{filter}/wasm"), &wasm.module, "just wasm") {
        suites.wasm.add(&format!("{filter}/wasm"), cases, wasm);
    }
}

fn is_built(trials: &mut Trials, name: &str, module: &Path, recipe: &str) -> bool {
    let built = module.is_file();
    if !built {
        trials.add_broken(name, format!("{} is missing; build it by `{recipe}`", module.display()));
    }
    built
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (mut trials, mut suites) = (Trials::default(), Suites::default());
    match tables(&root) {
        Ok(tables) => tables.into_iter().for_each(|table| plan(&mut trials, &mut suites, table)),
        Err(error) => trials.add_broken("tables", error.to_string()),
    }
    suites.native.add_to(&mut trials);
    suites.wasm.add_to(&mut trials);
    trials.run()
}
