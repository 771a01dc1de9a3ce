//! The response side: what of the origin's answer is stored, what it confirms, and what it makes unusable.

use std::sync::Arc;

use ferrule_kit::{Fields, Flow, Host, Message};

use crate::asked::{Asked, remove_connection_fields};
use crate::fill::{Fill, Refused};
use crate::policy::answer::{Answer, answer};
use crate::policy::field::{Section, words};
use crate::policy::invalidation::invalidated;
use crate::policy::key::url_key;
use crate::policy::method::Method;
use crate::policy::partial::{Span, span_of};
use crate::policy::response_fields::goes_into_not_modified;
use crate::policy::stale;
use crate::policy::storability::{Storable, Times, Unstorable, assess};
use crate::store::codec::{Head, Parts};
use crate::store::{Object, Purge, Stored};
use crate::{Cache, Course, Fetching, Stream, counters, now, recast, section};

impl Cache {
    pub(crate) fn on_response(&self, stream: &mut Stream, host: &mut dyn Host, end: bool) -> Flow {
        let Some(mut asked) = stream.asked.take() else { return Flow::Leave };
        let status = status_of(host);
        let flow = match std::mem::take(&mut stream.course) {
            Course::Fetching(fetching) => self.on_fetched(stream, host, &mut asked, fetching, status, end),
            course => {
                stream.course = course;
                self.on_passing(stream, host, &mut asked, status)
            }
        };
        stream.asked = Some(asked);
        flow
    }

    /// An answer that is not for the store.
    fn on_passing(&self, stream: &mut Stream, host: &mut dyn Host, asked: &mut Asked, status: u16) -> Flow {
        // What Envoy says itself is not what the origin did (RFC 9111 §4.4).
        if !stream.is_local_reply {
            self.invalidate(host, asked, status);
        }
        self.announce(host, asked, status);
        self.leave()
    }

    fn invalidate(&self, host: &mut dyn Host, asked: &Asked, status: u16) {
        let uris = invalidated(asked.request.method, &asked.uri, status, &section::response(host));
        let purge = |uri| self.storage.purge(&Purge::Url(url_key(&uri, &self.key_rules)), false);
        let count: usize = uris.into_iter().map(purge).sum();
        host.count(counters::INVALIDATED, count as u64);
    }

    /// What every response says of this cache (RFC 9211), and what none of them carries on.
    pub(crate) fn announce(&self, host: &mut dyn Host, asked: &mut Asked, status: u16) {
        remove_connection_fields(host, Message::Response);
        self.tag_names.iter().for_each(|name| host.remove_field(Fields::ResponseHeaders, name));
        asked.status.fwd_status = (status_of(host) != status).then_some(status);
        host.add_field(Fields::ResponseHeaders, "cache-status", asked.status.member(&self.name).as_bytes());
    }

    fn on_fetched(
        &self,
        stream: &mut Stream,
        host: &mut dyn Host,
        asked: &mut Asked,
        fetching: Fetching,
        status: u16,
        end: bool,
    ) -> Flow {
        let at = now(host);
        if status == 304 && !fetching.asked_about.is_empty() {
            return self.on_not_modified(stream, host, asked, fetching);
        }
        // RFC 5861 §4
        if let Some(object) = fetching.usable().filter(|_| stale::is_error(status))
            && stale::if_error(object.stored(), &asked.request, at)
        {
            let object = object.clone();
            fetching.seat.release(&self.storage, at, false);
            // RFC 9211 §2.3: what the next hop said; Envoy's own word is none of it.
            asked.status.fwd_status = (!stream.is_local_reply).then_some(status);
            return self.serve(stream, host, asked, &object, true);
        }
        if asked.request.method == Method::Head {
            self.on_head(host, asked, status, stream.is_local_reply);
            fetching.seat.abandon(&self.storage);
            self.announce(host, asked, status);
            return self.leave();
        }
        self.on_full(stream, host, asked, fetching, status, end)
    }

