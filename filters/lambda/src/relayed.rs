//! The answer to a call that the filter made beside the request, on hosts where the request could not become the call.
//!
//! A streamed result is answered whole: nothing of a callout is shown before its end.

use std::borrow::Cow;

use ferrule_kit::{CalloutError, Reply, Response};

use crate::failure::Failure;
use crate::outcome::{self, ApiHead, Verdict};
use crate::streaming;
use crate::{Answer, Calls};

impl Calls {
    /// What the client gets.
    ///
    /// # Errors
    /// Says what went wrong.
    pub(crate) fn relayed(&self, reply: Result<Reply<'_>, CalloutError>) -> Result<Response, Failure> {
        let reply = reply.map_err(Failure::Callout)?;
        let head = ApiHead::read(|name| outcome::field_of(&reply, name));
        match head.verdict(self.invocation, self.format.mode, self.errors) {
            Verdict::Pass => Ok(outcome::relay(&reply, None)),
            Verdict::PassAs(status) => Ok(outcome::relay(&reply, Some(status))),
            Verdict::Fail(failure) => Err(failure.explained_by(&reply.body.concat())),
            Verdict::Unwrap => {
                let json = reply.body.concat();
                let answer = self.reader.read(&json).map_err(Failure::Malformed)?;
                Ok(outcome::respond(&reply, answer))
            }
            Verdict::Stream => self.gathered(&reply),
        }
    }

    fn gathered(&self, reply: &Reply<'_>) -> Result<Response, Failure> {
        let has_prelude = outcome::has_prelude(&outcome::field_of(reply, "content-type").unwrap_or_default());
        let (mut result, mut body) = (self.result(has_prelude), Vec::new());
        let head = result.take(&self.reader, &reply.body.concat(), &mut body).map_err(Failure::Broken)?;
        result.end().map_err(Failure::Broken)?;
        let head = head.unwrap_or_else(streaming::bytes_head);
        let fields = head.fields.into_iter().map(|(name, value)| (name.into(), value.into()));
        let answer = Answer { status: head.status, fields: fields.collect(), body: Cow::Owned(body) };
        Ok(outcome::respond(reply, answer))
    }
}
