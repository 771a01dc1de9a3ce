//! Requests that are signed as they are.

use std::fs;

use super::moto::{Key, Moto};
use super::wire::Wire;
use super::{put, secret};
use crate::client::{Connection, ask, get, send, try_send};
use crate::controller::Controller;

const EXAMPLE: &str = "aws-signing";

/// A table behind the gateway, whose signatures moto makes anew from the body that it gets.
const TABLE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: visits}
spec:
  parentRefs: [{name: buckets}]
  hostnames: [visits.test]
  rules:
  - name: table
    backendRefs: [{group: gateway.kgateway.dev, kind: Backend, name: visits}]
---
apiVersion: gateway.kgateway.dev/v1alpha1
kind: Backend
metadata: {name: visits}
spec:
  type: Static
  static: {hosts: [{host: 127.0.0.1, port: PORT}]}
---
apiVersion: ferrule.dev/v1alpha1
kind: AWSSigningPolicy
metadata: {name: visits}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: visits, sectionName: table}]
  region: us-east-1
  service: dynamodb
  signedHeaders: [content-type]
  auth: {type: Secret, secretRef: {name: aws}}
";

/// The example before an AWS whose requests are read on their way.
struct Served {
    moto: Moto,
    wire: Wire,
    controller: Controller,
}

impl Served {
    fn start() -> Self {
        let moto = Moto::start();
        let wire = Wire::to(moto.port);
        let controller = Controller::with(&[], |folder| {
            put(EXAMPLE, folder, wire.port, &moto.keys[0], |text| text);
            let table = TABLE.replace("PORT", &wire.port.to_string());
            fs::write(folder.join("table.yaml"), table).unwrap();
        });
        let served = Self { moto, wire, controller };
        served.wait_for_documents(200);
        served
    }

    /// Lists a bucket until it is answered so.
    fn wait_for_documents(&self, status: u16) {
        let list = || try_send(self.controller.gateway, "GET", "/documents", &[], "").ok();
        self.controller.wait_until("a list", || (list()?.status == status).then_some(()));
    }
}

#[test]
fn objects_of_buckets_are_written_and_read_by_clients_without_keys() {
    let Served { moto, wire, controller } = &Served::start();
    let at = controller.gateway;
    let text = [("content-type", "text/plain"), ("x-amz-meta-who", "ann")];
    let put = send(at, "PUT", "/documents/note.txt", &text, "hello");
    assert_eq!(put.status, 200, "{put:?}");
    let read = get(at, "/documents/note.txt");
    assert_eq!((read.status, read.body.as_str()), (200, "hello"), "{read:?}");
    assert_eq!(read.header("x-amz-meta-who"), Some("ann"));
    let sent = wire.last("PUT /documents/note.txt");
    // The digest of `hello`.
    assert!(sent.contains("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"), "{sent}");
    assert!(sent.contains("x-amz-meta-who,") || sent.contains("x-amz-meta-who;"), "it is signed: {sent}");
    // Larger than what may be held, with a policy that holds bodies.
    let large = "x".repeat((1 << 20) + 1);
    assert_eq!(send(at, "PUT", "/documents/large", &[], &large).status, 413);
    assert_eq!(get(at, "/documents/large").status, 404);
    let put = send(at, "PUT", "/uploads/large", &text, &large);
    assert_eq!(put.status, 200, "{put:?}");
    assert!(wire.last("PUT /uploads/large").contains("x-amz-content-sha256: UNSIGNED-PAYLOAD\r\n"));
    assert_eq!(get(at, "/uploads/large").body.len(), large.len());
    assert!(moto.keys.iter().all(|key| !controller.said().contains(&key.secret)));
}

#[test]
fn a_body_that_is_not_signed_reaches_the_bucket_while_it_comes() {
    let Served { wire, controller, .. } = &Served::start();
    let (first, second) = ("one half, ".repeat(10), "and the other".repeat(10));
    let mut client = Connection::open(controller.gateway).unwrap();
    client.begin("PUT", "/uploads/halves", &[], first.len() + second.len()).unwrap();
    client.push(&first).unwrap();
    controller.wait_until("first half", || wire.said().contains(&first).then_some(()));
    client.push(&second).unwrap();
    assert_eq!(client.answer().unwrap().status, 200);
    assert_eq!(get(controller.gateway, "/uploads/halves").body, first + &second);
}

#[test]
fn paths_and_queries_are_signed_as_the_service_reads_them() {
    let Served { controller, .. } = &Served::start();
    let at = controller.gateway;
    let name = "/documents/a%20b/%E2%82%AC+(1)%20%3D%261~-_.txt".replace('+', "%2B");
    let name = name.replace('(', "%28").replace(')', "%29");
    for bucket in ["documents", "uploads"] {
        let path = name.replace("documents", bucket);
        assert_eq!(send(at, "PUT", &path, &[], "found").status, 200, "{path}");
        assert_eq!(get(at, &path).body, "found", "{path}");
        // Not in order, with a value that is empty, one that is missing, and one that has to be encoded.
        let list =
            get(at, &format!("/{bucket}?prefix=a%20b%2F&list-type=2&start-after=&fetch-owner&max-keys=5"));
        assert_eq!(list.status, 200, "{list:?}");
        assert!(list.body.contains("<Key>a b/€+(1) =&amp;1~-_.txt</Key>"), "{list:?}");
        // Segments that leave no trace in what is sent leave none in what is signed.
        assert_eq!(get(at, &path.replacen("/a", "/./x/../a", 1)).body, "found", "{path}");
    }
}

#[test]
fn a_body_is_signed_as_the_service_gets_it() {
    let Served { controller, .. } = &Served::start();
    let ask = |target: &str, body: &str| {
        let target = format!("DynamoDB_20120810.{target}");
        let fields = [
            ("host", "visits.test"),
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", &target),
        ];
        send(controller.gateway, "POST", "/", &fields, body)
    };
    let item = r#"{"who": {"S": "Ánn"}, "times": {"N": "3"}}"#;
    let put = ask("PutItem", &format!(r#"{{"TableName": "visits", "Item": {item}}}"#));
    assert_eq!(put.status, 200, "{put:?}");
    let got = ask("GetItem", r#"{"TableName": "visits", "Key": {"who": {"S": "Ánn"}}}"#);
    assert_eq!(got.json()["Item"]["times"]["N"], "3", "{got:?}");
}

#[test]
fn whoever_may_not_or_has_a_wrong_key_is_refused_by_the_service_and_nobody_signs_without_one() {
    let served = Served::start();
    let Served { moto, controller, .. } = &served;
    let wrong = Key { secret: "wrong".to_owned(), ..moto.keys[0].clone() };
    for (key, why) in [(&wrong, "SignatureDoesNotMatch"), (&moto.keys[2], "AccessDenied")] {
        fs::write(controller.config("secret.yaml"), secret(EXAMPLE, key)).unwrap();
        served.wait_for_documents(403);
        // What a client says of itself has no say.
        let own = [("authorization", "AWS4-HMAC-SHA256 Credential=a/b"), ("x-amz-security-token", "t")];
        let refused = ask(controller.gateway, "GET", "/uploads/halves", &own);
        assert!(refused.status == 403 && refused.body.contains(why), "{refused:?}");
        fs::write(controller.config("secret.yaml"), secret(EXAMPLE, &moto.keys[1])).unwrap();
        served.wait_for_documents(200);
    }
    fs::remove_file(controller.config("secret.yaml")).unwrap();
    served.wait_for_documents(500);
    let why = "Secret default/aws does not exist";
    controller.wait_for_condition("awssigningpolicy", "uploads", "Accepted=False Invalid", why);
}
