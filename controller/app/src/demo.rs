//! The quick start's upstream: answers each request with what it saw of it, as JSON.

use envoy_bootstrap::Address;
use http_body_util::{BodyExt, Limited};
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName};
use serde_json::{Map, Value, json};

use crate::http::{self, Answer, Question};
use crate::listen::Listener;

/// Larger bodies are refused.
const MAX_BODY: usize = 1 << 20;

/// Starts it on a port of loopback; it ends with the process. Returns where it listens.
pub(crate) async fn start(port: u16) -> anyhow::Result<Address> {
    let listener = Listener::bind(&Address::loopback(port), "--demo-upstream").await?;
    let address = listener.address()?;
    tokio::spawn(http::serve(listener, echo));
    Ok(address)
}

async fn echo(question: Question) -> Answer {
    let (head, body) = question.into_parts();
    let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
        return http::answer(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", "more than 1 MiB\n");
    };
    let body = body.to_bytes();
    let text = || Value::from(String::from_utf8_lossy(&body).into_owned());
    let seen = json!({"saw": {
        "method": head.method.as_str(),
        "path": head.uri.to_string(),
        "headers": headers(&head.headers),
        "body": serde_json::from_slice(&body).unwrap_or_else(|_| text()),
    }});
    http::answer(StatusCode::OK, "application/json", format!("{seen}\n"))
}

/// Repeated lines are joined by a comma (RFC 9110 section 5.3).
fn headers(headers: &HeaderMap) -> Map<String, Value> {
    let joined = |name: &HeaderName| {
        let lines = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        lines.collect::<Vec<_>>().join(", ")
    };
    headers.keys().map(|name| (name.to_string(), joined(name).into())).collect()
}
