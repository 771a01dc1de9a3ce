//! A stored response as it stands in the second level: its entry, and its body in pieces.
//!
//! Invariant: an entry, and a body, is used only if every byte of it is as it was written; a digest says so. (Not who wrote it: who
//! may write to the level may write what he likes.)

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::Mark;
use crate::policy::stored::Stored;
use crate::policy::time::Time;
use crate::store::codec::{Head, Parts, decode_entry, encode_entry};
use crate::store::{Chunk, Object};

/// The first byte: another layout is another number.
const FORMAT: u8 = 1;
/// Bytes of the digest at an entry's end.
pub const SEAL: usize = 16;
/// Bytes of one piece of a body. The allocators of Redis and of most machines waste less on a little less than 64 KiB.
pub const PIECE: usize = 64 * 1024 - 512;

/// What names a body: the digest of its bytes.
pub type BodyDigest = [u8; 32];

/// An entry that was read and checked.
#[derive(Debug)]
pub struct Copy<'a> {
    /// When its fetch began.
    pub since: Mark,
    /// Bytes of its body.
    pub length: u64,
    /// The digest of its body.
    pub digest: BodyDigest,
    /// Its metadata.
    pub stored: Stored,
    /// Its head.
    pub head: Head<'a>,
}

/// Writes an entry. What a proxy made of the request, which may be a secret of its own, does not leave the process.
pub fn encode(object: &Object, since: Mark, digest: &BodyDigest) -> Vec<u8> {
    let head = match object.head().recast() {
        Some(_) => Cow::Owned(Head::encode(&Parts { recast: None, ..object.parts() }).into_vec()),
        None => Cow::Borrowed(object.head_bytes()),
    };
    let entry = encode_entry(object.stored(), &head);
    let (since, length) = (since.0.to_le_bytes(), object.body().len().to_le_bytes());
    seal([&[FORMAT][..], &since, &length, digest, &entry].concat())
}

/// Reads bytes of unknown origin; none where they are not an entry of this layout from end to end.
pub fn decode(bytes: &[u8]) -> Option<Copy<'_>> {
    let (sealed, found) = bytes.split_at_checked(bytes.len().checked_sub(SEAL)?)?;
    let (format, rest) = sealed.split_first()?;
    if *format != FORMAT || *found != seal_of(sealed) {
        return None;
    }
    let (since, rest) = rest.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (digest, entry) = rest.split_first_chunk()?;
    let (stored, head) = decode_entry(entry)?;
    let (since, length) = (Mark(u64::from_le_bytes(*since)), u64::from_le_bytes(*length));
    Some(Copy { since, length, digest: *digest, stored, head })
}

/// Puts the digest of bytes at their end.
pub fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let seal = seal_of(&bytes);
    bytes.extend_from_slice(&seal);
    bytes
}

fn seal_of(bytes: &[u8]) -> [u8; SEAL] {
    let mut seal = [0; SEAL];
    seal.copy_from_slice(&Sha256::digest(bytes)[..SEAL]);
    seal
}

/// The digest of a body.
pub fn digest(chunks: &[Chunk]) -> BodyDigest {
    chunks.iter().fold(Sha256::new(), |digest, chunk| digest.chain_update(chunk)).finalize().into()
}

/// Pieces that a body of that length has.
pub fn pieces_of(length: u64) -> u64 {
    length.div_ceil(PIECE as u64)
}

/// A body's bytes in pieces of [`PIECE`] bytes, but for the last.
pub fn pieces(chunks: &[Chunk]) -> impl Iterator<Item = Vec<u8>> {
    let (mut chunk, mut place) = (0, 0);
    std::iter::from_fn(move || {
        let mut piece = Vec::new();
        while piece.len() < PIECE && chunk < chunks.len() {
            let rest = &chunks[chunk][place..];
            let taken = rest.len().min(PIECE - piece.len());
            piece.extend_from_slice(&rest[..taken]);
            (chunk, place) = if taken == rest.len() { (chunk + 1, 0) } else { (chunk, place + taken) };
        }
        (!piece.is_empty()).then_some(piece)
    })
}

/// What names a key.
pub fn key_id(key: &[u8]) -> String {
    hex(&Sha256::digest(key))
}

/// What names a variant among those of its key.
pub fn variant_id(head: &Head<'_>) -> String {
    let mut digest = Sha256::new();
    for (name, value) in head.selectors() {
        let length = |bytes: &[u8]| (bytes.len() as u64).to_le_bytes();
        digest.update(length(name.as_bytes()));
        digest.update(name);
        digest.update([u8::from(value.is_some())]);
        digest.update(length(value.unwrap_or_default()));
        digest.update(value.unwrap_or_default());
    }
    hex(&digest.finalize()[..16])
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect()
}

/// Seconds that a response is worth keeping after its lifetime for its validators alone.
const FOR_VALIDATION: u64 = 3600;
const LONGEST: u64 = 30 * 86_400;

