//! The images that are provisioned: what their recipe copies is there, and they are what the objects say of them.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn recipe() -> String {
    fs::read_to_string(root().join("controller/deploy/images/Containerfile")).unwrap()
}

/// What the lines of an instruction say, with continued lines as one.
fn lines(recipe: &str, instruction: &str) -> Vec<String> {
    let joined = recipe.replace("\\\n", " ");
    let of = |line: &str| {
        line.strip_prefix(instruction).and_then(|rest| rest.strip_prefix(' ')).map(str::to_owned)
    };
    joined.lines().filter_map(of).collect()
}

/// The sources of a COPY.
fn sources(copy: &str) -> Vec<&str> {
    let words: Vec<&str> = copy.split_whitespace().filter(|word| !word.starts_with("--")).collect();
    words[..words.len() - 1].to_vec()
}

#[test]
fn what_is_copied_into_the_images_is_there() {
    let recipe = recipe();
    let copies = lines(&recipe, "COPY");
    let (built, own): (Vec<_>, Vec<_>) = copies.iter().partition(|copy| copy.starts_with("--from=build "));
    assert!(!built.is_empty() && !own.is_empty());
    for source in own.iter().flat_map(|copy| sources(copy)) {
        assert!(root().join(source).exists(), "{source}");
    }
    let runs = lines(&recipe, "RUN").join(" ");
    for source in built.iter().flat_map(|copy| sources(copy)) {
        let name = source.strip_prefix("/out/").unwrap();
        assert!(
            runs.contains(&format!("target/release/{name}")) || runs.contains(&format!("/out/{name}")),
            "{source}"
        );
    }
}

/// Cargo reads the whole workspace, whatever is built of it.
#[test]
fn the_build_has_every_member_of_the_workspace() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    let folders: BTreeSet<&str> =
        members.split('"').skip(1).step_by(2).map(|member| member.split('/').next().unwrap()).collect();
    let copies = lines(&recipe(), "COPY");
    for folder in folders {
        assert!(copies.contains(&format!("{folder} {folder}")), "{folder}");
    }
}

#[test]
fn the_proxys_image_is_what_its_pods_say() {
    let recipe = recipe();
    let proxy = recipe.split(" AS proxy").nth(1).unwrap();
    let pods = fs::read_to_string(root().join("controller/provision/tests/golden/plain.out.yaml")).unwrap();
    let user = lines(proxy, "USER").pop().unwrap();
    let (user, group) = user.split_once(':').unwrap();
    assert!(pods.contains(&format!("runAsUser: {user}")) && pods.contains(&format!("runAsGroup: {group}")));
    let entrypoint = lines(proxy, "ENTRYPOINT").pop().unwrap();
    let program = entrypoint.trim_matches(['[', ']', '"']);
    assert!(pods.contains(&format!("- {program}\n                - drain")), "{program}");
}
