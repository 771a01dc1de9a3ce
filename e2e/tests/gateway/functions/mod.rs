//! Functions behind routes: `ferrule run` on the example's folder, its Envoy, and an AWS that checks signatures and policies.

mod moto;

use std::fs;
use std::path::Path;

use crate::client::{Answer, ask, get, post, try_send};
use crate::controller::Controller;
use crate::load::Load;
use moto::{Key, Moto};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/lambda");

/// The example's Secret with this key.
fn secret(key: &Key) -> String {
    let text = fs::read_to_string(Path::new(EXAMPLE).join("secret.yaml")).unwrap();
    let text = text.replace("AKIAIOSFODNN7EXAMPLE", &key.id);
    text.replace("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", &key.secret)
}

/// Puts the example in the place of what is in `folder`, on the same port.
fn example(folder: &Path, moto: &Moto, edit: impl Fn(String) -> String) {
    let gateway = fs::read_to_string(folder.join("gateway.yaml")).unwrap();
    let port = gateway.lines().find_map(|line| line.trim().strip_prefix("port: ")).unwrap().to_owned();
    fs::read_dir(folder).unwrap().for_each(|file| fs::remove_file(file.unwrap().path()).unwrap());
    for name in ["gateway.yaml", "functions.yaml"] {
        let text = fs::read_to_string(Path::new(EXAMPLE).join(name)).unwrap();
        let text = text.replace("8080", &port).replace("127.0.0.1:5000", &format!("127.0.0.1:{}", moto.port));
        fs::write(folder.join(name), edit(text)).unwrap();
    }
    fs::write(folder.join("secret.yaml"), secret(&moto.keys[0])).unwrap();
}

fn status(answer: &Answer) -> String {
    answer.status.to_string()
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

    // Somebody whom no policy lets call, and somebody with a wrong key.
    let wrong = Key { secret: "wrong".to_owned(), ..moto.keys[0].clone() };
    for key in [&moto.keys[2], &wrong] {
        fs::write(controller.config("secret.yaml"), secret(key)).unwrap();
        wait_for_hello(&controller, 500);
        fs::write(controller.config("secret.yaml"), secret(&moto.keys[1])).unwrap();
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
        fs::write(controller.config("draft"), secret(&moto.keys[new])).unwrap();
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
