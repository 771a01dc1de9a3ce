//! A streamed result: frames become the bytes of a body as they come; the first of them may be the head of the answer.
//!
//! A result that does not begin like one is all body.

use std::sync::Arc;

use ferrule_json::{Document, Kind};
use ferrule_kit::Host;

use crate::answer::{Answer, Malformed, Reader};
use crate::frames::{Event, FrameError, Frames};
use crate::outcome::put_head;
use crate::prelude::{Prelude, Told};
use crate::reason::Reason;

/// The type of a result that begins with a head.
const INTEGRATION: &str = "application/vnd.awslambda.http-integration-response";
/// That of the frames, which tells nothing of the result in them.
const FRAMES: &str = "application/vnd.amazon.eventstream";
/// That of a result whose function names none, as runtimes have it (`ResponseStream` of the Node.js runtime interface client).
const UNNAMED: &str = "application/octet-stream";

/// Status and field lines of an answer whose body is on its way.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
}

impl Head {
    fn of(answer: Answer<'_>) -> Self {
        let fields = answer.fields.into_iter();
        Self {
            status: answer.status,
            fields: fields.map(|(name, value)| (name.into_owned(), value.into_owned())).collect(),
        }
    }

    /// Takes the place of the head at hand.
    pub(crate) fn put(&self, host: &mut dyn Host) {
        let fields = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        put_head(host, self.status, fields);
    }
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
    #[error("how the function ended {0}")]
    Ending(Malformed),
    /// The connection did; Envoy's details.
    #[error("{0}")]
    Cut(String),
}

/// A result under way.
#[derive(Debug)]
pub(crate) struct Streaming {
    frames: Frames,
    stage: Stage,
    complete: bool,
    names: [String; 1],
    /// Where it has no head.
    media_type: String,
}

#[derive(Debug)]
enum Stage {
    Head(Prelude, Arc<Reader>),
    Body,
}

impl Streaming {
    /// A result whose bytes are all body, of a type that Lambda reports (InvokeWithResponseStream, `ResponseStreamContentType`).
    pub(crate) fn of_bytes(reported: &[u8]) -> Self {
        Self::at(Stage::Body, reported)
    }

    /// A result that may begin with a head for that reader; it must where Lambda reports that type.
    pub(crate) fn with_head(reader: Arc<Reader>, reported: &[u8]) -> Self {
        let prelude = Prelude::new(reported.starts_with(INTEGRATION.as_bytes()));
        Self::at(Stage::Head(prelude, reader), reported)
    }

    fn at(stage: Stage, reported: &[u8]) -> Self {
        let own = |reported: &&str| !reported.starts_with(INTEGRATION) && !reported.starts_with(FRAMES);
        let reported = std::str::from_utf8(reported).ok().filter(own).filter(|reported| !reported.is_empty());
        let media_type = reported.unwrap_or(UNNAMED).to_owned();
        Self {
            frames: Frames::default(),
            stage,
            complete: false,
            names: ["ErrorCode".to_owned()],
            media_type,
        }
    }

    /// The head of the answer where the result has none.
    pub(crate) fn bare_head(&self) -> Head {
        bare_head(&self.media_type)
    }

    /// Takes bytes in, writes those of the body to `body`, and gives the head once it is known.
    ///
    /// # Errors
    /// The result has broken off.
    pub(crate) fn take(&mut self, bytes: &[u8], body: &mut Vec<u8>) -> Result<Option<Head>, Broken> {
        self.frames.push(bytes);
        let mut head = None;
        while let Some(event) = self.frames.next_event()? {
            match event {
                Event::Chunk(_) if self.complete => {}
                Event::Chunk(chunk) => {
                    head = self.stage.take(chunk, &self.media_type, body)?.or(head);
                }
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
        if self.complete { Ok(self.stage.end(&self.media_type, body)?.or(head)) } else { Ok(head) }
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
    let document = Document::parse(how, names).map_err(|error| Broken::Ending(Malformed::Json(error)))?;
    match document.member(0).map(ferrule_json::Node::kind) {
        None | Some(Kind::Null) => Ok(()),
        Some(_) => Err(Broken::Function(Reason::read(how))),
    }
}

impl Stage {
    fn take(&mut self, chunk: &[u8], media_type: &str, body: &mut Vec<u8>) -> Result<Option<Head>, Broken> {
        let Self::Head(prelude, reader) = self else {
            body.extend_from_slice(chunk);
            return Ok(None);
        };
        match prelude.take(chunk) {
            Told::Nothing => Ok(None),
            Told::NoHead => self.end(media_type, body),
            Told::Head(json, after) => {
                let head = Head::of(reader.read_prelude(json).map_err(Broken::Head)?);
                body.extend_from_slice(after);
                *self = Self::Body;
                Ok(Some(head))
            }
        }
    }

    /// What has begun is no head.
    fn end(&mut self, media_type: &str, body: &mut Vec<u8>) -> Result<Option<Head>, Broken> {
        match std::mem::replace(self, Self::Body) {
            Self::Body => Ok(None),
            Self::Head(prelude, _) if prelude.is_required() => Err(Broken::Endless),
            Self::Head(prelude, _) => {
                body.extend_from_slice(prelude.rest());
                Ok(Some(bare_head(media_type)))
            }
        }
    }
}

fn bare_head(media_type: &str) -> Head {
    Head { status: 200, fields: vec![("content-type".to_owned(), media_type.to_owned())] }
}

#[cfg(test)]
#[path = "streaming_tests.rs"]
mod tests;
