//! Purges in the order that the second level gave them, and which copies they are about.

use std::collections::VecDeque;

use crate::policy::key::is_of_url;
use crate::store::Purge;
use crate::store::codec::Head;

/// A moment in the order of purges: what was fetched since then is no concern of earlier ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(pub u64);

/// What is known to purges of one copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No purge is about it.
    Good,
    /// A soft one is: it needs validation.
    Stale,
    /// A hard one is, or may be.
    Gone,
}

/// Purges of a URL are remembered by a table of this many places, each the most recent purge of all URLs that share it.
pub const PLACES: u64 = 32_768;

/// The most recent purges, hard and soft, of the URLs that share a copy's places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByUrl {
    /// Hard ones.
    pub hard: Mark,
    /// Soft ones.
    pub soft: Mark,
}

/// The purges that are not of a URL: by prefix, by tag, of everything.
#[derive(Debug, Default)]
pub struct Wide {
    purges: VecDeque<(Mark, bool, Purge)>,
    forgotten: Mark,
}

impl Wide {
    /// Remembers one, if it is newer than those known.
    pub fn note(&mut self, mark: Mark, soft: bool, purge: Purge) {
        self.purges.push_back((mark, soft, purge));
    }

    /// The level remembers none up to this one any more.
    pub fn forget(&mut self, forgotten: Mark) {
        self.forgotten = self.forgotten.max(forgotten);
        self.purges.retain(|(mark, ..)| *mark > forgotten);
    }

    /// What becomes of a copy whose fetch began at `since`.
    pub fn verdict(&self, head: &Head<'_>, since: Mark, by_url: ByUrl) -> Verdict {
        if since < self.forgotten || since < by_url.hard {
            return Verdict::Gone;
        }
        let newer = self.purges.iter().filter(|(mark, ..)| *mark > since);
        let mut verdict = if since < by_url.soft { Verdict::Stale } else { Verdict::Good };
        for (_, soft, _) in newer.filter(|(.., purge)| is_about(purge, head)) {
            if !soft {
                return Verdict::Gone;
            }
            verdict = Verdict::Stale;
        }
        verdict
    }
}

fn is_about(purge: &Purge, head: &Head<'_>) -> bool {
    match purge {
        Purge::Url(url) => is_of_url(head.key(), url),
        Purge::Prefix(prefix) => head.key().starts_with(prefix),
        Purge::Tag(tag) => head.tags().any(|known| known == tag),
        Purge::Everything => true,
    }
}

/// Longer names of what is purged are not kept: what stands for them takes more with it.
const LONGEST: usize = 4096;

/// A purge as the level keeps it: a letter, then what it names.
pub fn encode(purge: &Purge) -> Vec<u8> {
    let (letter, name): (u8, &[u8]) = match purge {
        Purge::Url(url) if url.len() <= LONGEST => (b'u', url),
        Purge::Prefix(prefix) if prefix.len() <= LONGEST => (b'p', prefix),
        Purge::Url(start) | Purge::Prefix(start) => (b'p', &start[..LONGEST]),
        Purge::Tag(tag) if tag.len() <= LONGEST => (b't', tag),
        Purge::Tag(_) | Purge::Everything => (b'e', &[]),
    };
    [&[letter], name].concat()
}

/// Reads one; what is none purges everything, which is never wrong.
pub fn decode(bytes: &[u8]) -> Purge {
    match bytes.split_first() {
        Some((b'u', url)) => Purge::Url(url.to_vec()),
        Some((b'p', prefix)) => Purge::Prefix(prefix.to_vec()),
        Some((b't', tag)) => Purge::Tag(tag.to_vec()),
        _ => Purge::Everything,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::codec::Parts;

    fn head() -> Box<[u8]> {
        Head::encode(&Parts {
            key: b"http://a/x\0hx=1".to_vec(),
            tags: vec![b"t".to_vec()],
            ..Parts::default()
        })
    }

    fn verdict(wide: &Wide, since: u64, by_url: ByUrl) -> Verdict {
        wide.verdict(&Head::new(&head()), Mark(since), by_url)
    }

    #[test]
    fn a_purge_is_about_what_was_fetched_before_it_and_not_after() {
        let purges = [Purge::Prefix(b"http://a/".to_vec()), Purge::Tag(b"t".to_vec()), Purge::Everything];
        for purge in purges {
            for (soft, expected) in [(false, Verdict::Gone), (true, Verdict::Stale)] {
                let mut wide = Wide::default();
                wide.note(Mark(10), soft, purge.clone());
                assert_eq!(verdict(&wide, 9, ByUrl::default()), expected);
                assert_eq!(verdict(&wide, 10, ByUrl::default()), Verdict::Good);
            }
        }
        let mut wide = Wide::default();
        wide.note(Mark(10), false, Purge::Prefix(b"http://b/".to_vec()));
        wide.note(Mark(11), false, Purge::Tag(b"u".to_vec()));
        assert_eq!(verdict(&wide, 1, ByUrl::default()), Verdict::Good);
    }

    #[test]
    fn a_hard_purge_outweighs_a_soft_one() {
        let mut wide = Wide::default();
        wide.note(Mark(10), false, Purge::Everything);
        wide.note(Mark(11), true, Purge::Everything);
        assert_eq!(verdict(&wide, 9, ByUrl::default()), Verdict::Gone);
        assert_eq!(verdict(&wide, 10, ByUrl::default()), Verdict::Stale);
        let by_url = ByUrl { hard: Mark(5), soft: Mark(7) };
        assert_eq!(verdict(&Wide::default(), 4, by_url), Verdict::Gone);
        assert_eq!(verdict(&Wide::default(), 5, by_url), Verdict::Stale);
        assert_eq!(verdict(&Wide::default(), 7, by_url), Verdict::Good);
    }

    #[test]
    fn what_is_older_than_the_memory_of_purges_is_gone() {
        let mut wide = Wide::default();
        wide.note(Mark(10), true, Purge::Tag(b"other".to_vec()));
        wide.forget(Mark(12));
        assert_eq!(verdict(&wide, 11, ByUrl::default()), Verdict::Gone);
        assert_eq!(verdict(&wide, 12, ByUrl::default()), Verdict::Good);
    }

    #[test]
    fn purges_read_as_they_were_written_or_take_more_with_them() {
        for purge in [
            Purge::Url(b"http://a/\0x".to_vec()),
            Purge::Prefix(Vec::new()),
            Purge::Tag(b"t".to_vec()),
            Purge::Everything,
        ] {
            assert_eq!(decode(&encode(&purge)), purge);
        }
        let long = vec![b'a'; LONGEST + 1];
        assert_eq!(decode(&encode(&Purge::Url(long.clone()))), Purge::Prefix(vec![b'a'; LONGEST]));
        assert_eq!(decode(&encode(&Purge::Tag(long))), Purge::Everything);
        assert_eq!(decode(b""), Purge::Everything);
        assert_eq!(decode(b"zzz"), Purge::Everything);
    }
}
