//! Programs that are built once and kept: Kubernetes, etcd and the conformance suites.
//!
//! Invariants:
//! - What is kept is named by its version; a folder is there whole or not at all.
//! - Versions and hashes of all sources are pinned by the `go.mod` and `go.sum` files in `go/`, which are part of this program.

mod go;
mod kubernetes;
mod sources;
mod suite;
mod tools;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;

pub(crate) use kubernetes::kubernetes;
pub(crate) use suite::{Suite, suite};
pub(crate) use tools::require;

/// Returns the folder `name` of the cache; makes it by `build` where it is missing.
///
/// `build` gets an empty folder for its work, and one to fill. What one that was interrupted has left goes first.
fn kept(name: &str, build: impl FnOnce(&Path, &Path) -> anyhow::Result<()>) -> anyhow::Result<PathBuf> {
    let cache = envoy_bootstrap::cache_folder().context("no cache folder; set FERRULE_CACHE or HOME")?;
    fs::create_dir_all(&cache).with_context(|| format!("making {}", cache.display()))?;
    let folder = cache.join(name);
    if folder.is_dir() {
        return Ok(folder);
    }
    let lock = File::create(cache.join(format!("{name}.lock")))?;
    lock.lock()?;
    if folder.is_dir() {
        return Ok(folder);
    }
    let (work, filled) =
        (emptied(cache.join(format!("{name}.work")))?, emptied(cache.join(format!("{name}.new")))?);
    let began = Instant::now();
    eprintln!("cluster: building {name}, once; this takes some minutes");
    let built = build(&work, &filled).with_context(|| format!("building {name}"));
    let removed = fs::remove_dir_all(&work).with_context(|| format!("removing {}", work.display()));
    built.and(removed)?;
    fs::rename(&filled, &folder).with_context(|| format!("keeping {}", folder.display()))?;
    eprintln!("cluster: built {name} in {} s", began.elapsed().as_secs());
    Ok(folder)
}

/// Makes the folder; without what is in it, if it is there.
fn emptied(folder: PathBuf) -> anyhow::Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    fs::create_dir(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}
