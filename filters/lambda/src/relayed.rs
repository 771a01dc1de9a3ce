//! The answer to a call that the filter made beside the request, on hosts where the request could not become the call.
//!
//! A streamed result is answered whole: nothing of a callout is shown before its end.

use std::borrow::Cow;

use ferrule_kit::{CalloutError, Host, Reply, Response};

use crate::answer::Answer;
use crate::failure::Failure;
use crate::outcome::{self, ApiHead, Verdict};
use crate::{Calls, Stream};

impl Calls {
    /// What the client gets.
    ///
    /// # Errors
    /// Says what went wrong.
    pub(crate) fn relayed(
        &self,
        stream: &Stream,
        host: &mut dyn Host,
        reply: Result<Reply<'_>, CalloutError>,
    ) -> Result<Response, Failure> {
        let reply = reply.map_err(|error| match error {
            CalloutError::TooLarge => Failure::AnswerTooLarge,
            error => Failure::Callout(error),
        })?;
        let head = ApiHead::read(|name| outcome::field_of(&reply, name));
        match head.verdict(self.invocation, self.reader(), self.errors) {
            Verdict::Pass => Ok(outcome::relay(&reply, None)),
            Verdict::PassError(error, status) => {
                self.told(stream, host, &self.judged(error, &reply.body.concat()));
                Ok(outcome::relay(&reply, status))
            }
            Verdict::Fail(error) => Err(self.judged(error, &reply.body.concat())),
            Verdict::Unwrap(reader) => {
                let json = reply.body.concat();
                let answer = reader.read(&json).map_err(Failure::Malformed)?;
                Ok(outcome::respond(&reply, answer))
            }
            Verdict::Stream => self.gathered(&reply),
        }
    }

    fn gathered(&self, reply: &Reply<'_>) -> Result<Response, Failure> {
        let reported = outcome::field_of(reply, "content-type").unwrap_or_default();
        let (mut result, mut body) = (self.result(&reported), Vec::new());
        let head = result.take(&reply.body.concat(), &mut body).map_err(Failure::of_stream)?;
        result.end().map_err(Failure::of_stream)?;
        let head = head.unwrap_or_else(|| result.bare_head());
        let fields = head.fields.into_iter().map(|(name, value)| (name.into(), value.into()));
        let answer = Answer { status: head.status, fields: fields.collect(), body: Cow::Owned(body) };
        Ok(outcome::respond(reply, answer))
    }
}
