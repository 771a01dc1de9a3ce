//! Functions behind routes.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::moto::{Key, Moto};
use super::sts::Sts;
use super::{put, secret};
use crate::client::{Answer, ask, get, post, try_send};
use crate::controller::Controller;
use crate::load::Load;

const EXAMPLE: &str = "lambda";

/// Puts the example in the place of what is in `folder`, on the same port.
fn example(folder: &Path, moto: &Moto, edit: impl Fn(String) -> String) {
    put(EXAMPLE, folder, moto.port, &moto.keys[0], edit);
}

fn status(answer: &Answer) -> String {
    answer.status.to_string()
}

/// What Envoy tells of its configuration on its admin interface.
fn envoys_configuration(controller: &Controller) -> String {
    let line = controller.wait_for_line("xDS on unix:");
    let admin = line.split("xDS on unix:").nth(1).unwrap().trim().replace("xds.sock", "envoy-1.sock");
    let mut stream = UnixStream::connect(admin).unwrap();
    stream.write_all(b"GET /config_dump HTTP/1.1\r\nhost: envoy\r\nconnection: close\r\n\r\n").unwrap();
    let mut told = String::new();
    stream.read_to_string(&mut told).unwrap();
    told
}

/// Calls `/hello` until it is answered so; with a body, for moto refuses every signature of an empty one.
fn wait_for_hello(controller: &Controller, status: u16) {
    let json = [("content-type", "application/json")];
    let call = || try_send(controller.gateway, "POST", "/hello", &json, "{}").ok();
    controller.wait_until("a call", || (call()?.status == status).then_some(()));
}

