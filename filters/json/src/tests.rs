#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The text of a document as its nodes tell it.
fn retold(node: Node<'_>) -> String {
    match node.kind() {
        Kind::Array => format!("[{}]", node.elements().map(retold).collect::<Vec<_>>().join(",")),
        Kind::Object => {
            let member = |(key, value): (Key<'_>, Node<'_>)| format!("\"{}\":{}", key.raw(), retold(value));
            format!("{{{}}}", node.members().map(member).collect::<Vec<_>>().join(","))
        }
        _ => node.text().to_owned(),
    }
}

fn retell(json: &str) -> Result<String, JsonError> {
    let document = Document::parse(json.as_bytes(), &[])?;
    Ok(retold(document.root()))
}

#[test]
fn what_is_indexed_is_what_was_written() {
    for json in [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "12",
        "1.5",
        "-1.5e+10",
        "1E-9",
        "\"\"",
        "\"a\\\"b\"",
        "[]",
        "{}",
        "[[]]",
        "[1,[2,{\"a\":[3]}],{}]",
        "{\"a\":{\"b\":[{\"c\":null}]},\"d\":\"e\",\"a\":2}",
    ] {
        assert_eq!(retell(json).as_deref(), Ok(json));
    }
    assert_eq!(retell(" \t\r\n[ 1 , { \"a\" : 2 } ] \n").as_deref(), Ok("[1,{\"a\":2}]"));
    assert_eq!(retell("\u{feff}[1]").as_deref(), Ok("[1]"));
}

#[test]
fn what_is_no_json_is_refused_as_serde_json_refuses_it() {
    for json in [
        "",
        " ",
        "nul",
        "nulll",
        "True",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "1e+",
        "+1",
        "--1",
        "0x1",
        "NaN",
        "\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u123",
        "\"\n\"",
        "\"\t\"",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "{a:1}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{,}",
        "{\"a\":1 \"b\":2}",
        "1 2",
        "[]]",
        "// x\n1",
        "'a'",
        "\u{a0}1",
    ] {
        assert!(retell(json).is_err(), "{json:?}");
        assert!(serde_json::from_str::<serde::de::IgnoredAny>(json).is_err(), "{json:?}");
    }
}

#[test]
fn errors_say_where_and_nothing_of_the_content() {
    let error = |json: &[u8]| Document::parse(json, &[]).unwrap_err().to_string();
    assert_eq!(error(b"{\"secret\": tru}"), "a value was expected at byte 11");
    assert_eq!(error(b"[1 2]"), "a comma or a closing bracket was expected at byte 3");
    assert_eq!(error(b"[\"\xff\"]"), "not UTF-8 at byte 2");
    assert_eq!(error(b"{\"a\": 1"), "a comma or a closing brace was expected at byte 7");
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(retell(&nested(MAX_DEPTH as usize)).is_ok());
    assert!(retell(&nested(MAX_DEPTH as usize + 1)).is_err());
    assert!(retell(&"[".repeat(10_000_000)).is_err());
    assert!(retell(&"{\"a\":".repeat(1_000_000)).is_err());
}

#[test]
fn members_that_are_asked_for_are_noted_and_all_is_checked() {
    let json =
        br#" {"big": [1, 2, {"x": []}], "user": {"name": "ada"}, "\u0075ser": 2 , "more": {"user": 3}} "#;
    let document = Document::parse(json, &names(&["none", "user"])).unwrap();
    let found: Vec<_> = document.members().unwrap().map(|(name, value)| (name, value.text())).collect();
    assert_eq!(found, [(1, "{\"name\": \"ada\"}"), (1, "2")]);
    assert_eq!(document.member(1).map(Node::text), Some("2"));
    assert!(document.member(0).is_none());
    assert!(Document::parse(br#"{"user": 1, "big": [1, 2}"#, &names(&["user"])).is_err());
    assert!(Document::parse(b"[{\"user\": 1}, 2]", &names(&["user"])).unwrap().member(0).is_none());
}

#[test]
fn keys_that_are_repeated_without_end_take_no_memory_without_end() {
    let json = format!("{{{}\"b\": 1}}", "\"a\": 0,".repeat(100_000));
    let document = Document::parse(json.as_bytes(), &names(&["a", "b"])).unwrap();
    assert!(document.members.len() <= 1024);
    assert!(document.members().is_none());
    let last = document.member(0).unwrap().place_in(document.root().text().as_bytes());
    assert_eq!(last.start, json.rfind("0,\"b\"").unwrap());
    assert_eq!(document.member(1).map(Node::text), Some("1"));
}

#[test]
fn the_end_of_a_string_is_found_wherever_it_is() {
    for length in 0..40 {
        for special in ['"', '\\', '\u{1f}', '\0', '\n'] {
            let text =
                format!("{}{special}\u{80}\u{7f} !#[]~\"", "é ".repeat(length).get(..length).unwrap_or("x"));
            assert_eq!(string::plain_end(text.as_bytes(), 0), text.find(special).unwrap(), "{text:?}");
        }
    }
    let plain = "\u{7f}\u{80}ÿ !#[]~ and more";
    assert_eq!(string::plain_end(plain.as_bytes(), 0), plain.len());
}

#[test]
fn strings_are_unescaped_or_are_no_text() {
    let text = |raw: &'static str| unescape(raw).map(std::borrow::Cow::into_owned);
    assert_eq!(text("plain").as_deref(), Some("plain"));
    assert_eq!(text(r#"a\"b\\c\/d"#).as_deref(), Some("a\"b\\c/d"));
    assert_eq!(text(r"\b\f\n\r\t").as_deref(), Some("\u{8}\u{c}\n\r\t"));
    assert_eq!(text(r"x\u00e9y\ud83d\ude00z").as_deref(), Some("xéy😀z"));
    for half in [r"\ud800", r"\ud800x", r"\ude00", r"\ud800\u0041", r"\ud800\ud800", r"\udc00\ud800"] {
        assert_eq!(text(half), None, "{half}");
    }
}

#[test]
fn strings_are_escaped_where_they_must_be() {
    let mut out = Vec::new();
    write_string("a\"b\\c\u{8}\u{c}\n\r\t\u{0}\u{1f}é/😀", &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), r#"a\"b\\c\b\f\n\r\t\u0000\u001fé/😀"#);
}
