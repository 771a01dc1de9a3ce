//! The objects of most tests: a Gateway, an echo server, a route to it.

use serde_json::{Value, json};

use crate::controller::{Controller, prepare};
use crate::stage::Stage;

pub(crate) const GATEWAY: &str = "gateway.networking.k8s.io/v1 Gateway";
pub(crate) const HTTP_ROUTE: &str = "gateway.networking.k8s.io/v1 HTTPRoute";

/// Namespace `web` with the Gateway `web`, of a listener `http` on port 80.
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
";

/// An echo server and its Service.
pub(crate) fn server(name: &str) -> String {
    format!(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: web}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
      - {{name: echo, image: echo-basic, readinessProbe: {{httpGet: {{path: /health, port: 3000}}, periodSeconds: 1}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: web}}
spec:
  selector: {{app: {name}}}
  ports: [{{port: 80, targetPort: 3000}}]
"
    )
}

/// A stage where a controller serves them all, and the address of the Gateway.
pub(crate) async fn served() -> (Stage, Controller, String) {
    let stage = Stage::new().await;
    prepare(&stage).await;
    let controller = Controller::start(&stage);
    web(&stage).await;
    let address = address(&stage).await;
    (stage, controller, address)
}

/// Makes them all, with the server `echo` and a route to it for the host `echo.test`.
pub(crate) async fn web(stage: &Stage) {
    stage.apply(&format!("{WEB}---{}", server("echo"))).await;
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
