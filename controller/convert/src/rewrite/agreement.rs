//! Templates made at random: where nothing is said of a template, what it was rewritten to renders what Inja renders.
//!
//! Inja is played by `agreement/reference.rs`, which follows its renderer and the JSON library that it builds on.

mod reference;

use std::sync::Arc;

use ferrule_kit::{Driver, Event, MemoryHost, Message};
use ferrule_transformation::Transformation;
use proptest::prelude::*;
use serde_json::json;

use super::{Surroundings, rewrite};

const DATA: &str = r#"{"b":true,"e":"","f":1.5,"l":[1,2,3],"m":["b","A"],"n":3,"k":"K","my-s":4,"o":{"a":1,"k":"v"},"s":5,"t":"ab","u":[],"v":"V","w":2,"x":null,"z":0}"#;

const LEAVES: &[&str] = &[
    "b",
    "e",
    "f",
    "l",
    "m",
    "n",
    "o",
    "t",
    "u",
    "x",
    "z",
    "o.a",
    "o.k",
    "l.0",
    "l.7",
    "none",
    "v",
    "w",
    "k",
    "s",
    "loop.index",
    "loop.index1",
    "loop.is_first",
    "loop.is_last",
    "loop.parent.index",
    "0",
    "1",
    "2",
    "7",
    "2.0",
    "0.5",
    "true",
    "false",
    "null",
    "\"\"",
    "\"ab\"",
    "\"b\"",
    "[1, true, \"ab\"]",
    "{\"a\": 1}",
];
const OPERATORS: &[&str] = &[
    "and", "or", "in", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "^", "== not", "and not",
    "or not",
];
const CALLS: &[&str] = &[
    "upper",
    "lower",
    "length",
    "first",
    "last",
    "max",
    "min",
    "sort",
    "odd",
    "even",
    "isArray",
    "isBoolean",
    "isFloat",
    "isInteger",
    "isNumber",
    "isObject",
    "isString",
    "not ",
];

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(LEAVES).prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 4, |inner| {
        let chain = (inner.clone(), prop::collection::vec((prop::sample::select(OPERATORS), inner.clone()), 1..4));
        let chain = chain.prop_map(|(first, rest)| {
            rest.into_iter().fold(first, |chain, (operator, operand)| format!("{chain} {operator} {operand}"))
        });
        let call = (prop::sample::select(CALLS), inner.clone()).prop_map(|(name, value)| format!("{name}({value})"));
        let two = prop::sample::select(&["default", "at", "existsIn", "divisibleBy", "join", "round"][..]);
        let call_two = (two, inner.clone(), inner.clone()).prop_map(|(name, a, b)| format!("{name}({a}, {b})"));
        let exists = prop::sample::select(LEAVES).prop_map(|path| format!("exists(\"{}\")", path.replace('"', "")));
        prop_oneof![3 => chain, 2 => call, 2 => call_two, 1 => exists, 1 => inner.prop_map(|inner| format!("({inner})"))]
    })
}

/// Expressions that mostly come to something, for statements.
const PLAIN: &[&str] = &[
    "v",
    "w",
    "k",
    "n",
    "s",
    "t",
    "o.a",
    "loop.index",
    "loop.index1",
    "loop.is_first",
    "loop.is_last",
    "loop.parent.index",
    "n + 1",
    "2 * n - 1",
    "default(s, 0)",
    "default(v, 7)",
    "default(w, t)",
    "default(loop.index, 9)",
    "exists(\"n\")",
    "exists(\"v\")",
    "n == 3",
    "not b",
    "s",
    "isString(v)",
];

fn plain() -> impl Strategy<Value = String> {
    prop_oneof![6 => prop::sample::select(PLAIN).prop_map(str::to_owned), 1 => expression()]
}

