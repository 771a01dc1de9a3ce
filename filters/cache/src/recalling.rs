//! The second level is asked before the origin: the one who would fetch looks there first, and those who wait for it wait as for a
//! fetch.

use std::sync::Arc;

use ferrule_kit::{Flow, Host};

use crate::asked::Asked;
use crate::fill::Seat;
use crate::level::{Outcome, Recall, Wanted};
use crate::policy::cache_status::CacheStatus;
use crate::policy::reuse::{Decision, Forward, Found, decide};
use crate::policy::time::Time;
use crate::recast::owned_fields;
use crate::store::Object;
use crate::{Cache, Course, Stream, counters, now};

/// What the origin is asked for, unless something answers before.
#[derive(Debug)]
pub(crate) struct Errand {
    pub(crate) seat: Seat,
    /// The stored response that the request selects, where there is one.
    pub(crate) selected: Option<Arc<Object>>,
    /// The client's own conditions do not go to the origin.
    pub(crate) strips: bool,
}

/// A look into the second level, and what follows on it.
#[derive(Debug)]
pub(crate) struct Recalling {
    recall: Arc<Recall>,
    until: Time,
    errand: Errand,
}

impl Recalling {
    pub(crate) fn into_seat(self) -> Seat {
        self.errand.seat
    }
}

/// What a cached response says of itself that came from there (RFC 9211 §2.8).
const DETAIL: &str = "redis";

impl Cache {
    /// Looks into the second level before an errand, or gives it back.
    pub(crate) fn recall(
        &self,
        stream: &mut Stream,
        host: &mut dyn Host,
        asked: &Asked,
        errand: Errand,
    ) -> Result<Flow, Errand> {
        let Some(level) = self.storage.level() else { return Err(errand) };
        host.count(counters::REDIS_DROPPED, level.take_dropped());
        // What is validated each time, or what this very client wants anew, is asked of the origin anyway.
        let is_of_use = match asked.status.fwd {
            Some(Forward::UriMiss | Forward::VaryMiss) => true,
            Some(Forward::Stale) => errand.selected.as_ref().is_some_and(|known| !known.stored().no_cache),
            _ => false,
        };
        if !is_of_use || asked.request.is_for_origin {
            return Err(errand);
        }
        if let Some(password) = level.secret().and_then(|name| host.secret(name)) {
            level.log_in(&password);
        }
        let Some(waker) = host.waker() else { return Err(errand) };
        let wanted = self.wanted(host, asked, errand.selected.as_deref());
        let recall = Recall::new(wanted, Arc::clone(&self.storage), waker);
        if !level.recall(&recall) {
            host.count(counters::REDIS_OPEN, 1);
            return Err(errand);
        }
        host.wake_after(level.patience());
        let patience = u64::try_from(level.patience().as_millis()).unwrap_or(u64::MAX);
        let until = Time(now(host).0.saturating_add(patience));
        self.set_course(stream, Course::Recalling(Box::new(Recalling { recall, until, errand })));
        Ok(Flow::AwaitReply)
    }

    /// The second level, or 504 (RFC 9111 §5.2.1.7).
    pub(crate) fn recall_only(
        &self,
        stream: &mut Stream,
        host: &mut dyn Host,
        asked: &mut Asked,
        selected: Option<&Arc<Object>>,
        waits: bool,
    ) -> Flow {
        let seat = Seat { key: asked.key.clone(), flight: None, since: self.storage.since() };
        let errand = Errand { seat, selected: selected.cloned(), strips: false };
        let mut looked = CacheStatus { fwd: Some(Forward::UriMiss), ..CacheStatus::default() };
        if selected.is_some() {
            looked.fwd = Some(Forward::Stale);
        }
        let status = std::mem::replace(&mut asked.status, looked);
        let flow = if waits { self.recall(stream, host, asked, errand).ok() } else { None };
        asked.status = status;
        flow.unwrap_or_else(|| self.gateway_timeout(asked))
    }

    fn wanted(&self, host: &dyn Host, asked: &Asked, known: Option<&Object>) -> Wanted {
        let (cache, fields) = (self.clone(), owned_fields(host));
        Wanted {
            key: asked.key.clone(),
            selects: Box::new(move |head| cache.selects(head, &fields[..])),
            newer_than: known.map(|object| object.stored().response_time),
        }
    }

    /// The look may be over, or its time.
    pub(crate) fn on_recalled(&self, stream: &mut Stream, host: &mut dyn Host) -> Flow {
        let (Some(_), Course::Recalling(recalling)) = (self.storage.level(), &stream.course) else {
            return Flow::Continue;
        };
        let (at, until) = (now(host), recalling.until);
        let outcome = match recalling.recall.outcome() {
            Outcome::Pending if at < until => {
                host.wake_after(std::time::Duration::from_millis(until.0 - at.0));
                return Flow::AwaitReply;
            }
            Outcome::Pending => Outcome::Timeout,
            outcome => outcome,
        };
        let Course::Recalling(recalling) = std::mem::take(&mut stream.course) else { return Flow::Continue };
        host.count(
            match outcome {
                Outcome::Hit(_) => counters::REDIS_HIT,
                Outcome::Miss => counters::REDIS_MISS,
                Outcome::Error => counters::REDIS_ERROR,
                Outcome::Pending | Outcome::Timeout => counters::REDIS_TIMEOUT,
            },
            1,
        );
        match outcome {
            Outcome::Hit(object) => self.on_hit(stream, host, recalling.errand, object),
            _ => self.go_to_origin(stream, host, recalling.errand),
        }
    }

    /// What was found is in memory now: it answers, or is validated.
    fn on_hit(&self, stream: &mut Stream, host: &mut dyn Host, errand: Errand, object: Arc<Object>) -> Flow {
        let Some(asked) = stream.asked.as_deref_mut() else { return Flow::Continue };
        let found = Found::Response { stored: object.stored(), purged: object.is_purged(), lacks: false };
        if matches!(decide(&asked.request, found, now(host)), Decision::Serve { .. }) {
            asked.status = CacheStatus { detail: Some(DETAIL), ..CacheStatus::default() };
            errand.seat.land(&self.storage, &object);
            return self.look_up(stream, host, false);
        }
        asked.status.fwd = Some(Forward::Stale);
        self.go_to_origin(stream, host, Errand { selected: Some(object), strips: true, ..errand })
    }

    /// Nothing answers before the origin does.
    fn go_to_origin(&self, stream: &mut Stream, host: &mut dyn Host, errand: Errand) -> Flow {
        let Some(mut asked) = stream.asked.take() else { return Flow::Continue };
        let flow = if asked.request.directives.only_if_cached {
            errand.seat.abandon(&self.storage);
            stream.course = Course::Pass;
            self.gateway_timeout(&asked)
        } else {
            asked.sent = now(host);
            let seat = Seat { since: self.storage.since(), ..errand.seat };
            host.count(counters::MISS, 1);
            self.ask(stream, host, &mut asked, seat, errand.selected, errand.strips)
        };
        stream.asked = Some(asked);
        flow
    }
}
