//! The usual hit: a GET that asks for what is stored and nothing else, where that is fresh and small.
//!
//! Such an answer takes a few microseconds, and what they cost is how much code runs through once, not how often: so it is made with as
//! little of it as can be. Invariant: what this lane answers is what all other requests' lane would; what it does not know, it
//! leaves to that.

use std::sync::Arc;

use ferrule_kit::{Fields, Host, Ready};

use crate::policy::key;
use crate::policy::request::Request;
use crate::policy::reuse::{Decision, Found, decide};
use crate::policy::uri::Uri;
use crate::reason::is_target;
use crate::store::{Lookup, Object};
use crate::{Compiled, counters, now, section};

/// Longer bodies are sent as fast as the client takes them.
const SMALL: u64 = 64 * 1024;

/// What the usual request says.
#[derive(Default)]
struct Target<'a> {
    method: &'a [u8],
    scheme: &'a [u8],
    authority: &'a [u8],
    path: &'a [u8],
    /// It says more than that about what it wants.
    asks_more: bool,
}

impl<'a> Target<'a> {
    fn read(host: &'a dyn Host) -> Option<Self> {
        let mut target = Self::default();
        let told = host.each_field(Fields::RequestHeaders, &mut |name, value| match name {
            b":method" => target.method = value,
            b":scheme" => target.scheme = value,
            b":authority" => target.authority = value,
            b":path" => target.path = value,
            b"cache-control"
            | b"pragma"
            | b"range"
            | b"if-range"
            | b"if-match"
            | b"if-none-match"
            | b"if-modified-since"
            | b"if-unmodified-since"
            | b"upgrade" => target.asks_more = true,
            _ => {}
        });
        (told && !target.asks_more && target.method == b"GET").then_some(target)
    }
}

impl Compiled {
    /// Answers the usual hit.
    pub(crate) fn hit(&self, host: &mut dyn Host) -> Option<Hit> {
        let (object, at) = {
            let host = &*host;
            let target = Target::read(host)?;
            let request = section::request(host);
            if self.bypasses(target.method, target.path, &request) {
                return None;
            }
            let key = self.key_of(&target, host)?;
            let Lookup::Found(object) =
                self.storage.store.find(&key, |object| self.selects(&object.head(), &request))
            else {
                return None;
            };
            (object, now(host))
        };
        let lacks = object.body().runs().is_some();
        let found = Found::Response { stored: object.stored(), purged: object.is_purged(), lacks };
        let is_served =
            decide(&Request::USUAL, found, at) == Decision::Serve { stale: false, refresh: false };
        let hit = Hit::of(object, at).filter(|_| is_served)?;
        host.count(counters::HIT, 1);
        Some(hit.with_status(&self.hit_status))
    }

    fn key_of(&self, target: &Target<'_>, host: &dyn Host) -> Option<Vec<u8>> {
        if self.has_plain_keys {
            return key::plain(target.scheme, target.authority, target.path);
        }
        if !is_target(target.path) {
            return None;
        }
        let scheme = std::str::from_utf8(target.scheme).ok()?;
        let uri = Uri::new(scheme, target.authority, target.path);
        Some(key::key(&uri, &section::request(host), &self.key_rules))
    }
}

/// A stored response as it answers.
pub(crate) struct Hit {
    object: Arc<Object>,
    length: Decimal,
    age: Decimal,
    ttl: u64,
    status: Vec<u8>,
}

impl Hit {
    /// None for a response that takes more to be sent.
    fn of(object: Arc<Object>, at: crate::policy::time::Time) -> Option<Self> {
        let length = object.body().len();
        // A response without Date is given one as it is sent.
        let has_date = object.head().raw_lines().any(|(name, _)| name == b"date");
        if object.stored().status != 200 || length > SMALL || !has_date {
            return None;
        }
        let age = object.stored().age(at);
        let ttl = object.stored().lifetime.saturating_sub(age);
        let (length, age) = (Decimal::of(length), Decimal::of(age.into()));
        Some(Self { object, length, age, ttl: ttl.into(), status: Vec::new() })
    }

    fn with_status(mut self, before: &[u8]) -> Self {
        self.status = [before, Decimal::of(self.ttl).digits()].concat();
        self
    }
}

impl Ready for Hit {
    fn status(&self) -> u16 {
        self.object.stored().status
    }

    fn lines<'a>(&'a self, each: &mut dyn FnMut(&'a [u8], &'a [u8])) {
        let head = self.object.head();
        let lines = head.raw_lines().filter(|(name, _)| *name != b"content-range");
        lines.for_each(|(name, value)| each(name, value));
        each(b"content-length", self.length.digits());
        each(b"age", self.age.digits());
        each(b"cache-status", &self.status);
    }

    fn pieces(&self) -> usize {
        self.object.body().chunks().len()
    }

    fn piece(&self, place: usize) -> &[u8] {
        self.object.body().chunks().get(place).map_or(&[], |chunk| chunk)
    }
}

/// A number in digits.
struct Decimal {
    digits: [u8; 20],
    first: usize,
}

impl Decimal {
    fn of(mut number: u64) -> Self {
        let (mut digits, mut first) = ([b'0'; 20], 20);
        loop {
            first -= 1;
            digits[first] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return Self { digits, first };
            }
        }
    }

    fn digits(&self) -> &[u8] {
        &self.digits[self.first..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_digits() {
        for number in [0, 7, 10, 4096, u64::MAX] {
            assert_eq!(Decimal::of(number).digits(), number.to_string().as_bytes());
        }
    }
}
