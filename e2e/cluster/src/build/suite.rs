//! The conformance suites of Gateway API, with their echo server and the definitions of their version.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::go::{GO_1_26, GO_1_27, Go, copy};
use super::{kept, sources};

/// The module with the echo server since v1.7.0, and where it was before.
const IMAGES: &str = "sigs.k8s.io/gateway-api-conformance-images/echo-basic";
const IMAGES_BEFORE: &str = "sigs.k8s.io/gateway-api/conformance/echo-basic";

/// A suite.
pub(crate) struct Suite {
    /// Such as `1.7.0`.
    pub(crate) version: &'static str,
    folder: PathBuf,
}

impl Suite {
    /// The suite itself: a test program.
    pub(crate) fn program(&self) -> PathBuf {
        self.folder.join("conformance.test")
    }

    /// Its echo server.
    pub(crate) fn echo(&self) -> PathBuf {
        self.folder.join("echo-basic")
    }

    /// A folder with the definitions of the experimental channel.
    pub(crate) fn definitions(&self) -> PathBuf {
        self.folder.join("crds")
    }
}

/// The suite of a `version` such as `v1.7.0`, built where it is missing.
///
/// # Errors
/// There is no such version, or the build failed; the error says how to mend it.
pub(crate) fn suite(version: &str) -> anyhow::Result<Suite> {
    let (version, build): (_, fn(&Path, &Path) -> anyhow::Result<()>) = match version.trim_start_matches('v')
    {
        "1.6.3" => ("1.6.3", build_1_6),
        "1.7.0" => ("1.7.0", build_1_7),
        other => bail!("no suite v{other} here; there are v1.6.3 and v1.7.0"),
    };
    let folder = kept(&format!("conformance-{version}"), build)?;
    Ok(Suite { version, folder })
}

fn build_1_6(work: &Path, filled: &Path) -> anyhow::Result<()> {
    let go = Go::of(GO_1_26, work)?;
    let module = work.join("module");
    sources::write(sources::SUITE_1_6, &module)?;
    build(&go, &module, IMAGES_BEFORE, filled)
}

/// The echo server's own module cannot be had: it exists in no version that the suite's `go.sum` would accept. So the
/// folder that it was moved from stands in for it.
fn build_1_7(work: &Path, filled: &Path) -> anyhow::Result<()> {
    let go = Go::of(GO_1_27, work)?;
    let (module, before) = (work.join("module"), work.join("before"));
    sources::write(sources::SUITE_1_7, &module)?;
    sources::write(sources::SUITE_1_6, &before)?;
    let older = go.sources(&before, "sigs.k8s.io/gateway-api/conformance")?;
    copy(&older.join("echo-basic"), &module.join("images/echo-basic"), &rename_imports)?;
    for dropped in [".go.mod", ".go.sum"] {
        fs::remove_file(module.join("images/echo-basic").join(dropped))
            .context("the echo server has moved")?;
    }
    build(&go, &module, IMAGES, filled)
}

/// Generated files stay as they are: the descriptors in them hold lengths.
fn rename_imports(path: &Path, text: String) -> String {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if name.ends_with(".pb.go") { text } else { text.replace(IMAGES_BEFORE, IMAGES) }
}

fn build(go: &Go, module: &Path, echo: &str, filled: &Path) -> anyhow::Result<()> {
    let to = |name: &str| filled.join(name).display().to_string();
    go.run(module, &["build", "-ldflags", "-s -w", "-o", &to("echo-basic"), echo])?;
    go.run(module, &["test", "-c", "-ldflags", "-s -w", "-o", &to("conformance.test"), "."])?;
    let definitions = go.sources(module, "sigs.k8s.io/gateway-api")?.join("config/crd/experimental");
    copy(&definitions, &filled.join("crds"), &|_, text| text)
}
