//! A validation that confirmed nothing: the origin is asked once more without conditions, so that the client has its answer.

use ferrule_kit::{CalloutError, FieldLines, Flow, Host, Reply, Response};

use crate::Cache;
use crate::asked::Asked;
use crate::policy::response_fields::Excluded;
use crate::recast::{Onward, differences};

impl Cache {
    /// Says whether it is asked: not where it is unknown how, or by credentials that were made for one request alone.
    pub(crate) fn ask_again(&self, host: &mut dyn Host, asked: &Asked) -> bool {
        let Some(onward) = differences(&asked.fields, host).and_then(|_| Onward::read(host)) else {
            return false;
        };
        host.callout(onward.callout([])).is_ok()
    }

    /// The answer as it is; it is not stored.
    pub(crate) fn on_asked_again(&self, asked: &Asked, reply: Result<Reply<'_>, CalloutError>) -> Flow {
        let answer = reply.ok().and_then(|reply| self.answer_of(asked, &reply));
        Flow::Respond(answer.unwrap_or_else(|| self.validation_failed(asked)))
    }

    fn answer_of(&self, asked: &Asked, reply: &Reply<'_>) -> Option<Response> {
        let lines = reply.fields.iter();
        let lines: FieldLines =
            lines.map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), value.to_vec())).collect();
        let status = lines.iter().find(|(name, _)| name == ":status")?;
        let status = std::str::from_utf8(&status.1).ok()?.parse().ok().filter(|status| *status != 304)?;
        let excluded = Excluded::read(&lines[..], []);
        let is_kept = |name: &str| !excluded.covers(name) || name == "age";
        let is_own =
            |name: &str| name.starts_with("x-envoy-") || self.tag_names.iter().any(|tag| tag == name);
        let mut fields = lines.clone();
        fields.retain(|(name, _)| is_kept(name) && !is_own(name));
        fields.push(self.member(asked));
        Some(Response { status, fields, body: reply.body.concat(), details: "cache_asked_again".into() })
    }

    /// What there is to say where the origin's answer is of no use.
    pub(crate) fn validation_failed(&self, asked: &Asked) -> Response {
        let mut response = Response::text(502, "cache_validation_failed", "");
        response.fields.push(self.member(asked));
        response
    }

    fn member(&self, asked: &Asked) -> (String, Vec<u8>) {
        ("cache-status".to_owned(), asked.status.member(&self.name).into_bytes())
    }
}
