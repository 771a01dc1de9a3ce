//! What passes between a host and a [`crate::Driver`]: events go in, steps come out.

use crate::{CalloutError, CalloutId, Message, Opening, Piece, Reply, Response};

/// What a host has to tell.
#[derive(Debug)]
pub enum Event<'a> {
    /// A header section; `end` says that the message ends with it.
    Headers {
        /// Whose headers.
        message: Message,
        /// Neither body nor trailers follow.
        end: bool,
    },
    /// A chunk of a body; `end` says that the message ends with it.
    Data {
        /// Whose body.
        message: Message,
        /// Neither body nor trailers follow.
        end: bool,
    },
    /// A trailer section, which ends its message.
    Trailers {
        /// Whose trailers.
        message: Message,
    },
    /// A callout is over.
    Reply {
        /// Which callout.
        id: CalloutId,
        /// What came of it.
        reply: Result<Reply<'a>, CalloutError>,
    },
    /// The stream's waker was used.
    Woken,
    /// The client takes more of the answer that [`Step::Open`] began.
    Room,
    /// Envoy is about to answer by itself.
    LocalReply {
        /// The status it will send.
        status: u16,
        /// Envoy's response-code details.
        details: &'a str,
    },
    /// The stream is over.
    Done,
}

/// What the host has to do once [`crate::Driver::on`] has returned.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Let what the event was about go on.
    Pass,
    /// Hold it. For [`Event::Reply`]: go on holding.
    Stop(Hold),
    /// Let a message that was held go on.
    Resume(Message),
    /// Answer the client with this and nothing else.
    Respond(Response),
    /// Answer the client with this; then tell [`Event::Room`] until the end has been sent, unless `end` is said here already.
    Open(Opening),
    /// Send these bytes of the answer; unless they are its end, tell [`Event::Room`] as soon as the client takes more.
    Send {
        /// In order.
        pieces: Vec<Piece>,
        /// Nothing follows.
        end: bool,
    },
    /// Reset the stream.
    Reset,
}

/// How much to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Keep the message back, but go on showing its body as it arrives, so that it can be collected.
    Body,
    /// Keep the message back and slow its sender down; more of it need not be shown before it is resumed.
    Stream,
}
