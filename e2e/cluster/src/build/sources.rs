//! The Go sources that are part of this program.

use std::fs;
use std::path::Path;

use anyhow::Context;

/// A file: path, content.
pub(super) type Source = (&'static str, &'static str);

macro_rules! sources {
    ($folder:literal: $($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../../go/", $folder, "/", $path)))),+]
    };
}

/// Kubernetes and etcd.
pub(super) const KUBERNETES: &[Source] = sources!("kubernetes":
    "go.mod", "go.sum", "cmd/etcd/main.go", "cmd/kube-apiserver/main.go", "cmd/kube-controller-manager/main.go",
);

/// The suite v1.6.3.
pub(super) const SUITE_1_6: &[Source] =
    sources!("conformance-1.6.3": "go.mod", "go.sum", "conformance_test.go");

/// The suite v1.7.0.
pub(super) const SUITE_1_7: &[Source] = sources!("conformance-1.7.0":
    "go.mod", "go.sum", "conformance_test.go", "images/go.mod", "images/go.sum",
);

/// Writes sources into a folder.
pub(super) fn write(sources: &[Source], folder: &Path) -> anyhow::Result<()> {
    for (path, content) in sources {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
