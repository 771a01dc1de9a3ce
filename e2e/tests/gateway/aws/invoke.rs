//! `ferrule lambda invoke` before an AWS that checks: what it calls, and how it says that it cannot.

use std::fs;
use std::process::Output;

use tempfile::TempDir;

use super::moto::{Key, Moto};
use super::{of_example, secret};
use crate::controller::ferrule;

const EXAMPLE: &str = "lambda";

/// The example's folder with this key.
fn folder(moto: &Moto, key: &Key, edit: impl Fn(String) -> String) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["gateway.yaml", "functions.yaml"] {
        let text = fs::read_to_string(of_example(EXAMPLE).join(name)).unwrap();
        let text = edit(text.replace("5000", &moto.port.to_string()));
        fs::write(folder.path().join(name), text).unwrap();
    }
    fs::write(folder.path().join("secret.yaml"), secret(EXAMPLE, key)).unwrap();
    folder
}

struct Ran {
    code: Option<i32>,
    out: String,
    complaints: String,
}

impl Ran {
    fn of(Output { status, stdout, stderr }: Output) -> Self {
        let [out, complaints] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
        Self { code: status.code(), out, complaints }
    }

    /// Whether it ended so, having said this.
    fn says(&self, code: i32, part: &str) {
        let Self { out, complaints, .. } = self;
        let said = out.contains(part) || complaints.contains(part);
        assert!(self.code == Some(code) && said, "{:?} {part:?}\n{out}\n{complaints}", self.code);
    }
}

/// Invokes with nothing of ours in the environment.
fn invoke(folder: &TempDir, environment: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let home = tempfile::tempdir().unwrap();
    let body = home.path().join("body.json");
    fs::write(&body, r#"{"name": "Ann"}"#).unwrap();
    let mut command = ferrule();
    command.args(["lambda", "invoke", "-f"]).arg(folder.path()).args(arguments);
    command.arg("--body").arg(&body).args(["-H", "content-type: application/json"]);
    command.env_clear().env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", home.path());
    Ran::of(command.envs(environment.iter().copied()).output().unwrap())
}

#[test]
fn the_function_behind_a_route_answers_whoever_may_call_it() {
    let moto = Moto::start();
    moto.returns(r#"{"result": 1}"#);
    let with_keys = folder(&moto, &moto.keys[0], |text| text);
    let ran = invoke(&with_keys, &[], &["hello"]);
    ran.says(0, "{\"result\": 1}");
    ran.says(0, "signed by    Secret default/aws");
    ran.says(0, "qualifier    $LATEST");

    // By a role that whoever runs this takes on.
    let to_role = format!("auth: {{type: AssumeRole, assumeRole: {{roleArn: \"{}\"}}}}", moto.role);
    let of_role = folder(&moto, &moto.keys[0], |text| {
        text.replace("auth: {type: Secret, secretRef: {name: aws}}", &to_role)
    });
    let (own, url) = (&moto.keys[0], moto.url());
    let environment = |secret| {
        [
            ("AWS_ACCESS_KEY_ID", own.id.as_str()),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_ENDPOINT_URL_STS", &url),
        ]
    };
    moto.returns(r#"{"result": 2}"#);
    let ran = invoke(&of_role, &environment(&own.secret), &["hello"]);
    ran.says(0, "{\"result\": 2}");
    ran.says(0, &format!("AssumeRole of {} by environment, for 59 more minutes", moto.role));
    let all = [&ran.out, &ran.complaints].map(String::as_str).concat();
    assert!(moto.keys.iter().all(|key| !all.contains(&key.secret)), "{all}");

    // And where nobody can be anybody.
    invoke(&of_role, &environment("wrong"), &["hello"])
        .says(1, "Backend default/hello: spec.aws.auth: AssumeRole: ");
    let nobody = "neither environment, profile, web identity, container nor instance has credentials";
    invoke(&of_role, &[], &["hello"]).says(1, nobody);
}

#[test]
fn what_cannot_be_called_or_does_not_answer_is_told_with_what_the_client_gets() {
    let moto = Moto::start();
    let good = |text: String| text;
    let with = |edit: &dyn Fn(String) -> String| folder(&moto, &moto.keys[0], edit);
    invoke(&with(&good), &[], &["nobody"]).says(2, "HTTPRoute default/nobody does not exist");
    invoke(&with(&good), &[], &["nobody"]).says(2, "default/fn, default/hello");
    let plain = |text: String| {
        text.replace("type: AWS", "type: Static").replacen(
            "  aws:\n",
            "  static: {hosts: [{host: 127.0.0.1, port: 1}]}\n  none:\n",
            1,
        )
    };
    invoke(&with(&plain), &[], &["hello"]).says(1, "Backend default/hello");
    let to_static = |text: String| {
        text.replacen("kind: Backend, name: hello", "kind: Backend, name: plain", 1)
            + "---\napiVersion: gateway.kgateway.dev/v1alpha1\nkind: Backend\nmetadata: {name: plain}\n\
           spec: {type: Static, static: {hosts: [{host: 127.0.0.1, port: 1}]}}\n"
    };
    invoke(&with(&to_static), &[], &["hello"])
        .says(2, "HTTPRoute default/hello: spec.rules: the route calls no function");

    // Somebody who may not call, and a key that is not theirs.
    let wrong = Key { secret: "wrong".to_owned(), ..moto.keys[0].clone() };
    for key in [&moto.keys[2], &wrong] {
        let ran = invoke(&folder(&moto, key, good), &[], &["hello"]);
        ran.says(1, "no answer of the function; the client gets 500");
    }
    // TLS to whom speaks none.
    let secure = |text: String| text.replace("http://127.0.0.1", "https://127.0.0.1");
    let ran = invoke(&with(&secure), &[], &["hello"]);
    ran.says(1, &format!("no answer: https://127.0.0.1:{}: ", moto.port));
    ran.says(1, "the client gets 503");
}
