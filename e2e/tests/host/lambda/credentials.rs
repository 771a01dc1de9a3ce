//! Credentials that Envoy follows: rotated under load, and not there yet.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use super::endpoint::{Answer, Endpoint, Request};
use super::source::{File, NAME, Source, Xds};
use super::{before, calls, native, wait_for};
use crate::rig::Rig;

/// How often a secret is rotated under load.
const ROTATIONS: usize = 12;
/// Clients of the load.
const CLIENTS: usize = 3;

/// Credentials number so many: each key has a token of its own.
fn credentials(number: usize) -> Value {
    json!({"accessKey": format!("AKID{number}"), "secretKey": "s3cret", "sessionToken": format!("token{number}")})
}

/// The credentials of a filter that follows a secret.
fn followed(source: &dyn Source) -> Value {
    json!({"secret": {"sdsName": NAME, "sdsConfig": source.config()}})
}

/// Envoy with a filter that follows the source.
fn following(source: &dyn Source, endpoint: &Endpoint, filter: &Value) -> Rig {
    before(endpoint.port, filter, |bootstrap| source.introduce(bootstrap))
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
fn wait_for_key(endpoint: &Endpoint, number: usize) {
    let key = format!("AKID{number}");
    wait_for(&key, || {
        endpoint.requests().last().is_some_and(|last| last.access_key() == Some(&key)).then_some(())
    });
}

/// Rotates what the filter follows, again and again.
fn rotate_under_load(source: &dyn Source, filter: &Value) {
    let endpoint = strict();
    source.put(&credentials(0).to_string());
    let rig = following(source, &endpoint, filter);
    let stop = Arc::new(AtomicBool::new(false));
    let clients = load(&rig, &stop);
    for number in 0..ROTATIONS {
        source.put(&credentials(number).to_string());
        wait_for_key(&endpoint, number);
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        let statuses = client.join().unwrap();
        assert_eq!(statuses.keys().collect::<Vec<_>>(), [&200], "{statuses:?}");
    }
}

fn calling(source: &dyn Source) -> Value {
    native("lambda", &calls(&json!({"credentials": followed(source)})))
}

#[test]
fn credentials_in_a_file_are_rotated_under_load_without_a_failed_call() {
    let source = File::new();
    rotate_under_load(&source, &calling(&source));
}

#[test]
fn credentials_from_a_control_plane_are_rotated_under_load_without_a_failed_call() {
    let source = Xds::new();
    rotate_under_load(&source, &calling(&source));
}

#[test]
fn requests_are_signed_by_rotated_credentials_without_a_failure() {
    let source = File::new();
    let config = json!({"region": "us-east-1", "service": "execute-api", "credentials": followed(&source)});
    rotate_under_load(&source, &native("aws_signing", &config));
}

#[test]
fn nothing_is_called_before_credentials_have_come_and_after_they_have_expired() {
    let (source, endpoint) = (File::new(), strict());
    let rig = following(&source, &endpoint, &calling(&source));
    let mut client = rig.client();
    let log = || rig.envoy.log().since(0).join("\n");
    // Asks until the answer is of that status, and the log has those words.
    let mut becomes = |status: u16, words: &str| {
        wait_for(&format!("{status}, {words:?}"), || {
            let answered = client.ask("GET", "/", "").unwrap().status();
            (answered == status && log().contains(words)).then_some(())
        });
    };
    becomes(500, "the secret with the credentials has not come");
    assert!(endpoint.requests().is_empty());
    source.put(&credentials(1).to_string());
    becomes(200, "");
    let mut expired = credentials(2);
    expired["expiration"] = json!("2020-01-01T00:00:00Z");
    source.put(&expired.to_string());
    becomes(500, "the credentials have expired");
    source.put(r#"{"accessKey": "AKID3", "secretKey": "h1dden"#);
    becomes(500, "the secret is JSON, but no object of accessKey");
    source.put(&credentials(4).to_string());
    becomes(200, "");
    let requests = endpoint.requests();
    let keys: Vec<_> = requests.iter().filter_map(Request::access_key).collect();
    assert!(keys.iter().all(|key| ["AKID1", "AKID4"].contains(key)), "{keys:?}");
    assert!(!["s3cret", "h1dden", "token1"].iter().any(|secret| log().contains(secret)), "{}", log());
}
