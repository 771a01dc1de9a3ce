//! Each source, beside a local endpoint that speaks as AWS does. The environment decides which one it is, so each case is a
//! process of its own: this test, run again.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use ferrule_credentials::{Aws, Source};
use ferrule_translate::Identity;

/// Marks the process that fetches, and says for whom.
const FETCH: &str = "FERRULE_TEST_FETCH";
const ROLE: &str = "arn:aws:iam::123456789012:role/caller";

/// Fetches, in the process that is marked, and prints what came.
#[tokio::test]
async fn fetching() {
    let Ok(whom) = std::env::var(FETCH) else { return };
    let identity = match whom.as_str() {
        "own" => Identity::Own,
        _ => Identity::Role { arn: whom.as_str().into(), region: "eu-west-1".into() },
    };
    match Aws::default().fetch(&identity).await {
        Ok(fetched) => {
            println!("source={}\ntext={}", fetched.source, String::from_utf8_lossy(fetched.text.bytes()))
        }
        Err(error) => println!("error={error}"),
    }
}

/// What a process with this environment, and nothing of ours, fetches.
fn fetch(whom: &str, environment: &[(&str, &str)]) -> String {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "fetching", "--nocapture"])
        .env_clear()
        .env("HOME", home.path())
        .env(FETCH, whom);
    // Where nothing else is said, nothing answers for an instance.
    command.env("AWS_EC2_METADATA_DISABLED", "true").envs(environment.iter().copied());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    printed
        .lines()
        .filter(|line| ["source=", "text=", "error="].iter().any(|of| line.starts_with(of)))
        .collect::<Vec<_>>()
        .join("\n")
}

/// A request: its first line, its fields in lower case, its body.
#[derive(Clone, Debug)]
struct Request {
    line: String,
    fields: BTreeMap<String, String>,
    body: String,
}

/// An endpoint that answers with `answer`, and keeps what it was asked.
struct Endpoint {
    url: String,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Endpoint {
    fn answering(answer: impl Fn(&Request) -> (u16, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Request>>> = Arc::default();
        let kept = asked.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let Some(request) = read(&stream) else { continue };
                let (status, body) = answer(&request);
                kept.lock().unwrap().push(request);
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} x\r\nconnection: close\r\nx-aws-ec2-metadata-token-ttl-seconds: 60\r\ncontent-length: {length}\r\n\r\n{body}"
                );
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

fn read(stream: &std::net::TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut lines = reader.by_ref().lines().map_while(Result::ok);
    let line = lines.next()?;
    let fields: BTreeMap<String, String> = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        })
        .collect();
    let mut body = vec![0; fields.get("content-length").map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    Some(Request { line, fields, body: String::from_utf8_lossy(&body).into_owned() })
}

fn of_sts(action: &str, key: &str) -> String {
    format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result><Credentials>\
         <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>s3cret</SecretAccessKey><SessionToken>t0ken</SessionToken>\
         <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>a:b</AssumedRoleId>\
         <Arn>arn:aws:sts::123456789012:assumed-role/a/b</Arn></AssumedRoleUser></{action}Result></{action}Response>"
    )
}

fn json(key: &str) -> String {
    format!(
        r#"{{"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-01-01T00:00:00Z", "AccessKeyId": "{key}",
            "SecretAccessKey": "s3cret", "Token": "t0ken", "Expiration": "2099-01-01T00:00:00Z"}}"#
    )
}

fn came(source: &str, key: &str, end: &str) -> String {
    let token = if end == "null" { "null" } else { "\"t0ken\"" };
    format!(
        "source={source}\ntext={{\"accessKey\":\"{key}\",\"secretKey\":\"s3cret\",\"sessionToken\":{token},\"expiration\":{end}}}"
    )
}

const END: &str = "\"2099-01-01T00:00:00Z\"";

fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn the_environment_comes_before_the_profile_and_that_before_all_else() {
    let folder = tempfile::tempdir().unwrap();
    let profile = file(
        folder.path(),
        "credentials",
        "[default]\naws_access_key_id=PROFILE\naws_secret_access_key=s3cret\n",
    );
    let nobody = Endpoint::answering(|_| (500, String::new()));
    let container = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", nobody.url.as_str());
    let with_profile = [("AWS_SHARED_CREDENTIALS_FILE", profile.as_str()), container];
    assert_eq!(fetch("own", &with_profile), came("profile", "PROFILE", "null"));
    let mut both = with_profile.to_vec();
    both.extend([("AWS_ACCESS_KEY_ID", "ENVIRONMENT"), ("AWS_SECRET_ACCESS_KEY", "s3cret")]);
    assert_eq!(fetch("own", &both), came("environment", "ENVIRONMENT", "null"));
    assert!(nobody.asked().is_empty());
}

