//! The origin confirms what is stored: it is freshened, and answers (RFC 9111 §4.3.3 to §4.3.5).

use std::sync::Arc;

use ferrule_kit::{Flow, Host, Response};

use crate::asked::{Asked, validators};
use crate::policy::response_fields::{Excluded, is_updated};
use crate::policy::storability::{Times, assess};
use crate::policy::validation::{Validators, head_matches, updated_by};
use crate::store::codec::{Head, updated};
use crate::store::{Lookup, Object, Purge};
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
        let freshened: Vec<Arc<Object>> = places
            .iter()
            .filter_map(|place| self.freshen(host, asked, &fetching.asked_about[*place]))
            .collect();
        // One that may not be stored any more comes back as it was.
        let is_new = |object: &&Arc<Object>| fetching.asked_about.iter().all(|old| !Arc::ptr_eq(old, object));
        freshened.iter().filter(is_new).for_each(|object| self.storage.put(object, fetching.seat.since));
        let Some(object) = freshened.into_iter().next() else {
            return self.on_unusable(host, fetching);
        };
        host.count(counters::VALIDATED, 1);
        asked.status.fwd_status = Some(304);
        fetching.seat.land(&self.storage, &object);
        self.serve(stream, host, asked, &object, false)
    }

    /// RFC 9111 §4.3.4: "the cache MUST NOT use the new response to update any stored responses". What was asked about is no more
    /// what the origin knows.
    fn on_unusable(&self, host: &mut dyn Host, fetching: Fetching) -> Flow {
        for object in &fetching.asked_about {
            self.storage.remove(object);
        }
        fetching.seat.release(&self.storage, now(host), false);
        Flow::Respond(Response::text(502, "cache_validation_failed", ""))
    }

    /// RFC 9111 §3.2, §4.3.4: the stored fields with those that came, and the freshness that follows from them. None where there is no
    /// room for it, or it may not be stored any more.
    fn freshen(&self, host: &dyn Host, asked: &Asked, object: &Arc<Object>) -> Option<Arc<Object>> {
        let response = section::response(host);
        let excluded = Excluded::read(&response, []);
        let new = self.lines(host, |name| excluded.covers(name));
        let mut parts = object.parts();
        parts.lines = updated(parts.lines.into_iter(), new, is_updated);
        let tags = self.tags(host);
        if !tags.is_empty() {
            parts.tags = tags;
        }
        let mut all = parts.lines.clone();
        all.extend(section_age(host));
        let times = Times { request: asked.sent, response: now(host) };
        let mut request = asked.request;
        // It is stored already; whose request it answers now changes nothing (RFC 9111 §3.5).
        request.has_authorization = false;
        request.method = crate::policy::method::Method::Get;
        let Ok(storable) = assess(&request, object.stored().status, &all[..], times, &self.rules) else {
            self.storage.remove(object);
            return Some(Arc::clone(object));
        };
        parts.lines.retain(|(name, _)| !storable.excluded.covers(name));
        let head = Head::encode(&parts);
        let charge = self.storage.store.reserve(Object::cost(&head))?;
        let fresh = Arc::new(Object::new(storable.stored, head, object.body().clone(), charge));
        self.storage.store.replace(object, Arc::clone(&fresh));
        Some(fresh)
    }

    /// RFC 9111 §4.3.5
    pub(crate) fn on_head(&self, host: &mut dyn Host, asked: &Asked, status: u16, is_local: bool) {
        let selects = |object: &Object| self.selects(&object.head(), &asked.fields[..]);
        let Lookup::Found(object) = self.storage.store.find(&asked.key, selects) else { return };
        if status != 200 || is_local || object.stored().status != 200 {
            return;
        }
        if head_matches(&section::response(host), &validators(&object), object.body().len()) {
            self.freshen(host, asked, &object);
        } else {
            // "the cache SHOULD consider the stored response to be stale"
            self.storage.purge(&Purge::Url(asked.key.clone()), true);
        }
    }
}

/// The Age that came with a response, for the computation of its freshness; it is not stored.
fn section_age(host: &dyn Host) -> Option<(String, Vec<u8>)> {
    let age = host.field(ferrule_kit::Fields::ResponseHeaders, "age")?;
    Some(("age".to_owned(), age.into_owned()))
}