fn template() -> impl Strategy<Value = String> {
    let text = prop::sample::select(&["a", " ", "\n", "{", "}\n", "  ", "{# c -#}", "#", "%"][..])
        .prop_map(str::to_owned);
    let print = (plain(), prop::sample::select(&["", "-"][..]))
        .prop_map(|(it, trim)| format!("{{{{{trim} {it} {trim}}}}}"));
    let set = (prop::sample::select(&["s", "n", "my-s"][..]), plain())
        .prop_map(|(name, it)| format!("{{% set {name} = {it} %}}"));
    let leaf = prop_oneof![1 => text, 3 => print, 1 => set];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let body = prop::collection::vec(inner, 0..4).prop_map(|parts| parts.concat());
        let names = prop::sample::select(&["v", "w", "k, v", "k, w"][..]);
        let items = prop_oneof![
            plain(),
            prop::sample::select(&["l", "m", "o", "range(2)"][..]).prop_map(str::to_owned)
        ];
        let for_loop = (names, items, body.clone())
            .prop_map(|(names, items, body)| format!("{{% for {names} in {items} %}}{body}{{% endfor %}}"));
        let if_else = (plain(), body.clone(), plain(), body.clone()).prop_map(|(a, x, b, y)| {
            format!("{{% if {a} %}}{x}{{%- else if {b} -%}} {y}{{% else %}}!{{% endif %}}")
        });
        let lines = (plain(), body.clone()).prop_map(|(it, body)| format!("\n## if {it}\n{body}\n##endif\n"));
        prop_oneof![2 => for_loop, 2 => if_else, 1 => lines, 1 => body]
    })
}

fn rendered(template: &str) -> Option<String> {
    let config = json!({"request": {"body": {"parseAs": "AsJson", "value": template}}});
    let filter = ferrule_kit::compile::<Transformation>(config.to_string().as_bytes()).ok()?;
    let mut host = MemoryHost::with_request([(":method", "POST"), (":path", "/"), (":authority", "h")]);
    let mut driver = Driver::new(Arc::new(filter));
    driver.on(Event::Headers { message: Message::Request, end: false }, &mut host);
    host.push_body(Message::Request, DATA);
    driver.on(Event::Data { message: Message::Request, end: true }, &mut host);
    let body = String::from_utf8(host.pass_body(Message::Request)).ok();
    let failed = !host.logged.borrow().is_empty();
    body.filter(|_| !failed)
}

/// Whether both could be compared.
fn agrees(template: &str) -> bool {
    let surroundings = Surroundings { json: true, end_matters: true, ..Surroundings::default() };
    let rewritten = rewrite(template, &surroundings);
    let Some(text) = rewritten.text.filter(|text| !text.is_empty()) else { return false };
    let of_missing = |message: &str| message.contains("is missing, or not of the kind");
    if rewritten.remarks.iter().any(|remark| !of_missing(&remark.message)) {
        return false;
    }
    let Some(expected) = reference::render(template, DATA) else { return false };
    assert_eq!(rendered(&text).as_deref(), Some(&*expected), "\n{template}\n{text}");
    true
}

fn compare(templates: impl Strategy<Value = String>, cases: u32, enough: usize) {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    let compared = std::cell::Cell::new(0);
    let each = |template: String| {
        compared.set(compared.get() + usize::from(agrees(&template)));
        Ok(())
    };
    proptest::test_runner::TestRunner::new(config).run(&templates, each).unwrap();
    assert!(compared.get() >= enough, "only {} could be compared", compared.get());
}

#[test]
fn expressions_of_which_nothing_is_said_come_to_what_they_come_to_in_inja() {
    let printed = expression().prop_map(|it| format!("{{{{ {it} }}}}"));
    let asked = expression().prop_map(|it| format!("{{% if {it} %}}1{{% else %}}0{{% endif %}}"));
    compare(prop_oneof![printed, asked], 2000, 250);
}

#[test]
fn statements_of_which_nothing_is_said_do_what_they_do_in_inja() {
    compare(prop::collection::vec(template(), 1..5).prop_map(|parts| parts.concat()), 2500, 100);
}
