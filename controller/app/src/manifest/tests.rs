use proptest::prelude::*;
use serde_json::json;

use super::*;

fn object(text: &str) -> Manifest {
    match read(text).pop() {
        Some(Part::Object(manifest)) => manifest,
        other => panic!("no object: {other:?}"),
    }
}

fn unreadable(text: &str) -> (Identity, Fault) {
    match read(text).pop() {
        Some(Part::Unreadable(identity, fault)) => (identity, fault),
        other => panic!("readable: {other:?}"),
    }
}

const HEAD: &str = "apiVersion: v1\nkind: Thing\nmetadata: {name: a, namespace: b}\n";

#[test]
fn an_object_knows_itself_and_where_its_fields_are() {
    let text = "# a comment\n---\napiVersion: v1\nkind: Thing\nmetadata:\n  name: a\nspec:\n  rules:\n  - x: 1\n    \
                w: off\n  - {x: 2, z: [3, 4]}\n";
    let manifest = object(text);
    assert_eq!(manifest.identity.kind, "Thing");
    assert_eq!(manifest.identity.name, "a");
    assert_eq!(manifest.value["spec"], json!({"rules": [{"x": 1, "w": false}, {"x": 2, "z": [3, 4]}]}));
    let at = |path: &str| {
        let Mark { line, column } = manifest.positions.find(path);
        (line, column)
    };
    assert_eq!(at("kind"), (4, 1));
    assert_eq!(at("spec.rules[0].x"), (9, 5));
    assert_eq!(at("spec.rules[1].z[1]"), (11, 19));
    assert_eq!(at("spec.rules[1].missing.deeper"), (11, 5));
    assert_eq!(at("spec.rules[7]"), (8, 3));
    assert_eq!(at("nothing"), (3, 1));
    assert!(manifest.positions.is_surprising("spec.rules[0].w"));
    assert!(!manifest.positions.is_surprising("spec.rules[0].x"));
    assert!(object(&format!("{HEAD}y: 1\n")).positions.is_surprising("true"));
}

#[test]
fn a_syntax_error_leaves_the_other_documents_alone() {
    let text = format!("{HEAD}---\n{HEAD}spec: [1, 2\n---\n{HEAD}");
    let parts = read(&text);
    assert!(matches!(parts[..], [Part::Object(_), Part::Unreadable(..), Part::Object(_)]), "{parts:?}");
    let Part::Unreadable(identity, fault) = &parts[1] else { unreachable!() };
    assert_eq!(identity.name, "a");
    assert!((8..=9).contains(&fault.at.line), "{fault:?}");
}

#[test]
fn a_field_set_twice_names_both_lines() {
    let manifest = object(&format!("{HEAD}spec:\n  a: {{b: 1}}\n  c: 2\n  a: 3\n"));
    assert_eq!(
        manifest.faults,
        [Fault {
            at: Mark { line: 7, column: 3 },
            path: "spec.a".into(),
            message: "this field is set twice, first on line 5".into()
        }]
    );
}

#[test]
fn aliases_and_merge_keys_expand() {
    let manifest = object(&format!(
        "{HEAD}base: &b {{x: 1, w: 2}}\none: {{<<: *b, w: 3}}\ntwo: *b\nthree:\n  <<: [{{x: 9}}, *b]\n"
    ));
    assert_eq!(manifest.value["one"], json!({"w": 3, "x": 1}));
    assert_eq!(manifest.value["two"], json!({"x": 1, "w": 2}));
    assert_eq!(manifest.value["three"], json!({"x": 9, "w": 2}));
    assert_eq!(manifest.faults, []);
}

#[test]
fn a_billion_laughs_are_refused() {
    let mut text = format!("{HEAD}a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for level in 1..12 {
        let previous = format!("*a{}", level - 1);
        text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![previous; 9].join(", ")));
    }
    let (_, fault) = unreadable(&text);
    assert!(fault.message.contains("alias"), "{fault:?}");
}

