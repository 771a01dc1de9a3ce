//! The README names all fields, and its examples compile.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

use ferrule_kit::compile;

const README: &str = include_str!("../README.md");

fn compiled(config: &serde_json::Value) -> Result<(), String> {
    compile::<ferrule_aws_signing::AwsSigning>(config.to_string().as_bytes())
        .map(drop)
        .map_err(|error| error.to_string())
}

#[test]
fn every_field_is_described() {
    let error = compiled(&serde_json::json!({"no such field": 1})).unwrap_err();
    let (_, fields) = error.split_once("expected one of ").expect(&error);
    let fields: Vec<&str> = fields.split('`').skip(1).step_by(2).collect();
    assert!(fields.contains(&"credentials"), "{error}");
    for field in fields {
        assert!(README.contains(&format!("\n| `{field}` |")), "{field} is not described");
    }
}

#[test]
fn every_example_compiles() {
    let blocks = README.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let examples: Vec<&str> = blocks.collect();
    assert!(examples.len() >= 2);
    for example in examples {
        compiled(&serde_saphyr::from_str(example).unwrap())
            .unwrap_or_else(|error| panic!("{error}:\n{example}"));
    }
}
