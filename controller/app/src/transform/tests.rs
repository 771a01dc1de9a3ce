use super::*;

/// What is printed, what is complained of, and whether it went well.
fn run(arguments: &[&str]) -> (String, String, bool) {
    use clap::Parser;
    let line = ["ferrule", "transform"].iter().chain(arguments);
    let crate::cli::Command::Transform(args) = crate::cli::Cli::try_parse_from(line).unwrap().command else {
        panic!("not transform")
    };
    let (mut out, mut complaints) = (Vec::new(), Vec::new());
    let code = transform(&args, &mut out, &mut complaints).unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(out), text(complaints), code == ExitCode::SUCCESS)
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

#[test]
fn a_template_makes_a_body_of_a_body() {
    let body = file(r#"{"user": {"name": "Ann"}}"#);
    let template = "Hello {{ user.name }}, {{ request_header('x-user') }} by {{ header(':method') }}";
    let arguments =
        ["--template", template, "--body", body.path().to_str().unwrap(), "--header", "X-User: ann"];
    let (out, complaints, good) = run(&arguments);
    assert_eq!((complaints.as_str(), good), ("", true));
    assert!(out.starts_with("request: held until its body is complete:\n  request.body"), "{out}");
    assert!(out.ends_with("\n\nHello Ann, ann by POST\n\n"), "{out}");
    assert!(out.contains("\n- content-length: 25\n") && out.contains("\n  x-user: ann\n"), "{out}");
}

#[test]
fn a_response_is_read_as_text_where_it_is_no_json() {
    let body = file("plain");
    let (out, _, good) = run(&[
        "--template",
        "{{ body() | upper }}",
        "--body",
        body.path().to_str().unwrap(),
        "--response",
        "--status",
        "404",
    ]);
    assert!(good && out.contains("  :status: 404\n") && out.ends_with("\n\nPLAIN\n\n"), "{out}");
}

#[test]
fn a_template_that_does_not_compile_is_told_by_line_and_column() {
    let (out, complaints, good) = run(&["--template", "a\n{{ nothing( }}"]);
    assert!(!good && out.is_empty(), "{out}");
    assert!(
        complaints.starts_with("request.body.value: ") && complaints.contains("line 2, column"),
        "{complaints}"
    );
}

#[test]
fn a_message_that_cannot_be_transformed_is_told_by_its_field() {
    let body = file("{broken");
    let (out, complaints, good) =
        run(&["--template", "{{ a }}", "--parse-as", "AsJson", "--body", body.path().to_str().unwrap()]);
    assert!(!good && out.contains("the client gets 400 (transformation_filter_error)"), "{out}");
    assert!(complaints.starts_with("request.body"), "{complaints}");
    assert!(!out.contains("{broken") && !complaints.contains("{broken"), "{out}{complaints}");
}

const POLICY: &str = "apiVersion: gateway.kgateway.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: p}
spec:
  transformation:
    request:
      set:
      - {name: x-key, value: \"{{ secret('key') }}\"}
      remove: [x-gone]
    response:
      set:
      - {name: x-path, value: \"{{ request_header(':path') }} {{ data_source('text') }}\"}
    secrets: {key: {secretRef: {name: s}, key: k}}
    dataSources: {text: {configMapRef: {name: m}, key: k}}
";

#[test]
fn a_policy_is_tried_on_a_request_and_its_response() {
    let policy = file(POLICY);
    let arguments =
        ["--config", policy.path().to_str().unwrap(), "--secret", "key=k3y", "--data-source", "text=t"];
    let more = ["--path", "/p", "--header", "x-gone: 1", "--response-header", "x-a: b"];
    let (out, complaints, good) = run(&[&arguments[..], &more].concat());
    assert_eq!((complaints.as_str(), good), ("", true), "{out}");
    let expected = "request: goes on as it comes; its body is not held\n- x-gone: 1\n  :method: GET\n  :path: /p\n  \
                    :scheme: http\n  :authority: localhost\n+ x-key: k3y\nresponse: goes on as it comes; its body is not \
                    held\n  :status: 200\n  x-a: b\n+ x-path: /p t\n";
    assert_eq!(out, expected);
}

#[test]
fn mistakes_in_a_policy_have_their_place_in_the_file() {
    let policy = file(POLICY);
    let name = policy.path().to_str().unwrap();
    let (_, complaints, good) = run(&["--config", name]);
    assert!(
        !good && complaints.starts_with(&format!("{name}:14:19: spec.transformation.dataSources.text: ")),
        "{complaints}"
    );
    let (_, complaints, good) = run(&["--config", name, "--data-source", "text=t"]);
    assert!(!good && complaints.starts_with(&format!("{name}:8:")), "{complaints}");
    let mistyped = file(&POLICY.replace("remove:", "remov:"));
    let name = mistyped.path().to_str().unwrap();
    let (_, complaints, good) = run(&["--config", name, "--data-source", "text=t"]);
    assert!(
        !good && complaints.starts_with(&format!("{name}:9:7: spec.transformation.request.remov: ")),
        "{complaints}"
    );
}

#[test]
fn the_filters_own_configuration_is_taken_as_it_is() {
    let config = file(
        r#"{"request": {"set": [{"name": "x-a", "value": "b"}], "spanName": "s", "clearRouteCache": true}}"#,
    );
    let (out, _, good) = run(&["--config", config.path().to_str().unwrap()]);
    assert!(
        good && out.contains("+ x-a: b\n") && out.ends_with("span name: s\nthe route is selected anew\n"),
        "{out}"
    );
}

#[test]
fn what_cannot_be_tried_is_an_error() {
    let (none, two) = (
        file("kind: Service\napiVersion: v1\nmetadata: {name: s}\n"),
        file(&format!("{POLICY}---\n{POLICY}")),
    );
    for (config, expected) in [(&none, "has no TrafficPolicy"), (&two, "has 2 TrafficPolicies")] {
        let args = TransformArgs { config: Some(config.path().to_owned()), ..TransformArgs::default() };
        let error = transform(&args, &mut Vec::new(), &mut Vec::new()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
