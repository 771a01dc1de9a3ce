//! What Inja renders, its own tests say; the same must come of a template that was rewritten.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use ferrule_convert::{Notation, Severity, Surroundings, rewrite};
use ferrule_kit::{Driver, Event, MemoryHost, Message};
use ferrule_transformation::Transformation;
use serde_json::json;

const DATA: &str = r#"{
    "name": "Peter", "city": "Brunswick", "age": 29, "names": ["Jeff", "Seb", "Peter", "Tom"], "i": 1,
    "temperature": 25.6789, "property": "name", "is_happy": true, "is_sad": false, "@name": "@name", "$name": "$name",
    "brother": {"name": "Chris", "daughters": ["Maria", "Helen"], "daughter0": {"name": "Maria"}},
    "relatives": {"sister": "Jenny", "mother": "Maria", "brother": "Chris"},
    "vars": [2, 3, 4, 0, -1, -2, -3], "quoted": "\"quoted value\"", "empty": "", "nil": null, "my-name": "dashed",
    "list_of_objects": [{"a": 2}, {"b": 3}, {"c": 4}, {"d": 5}],
    "outer": [
        {"inner": [{"in2": [1, 2]}, {"in2": []}, {"in2": []}]},
        {"inner": []},
        {"inner": [{"in2": [3, 4]}, {"in2": [5, 6]}]}]
}"#;

fn surroundings(notation: Notation) -> Surroundings {
    Surroundings { notation, json: true, end_matters: true, ..Surroundings::default() }
}

fn rendered(template: &str, notation: Notation) -> String {
    let rewritten = rewrite(template, &surroundings(notation));
    let text = rewritten.text.unwrap_or_else(|| panic!("{template}: {:?}", rewritten.remarks));
    let config = json!({"request": {"body": {"parseAs": "AsJson", "value": text}}});
    let filter = ferrule_kit::compile::<Transformation>(config.to_string().as_bytes());
    let filter = Arc::new(filter.unwrap_or_else(|error| panic!("{template} -> {text}: {error}")));
    let mut host =
        MemoryHost::with_request([(":method", "POST"), (":path", "/"), (":authority", "h"), ("x-a", "A")]);
    let mut driver = Driver::new(filter);
    driver.on(Event::Headers { message: Message::Request, end: false }, &mut host);
    host.push_body(Message::Request, DATA);
    let step = driver.on(Event::Data { message: Message::Request, end: true }, &mut host);
    let body = String::from_utf8(host.pass_body(Message::Request)).unwrap();
    assert!(host.logged.borrow().is_empty(), "{template} -> {text}: {step:?} {:?}", host.logged);
    body
}

fn check(pairs: &[(&str, &str)]) {
    for (template, expected) in pairs {
        assert_eq!(rendered(template, Notation::Dot), *expected, "{template}");
    }
}

fn errors(template: &str) -> Vec<String> {
    let rewritten = rewrite(template, &surroundings(Notation::Dot));
    let errors: Vec<_> = rewritten.remarks.into_iter().filter(|it| it.severity == Severity::Error).collect();
    assert_eq!(errors.is_empty(), rewritten.text.is_some(), "{template}");
    errors.into_iter().map(|it| format!("{}:{}: {}", it.place.line, it.place.column, it.message)).collect()
}