    /// A response of its own, which takes the place of what was stored.
    fn on_full(
        &self,
        stream: &mut Stream,
        host: &mut dyn Host,
        asked: &mut Asked,
        fetching: Fetching,
        status: u16,
        end: bool,
    ) -> Flow {
        let at = now(host);
        let status = if stream.is_local_reply { out_of_reach(host, &fetching, status) } else { status };
        let span = part_of(host, asked, &fetching, status);
        let storable = match self.assess(stream, host, asked, if span.is_some() { 200 } else { status }) {
            Ok(storable) => storable,
            Err(why) => {
                let is_origins = !stream.is_local_reply && status < 500;
                let marks = is_origins && (why.is_of_response() || why == Unstorable::Authorization);
                // What answers the client's own condition or range, or someone with credentials, says nothing of what others get.
                let is_for_one = matches!(status, 304 | 416) || asked.request.has_authorization;
                let tells = is_origins && why.is_of_response() && !is_for_one;
                if let Some(object) = fetching.selected.filter(|_| tells) {
                    self.storage.remove(&object);
                }
                fetching.seat.release(&self.storage, at, marks);
                return self.on_unstorable(host, asked, status);
            }
        };
        let head = Head::encode(&self.parts(host, asked, &storable));
        let mut seat = fetching.seat;
        // What each must validate for itself is of no use to who waits.
        if storable.stored.no_cache || !storable.stored.is_fresh(at) {
            let alone = crate::fill::Seat { key: seat.key.clone(), flight: None, since: seat.since };
            std::mem::replace(&mut seat, alone).release(&self.storage, at, true);
        }
        let declared = if end { Some(0) } else { declared_length(host) };
        let begun = match span {
            Some(span) => Fill::begin_part(seat, storable.stored, head, span, &self.storage),
            None => Fill::begin(seat, storable.stored, head, declared, &self.storage),
        };
        match begun {
            Ok(mut fill) => {
                // What is asked again without the client is asked by GET.
                if asked.request.method == Method::Get {
                    fill.remember(host, &asked.fields);
                }
                asked.status.stored = true;
                asked.status.ttl = Some(storable.stored.ttl(at));
                self.answer_client(host, asked, &storable, at);
                self.announce(host, asked, status);
                self.set_course(stream, Course::Filling(Box::new(fill)));
                if end {
                    self.finish(stream, host);
                }
                Flow::Continue
            }
            Err((seat, refused)) => {
                seat.release(&self.storage, at, refused == Refused::TooLarge);
                self.on_unstorable(host, asked, status)
            }
        }
    }

    fn assess(
        &self,
        stream: &Stream,
        host: &dyn Host,
        asked: &Asked,
        status: u16,
    ) -> Result<Storable, Unstorable> {
        let times = Times { request: asked.sent, response: now(host) };
        match () {
            () if stream.is_local_reply => Err(Unstorable::Status),
            () if self.tags(host).len() > MAX_TAGS => Err(Unstorable::Tags),
            () => assess(&asked.request, status, &section::response(host), times, &self.rules),
        }
    }

    fn on_unstorable(&self, host: &mut dyn Host, asked: &mut Asked, status: u16) -> Flow {
        host.count(counters::UNSTORABLE, 1);
        self.announce(host, asked, status);
        self.leave()
    }

    fn parts(&self, host: &dyn Host, asked: &Asked, storable: &Storable) -> Parts {
        let selector = |name: &String| (name.clone(), self.selecting(&asked.fields[..], name));
        Parts {
            key: asked.key.clone(),
            selectors: storable.vary.iter().map(selector).collect(),
            tags: self.tags(host),
            // Which part of the content it is says the body.
            lines: self.lines(host, |name| storable.excluded.covers(name) || name == "content-range"),
            recast: (storable.stored.stale_while_revalidate > 0 && asked.request.method == Method::Get)
                .then(|| recast::differences(&asked.fields, host))
                .flatten(),
        }
    }

    /// The response's field lines but those that are left out, and those that hold tags.
    pub(crate) fn lines(
        &self,
        host: &dyn Host,
        is_left_out: impl Fn(&str) -> bool,
    ) -> Vec<(String, Vec<u8>)> {
        let lines = host.field_lines(Fields::ResponseHeaders).into_iter();
        let lines =
            lines.map(|(name, value)| (String::from_utf8_lossy(&name).into_owned(), value.into_owned()));
        // What Envoy tells of one exchange is not told of another.
        let is_kept = |name: &String| !name.starts_with("x-envoy-") && !self.tag_names.contains(name);
        lines.filter(|(name, _)| !is_left_out(name) && is_kept(name)).collect()
    }

    /// The tags by which the response may be purged.
    pub(crate) fn tags(&self, host: &dyn Host) -> Vec<Vec<u8>> {
        let response = section::response(host);
        let values = self.tag_names.iter().filter_map(|name| response.combined(name));
        values.flat_map(|value| words(&value).map(<[u8]>::to_vec).collect::<Vec<_>>()).collect()
    }

