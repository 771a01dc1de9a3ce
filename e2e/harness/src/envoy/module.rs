//! Whether the file that a filter comes from is fit to be tested.

use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};

/// Why cases of this module would say nothing: it is missing, or older than its sources.
pub(super) fn unfit(module: &Path) -> Option<String> {
    let Ok(built) = changed(module) else {
        return Some(format!("{} is missing: it is to be built before the test runs", module.display()));
    };
    let source = sources(module).into_iter().find(|source| changed(source).is_ok_and(|time| time > built))?;
    Some(format!("{} is older than {}: it is to be built again", module.display(), source.display()))
}

fn changed(file: &Path) -> io::Result<SystemTime> {
    fs::metadata(file)?.modified()
}

/// The local sources of a module, as cargo notes them beside it in the syntax of make; none where it has not.
fn sources(module: &Path) -> Vec<PathBuf> {
    let noted = fs::read_to_string(module.with_extension("d")).unwrap_or_default();
    let Some((_, sources)) = noted.split_once(": ") else { return Vec::new() };
    let sources = sources.trim_end().replace("\\ ", "\0");
    sources.split(' ').map(|source| source.replace('\0', " ").into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_fit_while_it_is_no_older_than_its_sources() {
        let folder = tempfile::tempdir().unwrap();
        let [module, source, notes] = ["m.wasm", "a b.rs", "m.d"].map(|name| folder.path().join(name));
        assert!(
            unfit(&module).unwrap().ends_with("m.wasm is missing: it is to be built before the test runs")
        );
        fs::write(&source, "").unwrap();
        fs::write(&module, "").unwrap();
        let escaped = source.display().to_string().replace(' ', "\\ ");
        fs::write(&notes, format!("{}: /no/such/file.rs {escaped}\n", module.display())).unwrap();
        let set = |second| {
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(second);
            fs::File::options().write(true).open(&source).unwrap().set_modified(time).unwrap();
        };
        set(1);
        assert_eq!(unfit(&module), None);
        set(4_000_000_000);
        let why = unfit(&module).unwrap();
        assert!(why.ends_with("a b.rs: it is to be built again"), "{why}");
    }

    #[test]
    fn a_module_of_unknown_sources_is_fit() {
        let folder = tempfile::tempdir().unwrap();
        let module = folder.path().join("m.wasm");
        fs::write(&module, "").unwrap();
        assert_eq!(unfit(&module), None);
    }
}