#[test]
fn the_example_calls_functions_as_their_caller_and_nobody_else() {
    let moto = Moto::start();
    let controller = Controller::with(&[], |folder| example(folder, &moto, |text| text));
    wait_for_hello(&controller, 200);
    moto.returns(r#"{"result": 1}"#);
    let answer = post(controller.gateway, "/hello", r#"{"name": "Ann"}"#);
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"result": 1}"#));
    moto.returns(r#"{"statusCode": 203, "headers": {"x-from": "hello"}, "body": "chosen"}"#);
    let answer = get(controller.gateway, "/fn/hello");
    assert_eq!((answer.status, answer.body.as_str()), (203, "chosen"), "{answer:?}");
    assert_eq!(answer.headers["x-from"], "hello");
    assert_eq!(get(controller.gateway, "/fn/other").status, 404);
    // A function that moto has no result for returns the event.
    let event = ask(controller.gateway, "GET", "/fn/hello?a=1", &[("x-user", "ann")]).json();
    assert_eq!(
        (&event["rawPath"], &event["rawQueryString"]),
        (&"/fn/hello".into(), &"a=1".into()),
        "{event}"
    );
    assert_eq!(event["headers"]["x-user"], "ann", "{event}");
    let ours = event["headers"].as_object().unwrap().keys().find(|name| name.starts_with("x-ferrule"));
    assert_eq!(ours, None, "{event}");
    controller.wait_for_condition("backend", "hello", "CredentialsReady=True Static", "default/aws");
    let dump = envoys_configuration(&controller);
    // Bytes in base64 that say `[redacted]`.
    assert!(dump.contains("aws/secret/default/aws") && dump.contains("W3JlZGFjdGVkXQ=="), "{dump}");
    assert!(moto.keys.iter().all(|key| !dump.contains(&key.secret) && !dump.contains(&key.id)), "{dump}");

    // Somebody whom no policy lets call, and somebody with a wrong key.
    let wrong = Key { secret: "wrong".to_owned(), ..moto.keys[0].clone() };
    for key in [&moto.keys[2], &wrong] {
        fs::write(controller.config("secret.yaml"), secret(EXAMPLE, key)).unwrap();
        wait_for_hello(&controller, 500);
        fs::write(controller.config("secret.yaml"), secret(EXAMPLE, &moto.keys[1])).unwrap();
        wait_for_hello(&controller, 200);
    }
    fs::remove_file(controller.config("secret.yaml")).unwrap();
    controller.wait_for_condition(
        "backend",
        "hello",
        "Accepted=False Invalid",
        "Secret default/aws does not exist",
    );
}

#[test]
fn requests_and_results_of_megabytes_pass_a_gateway_that_holds_one() {
    const LARGE: usize = 4 << 20;
    let moto = Moto::start();
    let controller = Controller::with(&[], |folder| example(folder, &moto, |text| text));
    wait_for_hello(&controller, 200);
    let text = "x".repeat(LARGE);
    moto.returns(&serde_json::json!({"statusCode": 200, "body": text}).to_string());
    let answer = get(controller.gateway, "/fn/hello");
    assert_eq!((answer.status, answer.body.len()), (200, LARGE));
    // The event comes back as it was sent.
    let event = post(controller.gateway, "/fn/hello", &text).json();
    assert_eq!(event["body"].as_str().unwrap().len(), LARGE);
}

#[test]
fn keys_are_rotated_under_load_without_a_failed_request() {
    let moto = Moto::start();
    let controller = Controller::with(&[], |folder| example(folder, &moto, |text| text));
    wait_for_hello(&controller, 200);
    let load = Load::on_path(controller.gateway, "/fn/hello", status);
    let calls = |load: &Load| load.outcomes().values().sum::<u64>();
    let more = |least: u64| controller.wait_until("load", || (calls(&load) > least).then_some(()));
    more(20);
    for new in [1, 0, 1] {
        let before = calls(&load);
        fs::write(controller.config("draft"), secret(EXAMPLE, &moto.keys[new])).unwrap();
        fs::rename(controller.config("draft"), controller.config("secret.yaml")).unwrap();
        more(before + 40);
    }
    // The first key is of no use any more, and nobody notices.
    moto.delete(&moto.keys[0], &moto.keys[1]);
    more(calls(&load) + 40);
    let outcomes = load.stop();
    assert_eq!(outcomes.keys().collect::<Vec<_>>(), ["200"], "{outcomes:?}");
    assert!(moto.keys.iter().all(|key| !controller.said().contains(&key.secret)));
}

#[test]
fn a_role_is_taken_on_by_the_controller_and_told_of_in_the_status() {
    let moto = Moto::start();
    let to_role = format!("auth: {{type: AssumeRole, assumeRole: {{roleArn: \"{}\"}}}}", moto.role);
    let own = &moto.keys[0];
    let environment = [
        ("AWS_ACCESS_KEY_ID", own.id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", own.secret.as_str()),
        ("AWS_ENDPOINT_URL_STS", &moto.url()),
    ];
    let controller = Controller::surrounded(&environment, &[], |folder| {
        example(folder, &moto, |text| {
            text.replacen("auth: {type: Secret, secretRef: {name: aws}}", &to_role, 1)
        });
    });
    wait_for_hello(&controller, 200);
    controller.wait_for_condition(
        "backend",
        "hello",
        "CredentialsReady=True Fetched",
        "AssumeRole of arn:aws:iam::",
    );
    controller.wait_for_condition("backend", "hello", "Accepted=True", "");
}

#[test]
fn a_backend_whose_credentials_cannot_be_fetched_says_why_and_refuses_calls() {
    let moto = Moto::start();
    let to_role = format!("auth: {{type: AssumeRole, assumeRole: {{roleArn: \"{}\"}}}}", moto.role);
    let environment = [
        ("AWS_ACCESS_KEY_ID", moto.keys[0].id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", "wrong"),
        ("AWS_ENDPOINT_URL_STS", &moto.url()),
    ];
    let controller = Controller::surrounded(&environment, &[], |folder| {
        example(folder, &moto, |text| {
            text.replacen("auth: {type: Secret, secretRef: {name: aws}}", &to_role, 1)
        });
    });
    controller.wait_for_condition("backend", "hello", "CredentialsReady=False FetchFailed", "AssumeRole: ");
    controller.wait_for_condition("backend", "hello", "Accepted=False CredentialsNotReady", "");
    wait_for_hello(&controller, 500);
    // Others are not concerned.
    assert!(get(controller.gateway, "/fn/hello").status < 500);
}

#[test]
fn credentials_are_used_until_they_end_while_sts_is_down_and_again_when_it_is_back() {
    let moto = Moto::start();
    let sts = Sts::giving((&moto.keys[3], &moto.token), Duration::from_secs(24));
    let to_role = format!("auth: {{type: AssumeRole, assumeRole: {{roleArn: \"{}\"}}}}", moto.role);
    let environment = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "s3cret"),
        ("AWS_ENDPOINT_URL_STS", &sts.url),
    ];
    let controller = Controller::surrounded(&environment, &[], |folder| {
        example(folder, &moto, |text| {
            text.replacen("auth: {type: Secret, secretRef: {name: aws}}", &to_role, 1)
        });
    });
    wait_for_hello(&controller, 200);
    sts.is_down(true);
    controller.wait_for_condition("backend", "hello", "CredentialsReady=True RefreshFailing", "out of order");
    controller.wait_for_condition("backend", "hello", "Accepted=True", "");
    wait_for_hello(&controller, 200);
    // They end.
    wait_for_hello(&controller, 500);
    controller.wait_for_condition("backend", "hello", "CredentialsReady=False FetchFailed", "out of order");
    controller.wait_for_condition("backend", "hello", "Accepted=False CredentialsNotReady", "");
    sts.is_down(false);
    wait_for_hello(&controller, 200);
    controller.wait_for_condition("backend", "hello", "CredentialsReady=True Fetched", "");
    controller.wait_for_condition("backend", "hello", "Accepted=True", "");
}
