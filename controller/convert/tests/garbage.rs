//! Whatever is put in, something comes out.

use ferrule_convert::{Notation, Rest, Severity, Surroundings, convert, rewrite};
use proptest::prelude::*;
use serde_json::{Value, json};

const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{{-",
    "-}}",
    "{%",
    "%}",
    "{%-",
    "{%+",
    "-%}",
    "{#",
    "#}",
    "-#}",
    "{#-",
    "##",
    "\n## ",
    "\n",
    "\r\n",
    " ",
    "{",
    "}",
    "if ",
    "else",
    "else if ",
    "endif",
    "for ",
    "x, y ",
    "in ",
    "endfor",
    "set ",
    "x",
    "=",
    "a.b",
    "a/b",
    "list.0",
    "~0",
    "@n",
    "my-var",
    "loop.index",
    "loop.parent.is_last",
    "loop",
    "and ",
    "or ",
    "not ",
    "in",
    "==",
    "!=",
    "<",
    "<=",
    "+",
    "-",
    " - ",
    "*",
    "/",
    "%",
    "^",
    "(",
    ")",
    "[",
    "]",
    "1",
    "-1",
    "1.5",
    "1e400",
    "\"t\"",
    "\"",
    "\\",
    "true",
    "null",
    "{\"k\": [1]}",
    ",",
    ":",
    ".",
    "|",
    "upper(",
    "default(",
    "exists(\"a\")",
    "header(\"x\")",
    "body",
    "context()",
    "round(x, 1)",
    "at(x, 0)",
    "include",
    "block b",
    "é",
    "\u{1F600}",
    "'",
    "\u{feff}",
    "\0",
];

fn template() -> impl Strategy<Value = String> {
    let pieces =
        prop::collection::vec(prop::sample::select(PIECES), 0..40).prop_map(|pieces| pieces.concat());
    prop_oneof![4 => pieces, 1 => any::<String>()]
}

fn tag() -> impl Strategy<Value = String> {
    let inner =
        prop::collection::vec(prop::sample::select(&PIECES[25..]), 1..8).prop_map(|pieces| pieces.join(" "));
    let tag = inner.prop_map(|inner| format!("{{{{ {inner} }}}}"));
    let text = prop::sample::select(
        &["{", "}", "a\n", "{% if x %}", "{% endif %}", "{% for x in y %}", "{% endfor %}"][..],
    );
    prop::collection::vec(prop_oneof![tag, text.prop_map(str::to_owned)], 0..6)
        .prop_map(|parts| parts.concat())
}

fn json_value() -> impl Strategy<Value = Value> {
    let names = [
        "kind",
        "spec",
        "metadata",
        "name",
        "options",
        "transformations",
        "stagedTransformations",
        "regular",
        "requestTransforms",
        "matcher",
        "prefix",
        "headers",
        "requestTransformation",
        "transformationTemplate",
        "body",
        "text",
        "extractors",
        "regex",
        "virtualHost",
        "routes",
        "targetRefs",
        "kube",
        "serviceSpec",
        "rest",
        "responseTransforms",
        "matchers",
        "response_transformation",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        prop::sample::select(
            &["RouteOption", "VirtualService", "Upstream", ":status", "(", "{{ a }}", "x"][..]
        )
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        let members = prop::collection::vec((prop::sample::select(names.to_vec()), inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            members.prop_map(|members| members
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect::<serde_json::Map<_, _>>()
                .into()),
        ]
    })
}

fn holds(template: &str) {
    for (notation, json) in [(Notation::Dot, true), (Notation::Pointer, true), (Notation::Dot, false)] {
        let extractors = ["x".to_owned(), "a.b".to_owned()].into_iter().filter(|_| !json).collect();
        let rewritten = rewrite(template, &Surroundings { notation, json, extractors, end_matters: true });
        let failed = rewritten.remarks.iter().any(|remark| remark.severity == Severity::Error);
        assert_eq!(failed, rewritten.text.is_none(), "{template:?}");
        // That what was written cannot be read is the guard's to say; where it does, the writer is wrong.
        let unreadable =
            rewritten.remarks.iter().find(|remark| remark.message.contains("is refused; write it by hand"));
        assert_eq!(unreadable, None, "{template:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_template_panics_and_what_is_written_can_be_read(template in template()) {
        holds(&template);
    }

    #[test]
    fn no_expression_panics_and_what_is_written_can_be_read(template in tag()) {
        holds(&template);
    }

    #[test]
    fn no_object_panics(spec in json_value(), kind in prop::sample::select(&["RouteOption", "VirtualService", "RouteTable", "Upstream"][..])) {
        convert(&json!({"kind": kind, "metadata": {"name": "n"}, "spec": spec}), Rest::Emitted);
        convert(&spec, Rest::Nothing);
    }
}

#[test]
fn deep_nesting_is_refused() {
    for deep in [
        format!("{{{{ {}1{} }}}}", "(".repeat(50_000), ")".repeat(50_000)),
        format!("{{{{ {}1{} }}}}", "upper(".repeat(50_000), ")".repeat(50_000)),
        format!("{{{{ {}1 }}}}", "1 + ".repeat(50_000)),
        format!("{{{{ {} }}}}", "[".repeat(50_000)),
        "{% if a %}".repeat(50_000),
        "{% for a in b %}".repeat(50_000),
        format!("{{% if a %}}{}{{% endif %}}", "{% else if a %}".repeat(50_000)),
    ] {
        assert_eq!(rewrite(&deep, &Surroundings { json: true, ..Surroundings::default() }).text, None);
    }
}
