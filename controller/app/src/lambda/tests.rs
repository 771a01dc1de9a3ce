use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::thread::JoinHandle;

use clap::Parser;

use super::*;
use crate::cli::{Cli, Command, LambdaCommand};

const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const SESSION: &str = "a-session-token";

/// A folder with a route to a function of an endpoint on this port.
fn folder(port: u16, more: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{name: c}}
spec: {{controllerName: ferrule.dev/gateway-controller}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: g}}
spec: {{gatewayClassName: c, listeners: [{{name: http, protocol: HTTP, port: 80}}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: r}}
spec:
  parentRefs: [{{name: g}}]
  hostnames: [fn.example]
  rules:
  - name: first
    matches: [{{path: {{value: /hello}}, method: PUT}}]
    backendRefs: [{{group: gateway.kgateway.dev, kind: Backend, name: b}}]
---
apiVersion: gateway.kgateway.dev/v1alpha1
kind: Backend
metadata: {{name: b}}
spec:
  type: AWS
  aws:
    accountId: '123456789012'
    auth: {{type: Secret, secretRef: {{name: keys}}}}
    lambda: {{functionName: hello, qualifier: live, endpointURL: 'http://127.0.0.1:{port}'}}
---
{more}
"
    );
    std::fs::write(folder.path().join("all.yaml"), text).unwrap();
    folder
}

fn keys() -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\nstringData: {{accessKey: AKIAIOSFODNN7EXAMPLE, \
         secretKey: {SECRET_KEY}, sessionToken: {SESSION}}}\n"
    )
}

/// An endpoint that answers one request with this, and gives the request's text.
fn endpoint(fields: &str, body: &str) -> (u16, JoinHandle<String>) {
    let answer = format!("HTTP/1.1 200 OK\r\n{fields}content-length: {}\r\n\r\n{body}", body.len());
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = std::thread::spawn(move || {
        let mut stream = BufReader::new(listener.accept().unwrap().0);
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let from = head.len();
            stream.read_line(&mut head).unwrap();
            let line = head[from..].to_ascii_lowercase();
            length =
                line.strip_prefix("content-length: ").map_or(length, |text| text.trim().parse().unwrap());
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        stream.get_mut().write_all(answer.as_bytes()).unwrap();
        head + &String::from_utf8(body).unwrap()
    });
    (port, asked)
}

struct Ran {
    out: String,
    complaints: String,
    good: bool,
}

fn run(folder: &tempfile::TempDir, arguments: &[&str]) -> anyhow::Result<Ran> {
    let line = ["ferrule", "lambda", "invoke", "-f", folder.path().to_str().unwrap()];
    let line = line.iter().chain(arguments);
    let Command::Lambda(LambdaCommand::Invoke(args)) = Cli::try_parse_from(line).unwrap().command else {
        panic!("not invoke")
    };
    let (mut out, mut complaints) = (Vec::new(), Vec::new());
    let code = invoke(&args, &mut out, &mut complaints)?;
    let [out, complaints] = [out, complaints].map(|printed| String::from_utf8(printed).unwrap());
    for secret in [SECRET_KEY, SESSION] {
        assert!(!out.contains(secret) && !complaints.contains(secret), "{out}{complaints}");
    }
    Ok(Ran { out, complaints, good: code == ExitCode::SUCCESS })
}

