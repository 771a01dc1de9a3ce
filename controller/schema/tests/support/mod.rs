//! The Go module of Gateway API, and YAML as the tests read it.

#![allow(dead_code, reason = "each test uses a part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// The version whose schemas are built in.
pub(crate) const VERSION: &str = "v1.7.0";

/// The folder of a Go module; `None`, with a word why, where there is no go.
pub(crate) fn module(name: &str) -> Option<PathBuf> {
    let told = Command::new("go")
        .args(["mod", "download", "-json", &format!("{name}@{VERSION}")])
        .current_dir(std::env::temp_dir())
        .output();
    let told = match told {
        Err(error) => {
            eprintln!("skipped: go cannot be run ({error}), so {name} cannot be had");
            return None;
        }
        Ok(told) => told,
    };
    let about: Value = serde_json::from_slice(&told.stdout).unwrap_or_default();
    let complaint = String::from_utf8_lossy(&told.stderr);
    match (about["Dir"].as_str(), about["Zip"].as_str()) {
        (Some(folder), _) => Some(folder.into()),
        // A go that is older than the module asks for fetches it all the same, but leaves it packed.
        (None, Some(zip)) => Some(unpacked(name, zip)),
        (None, None) => panic!("no {name} {VERSION}: {about} {complaint}"),
    }
}

fn unpacked(name: &str, zip: &str) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("modules");
    let folder = all.join(format!("{name}@{VERSION}"));
    if !folder.exists() {
        let fresh = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let unpacking =
            Command::new("python3").args(["-m", "zipfile", "-e", zip]).arg(fresh.path()).status().unwrap();
        assert!(unpacking.success(), "cannot unpack {zip}");
        std::fs::create_dir_all(folder.parent().unwrap()).unwrap();
        std::fs::rename(fresh.path().join(folder.strip_prefix(&all).unwrap()), &folder).unwrap();
    }
    folder
}

/// All objects of all YAML files below a folder, with their files as seen from there.
pub(crate) fn objects(folder: &Path) -> Vec<(String, Value)> {
    let mut files = Vec::new();
    list(folder, &mut files);
    files.sort();
    let read = files.iter().flat_map(|file| {
        let name = file.strip_prefix(folder).unwrap().display().to_string();
        let text = std::fs::read_to_string(file).unwrap();
        documents(&text).into_iter().map(move |object| (name.clone(), object))
    });
    read.collect()
}

/// The documents of a YAML text that hold anything.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    documents.into_iter().filter(|document| !document.is_null()).collect()
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            list(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
}

/// Compares a text with a file, or writes it where `BLESS` is set.
pub(crate) fn compare(golden: &Path, actual: &str) {
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
        return std::fs::write(golden, actual).unwrap();
    }
    let expected = std::fs::read_to_string(golden).unwrap_or_default();
    if expected != actual {
        let diff = similar::TextDiff::from_lines(expected.as_str(), actual);
        let diff = diff.unified_diff().context_radius(1).to_string();
        panic!("{} differs (BLESS=1 rewrites it):\n{diff}", golden.display());
    }
}

/// A file or folder of this crate.
pub(crate) fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
