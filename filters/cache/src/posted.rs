//! A POST that the configuration lets be answered from the store: its content is held, for its key, and goes on as it came.

use ferrule_kit::{Fields, Flow, Host, Message};

use crate::asked::Asked;
use crate::policy::content::digest;
use crate::policy::key;
use crate::policy::method::Method;
use crate::reason::Bypass;
use crate::{Cache, Course, Stream, section};

impl Cache {
    /// The header section of such a POST has come.
    pub(crate) fn on_post(
        &self,
        stream: &mut Stream,
        host: &mut dyn Host,
        mut asked: Asked,
        end: bool,
    ) -> Flow {
        // Its conditions are no validation (RFC 9110 §13.1), and it has no ranges (§14.2).
        let request = &mut asked.request;
        request.method = Method::PostByContent;
        request.is_for_origin |= request.is_conditional;
        request.has_range = false;
        if !end && declared_length(host).is_some_and(|length| length > self.limit(host)) {
            return self.pass_by(stream, host, asked, Bypass::Content);
        }
        stream.asked = Some(Box::new(asked));
        if end {
            return self.on_content(stream, host);
        }
        self.set_course(stream, Course::Reading);
        Flow::AwaitData
    }

    /// More of its content is at hand, which is all held.
    pub(crate) fn on_posted(&self, stream: &mut Stream, host: &mut dyn Host, end: bool) -> Flow {
        if !matches!(stream.course, Course::Reading) {
            return Flow::Continue;
        }
        match (host.body_len(Message::Request) > self.limit(host), stream.asked.take()) {
            (true, Some(asked)) => self.pass_by(stream, host, *asked, Bypass::Content),
            (_, asked) => {
                stream.asked = asked;
                if end { self.on_content(stream, host) } else { Flow::AwaitData }
            }
        }
    }

    /// All of its content is at hand.
    pub(crate) fn on_content(&self, stream: &mut Stream, host: &mut dyn Host) -> Flow {
        stream.course = Course::Pass;
        if let Some(asked) = stream.asked.as_deref_mut() {
            let request = section::request(host);
            let digest = digest(&request, host.body(Message::Request).iter());
            asked.key = key::with_content(key::key(&asked.uri, &request, &self.key_rules), &digest);
        }
        self.look_up(stream, host, true)
    }

    /// Bytes of content that are held.
    fn limit(&self, host: &dyn Host) -> usize {
        self.post.unwrap_or(0).min(host.buffer_limit())
    }
}

fn declared_length(host: &dyn Host) -> Option<usize> {
    let length = host.field(Fields::RequestHeaders, "content-length")?;
    std::str::from_utf8(&length).ok()?.parse().ok()
}
