//! What the READMEs say exists, exists.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn readmes() -> Vec<PathBuf> {
    let listed = Command::new("git").args(["ls-files", "*.md"]).current_dir(root()).output().unwrap();
    assert!(listed.status.success(), "git ls-files failed");
    String::from_utf8(listed.stdout).unwrap().lines().map(PathBuf::from).collect()
}

/// Targets of Markdown links, and words in backticks that look like a path below a folder of ours.
fn paths_named(text: &str) -> Vec<String> {
    let prose = outside_code_blocks(text);
    let links = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let links = links.filter(|link| !link.contains("://") && !link.starts_with('#'));
    let ticked = prose.split('`').skip(1).step_by(2).filter(|word| is_path(word));
    links.chain(ticked).map(|path| path.split('#').next().unwrap_or(path).to_owned()).collect()
}

fn outside_code_blocks(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

fn is_path(word: &str) -> bool {
    const TOP: [&str; 7] =
        ["filters/", "controller/", "envoy-bootstrap/", "wasm-build/", "e2e/", "examples/", ".ci/"];
    TOP.iter().any(|top| word.starts_with(top)) && !word.contains(['<', '*', '{', ' ', '$'])
}

#[test]
fn every_path_that_a_readme_names_exists() {
    let mut missing = Vec::new();
    for readme in readmes() {
        let text = std::fs::read_to_string(root().join(&readme)).unwrap();
        let folder = root().join(readme.parent().unwrap());
        for path in paths_named(&text) {
            if !folder.join(&path).exists() && !root().join(&path).exists() {
                missing.push(format!("{}: {path}", readme.display()));
            }
        }
    }
    assert!(missing.is_empty(), "named but not there:\n{}", missing.join("\n"));
}

#[test]
fn links_and_ticked_paths_are_found_and_code_blocks_are_not() {
    let text = "see [the kit](filters/kit) and `e2e/harness/README.md`\n```\n`filters/none`\n```\n[x](https://x) `just run`";
    assert_eq!(paths_named(text), ["filters/kit", "e2e/harness/README.md"]);
}
