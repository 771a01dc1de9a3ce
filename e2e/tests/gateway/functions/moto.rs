//! AWS on this machine: [moto](https://docs.getmoto.org) from PyPI, which checks signatures and IAM policies.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use e2e::free_port;
use serde_json::Value;

const PACKAGE: &str = "moto[server]==5.2.5";
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes a caller with two access keys, a role that it may take on, and a function; prints keys and role.
const SET_UP: &str = r#"
import boto3, io, json, sys, zipfile
def client(name): return boto3.client(name, endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
def policy(action): return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})
# The second is what moto checks.
call = ["lambda:InvokeFunction", "lambda:Invoke"]
iam = client("iam")
iam.create_user(UserName="caller")
iam.put_user_policy(UserName="caller", PolicyName="p", PolicyDocument=policy(call + ["sts:AssumeRole", "iam:DeleteAccessKey"]))
keys = [iam.create_access_key(UserName="caller")["AccessKey"] for _ in range(2)]
iam.create_user(UserName="nobody")
keys.append(iam.create_access_key(UserName="nobody")["AccessKey"])
trust = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]})
role = iam.create_role(RoleName="invoker", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
iam.put_role_policy(RoleName="invoker", PolicyName="p", PolicyDocument=policy(call))
code = io.BytesIO()
with zipfile.ZipFile(code, "w") as archive: archive.writestr("f.py", "def h(event, context): return event")
client("lambda").create_function(FunctionName="hello", Runtime="python3.12", Role=role, Handler="f.h", Code={"ZipFile": code.getvalue()})
print(json.dumps({"keys": [{"accessKey": k["AccessKeyId"], "secretKey": k["SecretAccessKey"]} for k in keys], "role": role}))
"#;

/// Takes a key out of use, by the other one.
const DELETE: &str = r#"
import boto3, sys
boto3.client("iam", endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id=sys.argv[2], aws_secret_access_key=sys.argv[3]).delete_access_key(UserName="caller", AccessKeyId=sys.argv[4])
"#;

/// A running endpoint with a caller and a function.
pub(crate) struct Moto {
    process: Child,
    pub(crate) port: u16,
    /// Two of the caller, and one of somebody who may call nothing.
    pub(crate) keys: Vec<Key>,
    /// ARN of a role that the caller may take on.
    pub(crate) role: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Moto {
    /// Starts it, and has it check who calls from then on.
    pub(crate) fn start() -> Self {
        let packages = installed();
        let port = free_port();
        let mut command = python(&packages);
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut moto = Self { process, port, keys: Vec::new(), role: String::new() };
        moto.wait();
        moto.post("/moto-api/config", r#"{"lambda": {"use_docker": false}}"#);
        let made: Value = serde_json::from_str(&run(&packages, SET_UP, &[&moto.url()])).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let key = |key: &Value| Key { id: text(&key["accessKey"]), secret: text(&key["secretKey"]) };
        moto.keys = made["keys"].as_array().unwrap().iter().map(key).collect();
        moto.role = text(&made["role"]);
        moto.post("/moto-api/reset-auth", "0");
        moto
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Takes the key out of use.
    pub(crate) fn delete(&self, key: &Key, by: &Key) {
        run(&installed(), DELETE, &[&self.url(), &by.id, &by.secret, &key.id]);
    }

    /// What the function returns next.
    pub(crate) fn returns(&self, result: &str) {
        let body = serde_json::json!({"results": [result]});
        self.post("/moto-api/static/lambda-simple/response", &body.to_string());
    }

    fn post(&self, path: &str, body: &str) {
        let answer = crate::client::post(([127, 0, 0, 1], self.port).into(), path, body);
        assert!(answer.status < 300, "{path}: {answer:?}");
    }

    fn wait(&mut self) {
        let until = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(self.process.try_wait().unwrap().is_none(), "moto has ended");
            assert!(Instant::now() < until, "moto does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The packages, which are installed once for all tests of a target folder.
fn installed() -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let all = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = all.join("moto-5.2.5");
    if !folder.exists() {
        let fresh = tempfile::tempdir_in(all).unwrap();
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        pip.args(["--root-user-action=ignore", "--target"]).arg(fresh.path()).arg(PACKAGE);
        assert!(pip.status().unwrap().success(), "{PACKAGE} could not be installed");
        // Another process may have been quicker.
        let _ = std::fs::rename(fresh.path(), &folder);
    }
    folder
}

fn python(packages: &Path) -> Command {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", packages).env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

fn run(packages: &Path, script: &str, arguments: &[&str]) -> String {
    let output = python(packages).arg("-c").arg(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