#[test]
fn a_web_identity_is_the_token_of_a_file_shown_to_sts() {
    let folder = tempfile::tempdir().unwrap();
    let token = file(folder.path(), "token", "jwt-of-the-pod");
    let sts = Endpoint::answering(|_| (200, of_sts("AssumeRoleWithWebIdentity", "IRSA")));
    let environment = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.as_str()),
        ("AWS_ROLE_ARN", ROLE),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL_STS", sts.url.as_str()),
    ];
    assert_eq!(fetch("own", &environment), came("web identity", "IRSA", END));
    let asked = sts.asked().pop().unwrap();
    assert!(asked.body.contains("WebIdentityToken=jwt-of-the-pod"), "{asked:?}");
    assert!(!asked.fields.contains_key("authorization"), "{asked:?}");
}

#[test]
fn a_container_shows_the_token_of_its_file_to_the_agent() {
    let folder = tempfile::tempdir().unwrap();
    let token = file(folder.path(), "token", "jwt-of-pod-identity");
    let agent =
        Endpoint::answering(|request| match request.fields.get("authorization").map(String::as_str) {
            Some("jwt-of-pod-identity") => (200, json("POD")),
            _ => (401, String::new()),
        });
    let environment = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.url.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.as_str()),
    ];
    assert_eq!(fetch("own", &environment), came("container", "POD", END));
}

#[test]
fn an_instance_gives_credentials_for_a_session_token_only() {
    let metadata = Endpoint::answering(|request| {
        let token = request.fields.get("x-aws-ec2-metadata-token").map(String::as_str);
        match (request.line.split(' ').nth(1), token) {
            (Some("/latest/api/token"), None) => (200, "session".to_owned()),
            (Some("/latest/meta-data/iam/security-credentials/"), Some("session")) => {
                (200, "role".to_owned())
            }
            (Some("/latest/meta-data/iam/security-credentials/role"), Some("session")) => {
                (200, json("INSTANCE"))
            }
            _ => (401, String::new()),
        }
    });
    let environment = [
        ("AWS_EC2_METADATA_DISABLED", "false"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.url.as_str()),
    ];
    assert_eq!(fetch("own", &environment), came("instance metadata", "INSTANCE", END));
    assert!(metadata.asked()[0].line.starts_with("PUT /latest/api/token"));
}

#[test]
fn a_role_is_taken_on_by_whoever_the_controller_is_in_the_region_that_is_meant() {
    let sts = Endpoint::answering(|_| (200, of_sts("AssumeRole", "ROLE")));
    let environment = [
        ("AWS_ACCESS_KEY_ID", "ENVIRONMENT"),
        ("AWS_SECRET_ACCESS_KEY", "s3cret"),
        ("AWS_ENDPOINT_URL_STS", sts.url.as_str()),
    ];
    let source = format!("AssumeRole of {ROLE} by environment");
    assert_eq!(fetch(ROLE, &environment), came(&source, "ROLE", END));
    let asked = sts.asked().pop().unwrap();
    let signed = &asked.fields["authorization"];
    assert!(signed.contains("Credential=ENVIRONMENT/") && signed.contains("/eu-west-1/sts/"), "{signed}");
    assert!(asked.body.contains("role%2Fcaller"), "{asked:?}");
}

#[test]
fn what_refuses_is_told_in_its_own_words_and_without_a_secret() {
    let sts = Endpoint::answering(|_| {
        let error = "<Code>AccessDenied</Code><Message>caller may not assume it</Message>";
        (403, format!("<ErrorResponse><Error>{error}</Error><RequestId>r</RequestId></ErrorResponse>"))
    });
    let environment = [
        ("AWS_ACCESS_KEY_ID", "ENVIRONMENT"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
        ("AWS_ENDPOINT_URL_STS", sts.url.as_str()),
    ];
    let told = fetch(ROLE, &environment);
    assert!(told.starts_with("error=AssumeRole: ") && told.contains("caller may not assume it"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
    let nobody = "error=neither environment, profile, web identity, container nor instance has credentials";
    assert_eq!(fetch("own", &[]), nobody);
}
