//! Where things are.

use std::env;
use std::path::{Path, PathBuf};

/// The workspace that this crate is part of.
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// As `cargo run` says, else where this program was built.
    pub(crate) fn here() -> Self {
        let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&package).parent().unwrap_or(Path::new(".."));
        Self { root: root.to_owned() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where the finished modules go.
    pub(crate) fn modules(&self) -> PathBuf {
        self.target().join("wasm")
    }

    /// A build folder of its own for each kind of build: files of one name from two compilers would take turns.
    pub(crate) fn build(&self, kind: &str) -> PathBuf {
        self.target().join("wasm-build").join(kind)
    }

    fn target(&self) -> PathBuf {
        env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| self.root.join("target"), |folder| self.root.join(folder))
    }
}