#[test]
fn a_function_is_called_as_the_proxy_would_and_the_call_explained() {
    let answer = r#"{"statusCode": 203, "headers": {"x-from": "hello"}, "body": "chosen!"}"#;
    let (port, asked) = endpoint("", answer);
    let body = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(body.path(), r#"{"name": "Ann"}"#).unwrap();
    let arguments = ["r", "--body", body.path().to_str().unwrap(), "-H", "content-type: application/json"];
    let Ran { out, complaints, good } = run(&folder(port, &keys()), &arguments).unwrap();
    assert_eq!((complaints.as_str(), good), ("", true), "{out}");
    for row in [
        "route        HTTPRoute default/r\n",
        "rule         spec.rules[0] first, PUT PathPrefix /hello\n",
        "backend      backendRefs[0], Backend default/b\n",
        "function     hello\n",
        "qualifier    live\n",
        "payload      Envoy\n",
        "signed by    Secret default/keys\n",
        "signed       content-type, host, x-amz-date, ",
        "Signature=[redacted]\n",
        "> x-amz-security-token: [redacted]\n",
        "\n  :status: 203\n",
        "\n  x-from: hello\n",
        "\n\nchosen!\n",
    ] {
        assert!(out.contains(row), "{row}: {out}");
    }
    let asked = asked.join().unwrap();
    assert!(
        asked.starts_with("POST /2015-03-31/functions/") && asked.contains("?Qualifier=live "),
        "{asked}"
    );
    assert!(asked.contains("authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/"), "{asked}");
    assert!(asked.contains(&format!("x-amz-security-token: {SESSION}\r\n")), "{asked}");
    let event: serde_json::Value = serde_json::from_str(asked.split_once("\r\n\r\n").unwrap().1).unwrap();
    let told = [&event["method"], &event["raw_path"], &event["body"]].map(|text| text.as_str());
    assert_eq!(told, [Some("PUT"), Some("/hello"), Some(r#"{"name": "Ann"}"#)], "{event}");
}

#[test]
fn an_explanation_alone_sends_nothing() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let folder = folder(listener.local_addr().unwrap().port(), &keys());
    let Ran { out, good, .. } = run(&folder, &["default/r", "--rule", "first", "--explain"]).unwrap();
    assert!(good && out.contains("> :path: /2015-03-31/functions/"), "{out}");
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn an_error_of_the_function_is_told_beside_what_the_client_gets() {
    let answer = r#"{"errorType": "KeyError", "errorMessage": "no name"}"#;
    let (port, asked) = endpoint("x-amz-function-error: Unhandled\r\n", answer);
    let Ran { out, complaints, good } = run(&folder(port, &keys()), &["r"]).unwrap();
    asked.join().unwrap();
    assert!(!good && out.contains("the client gets 502 (lambda_filter_function_error{KeyError:"), "{out}");
    assert!(complaints.contains("\"HTTPRoute default/r\"") && complaints.contains("no name"), "{complaints}");
}

#[test]
fn an_endpoint_that_cannot_be_reached_is_named() {
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let Ran { out, good, .. } = run(&folder(port, &keys()), &["r"]).unwrap();
    assert!(!good && out.contains(&format!("no answer: http://127.0.0.1:{port}: ")), "{out}");
    assert!(out.contains("the client gets 503"), "{out}");
}

#[test]
fn what_cannot_be_called_is_told_by_object_and_field() {
    let Ran { out, complaints, good } = run(&folder(1, ""), &["r"]).unwrap();
    assert_eq!((out.as_str(), good), ("", false));
    let why = "Backend default/b: spec.aws.auth.secretRef: Secret default/keys does not exist";
    assert!(complaints.contains(why), "{complaints}");
    assert!(complaints.contains("HTTPRoute default/r: spec.rules[0].backendRefs[0]"), "{complaints}");
}

#[test]
fn routes_rules_and_backends_that_are_not_there_are_named() {
    let folder = folder(1, &keys());
    for (arguments, told) in [
        (vec!["other"], "HTTPRoute default/other does not exist"),
        (vec!["r", "--rule", "1"], "HTTPRoute default/r: spec.rules: there is no rule 1"),
        (
            vec!["r", "--backend", "c"],
            "HTTPRoute default/r: spec.rules: the route calls no function by a Backend c",
        ),
    ] {
        let error = run(&folder, &arguments).err().unwrap().to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn the_url_of_a_function_gets_the_request_as_it_is_signed() {
    let (port, asked) = endpoint("x-from: url\r\n", "hi");
    let policy = format!(
        "{}---
apiVersion: ferrule.dev/v1alpha1
kind: LambdaPolicy
metadata: {{name: p}}
spec:
  targetRefs: [{{group: gateway.kgateway.dev, kind: Backend, name: b}}]
  functionURL: http://127.0.0.1:{port}
",
        keys()
    );
    let Ran { out, complaints, good } = run(&folder(1, &policy), &["r", "--path", "/hello?a=1"]).unwrap();
    assert_eq!((complaints.as_str(), good), ("", true), "{out}");
    assert!(out.contains("policy       LambdaPolicy default/p\n") && out.ends_with("\n\nhi\n\n"), "{out}");
    let asked = asked.join().unwrap();
    assert!(
        asked.starts_with("PUT /hello?a=1 HTTP/1.1\r\n") && asked.contains("/lambda/aws4_request"),
        "{asked}"
    );
}
