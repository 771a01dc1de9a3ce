//! The origin confirms what is stored: it is freshened, and answers (RFC 9111 §4.3.3 to §4.3.5).

use std::sync::Arc;

use ferrule_kit::{Flow, Host};

use crate::asked::Asked;
use crate::policy::entity_tag::{EntityTag, lists};
use crate::policy::field::Section;
use crate::policy::method::Method;
use crate::policy::request::Request;
use crate::policy::response_fields::{Excluded, is_updated, updated};
use crate::policy::storability::{Times, assess};
use crate::policy::validation::{Validators, head_matches, updated_by};
use crate::selecting::validators;
use crate::storage::Since;
use crate::store::codec::{Head, Parts};
use crate::store::{Lookup, Object};
use crate::{Cache, Fetching, Stream, counters, now, section};

impl Cache {
    pub(crate) fn on_not_modified(
        &self,
        stream: &mut Stream,
        host: &mut dyn Host,
        asked: &mut Asked,
        fetching: Fetching,
    ) -> Flow {
        let places = {
            let known: Vec<Validators<'_>> =
                fetching.asked_about.iter().map(|object| validators(object)).collect();
            updated_by(&Validators::read(&section::response(host)), &known)
        };
        let since = fetching.seat.since;
        let (mut places, answer) = (places.into_iter(), |place: usize| &fetching.asked_about[place]);
        let Some(first) = places.next() else { return self.on_unusable(host, asked, fetching) };
        let freshened = self.freshen(host, asked, answer(first), true, since);
        places.for_each(|place| drop(self.freshen(host, asked, answer(place), false, since)));
        host.count(counters::VALIDATED, 1);
        asked.status.fwd_status = Some(304);
        asked.account.validated = true;
        let object = match freshened {
            Freshened::Stored(object) => {
                fetching.seat.land(&self.storage, &object);
                object
            }
            Freshened::Apart(object) => {
                fetching.seat.release(&self.storage, now(host), false);
                object
            }
        };
        self.serve(stream, host, asked, &object, false)
    }

    /// RFC 9111 §4.3.4: "the cache MUST NOT use the new response to update any stored responses". What was asked about is no more
    /// what the origin knows.
    fn on_unusable(&self, host: &mut dyn Host, asked: &mut Asked, fetching: Fetching) -> Flow {
        for object in &fetching.asked_about {
            self.storage.remove(object);
        }
        fetching.seat.release(&self.storage, now(host), false);
        asked.status.fwd_status = Some(304);
        if is_clients(asked, &section::response(host)) {
            self.announce(host, asked, 304);
            return self.leave();
        }
        if self.ask_again(host, asked) {
            return Flow::AwaitReply;
        }
        Flow::Respond(self.validation_failed(asked))
    }

    /// RFC 9111 §3.2, §4.3.4: the stored fields with those that came, and the freshness that follows from them. `answers` says that the
    /// request that was validated is answered by it.
    fn freshen(
        &self,
        host: &dyn Host,
        asked: &Asked,
        object: &Arc<Object>,
        answers: bool,
        since: Since,
    ) -> Freshened {
        let mut parts = self.updated_parts(host, object);
        let mut all = parts.lines.clone();
        all.extend(section_age(host));
        let times = Times { request: asked.sent, response: now(host) };
        let assess =
            |request: &Request| assess(request, object.stored().status, &all[..], times, &self.rules);
        // It is stored already, and by the method that it was.
        let request = Request { method: Method::Get, ..asked.request };
        let Ok(storable) = assess(&Request { has_authorization: false, ..request }) else {
            if !request.has_authorization {
                self.storage.remove(object);
            }
            return Freshened::Apart(Arc::clone(object));
        };
        parts.lines.retain(|(name, _)| !storable.excluded.covers(name));
        let varies = !parts.selectors.iter().map(|(name, _)| name).eq(&storable.vary);
        if varies {
            // §4.1: what selects it now are the fields of the request that it answers. Of others, these are not known.
            let selector = |name: &String| (name.clone(), self.selecting(&asked.fields[..], name));
            parts.selectors = storable.vary.iter().map(selector).collect();
        }
        let head = Head::encode(&parts);
        // §3.5: what the origin says to one who has credentials is for others where it says so. Without room for it, it is for one.
        let charge = self.storage.store.reserve(Object::cost(&head)).filter(|_| assess(&request).is_ok());
        let Some(charge) = charge else {
            return Freshened::Apart(Arc::new(Object::apart(storable.stored, head, object.body().clone())));
        };
        let fresh = Arc::new(Object::new(storable.stored, head, object.body().clone(), charge));
        if !varies {
            if self.storage.store.replace(object, Arc::clone(&fresh), since.memory) {
                self.storage.put(&fresh, since);
            }
        } else if self.storage.remove(object) && answers {
            self.storage.insert(&fresh, since);
        }
        Freshened::Stored(fresh)
    }

    /// The parts of a stored head, with the fields that came.
    fn updated_parts(&self, host: &dyn Host, object: &Object) -> Parts {
        let response = section::response(host);
        let excluded = Excluded::read(&response, []);
        let new = self.lines(host, |name| excluded.covers(name));
        let is_dated = new.iter().any(|(name, _)| name == "date");
        let mut parts = object.parts();
        parts.lines = updated(parts.lines.into_iter(), new, is_updated);
        // RFC 9110 §6.6.1: what comes without Date is as if dated when it came, not when what was stored did.
        parts.lines.retain(|(name, _)| is_dated || name != "date");
        let tags = self.tags(host);
        if !tags.is_empty() {
            parts.tags = tags;
        }
        parts
    }

    /// RFC 9111 §4.3.5
    pub(crate) fn on_head(&self, host: &mut dyn Host, asked: &Asked, status: u16, is_local: bool) {
        let selects = |object: &Object| self.selects(&object.head(), &asked.fields[..]);
        let Lookup::Found(object) = self.storage.store.find(&asked.key, selects) else { return };
        if status != 200 || is_local || object.stored().status != 200 {
            return;
        }
        if head_matches(&section::response(host), &validators(&object), object.body().complete()) {
            self.freshen(host, asked, &object, true, self.storage.since());
        } else {
            // "the cache SHOULD consider the stored response to be stale"
            self.storage.store.mark_stale(&object);
        }
    }
}

/// A stored response with the fields that a validation has brought.
enum Freshened {
    /// It took the old one's place.
    Stored(Arc<Object>),
    /// It is for the request that was validated alone.
    Apart(Arc<Object>),
}

/// Whether a 304 is about what the client itself has by its own condition, which went no further than here.
fn is_clients(asked: &Asked, response: &(impl Section + ?Sized)) -> bool {
    let etags = response.values("etag");
    let tag = etags.first().and_then(|tag| EntityTag::parse(tag));
    let listed = asked.fields[..].combined("if-none-match");
    listed.is_some_and(|listed| tag.is_some() && lists(&listed, tag.as_ref()))
}

/// The Age that came with a response, for the computation of its freshness; it is not stored.
fn section_age(host: &dyn Host) -> Option<(String, Vec<u8>)> {
    let age = host.field(ferrule_kit::Fields::ResponseHeaders, "age")?;
    Some(("age".to_owned(), age.into_owned()))
}
