use super::*;

fn parse(text: &str) -> Result<Case, String> {
    Case::parse(Path::new("cases/a_case.yaml"), text).map_err(|error| error.to_string())
}

fn exchange(exchange: &str) -> Result<Exchange, String> {
    let case = parse(&format!("about: x\nconfig: {{}}\nexchange: {exchange}\n"))?;
    Ok(case.exchanges()[0].clone())
}

const MINIMAL: &str = "{request: {}, expect: {client: {status: 200}}}";

#[test]
fn a_minimal_case_has_sensible_defaults() {
    let case = parse(&format!("about: it passes\nconfig: {{a: n}}\nexchange: {MINIMAL}")).unwrap();
    assert_eq!((case.name.as_str(), case.routes.len()), ("a_case", 1));
    assert_eq!(case.routes[0].config, Some(serde_json::json!({"a": "n"})));
    let request = &case.exchanges()[0].request;
    assert_eq!(
        (request.method(), request.path.as_str(), request.host.as_str()),
        ("GET", "/", "test.example")
    );
    assert!([Host::Memory, Host::Native, Host::Wasm].into_iter().all(|host| case.runs_on(host)));
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let error = |text: &str| parse(text).unwrap_err();
    let unknown = error(&format!("about: x\nconfig: {{}}\nexchange: {MINIMAL}\nbufer_limit: 1"));
    assert!(unknown.starts_with("cases/a_case.yaml: "), "{unknown}");
    assert!(unknown.contains("bufer_limit") && unknown.contains("4:1"), "{unknown}");
    for (text, part) in [
        ("about: x\nconfig: {}\n", "write one of `exchange:`"),
        ("about: x\nconfig: {}\nexchange: {request: {}, expect: {}}", "expects nothing"),
        ("about: x\nconfig: {}\nconfig_error: x\nexchanges: []", "write one of `exchange:`"),
        ("about: x\nconfig_error: x", "either `config:` or `routes:`"),
        ("about: ' '\nconfig: {}\nconfig_error: x", "about: say in a sentence"),
        ("about: x\nonly: [native]\nconfig: {}\nconfig_error: x", "needs a `why:`"),
        ("about: x\nonly: [native]\nwhy: ''\nconfig: {}\nconfig_error: x", "needs a `why:`"),
        ("about: x\nwhy: y\nconfig: {}\nconfig_error: x", "goes with `only:`"),
        ("about: x\nonly: [envoy]\nwhy: y\nconfig: {}\nconfig_error: x", "envoy"),
        ("about: x\nroutes: [{prefix: /, path: /}]\nconfig_error: x", "routes[0]: write either"),
    ] {
        assert!(error(text).contains(part), "{text}\n{}", error(text));
    }
}

#[test]
fn what_is_wrong_inside_an_exchange_is_named() {
    for (text, part) in [
        ("{request: {header: {}}, expect: {client: reset}}", "unknown field `header`"),
        ("{request: {headers: {':path': /}}, expect: {client: reset}}", "has a key of its own"),
        ("{request: {headers: {Host: x}}, expect: {client: reset}}", "write `host:` beside"),
        ("{request: {body: {repeat: x}}, expect: {client: reset}}", "write a string, {json"),
        ("{request: {}, expect: {client: rest}}", "write `reset` or a response"),
        ("{request: {}, expect: {upstream: nothing}}", "write `none` or a request"),
        ("{request: {}, expect: {client: {headers: {a: {base46: x}}}}}", "base46"),
        ("{request: {}, expect: {client: {body: {matches: '('}}}}", "regex parse error"),
        ("{request: {headers: {a: 1.40}}, expect: {client: reset}}", "quotes around it"),
    ] {
        let error = exchange(text).unwrap_err();
        assert!(error.contains(part), "{text}\n{error}");
    }
}

#[test]
fn headers_come_as_map_or_list_and_hold_any_bytes() {
    let request = "{headers: {A: 1, b: [x, {base64: /w==}]}}";
    let lines =
        exchange(&format!("{{request: {request}, expect: {{client: reset}}}}")).unwrap().request.headers;
    let line = |name: &str, value: &[u8]| (name.to_owned(), value.to_vec());
    assert_eq!(lines.0, [line("a", b"1"), line("b", b"x"), line("b", b"\xff")]);
    let request = "{headers: [[b, '1'], [a, '2'], [b, n]]}";
    let lines =
        exchange(&format!("{{request: {request}, expect: {{client: reset}}}}")).unwrap().request.headers;
    assert_eq!(lines.0, [line("b", b"1"), line("a", b"2"), line("b", b"n")]);
}

#[test]
fn bodies_come_in_all_their_forms() {
    let body = |body: &str| {
        exchange(&format!("{{request: {{body: {body}}}, expect: {{client: reset}}}}")).unwrap().request
    };
    assert_eq!(body("'{}'").body.unwrap().bytes(), b"{}");
    assert_eq!(body("{json: {b: 1, a: null}}").body.unwrap().bytes(), br#"{"b":1,"a":null}"#);
    assert_eq!(body("{json: null}").body.unwrap().bytes(), b"null");
    assert_eq!(body("{base64: AP8=}").body.unwrap().bytes(), b"\x00\xff");
    assert_eq!(body("{repeat: ab, times: 3}").body.unwrap().bytes(), b"ababab");
    let streamed = body("{chunks: [a, {json: 1}]}");
    assert_eq!(streamed.body.as_ref().unwrap().chunks, [b"a".to_vec(), b"1".to_vec()]);
    assert_eq!(streamed.lines().text("transfer-encoding").as_deref(), Some("chunked"));
    assert_eq!(body("abc").lines().text("content-length").as_deref(), Some("3"));
    assert_eq!(body("abc").method(), "POST");
}

#[test]
fn a_folder_without_cases_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Case::load_dir(folder.path()), Err(CaseError::NoCases(_))));
    std::fs::write(folder.path().join("b.yaml"), "about: x\nconfig: {}\nconfig_error: x").unwrap();
    std::fs::write(folder.path().join("a.yaml"), "about: x\nconfig: {}\nconfig_error: x").unwrap();
    let names: Vec<_> = Case::load_dir(folder.path()).unwrap().into_iter().map(|case| case.name).collect();
    assert_eq!(names, ["a", "b"]);
}
