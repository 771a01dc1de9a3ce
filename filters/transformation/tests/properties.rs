//! Templates made at random, on messages made at random.

mod invariants;

use ferrule_transformation::ParseAs;
use invariants::{Exchange, Shape, check};
use proptest::prelude::*;

const NAMES: &[&str] = &["a", "b", "items", "user", "x", "loop", "ns", "missing", "env", "header"];
const FILTERS: &[&str] = &[
    "abs",
    "attr('a')",
    "batch(2)",
    "batch(3, 'f')",
    "bool",
    "capitalize",
    "chain([1], 'ab')",
    "length",
    "default('d')",
    "default('d', true)",
    "dictsort",
    "dictsort(by='value')",
    "escape",
    "first",
    "float",
    "float(1)",
    "format('x', 1)",
    "groupby('a')",
    "indent",
    "indent(3, true, true)",
    "int",
    "int(0, 16)",
    "items",
    "join",
    "join(', ')",
    "join('-', 'a')",
    "last",
    "lines",
    "list",
    "lower",
    "map('upper')",
    "map(attribute='a.b')",
    "map('default', 1)",
    "max",
    "min",
    "pprint",
    "reject('odd')",
    "rejectattr('a')",
    "replace('a', 'bb')",
    "replace('', 'x')",
    "reverse",
    "round",
    "round(-2)",
    "round(3, 'ceil')",
    "safe",
    "select",
    "select('gt', 1)",
    "selectattr('a', 'eq', 1)",
    "slice(2)",
    "slice(3, 0)",
    "sort",
    "sort(attribute='a,b', reverse=true)",
    "split",
    "split('a')",
    "split(none, 1)",
    "string",
    "sum",
    "sum('a', 1)",
    "title",
    "tojson",
    "tojson(2)",
    "trim",
    "trim('a')",
    "unique",
    "unique(attribute='a')",
    "upper",
    "urlencode",
    "zip([1, 2])",
];
const TESTS: &[&str] = &[
    "defined",
    "odd",
    "even",
    "divisibleby(0)",
    "divisibleby(3)",
    "in([1, 'a'])",
    "in('abc')",
    "eq(1)",
    "lt('a')",
    "ge(none)",
    "iterable",
    "mapping",
    "sequence",
    "string",
    "number",
    "lower",
    "upper",
    "startingwith('a')",
    "endingwith('')",
    "sameas(1)",
    "none",
    "filter",
    "test",
];
const CALLS: &[&str] = &[
    "body()",
    "context()",
    "header('x-in')",
    "headers('x-in')",
    "request_header(':path')",
    "env('POD_NAME')",
    "range(5)",
    "range(9, 0, -2)",
    "dict(a=1)",
    "namespace(a=1)",
    "get_cookie('a')",
    "dynamic_metadata('key', 'ns')",
    "attribute('source.address')",
    "extraction('e')",
    "extraction('user.e')",
    "extraction(a)",
    "data_source(a)",
    "secret(b)",
    "substring(body(), 1, 3)",
    "substring(body(), -1)",
    "base64_decode(body())",
    "base64_encode(header('x-in'))",
    "base64url_decode(a)",
    "replace_with_random(body(), 'a')",
    "replace_with_string(body(), 'a', b)",
    "raw_string(body())",
    "word_count(context())",
    "trim(a)",
];
const OPERATORS: &[&str] = &[
    "+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "and", "or", "in", "not in",
];

fn pick(from: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(from).prop_map(str::to_owned)
}

