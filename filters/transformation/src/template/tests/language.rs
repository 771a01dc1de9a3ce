//! Where we say more than MiniJinja, or something else.

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use super::test;
use super::*;

#[test]
fn lists_and_maps_print_as_compact_json() {
    prints("{{ [1, 'a', none, true, 2.5, {'k': []}] }}", r#"[1,"a",null,true,2.5,{"k":[]}]"#);
    prints("{{ {'b': 1, 'a': {1: 'x'}} }}{{ (1, 2) }}{{ [] }}{{ {} }}", r#"{"b":1,"a":{"1":"x"}}[1,2][]{}"#);
    prints("{{ 'x' ~ [1] ~ {'a': none} ~ true ~ none }}", r#"x[1]{"a":null}true"#);
    prints_json("{{ user }}", r#"{"user": { "b" : [ 1 , 2 ] , "a" : "x y" } }"#, r#"{"b":[1,2],"a":"x y"}"#);
    prints("{% set ns = namespace(a=1) %}{{ ns }}", r#"{"a":1}"#);
}

#[test]
fn tojson_escapes_no_html() {
    prints("{{ '<a href=\"x\">&' | tojson }}", r#""<a href=\"x\">&""#);
    prints("{{ {'a': [1]} | tojson(2) }}", "{\n  \"a\": [\n    1\n  ]\n}");
    prints("{{ [] | tojson(true) }}{{ none | tojson }}{{ missing_ | tojson if false }}", "[]null");
}

#[test]
fn nothing_is_escaped_whatever_a_template_ends_in() {
    prints_json("{{ v }}.html", r#"{"v": "<b>&'\""}"#, "<b>&'\".html");
    prints_json("{{ v }}.json", r#"{"v": "<b>"}"#, "<b>.json");
}

#[test]
fn numbers_are_those_of_the_text() {
    for number in [
        "1.0",
        "12.50",
        "1e3",
        "-0",
        "-0.0",
        "123456789012345678901234567890",
        "1E400",
        "0.1000",
        "18446744073709551615",
    ] {
        prints_json(
            "{{ v }} {{ context() }} {{ [v] }} {{ '' ~ v }}",
            &format!("{{\"v\":{number}}}"),
            &format!("{number} {{\"v\":{number}}} [{number}] {number}"),
        );
    }
    prints_json(
        "{{ v + 1 }} {{ v * 2 }} {{ v > 1 }} {{ v | round | int }}",
        r#"{"v": 1.50}"#,
        "2.5 3.0 true 2",
    );
    prints_json("{{ v + 1 }}", r#"{"v": 18446744073709551615}"#, "18446744073709551616");
}

#[test]
fn the_last_of_equal_keys_counts() {
    let json = r#"{"a": 1, "b": 2, "\u0061": 3}"#;
    prints_json(
        "{{ a }} {{ context() | length }} {% for k, v in context() | items %}{{ k }}{{ v }} {% endfor %}",
        json,
        "3 2 a3 b2 ",
    );
    prints_json("{{ context() }}", json, r#"{"a":1,"b":2,"\u0061":3}"#);
}

#[test]
fn missing_fields_print_nothing_and_all_below_them() {
    prints_json(
        "[{{ a }}{{ a.b.c }}{{ a[0].b }}{{ s.x }}{{ n.x }}{{ list[9] }}]",
        r#"{"s": "t", "n": null, "list": []}"#,
        "[]",
    );
    prints_json(
        "{% for x in missing %}x{% else %}none{% endfor %}{{ missing | length }}{{ missing | upper }}",
        "{}",
        "none0",
    );
    prints_json("{{ a }}{{ a.b }}", "", "");
    prints_json("{{ name }}", "[1]", "");
}

#[test]
fn a_variable_is_an_error_where_no_json_was_parsed() {
    for template in [
        "{{ name }}",
        "{{ user.name }}",
        "{{ name | default('x') }}",
        "{% if name %}{% endif %}",
        "{{ loop }}",
    ] {
        let error = render(template).unwrap_err();
        assert!(error.contains("is a variable, but no JSON was parsed"), "{template}: {error}");
    }
    prints("{% if false %}{{ name }}{% endif %}ok", "ok");
    prints("{% if false %}{% set a = 1 %}{% endif %}[{{ a }}]", "[]");
}

#[test]
fn strings_of_json_are_unescaped_when_they_are_read() {
    prints_json(r"{{ v }}", r#"{"v": "a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}"#, "a\"\\/\u{8}\u{c}\n\r\té😀");
    let error = render_json("{{ v }}", r#"{"v": "\ud800"}"#).unwrap_err();
    assert!(error.contains("surrogate"), "{error}");
    prints_json("{{ context() }}", r#"{"v": "\ud800"}"#, r#"{"v":"\ud800"}"#);
}

#[test]
fn failures_say_where_and_nothing_of_the_content() {
    let error = render_json("ab\n  {{ secret + 1 }}", r#"{"secret": "hunter2"}"#).unwrap_err();
    assert_eq!(error, "cannot calculate with text and a number at line 2, column 6");
    let error = render_json("{{ v | int }}", r#"{"v": "hunter2"}"#).unwrap_err();
    assert_eq!(error, "text is no integer at line 1, column 8");
}

#[test]
fn division_by_zero_and_its_like_are_errors_not_panics() {
    for template in [
        "{{ 1 / 0 }}",
        "{{ 1 // 0 }}",
        "{{ 1 % 0 }}",
        "{{ 1.0 % 0 }}",
        "{{ 0 ** -1 }}",
        "{{ 10 ** 1000 }}",
        "{{ 'a' * -1 + 1 }}",
    ] {
        assert!(render(template).is_err(), "{template}");
    }
    prints(
        "{{ 1 is divisibleby(0) }}{{ [1] | slice(3) | length }}{% for x in [1] %}[{{ loop.cycle() }}]{% endfor %}",
        "false3[]",
    );
    let least = "-170141183460469231731687303715884105728";
    for operation in ["// -1", "% -1", "* -1", "- 1"] {
        let template = format!("{{{{ ({least} - 1) {operation} }}}}");
        let _ = render(&template);
    }
    prints_json("{{ v is odd }}", &format!("{{\"v\": {least}}}"), "false");
    for template in ["{{ -v }}", "{{ v | abs }}", "{{ v // -1 }}", "{{ v - 1 }}"] {
        assert!(render_json(template, &format!("{{\"v\": {least}}}")).is_err(), "{template}");
    }
    prints_json("{{ v % -1 }}{{ v is divisibleby(-1) }}", &format!("{{\"v\": {least}}}"), "0true");
}

#[test]
fn macros_see_the_frame_they_were_declared_in() {
    prints("{% for x in [1, 2] %}{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% endfor %}", "12");
    prints("{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}b{% endmacro %}{{ a() }}", "b");
    prints("{% macro m(x) %}{{ x }}{{ y }}{% endmacro %}{% set y = 2 %}{{ m(1) }}", "12");
}

#[test]
fn what_could_build_cycles_is_refused() {
    for template in [
        "{% set ns = namespace() %}{% set ns.self = ns %}",
        "{% set ns = namespace() %}{% set ns.list = [ns] %}",
        "{% macro m() %}{% endmacro %}{% set ns = namespace(m=m) %}",
        "{% for x in [1] %}{{ loop.changed(loop) }}{% endfor %}",
    ] {
        assert!(render(template).is_err(), "{template}");
    }
}

#[test]
fn one_newline_at_the_end_is_no_part_of_a_template() {
    prints("a\n", "a");
    prints("a\n\n", "a\n");
    prints("", "");
}
