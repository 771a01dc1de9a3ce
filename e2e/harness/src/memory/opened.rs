//! An answer that a filter gives piece by piece, and streams that are woken.

use ferrule_kit::{Event, Filter, Opening, Step};

use super::stream::Stream;
use crate::case::Lines;
use crate::seen::{ClientSaw, SeenResponse};

impl<F: Filter> Stream<'_, F> {
    /// The client takes all of the answer at once.
    pub(super) fn open(&mut self, opening: Opening) {
        self.details = Some(opening.details.into_owned());
        let is_head = self.exchange.request.method() == "HEAD";
        let (headers, trailers) = (Lines(opening.fields), Lines::default());
        let mut seen = SeenResponse { status: opening.status, headers, body: Vec::new(), trailers };
        let mut end = opening.end;
        while !end {
            match self.tell(Event::Room) {
                Step::Send { pieces, end: last } => {
                    pieces.iter().filter(|_| !is_head).for_each(|piece| seen.body.extend_from_slice(piece));
                    end = last;
                }
                // What it waits for is another stream, and there is none.
                Step::Stop(_) => {
                    self.verdict = Some(ClientSaw::Hang);
                    return;
                }
                _ => {
                    self.verdict = Some(ClientSaw::Reset(Some(seen)));
                    return;
                }
            }
        }
        self.verdict = Some(ClientSaw::Response(seen));
    }

    /// Tells a stream that its waker was used.
    pub(super) fn wake(&mut self) -> bool {
        let woken = self.host.wakes.as_ref().is_some_and(|wakes| wakes.take() > 0);
        if woken {
            match self.tell(Event::Woken) {
                Step::Pass | Step::Stop(_) => {}
                step => self.act(ferrule_kit::Message::Request, step),
            }
        }
        woken
    }
}