#[test]
fn depth_is_bounded_also_through_aliases() {
    let (_, fault) = unreadable(&format!("{HEAD}a: {}{}\n", "[".repeat(5000), "]".repeat(5000)));
    assert!(!fault.message.is_empty());
    let mut text = format!("{HEAD}a0: &a0 {}1{}\n", "[".repeat(60), "]".repeat(60));
    text.push_str(&format!("a1: {}*a0{}\n", "[".repeat(60), "]".repeat(60)));
    assert!(unreadable(&text).1.message.contains("aliases"));
}

#[test]
fn an_alias_inside_its_own_anchor_is_refused() {
    let (_, fault) = unreadable(&format!("{HEAD}a: &a [*a]\n"));
    assert!(fault.message.contains("alias"), "{fault:?}");
}

#[test]
fn lists_are_flattened_and_their_faults_stay_with_the_item() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Thing\n  metadata: {name: a}\n- \
                apiVersion: v1\n  kind: Thing\n  metadata: {name: b}\n  spec: {x: 1, x: 2}\n";
    let parts = read(text);
    let [Part::Object(first), Part::Object(second)] = &parts[..] else { panic!("{parts:?}") };
    assert_eq!((first.identity.name.as_str(), first.faults.len()), ("a", 0));
    assert_eq!(second.faults[0].path, "spec.x");
    assert_eq!(second.positions.find("spec.x").line, 10);
}

#[test]
fn items_of_a_typed_list_take_its_kind() {
    let text = r#"{"apiVersion": "g/v1", "kind": "ThingList", "items": [{"metadata": {"name": "a"}}]}"#;
    assert_eq!(object(text).identity.kind, "Thing");
}

#[test]
fn json_reads_as_json() {
    let text = "{\n\t\"apiVersion\": \"v1\", \"kind\": \"T\",\n\t\"metadata\": {\"name\": \"a\"},\n\t\"s\": \
                \"\\ud83d\\ude00 \\/ \\u00e9\", \"n\": 1e2\n}\n";
    let manifest = object(text);
    assert_eq!(manifest.value["s"], json!("\u{1F600} / é"));
    assert_eq!(manifest.value["n"], json!(100));
    assert_eq!(manifest.positions.find("metadata.name").line, 3);
}

#[test]
fn an_object_without_a_name_says_what_it_needs() {
    let (identity, fault) = unreadable("apiVersion: v1\nkind: Thing\nmetadata: {}\n");
    assert_eq!(identity.kind, "Thing");
    assert!(fault.message.starts_with("metadata.name is missing"), "{}", fault.message);
    assert!(unreadable("just text").1.message.starts_with("apiVersion is missing"));
}

#[test]
fn an_unquoted_template_is_explained() {
    let (_, fault) = unreadable(&format!("{HEAD}value: {{{{ header('x') }}}}\n"));
    assert!(fault.message.contains("unquoted"), "{}", fault.message);
    assert_eq!((fault.at.line, fault.path.as_str()), (4, "value"));
}

#[test]
fn tags_beyond_the_core_schema_are_refused() {
    assert!(unreadable(&format!("{HEAD}a: !binary x\n")).1.message.contains("tag"));
    assert_eq!(object(&format!("{HEAD}a: !!str 1\nb: ! 2\n")).value["a"], json!("1"));
}

proptest! {
    #[test]
    fn no_text_panics(text in r#"([a-z&*!<>{}\[\]|,:#%@`'"?~=.\\ \n\t0-9-]|\r\n|---|\.\.\.|<<: |&a |\*a |- |: |: \|\n|\PC){0,120}"#) {
        for part in read(&text) {
            if let Part::Object(manifest) = part {
                manifest.positions.find("spec.rules[0].name");
            }
        }
    }

    #[test]
    fn json_of_any_value_reads_as_serde_json_reads_it(text in "\\PC{0,20}", number in any::<i64>(), flag in any::<bool>()) {
        let value = json!({"apiVersion": "v1", "kind": "T", "metadata": {"name": "n"}, "d": [text, number, flag, null]});
        prop_assert_eq!(&object(&value.to_string()).value, &value);
        prop_assert_eq!(&object(&serde_json::to_string_pretty(&value).unwrap()).value, &value);
    }
}
