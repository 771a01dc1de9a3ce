//! Functions whose caller is a Secret: proxies get its keys as they come, change and go, and nobody else is told of them.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::controller::{Controller, prepare};
use crate::objects::{address, condition, route, web};
use crate::stage::{Stage, eventually};
use crate::visitors::{Target, Visitors};

const BACKEND: &str = "gateway.kgateway.dev/v1alpha1 Backend";
const RIGHTS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../controller/deploy/base/rbac.yaml"));

/// A Lambda API that answers everybody, and keeps who signed.
struct Functions {
    url: String,
    signed: Arc<Mutex<Vec<String>>>,
}

impl Functions {
    /// Starts one where pods can reach it.
    async fn start(stage: &Stage) -> Self {
        let listener = TcpListener::bind((stage.cluster.node(), 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let functions = Self { url, signed: Arc::default() };
        let signed = Arc::clone(&functions.signed);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let signed = Arc::clone(&signed);
                let answer = service_fn(move |request| answer(request, Arc::clone(&signed)));
                tokio::spawn(async move {
                    let builder = Builder::new(TokioExecutor::new());
                    // A client that leaves in the middle is nothing to us.
                    let _ = builder.serve_connection(TokioIo::new(stream), answer).await;
                });
            }
        });
        functions
    }

    /// Waits until a request is signed by this key.
    async fn are_called_by(&self, key: &str) {
        let by = format!("AWS4-HMAC-SHA256 Credential={key}/");
        eventually(&format!("a call by {key}"), async || {
            self.signed.lock().unwrap().last()?.starts_with(&by).then_some(())
        })
        .await;
    }
}

async fn answer(
    request: Request<Incoming>,
    signed: Arc<Mutex<Vec<String>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let signature = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
    signed.lock().unwrap().push(signature.unwrap_or_default());
    Ok(Response::new(Full::from("{}")))
}

fn backend(functions: &Functions) -> Value {
    json!({
        "apiVersion": "gateway.kgateway.dev/v1alpha1", "kind": "Backend",
        "metadata": {"name": "hello", "namespace": "web"},
        "spec": {"type": "AWS", "aws": {
            "accountId": "123456789012", "auth": {"type": "Secret", "secretRef": {"name": "aws"}},
            "lambda": {"functionName": "hello", "payloadTransformMode": "None", "endpointURL": functions.url},
        }},
    })
}

/// The Secret with a key; what is secret of it has the word `hush` in it.
async fn keep(stage: &Stage, key: &str) {
    let data =
        json!({"accessKey": key, "secretKey": format!("hush-{key}"), "sessionToken": format!("hush-{key}")});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "aws", "namespace": "web"}, "stringData": data});
    stage.apply(&secret.to_string()).await;
}

/// Waits until a condition of the Backend stands so.
async fn stands(stage: &Stage, kind: &str, expected: (&str, &str)) {
    stage
        .until(BACKEND, "web/hello", |backend| {
            let (status, reason) = condition(&backend["status"]["conditions"], kind)?;
            ((status.as_str(), reason.as_str()) == expected).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_a_secret_that_comes_late_changes_and_goes_reach_proxies_and_no_one_else() {
    let stage = Stage::new().await;
    prepare(&stage).await;
    stage.apply(RIGHTS).await;
    let controller = Controller::with_rights_of_its_account(&stage, &[]);
    web(&stage).await;
    let functions = Functions::start(&stage).await;
    stage.create(&backend(&functions)).await.unwrap();
    let mut hello = route("hello", "hello.test");
    let to = json!({"group": "gateway.kgateway.dev", "kind": "Backend", "name": "hello"});
    hello["spec"]["rules"] = json!([{"backendRefs": [to]}]);
    stage.create(&hello).await.unwrap();
    let address = address(&stage).await;
    let target = Target::http(&address, "hello.test");
    stands(&stage, "Accepted", ("False", "Invalid")).await;
    target.answers(500).await;

    keep(&stage, "AKIDFIRST").await;
    target.answers(200).await;
    stands(&stage, "Accepted", ("True", "Accepted")).await;
    stands(&stage, "CredentialsReady", ("True", "Static")).await;
    functions.are_called_by("AKIDFIRST").await;

    let visitors = Visitors::start(2, &target).await;
    keep(&stage, "AKIDSECOND").await;
    functions.are_called_by("AKIDSECOND").await;
    visitors.answered(50).await;
    visitors.leave_content().await;

    let told = controller.log() + &controller.config().to_string();
    assert!(told.contains("aws/secret/web/aws"), "{told}");
    assert!(!told.contains("hush") && !told.contains("forbidden"), "{told}");
    let backend = stage.get(BACKEND, "web/hello").await["status"].to_string();
    assert!(!backend.contains("hush") && !backend.contains("AKID"), "{backend}");

    // Nobody is to be called as who is not there any more.
    stage.delete("v1 Secret", "web/aws").await;
    target.answers(500).await;
    stands(&stage, "Accepted", ("False", "Invalid")).await;
    Target::http(&address, "echo.test").answers(200).await;
    keep(&stage, "AKIDTHIRD").await;
    target.answers(200).await;
    functions.are_called_by("AKIDTHIRD").await;
}