fn expression() -> impl Strategy<Value = String> {
    let literal = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        (-1e6..1e6).prop_map(|number: f64| format!("{number:?}")),
        "[a-cżA \\\\n'%-]{0,6}".prop_map(|text| format!("{text:?}").replace("\\u{", "u{")),
        pick(&[
            "none",
            "true",
            "false",
            "''",
            "[]",
            "{}",
            "[1, 'a', none, 2.5]",
            "{'a': 1, 'b': [2]}",
            "0",
            "10 ** 30"
        ]),
    ];
    let leaf = prop_oneof![literal, pick(NAMES), pick(CALLS)];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), pick(FILTERS)).prop_map(|(value, filter)| format!("({value} | {filter})")),
            (inner.clone(), pick(TESTS)).prop_map(|(value, test)| format!("({value} is {test})")),
            (inner.clone(), pick(OPERATORS), inner.clone())
                .prop_map(|(a, operator, b)| format!("({a} {operator} {b})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a} if {b} else {c})")),
            (inner.clone(), inner.clone()).prop_map(|(value, key)| format!("({value})[{key}]")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(value, a, b)| format!("({value})[{a}:{b}]")),
            (inner.clone(), pick(NAMES)).prop_map(|(value, name)| format!("({value}).{name}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{{a}: {b}}}")),
            inner.clone().prop_map(|value| format!("(not -{value})")),
        ]
    })
}

fn template() -> impl Strategy<Value = String> {
    let print = prop_oneof![expression().prop_map(|value| format!("{{{{ {value} }}}}")), "[a-c \n<ż]{0,5}"];
    print.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a + &b),
            (expression(), inner.clone(), inner.clone())
                .prop_map(|(value, a, b)| format!("{{% if {value} %}}{a}{{% else %}}{b}{{% endif %}}")),
            (pick(NAMES), expression(), inner.clone()).prop_map(|(name, value, a)| format!(
                "{{% for {name} in {value} %}}{a}{{{{ loop.index }}}}{{% endfor %}}"
            )),
            (pick(NAMES), expression()).prop_map(|(name, value)| format!("{{% set {name} = {value} %}}")),
            (expression(),)
                .prop_map(|(value,)| format!("{{% set ns = namespace() %}}{{% set ns.a = {value} %}}")),
            (pick(NAMES), inner.clone()).prop_map(|(name, a)| format!(
                "{{% macro m({name}) %}}{a}{{% endmacro %}}{{{{ m({name}) }}}}"
            )),
            (pick(FILTERS), inner.clone())
                .prop_map(|(filter, a)| format!("{{% filter {filter} %}}{a}{{% endfilter %}}")),
        ]
    })
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "[a-cż\"\\\\\n]{0,6}".prop_map(Into::into),
    ];
    let nested = leaf.prop_recursive(4, 32, 4, |inner| {
        let key = prop::sample::select(NAMES).prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::vec((key, inner), 0..4)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    });
    let key = prop::sample::select(NAMES).prop_map(str::to_owned);
    prop_oneof![
        3 => prop::collection::vec((key, nested.clone()), 0..6)
            .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        1 => nested,
    ]
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let bytes = prop_oneof![
        4 => json().prop_map(|json| json.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..32),
        1 => Just(Vec::new()),
    ];
    let parse_as =
        prop::sample::select(&[ParseAs::AsJson, ParseAs::AsJson, ParseAs::AsString, ParseAs::None][..]);
    let shape = prop::sample::select(&Shape::ALL[..]);
    let regex = prop_oneof![
        pick(&[".*", "(a+)+$", "a|b", "", "(?s).*(b).*", "[^\\\"]+", "\\w+", "(?i)É?"]),
        "[a-b().*+?|\\[\\]^$\\\\]{0,6}"
    ];
    let field = prop::collection::vec(any::<u8>(), 0..8);
    let parts = (parse_as, shape, any::<u8>(), regex, field, bytes, 1_usize..4);
    parts.prop_map(|(parse_as, shape, options, regex, field, body, pieces)| {
        let size = (body.len() / pieces).max(1);
        let body = body.chunks(size).map(<[u8]>::to_vec).collect();
        Exchange { parse_as, shape, options, regex, field, body }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn messages_are_transformed_as_a_whole_or_not_at_all(template in template(), exchange in exchange()) {
        check(&template, &exchange);
    }

    #[test]
    fn texts_that_may_be_no_template_do_no_harm(template in "[{}%#a-c|.()'\\[\\] =~*+<-]{0,40}", exchange in exchange()) {
        check(&template, &exchange);
    }
}
