//! What is said to Redis and what it answers, as commands and values.

use redis::{Pipeline, Value};
use sha2::{Digest, Sha256};

use super::pending::Told;
use crate::level::Mark;
use crate::level::copy::{hex, key_id};
use crate::level::purges::{ByUrl, PLACES, encode};
use crate::store::Purge;

const PURGE: &str = include_str!("purge.lua");
const FORGET: &str = include_str!("forget.lua");

/// Purges of URLs that Redis remembers one by one, so that memories hear of them.
const URLS: u32 = 2048;
/// Others that it remembers; no copy older than these is used.
const WIDE: u32 = 1024;
/// Purges read at once.
pub(super) const AT_ONCE: usize = 1024;

/// Names of keys, and who speaks.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) prefix: String,
    /// Names this storage among all that purge.
    pub(super) who: String,
}

impl Names {
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(super) fn body(&self, member: &str, digest: &str) -> String {
        format!("{}body:{member}:{digest}", self.prefix)
    }

    /// Tells of purges.
    pub(super) fn tell(&self, pipe: &mut Pipeline, purges: &[Told]) {
        for (purge, soft) in purges {
            let (place, most) = match purge {
                Purge::Url(url) => (place_of(url).to_string(), URLS),
                Purge::Prefix(_) | Purge::Tag(_) | Purge::Everything => (String::new(), WIDE),
            };
            let how = if *soft { "soft" } else { "hard" };
            let script = pipe.cmd("EVAL").arg(PURGE).arg(1).arg(&self.prefix);
            script.arg(how).arg(&self.who).arg(encode(purge)).arg(place).arg(most);
            pipe.ignore();
            if let (Purge::Url(url), false) = (purge, soft) {
                self.forget(pipe, &key_id(url), &[]);
            }
        }
    }

    /// Removes variants of a key, or all of them.
    pub(super) fn forget(&self, pipe: &mut Pipeline, id: &str, variants: &[String]) {
        pipe.cmd("EVAL").arg(FORGET).arg(1).arg(&self.prefix).arg(id).arg(variants);
        pipe.ignore();
    }

    /// Asks for the last purge's mark.
    pub(super) fn ask_last(&self, pipe: &mut Pipeline) {
        pipe.cmd("GET").arg(self.key("last"));
    }

    /// Asks for the purges in a log since a mark.
    pub(super) fn ask_log(&self, pipe: &mut Pipeline, log: &str, since: Mark) {
        let newer = format!("({}", since.0);
        let range = pipe.cmd("ZRANGEBYSCORE").arg(self.key(log)).arg(newer).arg("+inf");
        range.arg("WITHSCORES").arg("LIMIT").arg(0).arg(AT_ONCE);
        pipe.cmd("GET").arg(self.key(&format!("{log}-forgotten")));
    }

    /// Asks for all that is kept under a key. The answers that follow know of at least all purges that these copies are subject to.
    pub(super) fn ask_copies(&self, pipe: &mut Pipeline, key: &[u8]) {
        pipe.cmd("HVALS").arg(self.key(&format!("entries:{}", key_id(key))));
        let url = key.split(|byte| *byte == 0).next().unwrap_or_default();
        for how in ["hard", "soft"] {
            let fields = pipe.cmd("BITFIELD_RO").arg(self.key(how));
            for name in [url, key] {
                fields.arg("GET").arg("u63").arg(format!("#{}", place_of(name)));
            }
        }
    }
}

/// Where a URL stands in the table of purges.
fn place_of(url: &[u8]) -> u64 {
    let digest: [u8; 32] = Sha256::digest(url).into();
    let start = digest.first_chunk().copied().unwrap_or_default();
    u64::from_be_bytes(start) % PLACES
}

/// A purge as Redis tells of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) mark: Mark,
    pub(super) soft: bool,
    pub(super) who: String,
    pub(super) purge: Purge,
}

