#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use super::test;
use super::*;
use crate::rope::Rope;

#[track_caller]
fn prints_fields(template: &str, fields: &[(&'static str, &'static [u8])], expected: &str) {
    assert_eq!(render_with(template, None, fields).as_deref(), Ok(expected), "{template}");
}

#[test]
fn header_is_the_first_value_or_nothing() {
    let fields: &[(&str, &[u8])] = &[("x-a", b"1"), ("x-a", b"2")];
    prints_fields("{{ header('x-a') }}|{{ header('x-b') }}|{{ request_header('x-a') }}", fields, "1||1");
    prints_fields("{{ headers('x-a') | join('+') }}|{{ headers('x-b') | length }}", fields, "1+2|0");
    prints_fields("{{ headers('x-a') }}", fields, r#"["1","2"]"#);
}

#[test]
fn header_values_that_are_no_utf8_print_as_they_are_and_are_no_text() {
    let template = Template::compile("<{{ header('x') }}>").unwrap();
    let world = World { fields: [("x", vec![&b"\xff\xfe"[..]])].into(), ..World::default() };
    assert_eq!(
        template.render(&world, &Meter::for_body(0), 100).map(Rope::into_bytes),
        Ok(b"<\xff\xfe>"[..].into())
    );
    let fields: &[(&str, &[u8])] = &[("x", b"\xff")];
    assert!(render_with("{{ header('x') | upper }}", None, fields).unwrap_err().contains("no UTF-8"));
    prints_fields("{{ base64_encode(header('x')) }}", fields, "/w==");
}

#[test]
fn bodies_that_are_no_utf8_print_as_they_are() {
    let template = Template::compile("{{ body() }}").unwrap();
    let world = World { body: b"a\xff\x00b", ..World::default() };
    assert_eq!(
        template.render(&world, &Meter::for_body(4), 100).map(Rope::into_bytes),
        Ok(b"a\xff\x00b"[..].into())
    );
}

#[test]
fn base64_takes_padding_or_none_and_makes_nothing_of_the_rest() {
    prints(
        "{{ base64_encode('ab?>') }} {{ base64url_encode('ab?>') }} {{ base64_encode('a') }}",
        "YWI/Pg== YWI_Pg YQ==",
    );
    prints(
        "{{ base64_decode('YWI/Pg==') }}{{ base64_decode('YWI/Pg') }}{{ base64url_decode('YWI_Pg') }}",
        "ab?>ab?>ab?>",
    );
    prints(
        "{{ base64url_decode('YWI_Pg==') }}|{{ base64_decode('a*b') }}|{{ base64_decode('YWI_Pg') }}",
        "ab?>||",
    );
    prints("{{ base64_encode(base64_decode('/w==')) }}", "/w==");
}

#[test]
fn substring_counts_characters() {
    prints(
        "{{ substring('żółw', 1) }}|{{ substring('żółw', 1, 2) }}|{{ substring('żółw', 0, 99) }}",
        "ółw|ół|żółw",
    );
    prints(
        "{{ substring('abc', 3) }}|{{ substring('abc', 9) }}|{{ substring('abc', -1) }}|{{ substring('', 0) }}",
        "|||",
    );
    prints(
        "{{ substring('abc', 1, 0) }}|{{ substring('abc', 1, -5) }}|{{ substring('abc', 1, 1) }}",
        "bc|bc|b",
    );
}

#[test]
fn the_same_pattern_is_replaced_by_the_same_random_text() {
    prints("{{ replace_with_random('a-b-a', 'a') }}", "<random for a>-b-<random for a>");
    prints(
        "{{ replace_with_string('a-b-a', 'a', 'xy') }}{{ replace_with_string('a', '', '.') }}",
        "xy-b-xy.a.",
    );
}

#[test]
fn raw_string_escapes_as_json_does() {
    prints(r#"{{ raw_string('a"b\\c\nd\te') }}"#, r#"a\"b\\c\nd\te"#);
    prints("{{ raw_string('\u{1}é/') }}", "\\u0001é/");
}

#[test]
fn word_count_counts_words_items_and_members() {
    prints(
        "{{ word_count('a b\nc') }}{{ word_count('') }}{{ word_count([1, 2]) }}{{ word_count({'a': 1}) }}{{ word_count(7) }}",
        "30211",
    );
}

#[test]
fn cookies_are_found_in_any_line() {
    let fields: &[(&str, &[u8])] = &[("cookie", b"a=1; b=\"two\" ;c=x=y"), ("cookie", b"D=4")];
    prints_fields(
        "{{ get_cookie('a') }}|{{ get_cookie('b') }}|{{ get_cookie('c') }}|{{ get_cookie('D') }}",
        fields,
        "1|two|x=y|4",
    );
    prints_fields("{{ get_cookie('d') }}|{{ get_cookie_i('d') }}|{{ get_cookie('e') }}", fields, "|4|");
}

#[test]
fn the_world_is_asked_by_name() {
    prints("{{ env('POD_NAME') }}|{{ env('SECRET') }}", "pod-1|");
    prints("{{ attribute('source.port') + 1 }} {{ attribute('x') }}", "4712 <x>");
    prints("{{ dynamic_metadata('k') }}", "Dynamic io.solo.transformation k");
    prints("{{ cluster_metadata('k', 'ns') }} {{ host_metadata('k', 'ns') }}", "Cluster ns k Host ns k");
    prints("{{ extraction('any') }}|{{ trim('  x ') }}", "<extraction any>|x");
    prints("{{ secret('token') }}|{{ data_source('motd') }}", "s3cret|hello");
    refuses("{{ secret('none') }}", "the secret is not known or has not come");
    refuses("{{ data_source('none') }}", "there is no data source of that name");
}

#[test]
fn texts_are_escaped_once_where_that_is_wanted() {
    let escaped = |source: &str| {
        let template = Template::compile_escaping(source).unwrap();
        let rendered = template.render(&World::default(), &Meter::for_body(0), 100).unwrap();
        String::from_utf8(rendered.into_bytes().into_vec()).unwrap()
    };
    assert_eq!(escaped(r#"{"a": "{{ 'x"\\' ~ 1 }}"}"#), r#"{"a": "x\"\\1"}"#);
    assert_eq!(escaped(r#"{{ raw_string('"') }} {{ '"' | tojson }} {{ '"' | safe }}"#), r#"\" "\"" ""#);
    assert_eq!(escaped("{{ 1 }} {{ true }} {{ none }}{{ [1, 'a\"'] }}"), r#"1 true [1,"a\""]"#);
    assert_eq!(escaped("{% macro m() %}\"{{ '\"' }}{% endmacro %}{{ m() }}"), r#""\""#);
}

#[test]
fn context_is_the_root_whatever_it_is() {
    prints_json("{{ context() }}", "[1, 2]", "[1,2]");
    prints_json("{{ context()[1] }}{{ context() | length }}", "[1, 2]", "22");
    prints_json("{{ context() + 1 }}", "41", "42");
    prints_json("{{ context().a }}", r#"{"a": "b"}"#, "b");
    prints("{{ context() }}", "");
}

#[test]
fn functions_are_never_hidden_by_members_of_their_name() {
    let json = r#"{"env": "hidden", "header": "hidden", "range": 5}"#;
    prints_json(
        "{{ env('POD_NAME') }} {{ context()['env'] }} {{ context().header }}",
        json,
        "pod-1 hidden hidden",
    );
    prints_json(
        "{{ range(2) | join }} {{ context().range }} {{ range }} {{ env }} {{ headers.x }}",
        json,
        "01 5 5 hidden ",
    );
    refuses("{{ header }}", "`header` is a function, to be called as `header(…)`");
}

#[test]
fn arguments_are_checked() {
    for (template, part) in [
        ("{{ header() }}", "`name` is missing"),
        ("{{ header('a', 'b') }}", "too many arguments"),
        ("{{ header(nom='a') }}", "`name` is missing"),
        ("{{ trim('a', x=1) }}", "has a name that is not known"),
        ("{{ substring('abc', 'x') }}", "not an integer"),
        ("{{ range(1, 5, 0) }}", "steps by zero"),
    ] {
        refuses(template, part);
    }
    prints(
        "{{ header(name='x') }}{{ substring('abc', start=1, len=1) }}{{ substring(*['abc', 2]) }}{{ substring(**{'value': 'abc', 'start': 1}) }}",
        "bcbc",
    );
}
