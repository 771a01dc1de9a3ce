//! HTTP/2 field sections (RFC 9113 §8) from and to those of cases.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::http1::Part;
use crate::case::Lines;

/// Field lines as the h2 crate has them.
///
/// # Errors
/// A name or value that HTTP/2 cannot carry.
pub(super) fn map(lines: &Lines) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    for (name, value) in &lines.0 {
        let error = |error: &dyn std::fmt::Display| format!("HTTP/2 cannot carry the field {name}: {error}");
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|invalid| error(&invalid))?;
        map.append(name, HeaderValue::from_bytes(value).map_err(|invalid| error(&invalid))?);
    }
    Ok(map)
}

/// Field lines as cases have them; lines of one name stand together.
pub(super) fn lines(map: &HeaderMap) -> Lines {
    Lines(map.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect())
}

/// What follows a header section, into `content` as it comes; a reset leaves it incomplete.
pub(super) async fn content(mut stream: h2::RecvStream, content: &mut impl FnMut(Part)) {
    while let Some(data) = stream.data().await {
        let Ok(data) = data else { return };
        // The window is given back at once: a case never tests the peer's patience.
        let _ = stream.flow_control().release_capacity(data.len());
        content(Part::Body(data.to_vec()));
    }
    match stream.trailers().await {
        Ok(Some(trailers)) => content(Part::Trailers(lines(&trailers))),
        Ok(None) => {}
        Err(_) => return,
    }
    content(Part::End);
}

/// What follows a header section that has been sent.
pub(super) struct Rest<'a> {
    pub(super) chunks: &'a [Vec<u8>],
    pub(super) trailers: &'a Lines,
    /// Whether the message is brought to its end.
    pub(super) ends: bool,
}

/// Sends the rest of a message, chunk by chunk.
pub(super) async fn send(stream: &mut h2::SendStream<bytes::Bytes>, rest: Rest<'_>) -> Result<(), String> {
    for (at, chunk) in rest.chunks.iter().enumerate() {
        if at > 0 {
            tokio::time::sleep(super::http1::BETWEEN_CHUNKS).await;
        }
        send_all(stream, chunk.clone().into()).await?;
    }
    match () {
        () if !rest.ends => Ok(()),
        () if rest.trailers.0.is_empty() => {
            stream.send_data(bytes::Bytes::new(), true).map_err(|e| e.to_string())
        }
        () => stream.send_trailers(map(rest.trailers)?).map_err(|e| e.to_string()),
    }
}

/// Sends as the peer's window allows.
async fn send_all(stream: &mut h2::SendStream<bytes::Bytes>, mut data: bytes::Bytes) -> Result<(), String> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let capacity = std::future::poll_fn(|context| stream.poll_capacity(context)).await;
        let capacity = capacity.ok_or("the stream is closed")?.map_err(|error| error.to_string())?;
        let part = data.split_to(capacity.min(data.len()));
        stream.send_data(part, false).map_err(|error| error.to_string())?;
    }
    Ok(())
}
