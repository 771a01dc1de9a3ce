//! Where cargo puts the modules that it builds.

use std::path::{Path, PathBuf};
use std::{env, io};

/// Cargo's target folder, and in it the libraries of the profile that the running test was built with.
///
/// Cargo builds the `cdylib` of a package, too, when it builds the package's integration tests: by the time such a test runs,
/// the package's own [`Built::native`] is up to date. Modules of other packages, and wasm modules, are to be built before.
#[derive(Clone, Debug)]
pub struct Built {
    /// `deps` of the profile: there, and not always above, cargo puts a library that a test depends on.
    libraries: PathBuf,
    target: PathBuf,
}

impl Built {
    /// As seen from the running test, which cargo puts into `<target>/<profile>/deps`.
    ///
    /// # Errors
    /// The running program is somewhere else.
    pub fn here() -> io::Result<Self> {
        let test = env::current_exe()?;
        Self::above(&test).ok_or_else(|| {
            let why = format!("{} is not where cargo puts tests", test.display());
            io::Error::new(io::ErrorKind::NotFound, why)
        })
    }

    fn above(test: &Path) -> Option<Self> {
        let libraries = test.parent().filter(|folder| folder.ends_with("deps"))?;
        let profile = libraries.parent()?;
        // With `--target`, there is a folder for the target's triple in between; cargo marks the uppermost.
        let marked = profile.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
        let target = marked.or_else(|| profile.parent())?;
        Some(Self { libraries: libraries.to_owned(), target: target.to_owned() })
    }

    /// The target folder.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// The dynamic module of a `cdylib` crate, by its name with underscores.
    pub fn native(&self, name: &str) -> PathBuf {
        self.libraries.join(format!("lib{name}.so"))
    }

    /// The proxy-wasm module of a `cdylib` crate, by its name with underscores, built with this profile.
    pub fn wasm(&self, profile: &str, name: &str) -> PathBuf {
        self.target.join("wasm32-wasip1").join(profile).join(name).with_extension("wasm")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_found_from_where_the_test_is() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path();
        let at = |deps: &str| Built::above(&target.join(deps).join("cases-0123")).unwrap();
        let unmarked = at("debug/deps");
        assert_eq!(unmarked.native("my_filter"), target.join("debug/deps/libmy_filter.so"));
        assert_eq!(unmarked.wasm("wasm", "my_filter"), target.join("wasm32-wasip1/wasm/my_filter.wasm"));
        std::fs::write(target.join("CACHEDIR.TAG"), "").unwrap();
        assert_eq!(at("debug/deps").target(), target);
        assert_eq!(at("x86_64-unknown-linux-gnu/debug/deps").target(), target);
    }

    #[test]
    fn programs_that_are_no_tests_of_cargos_have_no_modules() {
        assert!(Built::above(Path::new("/usr/bin/cases")).is_none());
        assert!(Built::above(Path::new("/")).is_none());
        Built::here().unwrap();
    }
}
