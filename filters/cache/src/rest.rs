//! The rest of a response whose client has gone away while others read it along.
//!
//! Invariant: bytes of two representations are never joined. Either a strong validator says that they are of one (RFC 9110 §14.5), or
//! the new response has the same date, and the same bytes as far as the first one came.

use std::sync::Arc;
use std::time::SystemTime;

use ferrule_kit::{Errand, Host, Lines, Octets, line};

use crate::fill::{Fill, Refused};
use crate::policy::entity_tag::EntityTag;
use crate::policy::range::content_range;
use crate::policy::time::Time;
use crate::storage::Shared;
use crate::store::Stored as Outcome;
use crate::{Cache, Course, Stream, counters, now};

impl Cache {
    /// The client of a fetch has gone away: what is missing is fetched for those who read along.
    pub(crate) fn fetch_rest(&self, host: &mut dyn Host, fill: Box<Fill>) {
        if fill.declared() == Some(fill.length()) {
            // Nothing is missing but the word that nothing is.
            let storage = Arc::clone(&self.storage);
            return Rest { storage, fill: Some(fill), known: 0, now: now(host) }.finish();
        }
        if let Some(fill) = self.hand_over(host, fill) {
            fill.break_off(&self.storage);
        }
    }

    /// Has a request of its own bring what is missing; gives the fill back where no one reads it along, or that cannot be.
    fn hand_over(&self, host: &mut dyn Host, mut fill: Box<Fill>) -> Option<Box<Fill>> {
        let tag = strong_tag(&fill);
        if fill.declared().is_none() || (tag.is_none() && fill.head().line("last-modified").is_none()) {
            return Some(fill);
        }
        let Some(onward) = fill.onward() else { return Some(fill) };
        let range = |tag: Vec<u8>| {
            let range = format!("bytes={}-", fill.length()).into_bytes();
            [("range".to_owned(), range), ("if-range".to_owned(), tag)]
        };
        let callout = onward.callout(tag.map(range).into_iter().flatten());
        let storage = Arc::clone(&self.storage);
        let rest = Rest { storage, fill: Some(fill), known: 0, now: Time(0) };
        host.count(counters::RESUMED, 1);
        host.send_off(callout, Box::new(rest));
        None
    }

    /// A client that takes nothing holds the fetch up: others who read along must not depend on it.
    pub(crate) fn watch(&self, stream: &mut Stream, host: &mut dyn Host) {
        let Course::Filling(fill) = &mut stream.course else { return };
        if fill.gets_on() {
            return host.wake_after(self.wait);
        }
        if let Course::Filling(fill) = std::mem::take(&mut stream.course)
            && let Some(fill) = self.hand_over(host, fill)
        {
            stream.course = Course::Filling(fill);
            host.wake_after(self.wait);
        }
    }
}

fn strong_tag(fill: &Fill) -> Option<Vec<u8>> {
    let tag = fill.head().line("etag")?;
    EntityTag::parse(tag).filter(|tag| !tag.weak).map(|_| tag.to_vec())
}

/// The fetch of the rest.
#[derive(Debug)]
struct Rest {
    storage: Arc<Shared>,
    fill: Option<Box<Fill>>,
    /// Bytes that came again.
    known: u64,
    now: Time,
}

impl Rest {
    /// Whether the response is of the representation that the first one was of.
    fn goes_on(&mut self, lines: &Lines<'_>) -> bool {
        let Some(fill) = &self.fill else { return false };
        let (length, declared) = (fill.length(), fill.declared().unwrap_or(0));
        let Some(last) = declared.checked_sub(1) else { return false };
        let same = |name| line(lines, name).is_some() && line(lines, name) == fill.head().line(name);
        let is_same = match strong_tag(fill) {
            Some(_) => same("etag"),
            None => same("last-modified") && line(lines, "etag") == fill.head().line("etag"),
        };
        let says = |name, value: String| line(lines, name) == Some(value.as_bytes());
        match line(lines, ":status") {
            Some(b"206") => {
                self.known = length;
                is_same && says("content-range", content_range(length, last, declared))
            }
            Some(b"200") => is_same && says("content-length", declared.to_string()),
            _ => false,
        }
    }

    /// Whether the bytes are those that come next.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let Some(fill) = &mut self.fill else { return false };
        let again = usize::try_from(fill.length().saturating_sub(self.known)).unwrap_or(usize::MAX);
        let (again, new) = bytes.split_at(again.min(bytes.len()));
        let is_known = fill.has(self.known, again);
        self.known += bytes.len() as u64;
        is_known && fill.push(new, &self.storage).is_ok()
    }

    fn finish(&mut self) {
        let Some(fill) = self.fill.take() else { return };
        match fill.finish(&self.storage) {
            Ok(Outcome::Yes) => self.storage.owe(counters::STORED, 1),
            Ok(Outcome::Purged) => {}
            Err((seat, refused)) => seat.release(&self.storage, self.now, refused == Refused::TooLarge),
        }
    }
}

impl Errand for Rest {
    fn on_headers(&mut self, now: SystemTime, lines: &Lines<'_>, end: bool) -> bool {
        self.now = Time::of(now);
        !end && self.goes_on(lines)
    }

    fn on_data(&mut self, chunks: &[Octets<'_>], end: bool) -> bool {
        let goes_on = chunks.iter().all(|chunk| self.take(chunk));
        if goes_on && end {
            self.finish();
        }
        goes_on
    }

    fn on_trailers(&mut self) {
        self.finish();
    }
}

/// What broke off is of no use to those who have begun.
impl Drop for Rest {
    fn drop(&mut self) {
        if let Some(fill) = self.fill.take() {
            fill.into_seat().abandon(&self.storage);
        }
    }
}
