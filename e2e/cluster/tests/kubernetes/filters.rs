//! Filters of listeners, which run before routing, and authorization servers that routes ask.

use hyper::Method;
use serde_json::{Value, json};

use crate::judge::{Judge, REFUSAL, TOKEN};
use crate::objects::{GATEWAY, condition, listener_condition, route, served};
use crate::stage::{Stage, eventually};
use crate::visitors::{Answer, Target};

/// What a listener's filters make of a request: the model of its body, then who sent it, then the class of both.
const POLICIES: &str = r#"
apiVersion: gateway.kgateway.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: read, namespace: web}
spec: {transformation: {request: {body: {parseAs: AsJson}, set: [{name: x-model, value: "{{ model }}"}]}}}
---
apiVersion: gateway.kgateway.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: conclude, namespace: web}
spec: {transformation: {request: {set: [{name: x-class, value: "{{ request_header('x-tenant') }}-{{ request_header('x-model') }}"}]}}}
"#;

fn policy(name: &str) -> Value {
    let reference = json!({"group": "gateway.kgateway.dev", "kind": "TrafficPolicy", "name": name});
    json!({"type": "ExtensionRef", "extensionRef": reference})
}

fn ask(protocol: &str, service: &str) -> Value {
    let mut auth = json!({"protocol": protocol, "backendRef": {"name": service, "port": 80}});
    auth[protocol.to_lowercase()] = json!({});
    json!({"type": "ExternalAuth", "externalAuth": auth})
}

fn listener(name: &str, filters: &[Value]) -> Value {
    json!({"name": name, "port": 80, "protocol": "HTTP", "hostname": format!("{name}.test"), "filters": {"requests": filters}})
}

/// A route that tells which of its rules was taken.
fn by_class(name: &str) -> Value {
    let rule = |class: Value, told: &str| {
        json!({
            "matches": [{"path": {"value": "/chat"}, "headers": class}],
            "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-rule", "value": told}]}}],
            "backendRefs": [{"name": "echo", "port": 80}],
        })
    };
    let mut route = route(name, &format!("{name}.test"));
    let large = json!([{"name": "x-class", "value": "t1-large"}]);
    route["spec"]["rules"] = json!([rule(large, "large"), rule(json!([]), "other")]);
    route
}

async fn post(target: &Target, path: &str, token: &str, model: &str) -> Result<Answer, String> {
    let headers = [("authorization", token), ("x-tenant", "forged"), ("x-class", "t1-large")];
    target.fetch(Method::POST, path, &headers, &json!({"model": model}).to_string()).await
}

