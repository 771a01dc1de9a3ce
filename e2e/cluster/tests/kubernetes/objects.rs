//! The objects of most tests: a Gateway, an echo server, a route to it.

use serde_json::{Value, json};

use crate::stage::Stage;

pub(crate) const GATEWAY: &str = "gateway.networking.k8s.io/v1 Gateway";
pub(crate) const HTTP_ROUTE: &str = "gateway.networking.k8s.io/v1 HTTPRoute";

/// Namespace `web` with the echo server `echo` and the Gateway `web`, of a listener `http` on port 80.
const WEB: &str = "
{apiVersion: v1, kind: Namespace, metadata: {name: web}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web, namespace: web}
spec:
  gatewayClassName: ferrule
  listeners:
  - {name: http, port: 80, protocol: HTTP}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo, namespace: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: echo}}
  template:
    metadata: {labels: {app: echo}}
    spec:
      containers:
      - {name: echo, image: echo-basic, readinessProbe: {httpGet: {path: /health, port: 3000}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {name: echo, namespace: web}
spec:
  selector: {app: echo}
  ports: [{port: 80, targetPort: 3000}]
";

/// Makes them all, with a route for the host `echo.test`.
pub(crate) async fn web(stage: &Stage) {
    stage.apply(WEB).await;
    stage.create(&route("echo", "echo.test")).await.unwrap();
}

/// A route of the Gateway `web` for a host.
pub(crate) fn route(name: &str, host: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": "web"},
        "spec": {
            "parentRefs": [{"name": "web"}], "hostnames": [host],
            "rules": [{"backendRefs": [{"name": "echo", "port": 80}]}],
        },
    })
}

/// Waits until the Gateway `web` is programmed; returns its address.
pub(crate) async fn address(stage: &Stage) -> String {
    stage
        .until(GATEWAY, "web/web", |gateway| {
            let status = &gateway["status"];
            (condition(&status["conditions"], "Programmed")?.0 == "True").then_some(())?;
            Some(status["addresses"][0]["value"].as_str()?.to_owned())
        })
        .await
}

/// Status and reason of a condition.
pub(crate) fn condition(conditions: &Value, kind: &str) -> Option<(String, String)> {
    let found = conditions.as_array()?.iter().find(|one| one["type"] == kind)?;
    Some((found["status"].as_str()?.to_owned(), found["reason"].as_str()?.to_owned()))
}

/// A condition of a listener of the Gateway `web`.
pub(crate) fn listener_condition(gateway: &Value, name: &str, kind: &str) -> Option<(String, String)> {
    let listeners = gateway["status"]["listeners"].as_array()?;
    condition(&listeners.iter().find(|one| one["name"] == name)?["conditions"], kind)
}
