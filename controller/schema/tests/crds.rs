//! The CustomResourceDefinitions of this project: as files for `kubectl apply`, and as the schemas that are built in.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use std::collections::BTreeSet;

use ferrule_schema::{Definition, Schemas, crds};
use support::{compare, documents, here, objects};

#[test]
fn definitions_are_the_files_that_are_deployed() {
    let folder = here("../deploy/crds");
    let mut expected = BTreeSet::new();
    for crd in crds() {
        let file = format!("{}.yaml", crd["metadata"]["name"].as_str().unwrap());
        let text = serde_saphyr::to_string(&crd).unwrap();
        assert_eq!(documents(&text), [crd], "YAML keeps all of {file}");
        compare(&folder.join(&file), &text);
        expected.insert(file);
    }
    let there =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let there = there.filter(|name| name != "kustomization.yaml");
    assert_eq!(there.collect::<BTreeSet<_>>(), expected);
}

#[test]
fn the_kinds_that_are_served_are_known() {
    for crd in crds() {
        let definition = Definition::of_crd(&crd).unwrap();
        assert!(Schemas::builtin().definitions().any(|known| *known == definition), "{}", definition.kind);
    }
}

/// What kgateway's users have, and what this project adds.
#[test]
fn sound_objects_are_taken() {
    for (file, object) in objects(&here("tests/seeds")) {
        assert_eq!(Schemas::builtin().validate(&object, None), Some(Vec::new()), "{file}");
    }
}

#[test]
fn the_rules_of_each_kind_are_told_by_their_field() {
    let mut told = String::new();
    for (file, object) in objects(&here("tests/bad")) {
        let violations = Schemas::builtin().validate(&object, None).unwrap();
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        assert!(!violations.is_empty(), "{file}: {name} is taken");
        for violation in violations {
            told.push_str(&format!("{name}: {violation}\n"));
        }
    }
    compare(&here("tests/golden/bad.txt"), &told);
}
