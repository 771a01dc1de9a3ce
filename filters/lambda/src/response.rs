//! Lambda's answer to a call that the request itself became, as it passes.

use ferrule_kit::{Fields, Flow, Host, Message, line};

use crate::answer::Reader;
use crate::call;
use crate::failure::Failure;
use crate::outcome::{self, ApiHead, Verdict};
use crate::streaming::{Broken, Streaming};
use crate::{Calls, Stage, Stream};

impl Calls {
    pub(crate) fn on_answer(&self, stream: &mut Stream, host: &mut dyn Host, end: bool) -> Flow {
        let lines = host.field_lines(Fields::ResponseHeaders);
        let head = ApiHead::read(|name| line(&lines, name).map(<[u8]>::to_vec));
        drop(lines);
        match head.verdict(self.invocation, self.reader(), self.errors) {
            Verdict::Pass => self.pass(stream, host),
            Verdict::PassError(error, status) => {
                self.told(stream, host, &self.judged(error, b""));
                if let Some(status) = status {
                    host.set_field(Fields::ResponseHeaders, ":status", status.to_string().as_bytes());
                }
                self.pass(stream, host)
            }
            Verdict::Fail(error) => {
                stream.stage = Stage::Judging(error);
                Flow::AwaitBody
            }
            Verdict::Unwrap(reader) => {
                stream.stage = Stage::Unwrapping(reader);
                Flow::AwaitBody
            }
            Verdict::Stream if end => self.fail(stream, host, Failure::Broken(Broken::Early)),
            Verdict::Stream => self.begin_stream(stream, host),
        }
    }

    fn pass(&self, stream: &mut Stream, host: &mut dyn Host) -> Flow {
        if self.asks_for_log {
            outcome::drop_log(host);
        }
        if !stream.is_head {
            return Flow::Leave;
        }
        stream.stage = Stage::Dropping;
        host.remove_field(Fields::ResponseHeaders, "content-length");
        Flow::Continue
    }

    pub(crate) fn unwrap_answer(&self, stream: &mut Stream, host: &mut dyn Host, reader: &Reader) -> Flow {
        let json = host.take_body(Message::Response);
        match reader.read(&json) {
            Ok(answer) => {
                outcome::put(host, &answer, stream.is_head);
                call::drop_trailers(host, Message::Response);
                Flow::Leave
            }
            Err(malformed) => self.fail(stream, host, Failure::Malformed(malformed)),
        }
    }

    fn begin_stream(&self, stream: &mut Stream, host: &mut dyn Host) -> Flow {
        let reported = host.field(Fields::ResponseHeaders, "content-type").unwrap_or_default();
        let result = Box::new(self.result(&reported));
        let headers_sent = self.formatted.is_none();
        if headers_sent {
            result.bare_head().put(host);
        }
        stream.stage = Stage::Streaming { result, headers_sent };
        if headers_sent { Flow::Continue } else { Flow::AwaitData }
    }

    /// A result that Lambda reports to be of that type.
    pub(crate) fn result(&self, reported: &[u8]) -> Streaming {
        match self.reader() {
            None => Streaming::of_bytes(reported),
            Some(reader) => Streaming::with_head(reader.clone(), reported),
        }
    }

    pub(crate) fn on_chunk(&self, stream: &mut Stream, host: &mut dyn Host, end: bool) -> Flow {
        let Stage::Streaming { result, headers_sent } = &mut stream.stage else { return Flow::Continue };
        let (bytes, mut body) = (host.take_body(Message::Response), Vec::new());
        let taken = result.take(&bytes, &mut body);
        let taken = taken.and_then(|head| if end { result.end().map(|()| head) } else { Ok(head) });
        let head = match taken {
            Ok(head) => head,
            Err(broken) => return self.fail(stream, host, Failure::of_stream(broken)),
        };
        if let Some(head) = &head {
            *headers_sent = true;
            head.put(host);
        }
        if !*headers_sent {
            return Flow::AwaitData;
        }
        let body: &[u8] = if stream.is_head { b"" } else { &body };
        host.put_body(Message::Response, &[body]);
        Flow::Continue
    }
}
