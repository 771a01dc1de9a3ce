//! Gateway API's own words: the schemas that are built in are those of its CRDs, and its examples are judged as they
//! are meant.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write;

use ferrule_schema::{Definition, Schemas};
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use support::{compare, here, module, objects};

const GATEWAY_API: &str = "sigs.k8s.io/gateway-api";

fn pretty(definition: &Definition) -> String {
    let mut text = Vec::new();
    definition
        .serialize(&mut Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b" ")))
        .unwrap();
    String::from_utf8(text).unwrap() + "\n"
}

#[test]
fn built_in_schemas_are_those_of_the_module() {
    let Some(module) = module(GATEWAY_API) else { return };
    let mut expected = BTreeSet::new();
    for (_, object) in objects(&module.join("config/crd/experimental")) {
        if object["kind"] == "CustomResourceDefinition" {
            let mut definition = Definition::of_crd(&object).unwrap();
            definition.strip_descriptions();
            let name = format!("{}.json", definition.kind);
            compare(&here("crds/gateway-api").join(&name), &pretty(&definition));
            expected.insert(name);
        }
    }
    let there = std::fs::read_dir(here("crds/gateway-api")).unwrap();
    let there = there.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(there.filter(|name| name.ends_with(".json")).collect::<BTreeSet<_>>(), expected);
}

#[test]
fn every_schema_compiles() {
    Schemas::builtin().compile_all().unwrap();
    let known = Schemas::builtin().definitions();
    let groups = known.filter(|definition| definition.group.starts_with("gateway.networking.")).count();
    assert_eq!(groups, 14);
}

#[test]
fn invalid_examples_are_refused_for_the_reason_they_are_there() {
    let Some(module) = module(GATEWAY_API) else { return };
    let mut told = String::new();
    let mut files = BTreeSet::new();
    for (file, object) in objects(&module.join("hack/invalid-examples")) {
        let violations = Schemas::builtin().validate(&object, None).unwrap();
        for violation in violations {
            writeln!(told, "{file}: {violation}").unwrap();
            files.insert(file.clone());
        }
    }
    assert_eq!(files.len(), 36);
    compare(&here("tests/golden/invalid-examples.txt"), &told);
}

#[test]
fn valid_examples_are_taken() {
    let Some(module) = module(GATEWAY_API) else { return };
    let mut taken = 0;
    for (file, object) in objects(&module.join("examples")) {
        let Some(violations) = Schemas::builtin().validate(&object, None) else { continue };
        assert_eq!(violations, [], "{file}");
        taken += 1;
    }
    assert!(taken > 90, "only {taken} examples were read");
}
