//! `golden/<case>.in.yaml` -> `.out.yaml` and `.notes.txt`. `BLESS=1` rewrites them.
//!
//! A first line of `# partial` has what cannot be converted left out.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use ferrule_convert::{Conversion, Rest, Severity, convert};
use ferrule_transformation::Transformation;
use serde_json::Value;
use similar::TextDiff;

fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<_> = fs::read_dir(root).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

fn inputs() -> Vec<PathBuf> {
    files().into_iter().filter(|file| file.to_string_lossy().ends_with(".in.yaml")).collect()
}

fn sibling(input: &Path, what: &str) -> PathBuf {
    PathBuf::from(input.to_string_lossy().replace(".in.yaml", what))
}

fn converted(input: &Path) -> Conversion {
    let text = fs::read_to_string(input).unwrap();
    let rest = if text.starts_with("# partial") { Rest::Emitted } else { Rest::Nothing };
    let objects: Vec<Value> =
        serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", input.display()));
    let mut all = Conversion::default();
    for object in objects {
        let Conversion { policies, notes } = convert(&object, rest);
        all.policies.extend(policies);
        all.notes.extend(notes);
    }
    all
}

fn documents(values: &[Value]) -> String {
    values.iter().map(|value| serde_saphyr::to_string(value).unwrap()).collect::<Vec<_>>().join("---\n")
}

#[test]
fn gloo_objects_convert_as_the_goldens_say() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut differences = String::new();
    for input in inputs() {
        let Conversion { policies, notes } = converted(&input);
        let notes: String = notes.iter().map(|note| format!("{note}\n")).collect();
        for (what, found) in [(".out.yaml", documents(&policies)), (".notes.txt", notes)] {
            let file = sibling(&input, what);
            let known = fs::read_to_string(&file).unwrap_or_default();
            if bless {
                fs::write(&file, found).unwrap();
            } else if known != found {
                let diff = TextDiff::from_lines(&known, &found);
                write!(differences, "{}\n{}", file.display(), diff.unified_diff()).unwrap();
            }
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn every_golden_has_an_input() {
    let expected: BTreeSet<_> = inputs()
        .iter()
        .flat_map(|input| [input.clone(), sibling(input, ".out.yaml"), sibling(input, ".notes.txt")])
        .collect();
    assert_eq!(files().into_iter().collect::<BTreeSet<_>>(), expected);
    assert!(!expected.is_empty());
}

#[test]
fn the_filter_takes_every_policy() {
    for input in inputs() {
        for policy in converted(&input).policies {
            let transformation = policy["spec"]["transformation"].to_string();
            let compiled = ferrule_kit::compile::<Transformation>(transformation.as_bytes());
            assert!(compiled.is_ok(), "{}: {compiled:?}\n{transformation}", input.display());
        }
    }
}

#[test]
fn an_object_with_an_error_is_emitted_only_if_asked() {
    let mut refused = 0;
    for input in inputs() {
        let text = fs::read_to_string(&input).unwrap();
        let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        for object in objects {
            let whole = convert(&object, Rest::Nothing);
            let failed = whole.notes.iter().any(|note| note.severity == Severity::Error);
            assert!(!failed || whole.policies.is_empty(), "{}", input.display());
            refused += usize::from(failed);
        }
    }
    assert!(refused > 0);
}
