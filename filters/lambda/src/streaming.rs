//! A streamed result: frames become the bytes of a body as they come; the first of them may be the head of the answer.
//!
//! The head ("HTTP integration"): a JSON object, then eight NULs, within the first 16 KB. A result that does not begin like one is
//! all body.

use ferrule_json::{Document, Kind};
use ferrule_kit::Host;

use crate::answer::{Malformed, Reader};
use crate::frames::{Event, FrameError, Frames};
use crate::outcome::put_head;
use crate::reason::Reason;

/// Where the head must have ended.
const MAX_HEAD: usize = 16 * 1024;
const SEPARATOR: [u8; 8] = [0; 8];

/// Status and field lines of an answer whose body is on its way.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
}

impl Head {
    /// Takes the place of the head at hand.
    pub(crate) fn put(&self, host: &mut dyn Host) {
        let fields = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        put_head(host, self.status, fields);
    }
}

/// The head of a result that has none.
pub(crate) fn bytes_head() -> Head {
    let fields = vec![("content-type".to_owned(), "application/octet-stream".to_owned())];
    Head { status: 200, fields }
}

/// Why a result ends before its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("the head {0}")]
    Head(Malformed),
    #[error("the head has no end")]
    Endless,
    #[error("the stream ends before the function has")]
    Early,
    #[error("the function failed: {0}")]
    Function(Reason),
    #[error("the stream failed: {0}")]
    Exception(Reason),
}

/// A result under way.
#[derive(Debug)]
pub(crate) struct Streaming {
    frames: Frames,
    stage: Stage,
    complete: bool,
    names: [String; 1],
}

#[derive(Debug)]
enum Stage {
    /// What may be a head has begun; how much of it has no separator.
    Head {
        begun: Vec<u8>,
        searched: usize,
        required: bool,
    },
    Body,
}

impl Streaming {
    /// A result whose bytes are all body.
    pub(crate) fn of_bytes() -> Self {
        Self::at(Stage::Body)
    }

    /// A result that may begin with a head, or must.
    pub(crate) fn with_head(required: bool) -> Self {
        Self::at(Stage::Head { begun: Vec::new(), searched: 0, required })
    }

    fn at(stage: Stage) -> Self {
        Self { frames: Frames::default(), stage, complete: false, names: ["ErrorCode".to_owned()] }
    }

    /// Takes bytes in, writes those of the body to `body`, and gives the head once it is known.
    ///
    /// # Errors
    /// The result has broken off.
    pub(crate) fn take(
        &mut self,
        reader: &Reader,
        bytes: &[u8],
        body: &mut Vec<u8>,
    ) -> Result<Option<Head>, Broken> {
        self.frames.push(bytes);
        let mut head = None;
        while let Some(event) = self.frames.next_event()? {
            match event {
                Event::Chunk(_) if self.complete => {}
                Event::Chunk(chunk) => head = self.stage.take(reader, chunk, body)?.or(head),
                Event::Complete(how) => {
                    ended_well(how, &self.names)?;
                    self.complete = true;
                }
                Event::Exception { name, payload } => {
                    let reason = Reason::of_kind(name.as_bytes()).or(Reason::read(payload));
                    return Err(Broken::Exception(reason));
                }
                Event::Other => {}
            }
        }
        if self.complete { Ok(self.stage.end(body)?.or(head)) } else { Ok(head) }
    }

    /// No more bytes come.
    ///
    /// # Errors
    /// More were to come.
    pub(crate) fn end(&self) -> Result<(), Broken> {
        self.frames.end()?;
        if self.complete { Ok(()) } else { Err(Broken::Early) }
    }
}

fn ended_well(how: &[u8], names: &[String]) -> Result<(), Broken> {
    if how.is_empty() {
        return Ok(());
    }
    let document = Document::parse(how, names).map_err(|error| Broken::Head(Malformed::Json(error)))?;
    match document.member(0).map(ferrule_json::Node::kind) {
        None | Some(Kind::Null) => Ok(()),
        Some(_) => Err(Broken::Function(Reason::read(how))),
    }
}

impl Stage {
    fn take(&mut self, reader: &Reader, chunk: &[u8], body: &mut Vec<u8>) -> Result<Option<Head>, Broken> {
        let Self::Head { begun, searched, required } = self else {
            body.extend_from_slice(chunk);
            return Ok(None);
        };
        begun.extend_from_slice(chunk);
        let rest = begun.get(*searched..).unwrap_or_default();
        if let Some(at) = rest.windows(SEPARATOR.len()).position(|window| window == SEPARATOR) {
            let (json, after) = begun.split_at(*searched + at);
            let head = reader.read_prelude(json).map_err(Broken::Head)?;
            let owned = |(name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| {
                (name.into_owned(), value.into_owned())
            };
            let head = Head { status: head.status, fields: head.fields.into_iter().map(owned).collect() };
            body.extend_from_slice(after.get(SEPARATOR.len()..).unwrap_or_default());
            *self = Self::Body;
            return Ok(Some(head));
        }
        *searched = begun.len().saturating_sub(SEPARATOR.len() - 1);
        let begins_like_one = begun.trim_ascii_start().first().is_none_or(|byte| *byte == b'{');
        if begins_like_one && begun.len() <= MAX_HEAD {
            return Ok(None);
        }
        if *required { Err(Broken::Endless) } else { self.end(body) }
    }

    /// What has begun is no head.
    fn end(&mut self, body: &mut Vec<u8>) -> Result<Option<Head>, Broken> {
        match std::mem::replace(self, Self::Body) {
            Self::Body => Ok(None),
            Self::Head { required: true, .. } => Err(Broken::Endless),
            Self::Head { begun, .. } => {
                body.extend_from_slice(&begun);
                Ok(Some(bytes_head()))
            }
        }
    }
}

#[cfg(test)]
#[path = "streaming_tests.rs"]
mod tests;
