//! Differential test against the API server's own validation, compiled from `k8s.io/apiextensions-apiserver`: both must
//! judge the same objects the same way, for the same fields.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use ferrule_schema::{Cause, Schemas, Violation};
use serde::Deserialize;
use serde_json::{Value, json};
use support::{here, module, objects};

#[derive(Debug, Deserialize)]
struct Answer {
    errors: Vec<String>,
    fields: Vec<String>,
}

/// Has the oracle answer each request.
fn ask(requests: Vec<Value>) -> Vec<Answer> {
    let oracle = Path::new(env!("CARGO_TARGET_TMPDIR")).join("oracle");
    let built =
        Command::new("go").args(["build", "-o"]).arg(&oracle).arg(".").current_dir(here("oracle")).status();
    assert!(built.unwrap().success(), "the oracle does not build");
    let mut oracle = Command::new(oracle).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = oracle.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        for request in requests {
            writeln!(stdin, "{request}").unwrap();
        }
    });
    let answers = BufReader::new(oracle.stdout.take().unwrap()).lines();
    let answers = answers.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    writer.join().unwrap();
    assert!(oracle.wait().unwrap().success());
    answers
}

/// xorshift64*: the same numbers on every machine.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }

    fn of<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[self.below(choices.len())]
    }
}

/// Values that were seen for a field anywhere, by its name, and the fields seen beside it.
#[derive(Default)]
struct Habits {
    values: BTreeMap<String, Vec<Value>>,
}

impl Habits {
    fn learn(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.values.entry(name.clone()).or_default().push(value.clone());
                    self.learn(value);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            _ => {}
        }
    }
}

/// Values that tend to be wrong. Not 1.0: the API server takes it for an integer until a rule looks at it.
fn odd_values() -> Vec<Value> {
    vec![
        json!(null),
        json!(""),
        json!("*"),
        json!("a b"),
        json!("x".repeat(300)),
        json!("10.0.0.1"),
        json!("::1"),
        json!("é"),
        json!("1h"),
        json!("0s"),
        json!("-1s"),
        json!("*.example.com"),
        json!("Example.com"),
        json!("a/b"),
        json!(0),
        json!(-1),
        json!(1),
        json!(443),
        json!(65536),
        json!(1.5),
        json!(3_000_000_000_u64),
        json!(u64::MAX),
        json!(true),
        json!([]),
        json!({}),
        json!([1]),
        json!(["a", "a"]),
        json!({"a": "b"}),
        json!([{"name": "a"}, {"name": "a"}]),
    ]
}

/// Changes something below `value`; all of it can be reached.
fn mutate(value: &mut Value, habits: &Habits, odd: &[Value], chance: &mut Chance) {
    match value {
        Value::Object(fields) if !fields.is_empty() && chance.below(8) > 0 => {
            let names: Vec<String> = fields.keys().cloned().collect();
            let name = chance.of(&names).clone();
            match chance.below(10) {
                0 => drop(fields.shift_remove(&name)),
                1 => drop(fields.insert(name.clone(), chance.of(odd).clone())),
                2 => {
                    let all: Vec<&String> = habits.values.keys().collect();
                    let other = (*chance.of(&all)).clone();
                    let value = chance.of(&habits.values[&other]).clone();
                    fields.insert(other, value);
                }
                3 if habits.values.contains_key(&name) => {
                    fields.insert(name.clone(), chance.of(&habits.values[&name]).clone());
                }
                _ => mutate(&mut fields[&name], habits, odd, chance),
            }
        }
        Value::Array(items) if !items.is_empty() && chance.below(8) > 0 => {
            let index = chance.below(items.len());
            match chance.below(6) {
                0 => drop(items.remove(index)),
                1 => items.push(items[index].clone()),
                2 => items.resize(chance.below(70), items[index].clone()),
                _ => mutate(&mut items[index], habits, odd, chance),
            }
        }
        other => *other = chance.of(odd).clone(),
    }
}

/// Objects of known kinds: examples, good and bad ones.
fn seeds(module: &Path) -> Vec<Value> {
    let folders = [
        module.join("examples"),
        module.join("hack/invalid-examples"),
        here("tests/seeds"),
        here("tests/bad"),
    ];
    let all = folders.iter().flat_map(|folder| objects(folder)).map(|(_, object)| object);
    let is_known = |object: &Value| {
        let violations = Schemas::builtin().validate(object, None);
        violations.is_some_and(|violations| violations.iter().all(|violation| violation.path != "apiVersion"))
    };
    all.filter(is_known).collect()
}

