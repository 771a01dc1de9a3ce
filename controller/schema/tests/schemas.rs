//! What schemas can say, on kinds made up for it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use std::sync::LazyLock;

use ferrule_schema::{Cause, Definition, Schemas, Scope, VersionedSchema, Violation};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{here, objects};

fn schemas(spec: Value) -> Schemas {
    let schema = json!({"type": "object", "properties": {"spec": spec}});
    let schemas = vec![VersionedSchema { versions: vec!["v1".to_owned()], schema }];
    Schemas::new([Definition {
        group: "test".to_owned(),
        kind: "Thing".to_owned(),
        scope: Scope::Namespaced,
        schemas,
    }])
}

fn thing(spec: &Value) -> Value {
    json!({"apiVersion": "test/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": spec})
}

/// What is wrong with `spec`, as lines; `old` is its form before.
fn told(schema: &Value, spec: &Value, old: Option<&Value>) -> Vec<String> {
    let schemas = schemas(schema.clone());
    schemas.compile_all().unwrap();
    let violations = schemas.validate(&thing(spec), old.map(thing).as_ref()).unwrap();
    violations.iter().map(Violation::to_string).collect()
}

fn rule(kind: &str, rule: Value) -> Value {
    json!({"type": kind, "x-kubernetes-validations": [rule]})
}

#[test]
fn rules_about_a_change_wait_for_one() {
    let schema = rule("string", json!({"rule": "self == oldSelf", "message": "is immutable"}));
    assert_eq!(told(&schema, &json!("b"), None), [] as [&str; 0]);
    assert_eq!(told(&schema, &json!("b"), Some(&json!("b"))), [] as [&str; 0]);
    assert_eq!(told(&schema, &json!("b"), Some(&json!("a"))), ["spec: is immutable"]);
    let optional = json!({"rule": "!oldSelf.hasValue() || oldSelf.value() == self", "optionalOldSelf": true});
    let schema = rule("string", optional);
    assert_eq!(told(&schema, &json!("b"), None), [] as [&str; 0]);
    assert_eq!(told(&schema, &json!("b"), Some(&json!("a"))).len(), 1);
}

#[test]
fn items_of_maps_are_compared_with_what_they_were() {
    let item = json!({
        "type": "object", "properties": {"name": {"type": "string"}, "size": {"type": "integer"}}, "required": ["name"],
        "x-kubernetes-validations": [{"rule": "self.size >= oldSelf.size", "message": "must not shrink"}],
    });
    let by_name = json!({
        "type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
    });
    let old = json!([{"name": "a", "size": 2}, {"name": "b", "size": 5}]);
    let new = json!([{"name": "b", "size": 4}, {"name": "c", "size": 1}, {"name": "a", "size": 3}]);
    assert_eq!(told(&by_name, &new, Some(&old)), ["spec[0]: must not shrink"]);
    let by_place = json!({"type": "array", "items": by_name["items"], "x-kubernetes-list-type": "atomic"});
    assert_eq!(told(&by_place, &new, Some(&old)), [] as [&str; 0]);
}

#[test]
fn messages_are_made_by_expressions_where_these_give_a_line() {
    let of = |expression: &str| {
        let made = json!({"rule": "self < 3", "message": " plain ", "messageExpression": expression});
        told(&rule("integer", made), &json!(7), None)
    };
    assert_eq!(of("'not ' + string(self)"), ["spec: not 7"]);
    for expression in ["''", "'a\\nb'", "1 / 0 > 0 ? 'a' : 'b'", "'x'.matches('[') ? 'a' : 'b'"] {
        assert_eq!(of(expression), ["spec: plain"], "{expression}");
    }
    assert_eq!(
        told(&rule("integer", json!({"rule": "self < 3"})), &json!(7), None),
        ["spec: failed rule: self < 3"]
    );
}

#[test]
fn rules_name_the_field_and_the_reason_that_they_are_about() {
    let schema = json!({
        "type": "object", "properties": {"a": {"type": "object", "properties": {"b": {"type": "string"}}}},
        "x-kubernetes-validations": [
            {"rule": "has(self.a)", "message": "wanted", "fieldPath": ".a.b", "reason": "FieldValueRequired"},
        ],
    });
    let violations = schemas(schema).validate(&thing(&json!({})), None).unwrap();
    let expected = Violation { path: "spec.a.b".into(), message: "wanted".into(), cause: Cause::Required };
    assert_eq!(violations, [expected]);
}

#[test]
fn a_rule_that_cannot_be_evaluated_refuses() {
    let schema = rule("object", json!({"rule": "self.missing == 1"}));
    assert_eq!(
        told(&schema, &json!({}), None),
        ["spec: rule `self.missing == 1` cannot be evaluated: no such key: missing"]
    );
    let schema = rule("integer", json!({"rule": "self + 1"}));
    assert_eq!(told(&schema, &json!(1), None), ["spec: rule `self + 1` gives no boolean"]);
}

#[test]
fn defaults_come_before_rules_and_nulls_that_mean_nothing_go() {
    let schema = json!({
        "type": "object",
        "properties": {
            "kind": {"type": "string", "default": "A"},
            "kept": {"type": "string", "nullable": true},
            "inner": {"type": "object", "properties": {"size": {"type": "integer", "default": 3}}, "default": {}},
            "items": {"type": "array", "items": {"type": "integer"}},
        },
        "x-kubernetes-validations": [
            {"rule": "self.kind == 'A' && self.inner.size == 3", "message": "no defaults"},
            {"rule": "!has(self.items)", "message": "items"},
        ],
    });
    let none: [&str; 0] = [];
    assert_eq!(told(&schema, &json!({"kind": null, "kept": null, "items": null}), None), none);
    assert_eq!(told(&schema, &json!({"inner": {"size": null}}), None), none);
    assert_eq!(told(&schema, &json!({"inner": {"size": 4}}), None), ["spec: no defaults"]);
    assert_eq!(
        told(&schema, &json!({"items": [1, null]}), None),
        ["spec.items[1]: must be an integer, not null"]
    );
}

