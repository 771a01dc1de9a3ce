//! HTTP/1.1 on the wire (RFC 9112), with every byte under control: what is sent is what the case says, and what comes is
//! kept even where it is cut short.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::case::Lines;

/// Between two chunks, so that the peer sees them apart.
pub(super) const BETWEEN_CHUNKS: Duration = Duration::from_millis(5);

/// Field lines that a message may have.
const MAX_LINES: usize = 1_000;

/// What follows a header section.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) body: Vec<u8>,
    pub(super) trailers: Lines,
    pub(super) complete: bool,
}

/// How the end of a body is told (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

impl Framing {
    /// As the field lines say; `otherwise` where they say nothing.
    pub(super) fn of(lines: &Lines, otherwise: Self) -> Self {
        if lines.text("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return Self::Chunked;
        }
        lines.text("content-length").and_then(|length| length.parse().ok()).map_or(otherwise, Self::Length)
    }
}

/// The start line's parts and the field lines.
pub(super) struct RequestHead {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) lines: Lines,
}

/// The status and the field lines.
pub(super) struct ResponseHead {
    pub(super) status: u16,
    pub(super) lines: Lines,
}

/// Reads messages off a connection.
pub(super) struct Reader<R> {
    io: R,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(super) fn new(io: R) -> Self {
        Self { io, buffer: Vec::new() }
    }

    /// The next request's header section; `None` where the connection ends.
    pub(super) async fn request_head(&mut self) -> io::Result<Option<RequestHead>> {
        let Some(head) = self.head().await? else { return Ok(None) };
        let mut lines = [httparse::EMPTY_HEADER; MAX_LINES];
        let mut request = httparse::Request::new(&mut lines);
        request.parse(&head).map_err(io::Error::other)?;
        let (method, path) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
        Ok(Some(RequestHead {
            method: method.to_owned(),
            path: path.to_owned(),
            lines: owned(request.headers),
        }))
    }

    /// The next final response's header section; `None` where the connection ends.
    pub(super) async fn response_head(&mut self) -> io::Result<Option<ResponseHead>> {
        loop {
            let Some(head) = self.head().await? else { return Ok(None) };
            let mut lines = [httparse::EMPTY_HEADER; MAX_LINES];
            let mut response = httparse::Response::new(&mut lines);
            response.parse(&head).map_err(io::Error::other)?;
            let status = response.code.unwrap_or_default();
            if !(100..200).contains(&status) || status == 101 {
                return Ok(Some(ResponseHead { status, lines: owned(response.headers) }));
            }
        }
    }

    async fn head(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                return Ok(Some(self.buffer.drain(..end + 4).collect()));
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    /// Reads more; `false` at the end of the connection.
    async fn fill(&mut self) -> io::Result<bool> {
        Ok(self.io.read_buf(&mut self.buffer).await? > 0)
    }

    /// What follows the header section, into `content` as it comes; an error or an early end leaves it incomplete.
    pub(super) async fn content(&mut self, framing: Framing, content: &mut impl FnMut(Part)) {
        let complete = match framing {
            Framing::Length(length) => self.exactly(length, content).await,
            Framing::Chunked => self.chunks(content).await,
            Framing::UntilClose => self.all(content).await,
        };
        if complete.is_ok() {
            content(Part::End);
        }
    }

    async fn exactly(&mut self, mut length: usize, content: &mut impl FnMut(Part)) -> io::Result<()> {
        while length > 0 {
            let at_hand = self.buffer.len().min(length);
            if at_hand > 0 {
                content(Part::Body(self.buffer.drain(..at_hand).collect()));
                length -= at_hand;
            } else if !self.fill().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    async fn all(&mut self, content: &mut impl FnMut(Part)) -> io::Result<()> {
        loop {
            content(Part::Body(std::mem::take(&mut self.buffer)));
            if !self.fill().await? {
                return Ok(());
            }
        }
    }

    async fn chunks(&mut self, content: &mut impl FnMut(Part)) -> io::Result<()> {
        loop {
            let line = self.line().await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(io::Error::other)?;
            if size == 0 {
                return self.trailers(content).await;
            }
            self.exactly(size, content).await?;
            self.line().await?;
        }
    }

    async fn trailers(&mut self, content: &mut impl FnMut(Part)) -> io::Result<()> {
        let mut trailers = Lines::default();
        loop {
            let line = self.line().await?;
            match line.split_once(':') {
                None => break,
                Some((name, value)) => trailers.push(&name.to_ascii_lowercase(), value.trim()),
            }
        }
        content(Part::Trailers(trailers));
        Ok(())
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|window| window == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if !self.fill().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// A part of what follows a header section.
pub(super) enum Part {
    Body(Vec<u8>),
    Trailers(Lines),
    End,
}

impl Content {
    pub(super) fn take(&mut self, part: Part) {
        match part {
            Part::Body(bytes) => self.body.extend(bytes),
            Part::Trailers(lines) => self.trailers = lines,
            Part::End => self.complete = true,
        }
    }
}

fn owned(lines: &[httparse::Header<'_>]) -> Lines {
    Lines(lines.iter().map(|line| (line.name.to_ascii_lowercase(), line.value.to_vec())).collect())
}

/// A message to send.
pub(super) struct Outgoing<'a> {
    /// Request line or status line, without its end.
    pub(super) start: String,
    pub(super) lines: &'a Lines,
    pub(super) chunks: &'a [Vec<u8>],
    pub(super) trailers: &'a Lines,
    /// Whether the message is brought to its end.
    pub(super) ends: bool,
}

/// Sends a message, chunk by chunk.
pub(super) async fn send(io: &mut (impl AsyncWrite + Unpin), message: Outgoing<'_>) -> io::Result<()> {
    let chunked = Framing::of(message.lines, Framing::UntilClose) == Framing::Chunked;
    let mut head = message.start.into_bytes();
    head.extend_from_slice(b"\r\n");
    write_lines(&mut head, message.lines);
    io.write_all(&head).await?;
    for (at, chunk) in message.chunks.iter().enumerate() {
        if at > 0 {
            tokio::time::sleep(BETWEEN_CHUNKS).await;
        }
        if chunked {
            io.write_all(&[format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat()).await?;
        } else {
            io.write_all(chunk).await?;
        }
    }
    if chunked && message.ends {
        let mut end = b"0\r\n".to_vec();
        write_lines(&mut end, message.trailers);
        io.write_all(&end).await?;
    }
    Ok(())
}

fn write_lines(out: &mut Vec<u8>, lines: &Lines) {
    for (name, value) in &lines.0 {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}
