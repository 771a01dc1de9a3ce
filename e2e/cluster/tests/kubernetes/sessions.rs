//! Sessions: whose endpoint gets which request, while endpoints come and go.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::objects::{route, served};
use crate::stage::{Stage, eventually};
use crate::visitors::{Answer, Target};

/// Three echo servers that say which of them answers.
const SERVERS: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: many, namespace: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: many}}
  template:
    metadata: {labels: {app: many}}
    spec:
      containers:
      - name: echo
        image: echo-basic
        env: [{name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
        readinessProbe: {httpGet: {path: /health, port: 3000}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: many, namespace: web}
spec:
  selector: {app: many}
  ports: [{port: 80, targetPort: 3000}]
";

/// Enough requests to reach every one of three endpoints, and to see that a session reaches one only.
const MANY: usize = 40;

fn pod(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.saw()["pod"].as_str().unwrap().to_owned()
}

/// The pods that answer many requests.
async fn pods(target: &Target, path: &str, headers: &[(&str, &str)]) -> BTreeSet<String> {
    let mut pods = BTreeSet::new();
    for _ in 0..MANY {
        pods.insert(pod(&target.get(path, headers).await.unwrap()));
    }
    pods
}

fn rule(path: &str, session: Value) -> Value {
    json!({
        "matches": [{"path": {"value": path}}], "sessionPersistence": session,
        "backendRefs": [{"name": "many", "port": 80}],
    })
}

async fn all_answer(stage: &Stage, target: &Target) {
    let ready = |deployment: &Value| (deployment["status"]["readyReplicas"] == 3).then_some(());
    stage.until("apps/v1 Deployment", "web/many", ready).await;
    eventually("all endpoints", async || {
        target.ask().await.ok().filter(|status| *status == 200)?;
        (pods(target, "/plain", &[]).await.len() == 3).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_stays_with_its_endpoint_until_that_is_gone() {
    let (stage, _controller, address) = served().await;
    stage.apply(SERVERS).await;
    let mut sticky = route("sticky", "sticky.test");
    let permanent =
        json!({"absoluteTimeout": "5m", "cookie": {"name": "known", "lifetimeType": "Permanent"}});
    sticky["spec"]["rules"] = json!([
        json!({"backendRefs": [{"name": "many", "port": 80}]}),
        rule("/cookie", json!({"cookie": {}})),
        rule("/permanent", permanent),
        rule("/header", json!({"type": "Header", "header": {"name": "X-Session"}})),
    ]);
    stage.create(&sticky).await.unwrap();
    let target = Target::http(&address, "sticky.test");
    all_answer(&stage, &target).await;

    let first = target.get("/header", &[]).await.unwrap();
    let session = first.header("x-session").unwrap();
    assert_eq!(pods(&target, "/header", &[("x-session", session)]).await, [pod(&first)].into());
    let first = target.get("/permanent", &[]).await.unwrap();
    let cookie = first.header("set-cookie").unwrap();
    assert!(cookie.starts_with("known=") && cookie.contains("; Max-Age=300"), "{cookie}");

    let first = target.get("/cookie", &[]).await.unwrap();
    let cookie = first.header("set-cookie").unwrap().split(';').next().unwrap();
    let session = [("cookie", cookie)];
    assert_eq!(pods(&target, "/cookie", &session).await, [pod(&first)].into());
    assert_eq!(pods(&target, "/plain", &session).await.len(), 3, "another rule");

    // Its pod goes: the session begins anew with another.
    stage.delete("v1 Pod", &format!("web/{}", pod(&first))).await;
    let anew = eventually("another session", async || {
        let answer = target.get("/cookie", &session).await.ok().filter(|answer| answer.status == 200)?;
        (pod(&answer) != pod(&first)).then_some(answer)
    })
    .await;
    let cookie = anew.header("set-cookie").unwrap().split(';').next().unwrap();
    assert_eq!(pods(&target, "/cookie", &[("cookie", cookie)]).await, [pod(&anew)].into());
}