/// Reads `mark how who what`; what cannot be read purges everything.
pub(super) fn heard(member: &[u8], score: Mark) -> Heard {
    let mut parts = member.splitn(4, |byte| *byte == b' ');
    let (_, how, who) = (parts.next(), parts.next(), parts.next());
    let purge = crate::level::purges::decode(parts.next().unwrap_or_default());
    let who = String::from_utf8_lossy(who.unwrap_or_default()).into_owned();
    Heard { mark: score, soft: how == Some(b"soft"), who, purge }
}

/// The answers to a pipeline, taken one by one.
#[derive(Debug)]
pub(super) struct Answers(std::vec::IntoIter<Value>);

impl Answers {
    pub(super) fn new(values: Vec<Value>) -> Self {
        Self(values.into_iter())
    }

    fn next(&mut self) -> Value {
        self.0.next().unwrap_or(Value::Nil)
    }

    /// A mark; the first of all where there is none.
    pub(super) fn mark(&mut self) -> Mark {
        as_mark(&self.next())
    }

    /// A log, and what was forgotten of it.
    pub(super) fn log(&mut self) -> (Vec<Heard>, Mark) {
        let items = match self.next() {
            Value::Array(items) => items,
            _ => Vec::new(),
        };
        let pairs = items.chunks_exact(2).map(|pair| heard(bytes(&pair[0]), as_mark(&pair[1])));
        (pairs.collect(), self.mark())
    }

    /// Entries under a key.
    pub(super) fn entries(&mut self) -> Vec<Vec<u8>> {
        match self.next() {
            Value::Array(items) => items.iter().map(|item| bytes(item).to_vec()).collect(),
            _ => Vec::new(),
        }
    }

    /// The most recent purges of the URL's places.
    pub(super) fn by_url(&mut self) -> ByUrl {
        let mut most_recent = || match self.next() {
            Value::Array(items) => items.iter().map(as_mark).max().unwrap_or_default(),
            _ => Mark::default(),
        };
        ByUrl { hard: most_recent(), soft: most_recent() }
    }
}

fn bytes(value: &Value) -> &[u8] {
    match value {
        Value::BulkString(bytes) => bytes,
        _ => &[],
    }
}

fn as_mark(value: &Value) -> Mark {
    match value {
        Value::Int(number) => Mark(u64::try_from(*number).unwrap_or(0)),
        value => Mark(std::str::from_utf8(bytes(value)).ok().and_then(as_number).unwrap_or(0)),
    }
}

/// Scores are written as numbers of any kind.
fn as_number(text: &str) -> Option<u64> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<f64>().ok().filter(|number| *number >= 0.0).map(|number| number as u64))
}

/// A short name for bytes of any length.
pub(super) fn short(digest: &[u8]) -> String {
    hex(&digest[..digest.len().min(16)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purges_are_heard_as_they_were_told() {
        let told = heard(b"17 soft me tred", Mark(17));
        assert_eq!(
            told,
            Heard { mark: Mark(17), soft: true, who: "me".into(), purge: Purge::Tag(b"red".to_vec()) }
        );
        let url = heard(b"17 hard me uhttp://a/b c", Mark(18));
        assert_eq!((url.soft, url.purge), (false, Purge::Url(b"http://a/b c".to_vec())));
        assert_eq!(heard(b"junk", Mark(3)).purge, Purge::Everything);
        assert!(!heard(b"junk", Mark(3)).soft);
    }

    #[test]
    fn numbers_are_read_however_redis_writes_them() {
        let value = |text: &str| as_mark(&Value::BulkString(text.as_bytes().to_vec()));
        assert_eq!(value("1763784000123456"), Mark(1_763_784_000_123_456));
        assert_eq!(value("1.763784000123456e15"), Mark(1_763_784_000_123_456));
        assert_eq!((value("junk"), value("-1"), as_mark(&Value::Int(-1))), (Mark(0), Mark(0), Mark(0)));
        assert_eq!(as_mark(&Value::Int(5)), Mark(5));
    }
}
