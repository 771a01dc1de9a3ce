//! One message of an exchange on its way through the filter.

use std::collections::VecDeque;

use ferrule_kit::{FieldLines, Hold};

use crate::case::{Answer, Body, Lines, Protocol, Request};

/// What comes next of a message.
#[derive(Debug)]
pub(super) enum Piece {
    Headers { lines: FieldLines, end: bool },
    Data { bytes: Vec<u8>, end: bool },
    Trailers(FieldLines),
}

/// A message: what is still to come, and what has left.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) coming: VecDeque<Piece>,
    pub(super) hold: Option<Hold>,
    /// The last piece has come.
    pub(super) ended: bool,
    /// The header section as it left.
    pub(super) headers: Option<FieldLines>,
    pub(super) body: Vec<u8>,
    pub(super) trailers: FieldLines,
    /// The last piece has left.
    pub(super) complete: bool,
}

/// The pieces of the request; without an end where the client goes away first.
pub(super) fn request(request: &Request, ends: bool) -> VecDeque<Piece> {
    let mut lines: FieldLines = vec![
        (":authority".to_owned(), request.host.clone().into_bytes()),
        (":path".to_owned(), request.path.clone().into_bytes()),
        (":method".to_owned(), request.method().as_bytes().to_vec()),
        (":scheme".to_owned(), b"http".to_vec()),
    ];
    lines.extend(request.lines().0);
    lines.push(("x-forwarded-proto".to_owned(), b"http".to_vec()));
    let end = request.ends_with_headers() && ends;
    pieces(lines, end, request.body.as_ref(), &request.trailers, ends)
}

/// The pieces of an answer; without an end where the peer resets its stream.
pub(super) fn response(answer: &Answer, protocol: Protocol, method: &str) -> VecDeque<Piece> {
    let mut lines: FieldLines = vec![(":status".to_owned(), answer.status.to_string().into_bytes())];
    lines.extend(answer.lines(protocol, method).0);
    let ends = answer.reset.is_none();
    pieces(lines, answer.ends_with_headers(method) && ends, answer.body.as_ref(), &answer.trailers, ends)
}

/// The pieces of an answer that Envoy makes itself.
pub(super) fn local_reply(status: u16, body: &[u8]) -> VecDeque<Piece> {
    let mut lines: FieldLines = vec![
        (":status".to_owned(), status.to_string().into_bytes()),
        ("content-length".to_owned(), body.len().to_string().into_bytes()),
    ];
    if body.is_empty() {
        return [Piece::Headers { lines, end: true }].into();
    }
    lines.push(("content-type".to_owned(), b"text/plain".to_vec()));
    [Piece::Headers { lines, end: false }, Piece::Data { bytes: body.to_vec(), end: true }].into()
}

fn pieces(
    lines: FieldLines,
    end: bool,
    body: Option<&Body>,
    trailers: &Lines,
    ends: bool,
) -> VecDeque<Piece> {
    let mut pieces = VecDeque::from([Piece::Headers { lines, end }]);
    if end {
        return pieces;
    }
    let chunks = body.map(|body| body.chunks.clone()).unwrap_or_default();
    // The end of a streamed body comes after its last chunk, as in HTTP/1.1's chunked coding.
    let end_with_last = ends && trailers.0.is_empty() && body.is_some_and(|body| !body.streamed);
    let last = chunks.len().saturating_sub(1);
    for (at, bytes) in chunks.into_iter().enumerate() {
        pieces.push_back(Piece::Data { bytes, end: end_with_last && at == last });
    }
    match () {
        () if !ends || end_with_last => {}
        () if trailers.0.is_empty() => pieces.push_back(Piece::Data { bytes: Vec::new(), end: true }),
        () => pieces.push_back(Piece::Trailers(trailers.0.clone())),
    }
    pieces
}