    /// The client's own conditions did not go to the origin: it may have this response already.
    fn answer_client(
        &self,
        host: &mut dyn Host,
        asked: &mut Asked,
        storable: &Storable,
        at: crate::policy::time::Time,
    ) {
        let etag = host.field(Fields::ResponseHeaders, "etag").map(|tag| tag.into_owned());
        let form =
            answer(asked.request.method, &asked.fields[..], &storable.stored, etag.as_deref(), None, at);
        if form != Answer::NotModified {
            return;
        }
        let names: Vec<String> =
            self.lines(host, goes_into_not_modified).into_iter().map(|(name, _)| name).collect();
        for name in names.iter().filter(|name| !name.starts_with(':')) {
            host.remove_field(Fields::ResponseHeaders, name);
        }
        host.set_field(Fields::ResponseHeaders, ":status", b"304");
    }

    pub(crate) fn on_bytes(&self, stream: &mut Stream, host: &mut dyn Host, end: bool) {
        let mut is_new = false;
        let pushed = match &mut stream.course {
            Course::Filling(fill) => {
                is_new = !end && fill.begins_to_be_watched();
                host.body(Message::Response).iter().try_for_each(|bytes| fill.push(bytes, &self.storage))
            }
            _ => Ok(()),
        };
        // A 304 has no content (RFC 9110 §15.4.5).
        if !host.allows_body(Message::Response) {
            host.replace_body(Message::Response, b"");
        }
        match pushed {
            Ok(()) if end => self.finish(stream, host),
            Ok(()) if is_new && !self.wait.is_zero() => host.wake_after(self.wait),
            Ok(()) => {}
            Err(refused) => self.give_up(stream, host, refused),
        }
    }

    fn give_up(&self, stream: &mut Stream, host: &mut dyn Host, refused: Refused) {
        if let Course::Filling(fill) = std::mem::take(&mut stream.course) {
            host.count(counters::UNSTORABLE, 1);
            fill.into_seat().release(&self.storage, now(host), refused == Refused::TooLarge);
        }
    }

    /// All of the response has come.
    pub(crate) fn finish(&self, stream: &mut Stream, host: &mut dyn Host) {
        let Course::Filling(fill) = std::mem::take(&mut stream.course) else { return };
        match fill.finish(&self.storage) {
            Ok(Stored::Yes) => host.count(counters::STORED, 1),
            Ok(Stored::Purged) => {}
            Err((seat, refused)) => {
                host.count(counters::UNSTORABLE, 1);
                seat.release(&self.storage, now(host), refused == Refused::TooLarge);
            }
        }
    }
}

/// A response with more tags is not stored: a purge by one that was left out would leave it.
const MAX_TAGS: usize = 256;

/// RFC 9111 §5.2.2.2: where what is stored must be validated and the origin cannot be reached, "a cache MUST generate an error response",
/// which SHOULD be a 504.
fn out_of_reach(host: &mut dyn Host, fetching: &Fetching, status: u16) -> u16 {
    let must_validate = |object: &Arc<Object>| stale::is_forbidden(object.stored());
    if !matches!(status, 502 | 503) || !fetching.usable().is_some_and(must_validate) {
        return status;
    }
    host.set_field(Fields::ResponseHeaders, ":status", b"504");
    504
}

/// What a 206 carries, where that can be kept.
fn part_of(host: &dyn Host, asked: &Asked, fetching: &Fetching, status: u16) -> Option<Span> {
    // The validation of a whole response asks for no range.
    let asks = fetching.asked_about.first().is_none_or(|object| object.body().runs().is_some());
    let is_part = status == 206 && asked.request.method == Method::Get && asks;
    is_part.then(|| span_of(&asked.fields[..], &section::response(host))).flatten()
}

fn status_of(host: &dyn Host) -> u16 {
    let status = host.field(Fields::ResponseHeaders, ":status").unwrap_or_default();
    std::str::from_utf8(&status).ok().and_then(|status| status.parse().ok()).unwrap_or(0)
}

fn declared_length(host: &dyn Host) -> Option<u64> {
    let length = host.field(Fields::ResponseHeaders, "content-length")?;
    std::str::from_utf8(&length).ok()?.parse().ok()
}
