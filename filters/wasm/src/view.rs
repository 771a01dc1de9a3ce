//! What Envoy shows of a stream, as far as its answers do not tell by themselves.

use ferrule_kit::Message;

/// What is at hand of both messages.
#[derive(Debug, Default)]
pub(crate) struct View {
    request: Side,
    response: Side,
    /// The request's header section as it went on, in the form of [`crate::pairs`]: Envoy does not show it any more.
    pub(crate) gone_on: Vec<u8>,
}

/// What is at hand of one message.
#[derive(Debug, Default)]
pub(crate) struct Side {
    /// Bytes of the body.
    pub(crate) body_len: usize,
    /// All of the message has come and none of it has gone on.
    pub(crate) whole: bool,
    gone_on: bool,
    /// The trailer section has come. Envoy would make one where it is edited at the end of a body.
    pub(crate) trailers: bool,
    /// A body that Envoy has no place for, because the message has none.
    pub(crate) misplaced: Option<Vec<u8>>,
}

impl Side {
    /// A part of the message has come; `end` says that it is the last one.
    pub(crate) fn came(&mut self, end: bool) {
        self.whole = end && !self.gone_on;
    }

    /// What has come goes on.
    pub(crate) fn went(&mut self) {
        (self.body_len, self.whole, self.gone_on) = (0, false, true);
    }
}

impl View {
    pub(crate) fn of(&self, message: Message) -> &Side {
        match message {
            Message::Request => &self.request,
            Message::Response => &self.response,
        }
    }

    pub(crate) fn of_mut(&mut self, message: Message) -> &mut Side {
        match message {
            Message::Request => &mut self.request,
            Message::Response => &mut self.response,
        }
    }
}
