//! Answers begun by [`crate::Flow::Open`] that leave in one piece: where the host cannot do otherwise, and in the place of a response.

use std::ops::Deref;

use crate::driver::Told;
use crate::{Driver, Event, Fields, Filter, Host, Message, Opening, Piece, Response, Step, Supply, wire};

impl<F: Filter, P: Deref<Target = F>> Driver<F, P> {
    /// For hosts that send an answer in one piece: `step`, or in the place of [`Step::Open`] the answer with all of its body. One
    /// whose body is not at hand yet is reset: such hosts have no wakers, so that no filter should have begun it.
    pub fn at_once(&mut self, step: Step, host: &mut dyn Host) -> Step {
        let Step::Open(opening) = step else { return step };
        let mut body = Vec::new();
        while self.sending {
            match self.on(Event::Room, host) {
                Step::Send { pieces, .. } => pieces.iter().for_each(|piece| body.extend_from_slice(piece)),
                _ => return Step::Reset,
            }
        }
        response(opening, body)
    }

    /// A response that has all come becomes the answer, on its way through the filters after this one; in the place of one that is
    /// still coming, the proxy answers.
    pub(crate) fn open_in_place(&mut self, opening: Opening, told: Told, host: &mut dyn Host) -> Step {
        let mut pieces = Vec::new();
        if !opening.end && !self.supply_whole(&mut pieces, host) {
            return Step::Reset;
        }
        if !self.response.ended {
            return response(opening, pieces.iter().flat_map(|piece| piece.iter().copied()).collect());
        }
        put_head(wire::opening(opening), host);
        let chunks: Vec<&[u8]> = pieces.iter().map(|piece| &**piece).collect();
        host.put_body(Message::Response, &chunks);
        self.over = true;
        if told == Told::Reply { Step::Resume(Message::Response) } else { Step::Pass }
    }

    fn supply_whole(&mut self, pieces: &mut Vec<Piece>, host: &mut dyn Host) -> bool {
        while let Supply::Data { pieces: more, end } = self.filter.on_room(&mut self.stream, host) {
            pieces.extend(more);
            if end {
                return true;
            }
        }
        false
    }
}

fn response(opening: Opening, body: Vec<u8>) -> Step {
    let Opening { status, mut fields, details, end } = opening;
    // The host sets it by the body, and where there is none, an answer to HEAD tells of the one that GET would have.
    fields.retain(|(name, _)| end || name != "content-length");
    Step::Respond(Response { status, fields, body, details })
}

/// Puts an answer's header section in the place of the response's.
fn put_head(opening: Opening, host: &mut dyn Host) {
    let section = Fields::ResponseHeaders;
    let names = host.field_lines(section).into_iter();
    let names: Vec<_> = names.map(|(name, _)| String::from_utf8_lossy(&name).into_owned()).collect();
    names.iter().filter(|name| !name.starts_with(':')).for_each(|name| host.remove_field(section, name));
    host.set_field(section, ":status", opening.status.to_string().as_bytes());
    opening.fields.iter().for_each(|(name, value)| host.add_field(section, name, value));
}