fn crds(module: &Path) -> Vec<Value> {
    let all = objects(&module.join("config/crd/experimental")).into_iter().map(|(_, crd)| crd);
    all.filter(|crd| crd["kind"] == "CustomResourceDefinition").chain(ferrule_schema::crds()).collect()
}

/// Objects with what they were before: many strange ones, each made of a sound one by few changes.
fn strange(seeds: &[Value], count: usize) -> Vec<(Value, Option<Value>)> {
    let mut habits = Habits::default();
    seeds.iter().for_each(|seed| habits.learn(seed));
    let (odd, mut chance) = (odd_values(), Chance(0x9e37_79b9_7f4a_7c15));
    let make = |_| {
        let seed = chance.of(seeds);
        let mut object = seed.clone();
        for _ in 0..=chance.below(3) {
            for part in ["spec", "metadata"] {
                if part == "spec" || chance.below(10) == 0 {
                    mutate(&mut object[part], &habits, &odd, &mut chance);
                }
            }
        }
        // What was there before has been taken once.
        let sound = Schemas::builtin().validate(seed, None).is_some_and(|violations| violations.is_empty());
        (object, (sound && chance.below(4) == 0).then(|| seed.clone()))
    };
    (0..count).map(make).collect()
}

#[test]
#[ignore = "compiles a part of Kubernetes with go: just schema-oracle"]
fn objects_are_judged_as_the_api_server_judges_them() {
    let Some(module) = module("sigs.k8s.io/gateway-api") else { return };
    let seeds = seeds(&module);
    let mut objects: Vec<_> = seeds.iter().map(|seed| (seed.clone(), None)).collect();
    objects.extend(strange(&seeds, 20_000));
    let crds = crds(&module);
    let known = crds.len();
    let requests = crds.iter().map(|crd| json!({"crd": crd}));
    let requests = requests.chain(objects.iter().map(|(object, old)| match old {
        Some(old) => json!({"object": object, "old": old}),
        None => json!({"object": object}),
    }));
    let mut answers = ask(requests.collect());
    for answer in answers.drain(..known) {
        assert!(answer.errors.is_empty(), "a definition is refused: {:#?}", answer.errors);
    }
    let (mut refused, mut differences) = (0, BTreeMap::<String, usize>::new());
    for ((object, old), answer) in objects.iter().zip(answers) {
        refused += usize::from(!answer.errors.is_empty());
        let violations = Schemas::builtin().validate(object, old.as_ref()).unwrap();
        for difference in differing(&violations, &answer) {
            let kind = object["kind"].as_str().unwrap();
            *differences.entry(format!("{kind}: {difference}")).or_default() += 1;
        }
    }
    println!("{refused} of {} objects are refused", objects.len());
    assert!(refused > objects.len() / 2 && refused < objects.len() * 9 / 10);
    assert!(differences.is_empty(), "{differences:#?}");
}

/// What only one of the two complains of.
fn differing(here: &[Violation], there: &Answer) -> Vec<String> {
    if there.fields == ["metadata"] && here.iter().any(|violation| violation.path.starts_with("metadata")) {
        // The API server cannot decode it, and looks no further.
        return Vec::new();
    }
    let fields: Vec<String> = there.fields.iter().map(|field| dotted(field)).collect();
    let told: Vec<_> = there.errors.iter().zip(&fields).collect();
    let same = |here: &Violation, (error, field): (&String, &String)| {
        here.path == *field
            || is_below(&here.path, field) && field.starts_with("metadata.")
            || is_below(field, &here.path) && (here.cause == Cause::Type || here.message.starts_with("fits "))
            || field == "<nil>" && error.contains(&here.path)
            || field == "<nil>" && error.split('"').nth(3).is_some_and(|about| is_below(&here.path, about))
    };
    let only_here = here.iter().filter(|here| !told.iter().any(|told| same(here, *told)));
    let only_there = told.iter().filter(|told| !here.iter().any(|here| same(here, **told)));
    let only_there = only_there.map(|(error, _)| format!("only there: {error}"));
    only_here.map(|here| format!("only here: {here}")).chain(only_there).collect()
}

/// `a[b].c[0]` as `a.b.c[0]`.
fn dotted(path: &str) -> String {
    let parts = path.split('[').map(|part| match part.split_once(']') {
        Some((key, rest)) if key.parse::<usize>().is_err() => format!(".{key}{rest}"),
        Some(_) => format!("[{part}"),
        None => part.to_owned(),
    });
    parts.collect()
}

/// The API server says the same as we do of another field in some cases: it names maps and not their keys, judges what
/// is in a value of the wrong type, tells all that a form lacks, and names no field where numbers do not fit.
fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.starts_with(['.', '[']))
}
