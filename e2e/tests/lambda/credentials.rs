//! Credentials that Envoy follows: rotated in a file under load, and not there yet.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use super::endpoint::{Answer, Endpoint};
use super::rig::Rig;
use super::{before, calls, native, wait_for};

/// How often a secret is rotated under load.
const ROTATIONS: usize = 12;
/// Clients of the load.
const CLIENTS: usize = 3;

/// Credentials number so many: each key has a token of its own.
fn credentials(number: usize) -> Value {
    json!({"accessKey": format!("AKID{number}"), "secretKey": "s3cret", "sessionToken": format!("token{number}")})
}

/// Puts a secret in the place of the one in the file, at once as Envoy's watch wants it.
pub(crate) fn write(file: &Path, text: &str) {
    let next = file.with_extension("next");
    let resource = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
        "name": "aws",
        "generic_secret": {"secret": {"inline_string": text}},
    });
    fs::write(&next, json!({"resources": [resource]}).to_string()).unwrap();
    fs::rename(&next, file).unwrap();
}

/// The credentials of a filter that follows the file.
fn followed(file: &Path) -> Value {
    let source = json!({"path_config_source": {"path": file}, "resource_api_version": "V3"});
    json!({"secret": {"sdsName": "aws", "sdsConfig": source}})
}

/// Accepts what is signed by a key with its own token, and nothing else.
fn strict() -> Endpoint {
    Endpoint::answering(|request| {
        let number = request.access_key().and_then(|key| key.strip_prefix("AKID"));
        let token = request.field("x-amz-security-token").and_then(|token| token.strip_prefix("token"));
        if number.is_some() && number == token { Answer::ok("{}") } else { Answer::forbidden() }
    })
}

/// Sends requests until the test is done, and counts them by status; 0 for one that was lost.
fn load(rig: &Rig, stop: &Arc<AtomicBool>) -> Vec<thread::JoinHandle<BTreeMap<u16, usize>>> {
    let client = |_| {
        let (mut client, stop) = (rig.client(), stop.clone());
        thread::spawn(move || {
            let mut statuses = BTreeMap::new();
            while !stop.load(Ordering::Relaxed) {
                let status = client.ask("POST", "/", "{}").map_or(0, |answer| answer.status());
                *statuses.entry(status).or_default() += 1;
            }
            statuses
        })
    };
    (0..CLIENTS).map(client).collect()
}

/// Waits until a request is signed by key number so many.
fn wait_for(endpoint: &Endpoint, number: usize) {
    let key = format!("AKID{number}");
    wait_for(&key, || {
        endpoint.requests().last().is_some_and(|last| last.access_key() == Some(&key)).then_some(())
    });
}

/// Rotates what the filter follows, again and again.
fn rotate_under_load(filter: impl FnOnce(&Path) -> Value) {
    let (files, endpoint) = (tempfile::tempdir().unwrap(), strict());
    let file = files.path().join("secret.json");
    write(&file, &credentials(0).to_string());
    let rig = before(endpoint.port, &filter(&file));
    let stop = Arc::new(AtomicBool::new(false));
    let clients = load(&rig, &stop);
    for number in 0..ROTATIONS {
        write(&file, &credentials(number).to_string());
        wait_for(&endpoint, number);
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        let statuses = client.join().unwrap();
        assert_eq!(statuses.keys().collect::<Vec<_>>(), [&200], "{statuses:?}");
    }
}

#[test]
fn credentials_in_a_file_are_rotated_under_load_without_a_failed_call() {
    rotate_under_load(|file| native("lambda", &calls(&json!({"credentials": followed(file)}))));
}

#[test]
fn credentials_in_a_file_are_rotated_under_load_without_a_failed_request() {
    rotate_under_load(|file| {
        let config = json!({"region": "us-east-1", "service": "execute-api", "credentials": followed(file)});
        native("aws_signing", &config)
    });
}

#[test]
fn nothing_is_called_before_credentials_have_come_and_after_they_have_expired() {
    let (files, endpoint) = (tempfile::tempdir().unwrap(), strict());
    let file = files.path().join("secret.json");
    fs::write(&file, json!({"resources": []}).to_string()).unwrap();
    let rig = before(endpoint.port, &native("lambda", &calls(&json!({"credentials": followed(&file)}))));
    let mut client = rig.client();
    let mut becomes = |status: u16| {
        let answers = || (client.ask("GET", "/", "").unwrap().status() == status).then_some(());
        wait_for(&format!("a {status}"), answers);
    };
    becomes(500);
    assert!(endpoint.requests().is_empty());
    let log = || rig.envoy.log().since(0).join("\n");
    assert!(log().contains("the secret with the credentials has not come"), "{}", log());
    write(&file, &credentials(1).to_string());
    becomes(200);
    let mut expired = credentials(2);
    expired["expiration"] = json!("2020-01-01T00:00:00Z");
    write(&file, &expired.to_string());
    becomes(500);
    write(&file, r#"{"accessKey": "AKID3", "secretKey": "h1dden"#);
    becomes(500);
    write(&file, &credentials(4).to_string());
    becomes(200);
    let keys: Vec<String> =
        endpoint.requests().iter().filter_map(|request| request.access_key().map(str::to_owned)).collect();
    assert!(keys.iter().all(|key| key == "AKID1" || key == "AKID4"), "{keys:?}");
    assert!(log().contains("the credentials have expired"), "{}", log());
    assert!(!["s3cret", "h1dden", "token1"].iter().any(|secret| log().contains(secret)), "{}", log());
}
