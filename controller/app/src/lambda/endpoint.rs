//! A signed request on its way to AWS.

use std::time::Duration;

use bytes::Bytes;
use ferrule_kit::FieldLines;
use ferrule_translate::AwsEndpoint;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::header::{HeaderName, HeaderValue};
use hyper_rustls::{ConfigBuilderExt, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::message::Given;

/// Bytes of an answer: streamed ones may have up to 200 MB ("Lambda quotas"), which nobody reads here.
const MAX_ANSWER: usize = 16 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    /// The endpoint takes too long.
    #[error("{url} does not answer within {limit:?}")]
    Late { url: String, limit: Duration },
    /// It cannot be reached, or breaks off.
    #[error("{url}: {why}")]
    Broken { url: String, why: String },
}

impl Unanswered {
    /// What Envoy answers in its place.
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Late { .. } => 504,
            Self::Broken { .. } => 503,
        }
    }
}

/// The URL of an endpoint.
pub(super) fn url(AwsEndpoint { host, port, tls }: &AwsEndpoint) -> String {
    let scheme = if *tls { "https" } else { "http" };
    if host.contains(':') {
        format!("{scheme}://[{host}]:{port}")
    } else {
        format!("{scheme}://{host}:{port}")
    }
}

/// Sends a request of these lines, and takes its whole answer.
///
/// # Errors
/// There is none.
pub(super) async fn send(
    endpoint: &AwsEndpoint,
    lines: &FieldLines,
    body: Vec<u8>,
    limit: Duration,
) -> Result<Given, Unanswered> {
    let url = url(endpoint);
    match tokio::time::timeout(limit, converse(&url, lines, body)).await {
        Ok(answered) => answered.map_err(|why| Unanswered::Broken { url, why: plainly(&*why) }),
        Err(_) => Err(Unanswered::Late { url, limit }),
    }
}

type Broken = Box<dyn std::error::Error + Send + Sync>;

async fn converse(url: &str, lines: &FieldLines, body: Vec<u8>) -> Result<Given, Broken> {
    let provider = rustls::crypto::ring::default_provider();
    let tls = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()?
        .with_native_roots()?
        .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let answer = client.request(request(url, lines, body)?).await?;
    let mut lines: FieldLines = vec![(":status".to_owned(), answer.status().as_str().as_bytes().to_vec())];
    let (head, body) = answer.into_parts();
    lines.extend(head.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())));
    let body = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
    Ok(Given { lines, body: body.into() })
}

fn request(url: &str, lines: &FieldLines, body: Vec<u8>) -> Result<Request<Full<Bytes>>, Broken> {
    let pseudo = |name: &str| {
        let line = lines.iter().find(|(known, _)| known == name);
        line.map_or(Ok(""), |(_, value)| std::str::from_utf8(value))
    };
    let (method, target, authority) = (pseudo(":method")?, pseudo(":path")?, pseudo(":authority")?);
    let mut request = Request::builder().method(method).uri(format!("{url}{target}"));
    request = request.header("host", authority);
    for (name, value) in lines.iter().filter(|(name, _)| !name.starts_with(':') && name != "content-length") {
        request = request.header(HeaderName::try_from(name)?, HeaderValue::from_bytes(value)?);
    }
    Ok(request.body(Full::new(body.into()))?)
}

/// An error and its causes as they read.
fn plainly(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    let mut told: Vec<String> = causes.map(ToString::to_string).collect();
    told.dedup();
    told.join(": ")
}
