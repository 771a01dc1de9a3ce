//! The bytes of a body that are at hand in a hook, and how to put others in their place.
//!
//! Envoy knows two bodies of a message: the chunk *received* in its body hook, and what is *buffered* because some filter
//! held it. The rules:
//! - Buffered bytes are this filter's only while this filter holds the message: a later filter may hold what this one
//!   has let pass.
//! - Where a filter before this one held the body, received and buffered are the same bytes.
//! - A message that ended with its headers has neither. Bytes appended to its buffered body become its body.
//! - Envoy takes edits of a buffered body in hooks about the same message, or when no message is passing.

use ferrule_abi::{BodyType, EnvoyBuffer};
use ferrule_kit::{Host, Message};
use smallvec::{SmallVec, smallvec};

use crate::host::NativeHost;
use crate::stream::Hook;

/// Bytes that are held twice, at most, while a body is taken; a chunk more where chunks are large.
const PIECE: usize = 1024 * 1024;

/// Bytes that are appended at a time: Envoy makes room for them in one go, and for as many as it reads at a time it finds room
/// where it has let go of others.
const APPENDED: usize = 16 * 1024;

/// Which of Envoy's bodies hold the bytes at hand, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    buffered: bool,
    received: bool,
}

impl Place {
    fn bodies(self, message: Message) -> impl Iterator<Item = BodyType> {
        let buffered = self.buffered.then_some(buffered(message));
        buffered.into_iter().chain(self.received.then_some(received(message)))
    }
}

impl NativeHost<'_> {
    pub(crate) fn bytes_at_hand(&self, message: Message) -> usize {
        self.bodies(message).map(|body| self.size(body)).sum()
    }

    pub(crate) fn chunks_at_hand(&self, message: Message) -> Vec<&[u8]> {
        self.bodies(message).flat_map(|body| self.chunks(body)).collect()
    }

    fn chunks(&self, body: BodyType) -> impl Iterator<Item = &[u8]> {
        // SAFETY: the filter is alive, and the array has room for all chunks.
        let lent: SmallVec<[EnvoyBuffer; 8]> = unsafe {
            let count = (self.envoy.http_get_body_chunks_size)(self.filter, body);
            let mut lent = smallvec![EnvoyBuffer::EMPTY; count];
            let found = count > 0 && (self.envoy.http_get_body_chunks)(self.filter, body, lent.as_mut_ptr());
            if found { lent } else { SmallVec::new() }
        };
        // SAFETY: Envoy lends them until the next edit, which takes the host mutably.
        lent.into_iter().map(|chunk| unsafe { chunk.bytes() })
    }

    fn drain(&mut self, body: BodyType, count: usize) {
        if count > 0 {
            // SAFETY: the filter is alive while the hook runs.
            unsafe { (self.envoy.http_drain_body)(self.filter, body, count) };
        }
    }

    pub(crate) fn put_chunks(&mut self, message: Message, chunks: &[&[u8]]) {
        let chunks = if self.allows_body(message) { chunks } else { &[] };
        let place = self.place(message);
        let at_hand = place.bodies(message);
        let target = match place {
            Place { received: true, .. } => received(message),
            _ if self.may_append(message) => buffered(message),
            _ => return,
        };
        for body in at_hand {
            self.drain(body, self.size(body));
        }
        for piece in chunks.iter().flat_map(|chunk| chunk.chunks(APPENDED)) {
            // SAFETY: the filter is alive; the bytes outlive the call.
            unsafe { (self.envoy.http_append_body)(self.filter, target, piece.into()) };
        }
    }

    /// Copies the bytes at hand out, piece by piece, and has Envoy free each piece before the next is copied.
    pub(crate) fn take_chunks(&mut self, message: Message) -> Vec<u8> {
        let place = self.place(message);
        let len = place.bodies(message).map(|body| self.size(body)).sum();
        let mut taken = Vec::with_capacity(len);
        for body in place.bodies(message) {
            while taken.len() < len && self.take_piece(body, &mut taken) > 0 {}
            self.taken = Some(message);
        }
        taken
    }

    /// Moves the first chunks of a body, up to the one that makes them a [`PIECE`]; says how many bytes that were.
    fn take_piece(&mut self, body: BodyType, taken: &mut Vec<u8>) -> usize {
        let before = taken.len();
        for chunk in self.chunks(body) {
            taken.extend_from_slice(chunk);
            if taken.len() - before >= PIECE {
                break;
            }
        }
        let moved = taken.len() - before;
        self.drain(body, moved);
        moved
    }

    /// Whether bytes may be put into the buffered body now: it exists and is ours, or the message ended without one.
    fn may_append(&self, message: Message) -> bool {
        let editable = match self.hook {
            Hook::Headers(current) | Hook::Trailers(current) => current == message,
            Hook::Reply => true,
            Hook::Data(_) | Hook::Other => false,
        };
        let has_place = || {
            self.taken == Some(message) || self.size(buffered(message)) > 0 || self.head.course(message).ended
        };
        editable && self.owns_buffered(message) && has_place()
    }

    fn place(&self, message: Message) -> Place {
        let (ours, passing) = (self.owns_buffered(message), self.hook == Hook::Data(message));
        Place { buffered: ours && !(passing && self.same_bytes(message)), received: passing }
    }

    fn owns_buffered(&self, message: Message) -> bool {
        let course = self.head.course(message);
        course.held || course.ended && self.hook == Hook::Headers(message)
    }

    fn bodies(&self, message: Message) -> impl Iterator<Item = BodyType> + use<> {
        self.place(message).bodies(message)
    }

    fn size(&self, body: BodyType) -> usize {
        // SAFETY: the filter is alive while the hook runs.
        unsafe { (self.envoy.http_get_body_size)(self.filter, body) }
    }

    fn same_bytes(&self, message: Message) -> bool {
        let ask = match message {
            Message::Request => self.envoy.http_received_buffered_request_body,
            Message::Response => self.envoy.http_received_buffered_response_body,
        };
        // SAFETY: the filter is alive while the hook runs.
        unsafe { ask(self.filter) }
    }
}

fn buffered(message: Message) -> BodyType {
    match message {
        Message::Request => BodyType::BufferedRequest,
        Message::Response => BodyType::BufferedResponse,
    }
}

fn received(message: Message) -> BodyType {
    match message {
        Message::Request => BodyType::ReceivedRequest,
        Message::Response => BodyType::ReceivedResponse,
    }
}