#[test]
fn unknown_fields_are_kept_where_the_schema_says_so_and_rules_do_not_see_them() {
    let schema = json!({
        "type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"a": {"type": "integer"}},
        "x-kubernetes-validations": [{"rule": "size(self) < 2", "message": "seen"}],
    });
    assert_eq!(told(&schema, &json!({"a": 1, "b": {"c": [null]}}), None), [] as [&str; 0]);
    assert_eq!(told(&schema, &json!({"a": "1"}), None), ["spec.a: must be an integer, not a string"]);
    let schema = json!({"x-kubernetes-preserve-unknown-fields": true});
    assert_eq!(told(&schema, &json!([1, {"a": null}]), None), [] as [&str; 0]);
}

#[test]
fn an_integer_or_a_string_is_taken_as_what_it_is() {
    let schema = json!({
        "x-kubernetes-int-or-string": true,
        "x-kubernetes-validations": [{"rule": "self == 5 || self == '5%'", "message": "no share"}],
    });
    for (value, lines) in [(json!(5), 0), (json!("5%"), 0), (json!(50), 1), (json!("5"), 1), (json!(1.5), 1)]
    {
        assert_eq!(told(&schema, &value, None).len(), lines, "{value}");
    }
}

#[test]
fn rules_are_not_run_on_what_has_the_wrong_shape() {
    let mut schema = rule("object", json!({"rule": "self.a > 1", "message": "small"}));
    schema["properties"] = json!({"a": {"type": "integer"}});
    assert_eq!(told(&schema, &json!({"a": 1}), None), ["spec: small"]);
    assert_eq!(told(&schema, &json!({"a": "1"}), None), ["spec.a: must be an integer, not a string"]);
}

#[test]
fn fields_with_reserved_names_are_known_by_escaped_ones() {
    let mut schema =
        rule("object", json!({"rule": "self.__namespace__ == 'a' && self.b__dash__c == 1", "message": "no"}));
    schema["properties"] = json!({"namespace": {"type": "string"}, "b-c": {"type": "integer"}});
    assert_eq!(told(&schema, &json!({"namespace": "a", "b-c": 1}), None), [] as [&str; 0]);
    assert_eq!(told(&schema, &json!({"namespace": "b", "b-c": 1}), None), ["spec: no"]);
}

#[test]
fn what_is_not_understood_refuses_the_whole_schema() {
    for (schema, reason) in [
        (json!({"type": "object", "uniqueItems": true}), "unknown field `uniqueItems`"),
        (json!({"type": "text"}), "unknown type"),
        (json!({"type": "string", "format": "email"}), "unknown format email"),
        (json!({"type": "string", "pattern": "["}), "unclosed"),
        (json!({"type": "array", "x-kubernetes-list-type": "map"}), "list type"),
        (rule("string", json!({"rule": "self =="})), "rule `self ==`"),
        (rule("string", json!({"rule": "true", "reason": "Why"})), "unknown reason Why"),
        (rule("string", json!({"rule": "true", "fieldPath": "['a']"})), "fieldPath"),
        (json!({"oneOf": [rule("string", json!({"rule": "true"}))]}), "rules below"),
    ] {
        let schemas = schemas(schema.clone());
        let error = schemas.compile_all().unwrap_err().to_string();
        assert!(error.contains(reason), "{schema}: {error}");
        let violations = schemas.validate(&thing(&json!("a")), None).unwrap();
        assert_eq!(violations.len(), 1, "such a kind takes no object");
    }
}

#[test]
fn kinds_that_are_not_known_are_left_to_others() {
    let validate = |object: Value| Schemas::builtin().validate(&object, None);
    assert_eq!(validate(json!({"apiVersion": "v1", "kind": "Service"})), None);
    assert_eq!(validate(json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Route"})), None);
    for nonsense in [json!(null), json!([]), json!({"apiVersion": 1, "kind": {}})] {
        assert_eq!(validate(nonsense), None);
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        "[a-z*./:-]{0,12}".prop_map(Value::from),
    ];
    let name =
        prop_oneof!["(name|type|kind|value|filters|matches|rules|namespace|port|tls|hostname)", ".{0,4}"];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

/// Puts `value` in the place of one of the values in `object`, the `place`th.
fn replace(object: &mut Value, place: &mut usize, value: &Value) {
    if *place == 0 {
        *object = value.clone();
    }
    *place = place.wrapping_sub(1);
    match object {
        Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, place, value)),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, place, value)),
        _ => {}
    }
}

static SEEDS: LazyLock<Vec<(String, Value)>> = LazyLock::new(|| objects(&here("tests/seeds")));

proptest! {
    #[test]
    fn nothing_panics_whatever_stands_anywhere(
        seed in any::<prop::sample::Index>(), place in 1_usize..60, value in json_value(), whole in any::<bool>(),
    ) {
        let mut object = seed.get(&SEEDS).1.clone();
        let before = object.clone();
        if whole {
            object["spec"] = value;
        } else {
            replace(&mut object, &mut { place }, &value);
        }
        let _ = Schemas::builtin().validate(&object, Some(&before));
        let _ = Schemas::builtin().validate(&before, Some(&object));
    }
}