/// A field that the echo server got.
fn got(answer: &Answer, name: &str) -> Value {
    answer.saw()["headers"][name][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_judged_and_changed_before_they_are_routed_and_after() {
    let (stage, _controller, address) = served().await;
    let judge = Judge::start(&stage).await;
    judge.publish(&stage, "judge", "http").await;
    judge.publish(&stage, "judge-grpc", "kubernetes.io/h2c").await;
    stage.apply(POLICIES).await;
    listeners_filter(&stage, &judge, &address).await;
    listeners_without_their_filters_are_closed(&stage, &address).await;
    routes_ask(&stage, &judge, &address).await;
}

async fn listeners_filter(stage: &Stage, judge: &Judge, address: &str) {
    let filters = [policy("read"), ask("HTTP", "judge"), policy("conclude")];
    let plain = json!({"name": "http", "port": 80, "protocol": "HTTP"});
    let listeners = json!([plain, listener("chat", &filters), listener("broken", &[policy("missing")])]);
    stage.patch(GATEWAY, "web/web", &json!({"spec": {"listeners": listeners}})).await;
    stage.create(&by_class("chat")).await.unwrap();

    let chat = Target::http(address, "chat.test");
    let large = eventually("a request of the listener", async || {
        post(&chat, "/chat", TOKEN, "large").await.ok().filter(|answer| answer.status == 200)
    })
    .await;
    assert_eq!(got(&large, "X-Rule"), "large", "{large:?}");
    assert_eq!(got(&large, "X-Tenant"), "t1", "the server's word, not the client's");
    let small = post(&chat, "/chat", TOKEN, "small").await.unwrap();
    assert_eq!((got(&small, "X-Rule"), got(&small, "X-Class")), ("other".into(), "t1-small".into()));
    judge.asked();
    for path in ["/chat", "/nowhere"] {
        let refused = post(&chat, path, "stranger", "large").await.unwrap();
        assert_eq!((refused.status, refused.text()), (401, REFUSAL), "{path}");
    }
    assert_eq!(judge.asked(), ["/chat", "/nowhere"], "also about what no route takes");
    assert_eq!(Target::http(address, "echo.test").ask().await, Ok(200), "a neighbour without filters");
    assert_eq!(judge.asked(), [""; 0]);
}

async fn listeners_without_their_filters_are_closed(stage: &Stage, address: &str) {
    stage.create(&route("broken", "broken.test")).await.unwrap();
    let broken = Target::http(address, "broken.test");
    broken.answers(500).await;
    stage
        .until(GATEWAY, "web/web", |gateway| {
            (listener_condition(gateway, "broken", "ResolvedRefs")?.0 == "False").then_some(())?;
            assert_eq!(listener_condition(gateway, "chat", "ResolvedRefs")?.0, "True");
            Some(())
        })
        .await;
    stage.apply(&POLICIES.replace("name: conclude", "name: missing")).await;
    broken.answers(200).await;
    stage
        .until(GATEWAY, "web/web", |gateway| {
            (listener_condition(gateway, "broken", "ResolvedRefs")?.0 == "True").then_some(())
        })
        .await;
}

async fn routes_ask(stage: &Stage, judge: &Judge, address: &str) {
    let mut guarded = route("guarded", "guarded.test");
    let rule = |path: &str, filter: Value| {
        let backends = json!([{"name": "echo", "port": 80}]);
        json!({"matches": [{"path": {"value": path}}], "filters": [filter], "backendRefs": backends})
    };
    let open =
        json!({"matches": [{"path": {"value": "/open"}}], "backendRefs": [{"name": "echo", "port": 80}]});
    guarded["spec"]["rules"] = json!([
        open,
        rule("/http", ask("HTTP", "judge")),
        rule("/grpc", ask("GRPC", "judge-grpc")),
        rule("/gone", ask("HTTP", "nobody"))
    ]);
    stage.create(&guarded).await.unwrap();
    let target = Target::http(address, "guarded.test");
    let ask = async |path: &str, token: &str| {
        target.get(path, &[("authorization", token)]).await.map(|answer| answer.status)
    };
    eventually("the route", async || (ask("/open", "").await == Ok(200)).then_some(())).await;
    judge.asked();
    for (path, token, status) in [
        ("/http", TOKEN, 200),
        ("/http", "stranger", 401),
        ("/grpc", TOKEN, 200),
        ("/grpc", "stranger", 403),
        ("/gone", TOKEN, 500),
    ] {
        assert_eq!(ask(path, token).await, Ok(status), "{path} {token}");
    }
    assert_eq!(judge.asked().len(), 4);
    let http = target.get("/http", &[("authorization", TOKEN), ("x-tenant", "forged")]).await.unwrap();
    assert_eq!(got(&http, "X-Tenant"), "t1");
    stage
        .until("gateway.networking.k8s.io/v1 HTTPRoute", "web/guarded", |route| {
            let (status, _) = condition(&route["status"]["parents"][0]["conditions"], "ResolvedRefs")?;
            (status == "False").then_some(())
        })
        .await;
    // Who cannot be asked lets nobody in.
    stage.delete("discovery.k8s.io/v1 EndpointSlice", "web/judge").await;
    eventually("nobody is let in", async || (ask("/http", TOKEN).await == Ok(403)).then_some(())).await;
    assert_eq!(ask("/grpc", TOKEN).await, Ok(200));
}
