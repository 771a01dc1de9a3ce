//! Reports: what the filters of a proxy have to say, posted beside its stream on the same connection.
//!
//! Invariant: who reports is who has a stream on the connection, and was let in there; a report names nobody.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode};
use tokio::time::timeout;
use tonic::body::Body;
use tonic::codegen::{Body as HttpBody, StdError};

use super::Shared;
use super::line::Party;
use crate::event::{Event, count};

/// Where reports are posted to.
pub const REPORTS: &str = "/ferrule/reports";
/// The largest taken.
const LARGEST: usize = 256 << 10;
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes a report.
pub(super) async fn take<B>(shared: &Shared, request: Request<B>) -> Response<Body>
where
    B: HttpBody + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    let status = match read(request).await {
        Ok((peer, body)) => {
            count(&shared.counters.reports, 1);
            shared.tell(Event::Reported { peer, body }).await;
            StatusCode::NO_CONTENT
        }
        Err(status) => status,
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

async fn read<B>(request: Request<B>) -> Result<(crate::Peer, Bytes), StatusCode>
where
    B: HttpBody + Send + 'static,
{
    if request.method() != Method::POST {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    if request.headers().get(CONTENT_TYPE).is_none_or(|kind| kind != "application/json") {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let peer = request.extensions().get::<Party>().and_then(Party::peer).ok_or(StatusCode::FORBIDDEN)?;
    let body = timeout(PATIENCE, whole(request.into_body()));
    body.await.map_err(|_| StatusCode::REQUEST_TIMEOUT)?.map(|body| (peer, body))
}

async fn whole<B: HttpBody>(body: B) -> Result<Bytes, StatusCode> {
    let mut body = Box::pin(body);
    let mut bytes = BytesMut::new();
    while let Some(frame) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let Ok(mut data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else { continue };
        let more = bytes::Buf::remaining(&data);
        if bytes.len() + more > LARGEST {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        bytes.extend_from_slice(&bytes::Buf::copy_to_bytes(&mut data, more));
    }
    Ok(bytes.freeze())
}
