//! `golden/<case>.in.yaml` -> `.out.yaml`. `BLESS=1` rewrites them.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ferrule_provision::{Input, Plan, Provision, Settings, class_problems, listener_ports, objects};
use ferrule_translate::{Object, Parsed, Problem, World};
use serde_json::{Value, json};
use similar::TextDiff;

fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

fn inputs() -> Vec<PathBuf> {
    files().into_iter().filter(|file| file.to_string_lossy().ends_with(".in.yaml")).collect()
}

fn output(input: &Path) -> PathBuf {
    PathBuf::from(input.to_string_lossy().replace(".in.yaml", ".out.yaml"))
}

fn world(input: &Path) -> World {
    let text = fs::read_to_string(input).unwrap();
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(&text).unwrap_or_else(|e| panic!("{}: {e}", input.display()));
    let mut world = World::default();
    for document in documents {
        match Object::parse(document) {
            Ok(Parsed::Object { object, unknown_fields }) if unknown_fields.is_empty() => world.apply(object),
            other => panic!("{}: {other:?}", input.display()),
        }
    }
    world
}

fn provision(world: &World) -> Vec<(String, Provision)> {
    let settings = Settings::in_namespace("ferrule-system");
    let each = world.gateways.values().map(|gateway| {
        let class =
            world.gateway_classes.values().find(|c| c.metadata.name == gateway.spec.gateway_class_name);
        let input = Input {
            gateway,
            class: class.unwrap(),
            parameters: &world.gateway_parameters,
            ports: &listener_ports(&gateway.spec.listeners),
            settings: &settings,
        };
        (format!("{}/{}", gateway.metadata.namespace, gateway.metadata.name), objects(&input))
    });
    each.collect()
}

fn words(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(|p| format!("{}: {}: {}", p.on, p.reason.word(), p.message())).collect()
}

fn print(world: &World) -> Value {
    let mut printed = json!({});
    for (gateway, Provision { plan, problems }) in provision(world) {
        let plan = match plan {
            Plan::Apply(objects) => json!(objects),
            other => json!(format!("{other:?}")),
        };
        printed[gateway] = match problems.is_empty() {
            true => plan,
            false => json!({"plan": plan, "problems": words(&problems)}),
        };
    }
    let classes = world.gateway_classes.values();
    let problems: Vec<Problem> =
        classes.flat_map(|class| class_problems(class, &world.gateway_parameters)).collect();
    if !problems.is_empty() {
        printed["classes"] = json!(words(&problems));
    }
    printed
}

fn compare(golden: &Path, value: &Value) -> Option<String> {
    let text = serde_saphyr::to_string(value).unwrap();
    if std::env::var_os("BLESS").is_some() {
        fs::write(golden, text).unwrap();
        return None;
    }
    let before = fs::read_to_string(golden).unwrap_or_default();
    let differs = before != text;
    differs.then(|| format!("{}:\n{}", golden.display(), TextDiff::from_lines(&before, &text).unified_diff()))
}

#[test]
fn every_golden_is_what_is_provisioned() {
    assert!(!inputs().is_empty());
    let compared = inputs().into_iter().filter_map(|input| compare(&output(&input), &print(&world(&input))));
    let differences: Vec<String> = compared.collect();
    assert!(differences.is_empty(), "`just bless` accepts these:\n{}", differences.join("\n"));
}

#[test]
fn no_golden_is_without_its_input() {
    let expected: BTreeSet<PathBuf> = inputs().into_iter().flat_map(|i| [output(&i), i]).collect();
    let found: BTreeSet<PathBuf> = files().into_iter().collect();
    assert_eq!(found.difference(&expected).collect::<Vec<_>>(), Vec::<&PathBuf>::new());
}
