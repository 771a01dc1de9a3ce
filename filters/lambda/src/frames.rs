//! Frames of `application/vnd.amazon.eventstream`, decoded while they pass.
//!
//! A frame: total length, length of the headers (both 4 bytes, big-endian), CRC-32 of these eight bytes, headers, payload,
//! CRC-32 of all that came before. A header: length of its name, name, type of its value, value.
//!
//! Invariant: memory is bounded by one frame, whose length is checked before anything of it is kept.

/// The longest frame that the service sends ("maximum message size", 16 MB); ours is far below it, above Lambda's 6 MB.
const MAX_FRAME: usize = 8 * 1024 * 1024;
const PRELUDE: usize = 12;
const CHECKSUM: usize = 4;

/// What a frame means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event<'f> {
    /// A piece of the payload.
    Chunk(&'f [u8]),
    /// The function has ended; the payload says how.
    Complete(&'f [u8]),
    /// Lambda gives up, and says why.
    Exception { name: &'f str, payload: &'f [u8] },
    /// A frame of a kind that came later than this code.
    Other,
}

/// Why bytes are no frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a frame's lengths are none")]
    Length,
    #[error("a frame's checksum is another")]
    Checksum,
    #[error("a frame's headers are none")]
    Headers,
    #[error("the stream ends within a frame")]
    Truncated,
}

/// Bytes that came, of which some frame is not complete.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    held: Vec<u8>,
    /// Bytes of `held` that were read.
    read: usize,
}

impl Frames {
    /// Takes bytes in.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.read > 0 {
            self.held.drain(..self.read);
            self.read = 0;
        }
        self.held.extend_from_slice(bytes);
    }

    /// The next frame that is complete.
    ///
    /// # Errors
    /// The bytes are no frames; nothing that follows can be read.
    pub(crate) fn next_event(&mut self) -> Result<Option<Event<'_>>, FrameError> {
        let rest = self.held.get(self.read..).unwrap_or_default();
        let Some(length) = frame_length(rest)? else { return Ok(None) };
        let Some(frame) = rest.get(..length) else { return Ok(None) };
        self.read += length;
        event(frame).map(Some)
    }

    /// # Errors
    /// Something of a frame is left.
    pub(crate) fn end(&self) -> Result<(), FrameError> {
        if self.read == self.held.len() { Ok(()) } else { Err(FrameError::Truncated) }
    }
}

/// The frame's length, once its prelude is there.
fn frame_length(bytes: &[u8]) -> Result<Option<usize>, FrameError> {
    let Some(prelude) = bytes.get(..PRELUDE) else { return Ok(None) };
    let total = number(prelude, 0).ok_or(FrameError::Length)?;
    let headers = number(prelude, 4).ok_or(FrameError::Length)?;
    let fits = (PRELUDE + CHECKSUM..=MAX_FRAME).contains(&total);
    if !fits || headers > total - PRELUDE - CHECKSUM {
        return Err(FrameError::Length);
    }
    check(prelude, 8)?;
    Ok(Some(total))
}

/// Whether the four bytes at `at` are the checksum of all before them.
fn check(bytes: &[u8], at: usize) -> Result<(), FrameError> {
    let sum = bytes.get(..at).map(crc32fast::hash);
    let written = bytes.get(at..at + CHECKSUM).and_then(|sum| Some(u32::from_be_bytes(*sum.first_chunk()?)));
    if sum.is_some() && sum == written { Ok(()) } else { Err(FrameError::Checksum) }
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?)).ok()
}

fn event(frame: &[u8]) -> Result<Event<'_>, FrameError> {
    let end = frame.len() - CHECKSUM;
    check(frame, end)?;
    let length = number(frame, 4).ok_or(FrameError::Length)?;
    let headers = frame.get(PRELUDE..PRELUDE + length).ok_or(FrameError::Length)?;
    let payload = frame.get(PRELUDE + length..end).ok_or(FrameError::Length)?;
    let names = Names::read(headers)?;
    Ok(match (names.message, names.event, names.exception) {
        (Some("exception" | "error"), _, exception) => {
            Event::Exception { name: exception.unwrap_or_default(), payload }
        }
        (_, Some("PayloadChunk"), _) => Event::Chunk(payload),
        (_, Some("InvokeComplete"), _) => Event::Complete(payload),
        _ => Event::Other,
    })
}

/// The headers that say what a frame is.
#[derive(Default)]
struct Names<'f> {
    message: Option<&'f str>,
    event: Option<&'f str>,
    exception: Option<&'f str>,
}

impl<'f> Names<'f> {
    fn read(mut headers: &'f [u8]) -> Result<Self, FrameError> {
        let mut names = Self::default();
        while !headers.is_empty() {
            let (name, value, rest) = header(headers).ok_or(FrameError::Headers)?;
            match name {
                b":message-type" => names.message = value,
                b":event-type" => names.event = value,
                b":exception-type" | b":error-code" => names.exception = value,
                _ => {}
            }
            headers = rest;
        }
        Ok(names)
    }
}

/// A header's name, its value if that is text, and what follows it.
fn header(bytes: &[u8]) -> Option<(&[u8], Option<&str>, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*length))?;
    let (kind, rest) = rest.split_first()?;
    let size = match kind {
        0 | 1 => 0,
        2 => 1,
        3 => 2,
        4 => 4,
        5 | 8 => 8,
        9 => 16,
        6 | 7 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            let text = if *kind == 7 { Some(std::str::from_utf8(value).ok()?) } else { None };
            return Some((name, text, rest));
        }
        _ => return None,
    };
    Some((name, None, rest.split_at_checked(size)?.1))
}

#[cfg(test)]
#[path = "frames_tests.rs"]
pub(crate) mod tests;