/// For how long a response may be of use, milliseconds; none where it is not any more. One that serves stale, or can be validated, is
/// longer than it is fresh.
pub fn worth_for(stored: &Stored, head: &Head<'_>, now: Time) -> Option<u64> {
    let window = u64::from(stored.stale_while_revalidate.max(stored.stale_if_error));
    let has_validator = head.line("etag").is_some() || head.line("last-modified").is_some();
    let after = window.max(if has_validator { FOR_VALIDATION } else { 0 });
    let all = u64::from(stored.lifetime).saturating_add(after);
    let left = all.saturating_sub(u64::from(stored.age(now))).min(LONGEST);
    (left > 0).then_some(left * 1000)
}

#[cfg(all(test, not(target_arch = "wasm32")))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::{Body, Limits, Store};
    use proptest::prelude::*;

    const STORED: Stored = Stored {
        status: 200,
        no_cache: false,
        must_revalidate: false,
        response_time: Time(0),
        initial_age: 0,
        lifetime: 100,
        date: 0,
        last_modified: None,
        stale_while_revalidate: 0,
        stale_if_error: 0,
    };

    fn object(parts: &Parts, chunks: Vec<Chunk>) -> Object {
        let store = Store::new(Limits::default());
        let head = Head::encode(parts);
        let charges = [Body::cost(&chunks), Object::cost(&head)].map(|cost| store.reserve(cost).unwrap());
        let [body, own] = charges;
        Object::new(STORED, head, Body::new(chunks, body), own)
    }

    proptest! {
        #[test]
        fn an_entry_is_read_as_written_or_not_at_all(
            key in prop::collection::vec(any::<u8>(), 0..100), since in any::<u64>(),
            at in any::<prop::sample::Index>(), byte in 1u8..=255, cut in any::<bool>(),
        ) {
            let object = object(&Parts { key: key.clone(), ..Parts::default() }, vec![Chunk::from(&b"body"[..])]);
            let digest = digest(object.body().chunks());
            let mut bytes = encode(&object, Mark(since), &digest);
            {
                let copy = decode(&bytes).unwrap();
                prop_assert_eq!((copy.since, copy.length, copy.digest), (Mark(since), 4, digest));
                prop_assert_eq!((copy.stored, copy.head.key()), (STORED, &key[..]));
            }
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] ^= byte }
            prop_assert!(decode(&bytes).is_none());
        }

        #[test]
        fn a_body_is_cut_into_pieces_and_nothing_is_lost(lengths in prop::collection::vec(0usize..200_000, 0..6)) {
            let chunks: Vec<Chunk> = lengths.iter().enumerate().map(|(at, length)| vec![at as u8; *length].into()).collect();
            let all: Vec<Vec<u8>> = pieces(&chunks).collect();
            let length: usize = lengths.iter().sum();
            prop_assert_eq!(all.len() as u64, pieces_of(length as u64));
            prop_assert!(all.iter().rev().skip(1).all(|piece| piece.len() == PIECE));
            prop_assert_eq!(all.concat(), chunks.concat());
        }
    }

    #[test]
    fn what_a_proxy_made_of_a_request_stays_in_it() {
        let recast = Some(vec![("x-api-key".to_owned(), b"s3cret".to_vec())]);
        let object = object(&Parts { key: b"k".to_vec(), recast, ..Parts::default() }, Vec::new());
        let bytes = encode(&object, Mark(1), &digest(&[]));
        assert!(!bytes.windows(6).any(|window| window == b"s3cret"));
        let copy = decode(&bytes).unwrap();
        assert!(copy.head.key() == b"k" && copy.head.recast().is_none());
    }

    #[test]
    fn variants_are_named_by_what_selects_them() {
        let id = |selectors: &[(&str, Option<&str>)]| {
            let own = |(name, value): &(&str, Option<&str>)| {
                ((*name).to_owned(), value.map(|value| value.as_bytes().to_vec()))
            };
            let selectors = selectors.iter().map(own).collect();
            variant_id(&Head::new(&Head::encode(&Parts { selectors, ..Parts::default() })))
        };
        let all = [
            id(&[]),
            id(&[("a", None)]),
            id(&[("a", Some(""))]),
            id(&[("a", Some("b"))]),
            id(&[("ab", Some(""))]),
            id(&[("a", Some("")), ("b", None)]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all[..at].iter().all(|other| other != one));
        }
    }

    #[test]
    fn a_response_is_kept_as_long_as_it_may_be_of_use() {
        let plain = Head::encode(&Parts::default());
        let tagged =
            Head::encode(&Parts { lines: vec![("etag".into(), b"\"a\"".to_vec())], ..Parts::default() });
        let (plain, tagged) = (Head::new(&plain), Head::new(&tagged));
        assert_eq!(worth_for(&STORED, &plain, Time::from_seconds(40)), Some(60_000));
        assert_eq!(worth_for(&STORED, &plain, Time::from_seconds(100)), None);
        assert_eq!(worth_for(&STORED, &tagged, Time::from_seconds(100)), Some(3_600_000));
        let stale = Stored { stale_if_error: 50, ..STORED };
        assert_eq!(worth_for(&stale, &plain, Time::from_seconds(100)), Some(50_000));
    }
}
