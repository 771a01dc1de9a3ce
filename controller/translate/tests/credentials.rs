//! Credentials that are fetched elsewhere: what asks for them, what they change, and what is told of them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::collections::BTreeSet;
use std::sync::Arc;

use ferrule_translate::{
    Identity, Issue, Object, ObjectRef, Parsed, ResourceKind, SecretText, Settings, Translation, Translator,
    World,
};
use serde_json::{Value, json};

fn world() -> World {
    world_of(include_str!("golden/lambda/credentials_that_have_not_been_fetched.in.yaml"))
}

fn world_of(text: &str) -> World {
    let mut world = World::default();
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    for document in documents {
        let Ok(Parsed::Object { object, .. }) = Object::parse(document) else { panic!("no object") };
        world.apply(object);
    }
    world
}

fn role() -> Identity {
    Identity::Role { arn: "arn:aws-cn:iam::123456789012:role/caller".into(), region: "cn-north-1".into() }
}

fn issue(text: Option<&str>, error: Option<&str>) -> Arc<Issue> {
    Arc::new(Issue {
        credentials: text.map(|text| SecretText::new(text.as_bytes().to_vec())),
        expires: text.map(|_| "2026-01-01T00:00:00Z".to_owned()),
        source: "web identity".to_owned(),
        error: error.map(str::to_owned),
    })
}

/// The conditions of the Backend `own`.
fn told(translation: &Translation) -> Vec<String> {
    let on = ObjectRef::new("gateway.kgateway.dev", "Backend", "default", "own");
    let status = json!(&**translation.status.get(&on).unwrap());
    lines(&status["conditions"])
}

/// Conditions as `Type=Status Reason: message`.
fn lines(conditions: &Value) -> Vec<String> {
    let conditions = conditions.as_array().unwrap().iter();
    let text = |condition: &Value, field: &str| condition[field].as_str().unwrap().to_owned();
    let line = |condition: &Value| {
        let [kind, status, reason, message] =
            ["type", "status", "reason", "message"].map(|f| text(condition, f));
        format!("{kind}={status} {reason}: {message}")
    };
    conditions.map(line).collect()
}

fn secrets(translation: &Translation) -> Vec<String> {
    let resources = translation.gateways.values().flat_map(|resources| resources.of(ResourceKind::Secret));
    resources.map(|secret| secret.name.to_string()).collect()
}

#[test]
fn who_signs_is_asked_for_and_told_of_as_it_stands() {
    let (mut world, mut translator) = (world(), Translator::new(Settings::default()));
    let translation = translator.translate(&world);
    assert_eq!(translation.identities, BTreeSet::from([Identity::Own, role()]));
    assert_eq!(secrets(&translation), [] as [&str; 0]);
    for (issue, expected) in [
        (
            issue(None, Some("STS is down")),
            vec![
                "Accepted=False CredentialsNotReady: spec.aws.auth: STS is down",
                "CredentialsReady=False FetchFailed: STS is down",
            ],
        ),
        (
            issue(Some("hunter2"), None),
            vec![
                "Accepted=True Accepted: ",
                "CredentialsReady=True Fetched: by web identity, until 2026-01-01T00:00:00Z",
            ],
        ),
        (
            issue(Some("hunter2"), Some("STS is down")),
            vec![
                "Accepted=True Accepted: ",
                "CredentialsReady=True RefreshFailing: by web identity, until 2026-01-01T00:00:00Z; the last attempt to renew \
                 them failed: STS is down",
            ],
        ),
    ] {
        world.credentials.insert(Identity::Own, issue);
        let translation = translator.translate(&world);
        assert_eq!(told(&translation), expected);
        assert_eq!(translation, Translator::new(Settings::default()).translate(&world));
        assert!(!format!("{:?}", world.credentials).contains("hunter2"));
    }
}

#[test]
fn a_rotation_changes_one_secret_and_nothing_else() {
    let (mut world, mut translator) = (world(), Translator::new(Settings::default()));
    world.credentials.insert(Identity::Own, issue(Some("old"), None));
    world.credentials.insert(role(), issue(Some("role"), None));
    let before = translator.translate(&world);
    world.credentials.insert(Identity::Own, issue(Some("new"), None));
    let now = translator.translate(&world);
    let (before, now) = (before.gateways.values().next().unwrap(), now.gateways.values().next().unwrap());
    let changed = ResourceKind::ALL.into_iter().flat_map(|kind| {
        before.differences(now, kind).map(move |one| (kind, one.map(|one| one.name.to_string()).ok()))
    });
    assert_eq!(changed.collect::<Vec<_>>(), [(ResourceKind::Secret, Some("aws/own".to_owned()))]);
}

#[test]
fn who_signs_by_a_policy_is_asked_for_and_told_of() {
    let text = include_str!("golden/signing/credentials_that_have_not_been_fetched.in.yaml");
    let (mut world, mut translator) = (world_of(text), Translator::new(Settings::default()));
    let reader =
        Identity::Role { arn: "arn:aws:iam::123456789012:role/reader".into(), region: "eu-west-1".into() };
    let translation = translator.translate(&world);
    assert_eq!(translation.identities, BTreeSet::from([reader.clone()]));
    assert_eq!(secrets(&translation), [] as [&str; 0]);
    world.credentials.insert(reader, issue(Some("hunter2"), None));
    let translation = translator.translate(&world);
    let on = ObjectRef::new("ferrule.dev", "AWSSigningPolicy", "default", "photos");
    let status = json!(&**translation.status.get(&on).unwrap());
    let expected = [
        "Accepted=True Accepted: ",
        "Attached=True Attached: ",
        "CredentialsReady=True Fetched: by web identity, until 2026-01-01T00:00:00Z",
    ];
    assert_eq!(lines(&status["ancestors"][0]["conditions"]), expected);
    assert_eq!(secrets(&translation), ["aws/role/eu-west-1/arn:aws:iam::123456789012:role/reader"]);
}

#[test]
fn a_policy_that_comes_and_goes_changes_what_its_backend_is_sent() {
    let text = include_str!("golden/signing/requests_are_signed_where_they_lead.in.yaml");
    let (mut world, mut translator) = (world_of(text), Translator::new(Settings::default()));
    let signed = translator.translate(&world);
    let policy = ObjectRef::new("ferrule.dev", "AWSSigningPolicy", "default", "photos");
    let key = (Arc::clone(&policy.namespace), Arc::clone(&policy.name));
    let object = Object::AWSSigningPolicy(Arc::clone(world.aws_signing_policies.get(&key).unwrap()));
    assert!(world.remove(&policy));
    let by_route = translator.translate(&world);
    assert_eq!(by_route, Translator::new(Settings::default()).translate(&world));
    assert_ne!(by_route, signed);
    world.apply(object);
    assert_eq!(translator.translate(&world), signed);
}
