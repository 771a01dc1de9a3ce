//! The response side: what of the origin's answer is stored, what it confirms, and what it makes unusable.

use ferrule_kit::{Fields, Flow, Host, Message};

use crate::asked::{Asked, remove_connection_fields};
use crate::fill::{Fill, Refused};
use crate::policy::answer::{Answer, answer};
use crate::policy::field::{Section, members};
use crate::policy::invalidation::invalidated;
use crate::policy::key::url_key;
use crate::policy::method::Method;
use crate::policy::response_fields::goes_into_not_modified;
use crate::policy::stale;
use crate::policy::storability::{Storable, Times, Unstorable, assess};
use crate::store::codec::{Head, Parts};
use crate::store::{Purge, Stored};
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
        Flow::Leave
    }

    fn invalidate(&self, host: &mut dyn Host, asked: &Asked, status: u16) {
        let uris = invalidated(asked.request.method, &asked.uri, status, &section::response(host));
        let purge = |uri| self.storage.purge(&Purge::Url(url_key(&uri, &self.key_rules)), false);
        let count: usize = uris.into_iter().map(purge).sum();
        host.count(counters::INVALIDATED, count as u64);
    }

    /// What every response says of this cache (RFC 9211), and what none of them carries on.
    fn announce(&self, host: &mut dyn Host, asked: &mut Asked, status: u16) {
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
        if let Some(object) = fetching.selected.as_ref().filter(|_| stale::is_error(status))
            && stale::if_error(object.stored(), &asked.request, at)
        {
            let object = object.clone();
            fetching.seat.release(&self.storage, at, false);
            asked.status.fwd_status = Some(status);
            return self.serve(stream, host, asked, &object, true);
        }
        if asked.request.method == Method::Head {
            self.on_head(host, asked, status, stream.is_local_reply);
            fetching.seat.abandon(&self.storage);
            self.announce(host, asked, status);
            return Flow::Leave;
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
        let times = Times { request: asked.sent, response: at };
        let assessed = match stream.is_local_reply {
            true => Err(Unstorable::Status),
            false => assess(&asked.request, status, &section::response(host), times, &self.rules),
        };
        let storable = match assessed {
            Ok(storable) => storable,
            Err(why) => {
                // What the origin says now is not what it said then.
                if let Some(object) = fetching.selected.filter(|_| status < 500 && why != Unstorable::Partial)
                {
                    self.storage.remove(&object);
                }
                let marks = status < 500 && !matches!(why, Unstorable::Partial | Unstorable::RequestNoStore);
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
        match Fill::begin(seat, storable.stored, head, declared, &self.storage) {
            Ok(mut fill) => {
                fill.remember(host);
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
            Err((seat, _)) => {
                seat.release(&self.storage, at, true);
                self.on_unstorable(host, asked, status)
            }
        }
    }

    fn on_unstorable(&self, host: &mut dyn Host, asked: &mut Asked, status: u16) -> Flow {
        host.count(counters::UNSTORABLE, 1);
        self.announce(host, asked, status);
        Flow::Leave
    }

    fn parts(&self, host: &dyn Host, asked: &Asked, storable: &Storable) -> Parts {
        let selector = |name: &String| (name.clone(), self.selecting(&asked.fields[..], name));
        Parts {
            key: asked.key.clone(),
            selectors: storable.vary.iter().map(selector).collect(),
            tags: self.tags(host),
            lines: self.lines(host, |name| storable.excluded.covers(name)),
            recast: (storable.stored.stale_while_revalidate > 0)
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

    /// Tags are words, parted by blanks (Surrogate-Key) or commas (Cache-Tag).
    pub(crate) fn tags(&self, host: &dyn Host) -> Vec<Vec<u8>> {
        let response = section::response(host);
        let values = self.tag_names.iter().filter_map(|name| response.combined(name));
        let words = |value: &[u8]| {
            let members = members(value).flat_map(|member| member.split(|byte| *byte == b' '));
            members.filter(|word| !word.is_empty()).map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        values.flat_map(|value| words(&value)).take(MAX_TAGS).collect()
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
        let Course::Filling(fill) = &mut stream.course else { return };
        let pushed =
            host.body(Message::Response).iter().try_for_each(|bytes| fill.push(bytes, &self.storage));
        // A 304 has no content (RFC 9110 §15.4.5).
        if !host.allows_body(Message::Response) {
            host.replace_body(Message::Response, b"");
        }
        match pushed {
            Ok(()) if end => self.finish(stream, host),
            Ok(()) => {}
            Err(_) => self.give_up(stream, host),
        }
    }

    fn give_up(&self, stream: &mut Stream, host: &mut dyn Host) {
        if let Course::Filling(fill) = std::mem::take(&mut stream.course) {
            host.count(counters::UNSTORABLE, 1);
            fill.into_seat().release(&self.storage, now(host), true);
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

/// More tags of a response are ignored.
const MAX_TAGS: usize = 256;

fn status_of(host: &dyn Host) -> u16 {
    let status = host.field(Fields::ResponseHeaders, ":status").unwrap_or_default();
    std::str::from_utf8(&status).ok().and_then(|status| status.parse().ok()).unwrap_or(0)
}

fn declared_length(host: &dyn Host) -> Option<u64> {
    let length = host.field(Fields::ResponseHeaders, "content-length")?;
    std::str::from_utf8(&length).ok()?.parse().ok()
}