#[test]
fn variables_read_as_in_inja() {
    check(&[
        ("", ""),
        ("Hello World!", "Hello World!"),
        ("{{ name }} is {{ age }} years old.", "Peter is 29 years old."),
        ("Hello {{ names.1 }}!", "Hello Seb!"),
        ("Hello {{ brother.daughter0.name }}!", "Hello Maria!"),
        ("{{ brother/daughters/1 }}", "Helen"),
        (r#"{{ "{{ no_value }}" }}"#, "{{ no_value }}"),
        ("{{ @name }}{{ $name }}{{ my-name }}", "@name$namedashed"),
        (r#"{"Value":"{{ name }}"}"#, r#"{"Value":"Peter"}"#),
        ("{{ nil }}|{{ empty }}|{{ null }}", "||"),
        ("{{ vars }}", "[2,3,4,0,-1,-2,-3]"),
        ("a {{ \"x\" }}\n\n", "a x\n\n"),
        ("{\n{{ name }}\r\n", "{\nPeter\r\n"),
    ]);
    assert_eq!(
        rendered("Hello {{ names/1 }}, {{ brother/daughter0/name }}!", Notation::Pointer),
        "Hello Seb, Maria!"
    );
}

#[test]
fn comments_vanish() {
    check(&[
        ("Hello{# This is a comment #}!", "Hello!"),
        ("{# --- #Todo --- #}", ""),
        ("{#+ x -#} \n!", "!"),
    ]);
}

#[test]
fn loops_count_from_zero_and_objects_are_sorted() {
    check(&[
        ("{% for name in names %}a{% endfor %}", "aaaa"),
        ("{% for n in brother.daughters %}{{ loop.index }}: {{ n }}, {% endfor %}!", "0: Maria, 1: Helen, !"),
        (
            "{% for type, name in relatives %}{{ loop.index1 }}: {{ type }}: {{ name }}{% if loop.is_last == false %}, \
             {% endif %}{% endfor %}",
            "1: brother: Chris, 2: mother: Maria, 3: sister: Jenny",
        ),
        ("{% for v in vars %}{% if v > 0 %}+{% endif %}{% endfor %}", "+++"),
        (
            "{% for n in brother.daughters %}{{ n }}{% if not loop.is_last %}, {% endif %}{% endfor %}",
            "Maria, Helen",
        ),
        ("{% for name in [] %}a{% endfor %}", ""),
        ("{% for i in range(4) %}{{ loop.index1 }}{% endfor %}", "1234"),
        ("{% for i in range(3) %}{{ at(names, i) }}{% endfor %}", "JeffSebPeter"),
        (
            "\n{% for o in outer %}{% for i in o.inner %}{{loop.parent.index}}:{{loop.index}}::{{loop.parent.is_last}}\n\
             {% for ii in i.in2%}{{ii}},{%endfor%}\n{%endfor%}{%endfor%}\n",
            "\n0:0::false\n1,2,\n0:1::false\n\n0:2::false\n\n2:0::true\n3,4,\n2:1::true\n5,6,\n\n",
        ),
        (
            "{% for o in outer %}{% for i in o.inner %}{% for j in i.in2 %}{{ loop.parent.parent.index }}{{ loop.parent.index }} \
          {% endfor %}{% endfor %}{% endfor %}",
            "00 00 20 20 21 21 ",
        ),
    ]);
}

#[test]
fn conditions_hold_as_in_inja() {
    check(&[
        ("{% if is_happy %}Yeah!{% endif %}", "Yeah!"),
        ("{% if is_sad %}Yeah!{% else %}Nooo...{% endif %}", "Nooo..."),
        ("{% if age == 29 %}Right{% else %}Wrong{% endif %}", "Right"),
        ("{% if age >= 30 %}Right{% else %}Wrong{% endif %}", "Wrong"),
        ("{% if age in [28, 29, 30] %}True{% endif %}", "True"),
        (
            r#"{% if "Seb" in names %}1{% endif %}{% if "Se" in name %}2{% endif %}{% if "Peter" in name %}3{% endif %}"#,
            "13",
        ),
        ("{% if age == 28 %}28{% else if age == 29 %}29{% endif %}", "29"),
        (
            "{% if age == 26 %}26{% else if age == 27 %}27{% else if age == 28 %}28{% else %}29{% endif %}",
            "29",
        ),
        ("{% if age == 25 %}+{% endif %}{% if age == 29 %}+{% else %}-{% endif %}", "+"),
        ("{% if 0 and undefined %}do{% else %}nothing{% endif %}", "nothing"),
        ("{% if empty %}a text is true{% endif %}", "a text is true"),
        ("{% if nil %}1{% else if names %}2{% endif %}{% if not 0 %}3{% endif %}", "23"),
        ("{% if not is_happy or age > 26 %}TRUE{% endif %}", "TRUE"),
        ("{{ not true }} {{ not (true) }} {{ true or (true or true) }}", "false false true"),
        ("{{ name or age }} {{ nil and age }}", "true false"),
    ]);
}

#[test]
fn operators_bind_as_in_inja() {
    check(&[
        (
            "{{ 1 + 1 }} {{ 3 - 21 }} {{ 1 + 1 * 3 }} {{ (1 + 1) * 3 }} {{ 5 / 2 }} {{ 5^3 }}",
            "2 -18 4 6 2.5 125",
        ),
        ("{{ 5 + 12 + 4 * (4 - (1 + 1))^2 - 75 * 1 }}", "-42"),
        ("{{ 2 ^ 3 ^ 2 }} {{ 6 / 3 }} {{ 10 - 3 - 2 }} {{ 2 * 3 % 4 }}", "512 2.0 5 2"),
        ("{{ (0 - 2) ^ 2 }} {{ 2 ^ 0.5 }}", "4 1"),
        // `and` and `or` bind alike, to the left.
        ("{{ true or false and false }} {{ false and false or true }}", "false true"),
        // `not` binds tighter than a comparison.
        ("{{ not 1 == 2 }} {{ not age == false }} {{ not true in [false] }}", "false true true"),
        ("{{ 1 == 1 == true }}", "true"),
        (
            "{{ is_happy == 1 }} {{ is_happy == true }} {{ is_happy != true }} {{ i == is_happy }}",
            "false true false false",
        ),
    ]);
    check(&[("{{ age - i }} {{ age -i }} {{ [1, -2] }} {{ length(\"tester\") * 5 }}", "28 28 [1,-2] 30")]);
}

#[test]
fn assignments_last_as_in_inja() {
    check(&[
        ("{% set predefined=true %}{% if predefined %}a{% endif %}", "a"),
        ("{% set age=2+3 %}{{age}}", "5"),
        ("{{ age }}{% set age=30 %}{{age}}", "2930"),
        ("{% if is_sad %}{% set age=30 %}{% endif %}{{ age }}", "29"),
        ("{% set total = 0 %}{% for v in vars %}{% set total = total + v %}{% endfor %}{{ total }}", "3"),
        ("{% for v in [] %}{% set age = v %}{% endfor %}{{ age }}", "29"),
        ("{% for v in vars %}{% set age = v %}{% endfor %}{{ age }}", "-3"),
        ("{% for v in [1, 2] %}{{ age }} {% set age = v %}{% endfor %}{{ age }}", "29 1 2"),
        ("{% set header = 1 %}{{ header }}{{ header(\"x-a\") }}", "1A"),
        ("{% set my-var = 4 %}{% set my_var = 5 %}{{ my-var }}{{ my_var }}", "45"),
        ("{% for my-name in names %}{{ my-name }}{% endfor %}", "JeffSebPeterTom"),
    ]);
}

#[test]
fn line_statements_take_their_line() {
    check(&[
        ("## if is_happy\nYeah!\n## endif", "Yeah!\n"),
        ("## if is_happy\n## if is_happy\nYeah!\n## endif\n## endif    ", "Yeah!\n"),
        ("a ## b\n## for n in brother.daughters\n- {{ n }}\n## endfor\nend", "a ## b\n- Maria\n- Helen\nend"),
    ]);
}

#[test]
fn whitespace_goes_as_in_inja() {
    check(&[
        ("   {% if is_happy %}{{ name }}{% endif %}   ", "   Peter   "),
        ("   {% if is_happy %}{{ name }}{% endif %}\n ", "   Peter\n "),
        ("Test\n   {%- if is_happy %}{{ name }}{% endif %}   ", "Test\nPeter   "),
        ("   {%+ if is_happy %}{{ name }}{% endif %}", "   Peter"),
        ("   {%- if is_happy %}{{ name }}{% endif -%}   \n   ", "Peter"),
        ("   {{- name -}}   \n   ", "Peter"),
        ("Test\n   {{- name }}   ", "Test\nPeter   "),
        ("{{ name }}{# name -#}    !", "Peter!"),
        ("   {#- name -#}    !", "!"),
        (".  {%- if is_happy %}{{ name }}{% endif -%}\n", ".  Peter"),
        (".  {#- comment -#}\n.", ".  ."),
    ]);
}

#[test]
fn functions_give_what_they_give_in_inja() {
    check(&[
        ("{{ upper(name) }} {{ upper(  upper(city)  ) }} {{ lower(city) }}", "PETER BRUNSWICK brunswick"),
        ("{{ range(2) }} {{ range(4) }} {{ length(names) }} {{ length(name) }}", "[0,1] [0,1,2,3] 4 5"),
        (r#"{{ sort([3, 2, 1]) }}{{ sort(["bob", "Zoe", "alice"]) }}"#, r#"[1,2,3]["Zoe","alice","bob"]"#),
        (
            r#"{{ at(names, 0) }}{{ at(names, i) }}{{ at(brother, "name") }}{{ at(at(brother, "daughters"), 0) }}"#,
            "JeffSebChrisMaria",
        ),
        ("{{ first(names) }} {{ last(names) }} {{ upper(last(brother.daughters)) }}", "Jeff Tom HELEN"),
        ("{{ round(4, 0) }} {{ round(temperature, 2) }} {{ round(age, 1) }}", "4 25.68 29.0"),
        (
            "{{ divisibleBy(50, 5) }} {{ divisibleBy(11, 3) }} {{ odd(11) }} {{ even(11) }}",
            "true false true false",
        ),
        (
            "{{ max([1, 2, 3]) }} {{ max([-5.2, 100.2, 2.4]) }} {{ min([-5.2, 100.2, 2.4]) }} {{ min(vars) }}",
            "3 100.2 -5.2 -3",
        ),
        (
            r#"{{ float("2.2") == 2.2 }} {{ float("-1.25") == -1.25 }} {{ int("2") == 2 }} {{ int("-1.25") == -1 }}"#,
            "true true true true",
        ),
        (
            r#"{{ default(11, 0) }}{{ default(nothing, 0) }}{{ default(name, "nobody") }}{{ default(surname, "{{ surname }}") }}"#,
            "110Peter{{ surname }}",
        ),
        (
            r#"{{ exists("name") }} {{ exists("zipcode") }} {{ exists("brother.daughters.1") }} {{ exists("nil") }}"#,
            "true false true true",
        ),
        (
            r#"{{ existsIn(brother, "name") }} {{ existsIn(brother, "parents") }} {{ existsIn(brother, property) }} {{ existsIn(brother, name) }}"#,
            "true false true false",
        ),
        (
            r#"{{ join(names, " | ") }} {{ join(vars, ", ") }}"#,
            "Jeff | Seb | Peter | Tom 2, 3, 4, 0, -1, -2, -3",
        ),
        (
            "{{ isBoolean(is_happy) }} {{ isBoolean(vars) }} {{ isNumber(age) }} {{ isNumber(name) }} {{ isNumber(is_happy) }}",
            "true false true false false",
        ),
        (
            "{{ isInteger(age) }} {{ isInteger(is_happy) }} {{ isFloat(temperature) }} {{ isFloat(age) }}",
            "true false true false",
        ),
        (
            "{{ isObject(brother) }} {{ isObject(vars) }} {{ isArray(vars) }} {{ isArray(name) }} {{ isString(name) }} {{ isString(names) }}",
            "true false true false true false",
        ),
        (
            "{{ length(name) * 2.5 }} {{ upper(first(sort(brother.daughters)) + \"_test\") }}",
            "12.5 HELEN_TEST",
        ),
        (
            "{{ last(list_of_objects).d * 2}} {{ last(range(5)) * 2 }} {{ last(range(5 * 2)) }} {{ at(list_of_objects, 1).b }}",
            "10 8 9 3",
        ),
        (
            r#"{{ header("x-a") }}{{ header("x-none") }} {{ word_count("a b") }} {{ substring(name, 1, 3) }} {{ body() == body }}"#,
            "A 2 ete true",
        ),
        ("{{ name | upper }} {{ names | join(\"-\") }}", "PETER Jeff-Seb-Peter-Tom"),
    ]);
}

#[test]
fn what_inja_cannot_do_is_refused_with_its_place() {
    let refused = [
        ("{{ }}", "1:4: an expression is missing before `}}`: no Inja"),
        ("{{", "1:3: an expression is missing before the end: no Inja"),
        ("{% for name ins names %}a{% endfor %}", "1:13: expected `in`, got `ins`: no Inja"),
        ("{% if a %}\n{% if b %}{% endif %}", "1:4: `if` does not end: no Inja"),
        ("{% if a %}{% else if a %}{% end if %}", "1:29: `end` is no statement of Inja: no Inja"),
        ("{{ 'single' }}", "1:4: an expression is missing before `'`: no Inja"),
        ("{{ a * not b }}", "1:8: Inja cannot read `not` here; put it in parentheses: no Inja"),
        ("{{ a b }}", "1:6: an operator is missing before this: no Inja"),
        ("{{ 01 }}", "1:4: `01` is no JSON: invalid number at line 1 column 2: no Inja"),
        ("{% endfor %}", "1:4: `endfor` without its beginning: no Inja"),
        ("{{ nosuch(1) }}", "1:4: Gloo's Inja has no function `nosuch` with 1 arguments"),
    ];
    for (template, expected) in refused {
        assert_eq!(errors(template), [expected], "{template}");
    }
}

#[test]
fn what_jinja_cannot_say_is_refused() {
    let refused = [
        "{% include \"x\" %}",
        "{% extends \"x\" %}{% block a %}{% endblock %}",
        "{% for x in names %}{% endfor %}{{ x }}",
        "{% for x in names %}{{ y }}{% for y in x %}{% endfor %}{% endfor %}",
        "{% set a.b = 1 %}{{ a.b }}",
        "{{ loop.index }}",
        "{% for x in names %}{{ loop.parent.index }}{% endfor %}",
        "{% for x in names %}{{ loop }}{% endfor %}",
        "{{ exists(name) }}",
        "{% for c in \"abc\" %}{% endfor %}",
        "{% for k, v in [1] %}{% endfor %}",
        "{{ ~x }}",
    ];
    for template in refused {
        assert!(!errors(template).is_empty(), "{template}");
    }
}

#[test]
fn nothing_is_said_where_nothing_differs() {
    for template in [
        "Hello",
        "{{ default(a, 1) }}",
        "{% if exists(\"a\") %}{{ 1 + 2 }}{% endif %}",
        "{{ header(\"x\") }}",
    ] {
        assert_eq!(rewrite(template, &surroundings(Notation::Dot)).remarks, [], "{template}");
    }
}
