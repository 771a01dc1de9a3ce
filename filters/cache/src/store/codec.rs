//! The bytes of a stored response's head: its key, what selects it, its tags and its field lines; and of all of its metadata for
//! stores outside of this process.
//!
//! What was encoded here is read without copies. What comes from elsewhere is checked from end to end before it is used.

use crate::policy::stored::Stored;
use crate::policy::time::Time;

/// What [`Head::encode`] writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The key.
    pub key: Vec<u8>,
    /// Names of request fields that select the response, and what the request said; none where it had no such field.
    pub selectors: Vec<(String, Option<Vec<u8>>)>,
    /// Tags that purges name.
    pub tags: Vec<Vec<u8>>,
    /// Field lines, names in lower case.
    pub lines: Vec<(String, Vec<u8>)>,
    /// What the proxy made of the request's fields on its way to the origin, an empty value for a field that it took out; none where
    /// the request cannot be made again without its client.
    pub recast: Option<Vec<(String, Vec<u8>)>>,
}

/// An encoded head.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    pub(crate) bytes: &'a [u8],
}

impl<'a> Head<'a> {
    /// Writes one.
    pub fn encode(parts: &Parts) -> Box<[u8]> {
        let mut bytes = Vec::new();
        text(&mut bytes, &parts.key);
        number(&mut bytes, parts.selectors.len());
        for (name, value) in &parts.selectors {
            text(&mut bytes, name.as_bytes());
            bytes.push(u8::from(value.is_some()));
            text(&mut bytes, value.as_deref().unwrap_or_default());
        }
        number(&mut bytes, parts.tags.len());
        parts.tags.iter().for_each(|tag| text(&mut bytes, tag));
        number(&mut bytes, parts.lines.len());
        all_lines(&mut bytes, &parts.lines);
        number(&mut bytes, parts.recast.as_ref().map_or(0, |lines| lines.len() + 1));
        all_lines(&mut bytes, parts.recast.as_deref().unwrap_or_default());
        bytes.into_boxed_slice()
    }

    /// Reads what [`Head::encode`] wrote.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Reads bytes of unknown origin; none where they are not a head from end to end.
    pub fn check(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader { rest: bytes };
        reader.text()?;
        for _ in 0..reader.number()? {
            std::str::from_utf8(reader.text()?).ok()?;
            reader.byte().filter(|flag| *flag <= 1)?;
            reader.text()?;
        }
        for _ in 0..reader.number()? {
            reader.text()?;
        }
        for _ in 0..reader.number()? {
            reader.line()?;
        }
        for _ in 1..reader.number()? {
            reader.line()?;
        }
        reader.rest.is_empty().then_some(Self { bytes })
    }

    /// The key.
    pub fn key(&self) -> &'a [u8] {
        Reader { rest: self.bytes }.text().unwrap_or_default()
    }

    /// Names of selecting fields and what the request said.
    pub fn selectors(&self) -> impl Iterator<Item = (&'a str, Option<&'a [u8]>)> + use<'a> {
        let mut reader = Reader { rest: self.bytes };
        reader.text();
        let count = reader.number().unwrap_or(0);
        (0..count).map_while(move |_| reader.selector())
    }

    /// Its tags.
    pub fn tags(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut reader = self.after_selectors();
        let count = reader.number().unwrap_or(0);
        (0..count).map_while(move |_| reader.text())
    }

    /// Its field lines, in order.
    pub fn lines(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        let mut reader = self.after_selectors();
        for _ in 0..reader.number().unwrap_or(0) {
            reader.text();
        }
        let count = reader.number().unwrap_or(0);
        (0..count).map_while(move |_| reader.line())
    }

    /// The same with names as bytes.
    pub fn raw_lines(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut reader = self.after_selectors();
        for _ in 0..reader.number().unwrap_or(0) {
            reader.text();
        }
        let count = reader.number().unwrap_or(0);
        (0..count).map_while(move |_| Some((reader.text()?, reader.text()?)))
    }

    /// See [`Parts::recast`].
    pub fn recast(&self) -> Option<impl Iterator<Item = (&'a str, &'a [u8])> + use<'a>> {
        let mut reader = self.after_selectors();
        for _ in 0..reader.number()? {
            reader.text();
        }
        for _ in 0..reader.number()? {
            reader.line();
        }
        let count = reader.number()?.checked_sub(1)?;
        Some((0..count).map_while(move |_| reader.line()))
    }

    /// The first line of that name.
    pub fn line(&self, name: &str) -> Option<&'a [u8]> {
        self.lines().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Whether both are selected by the same requests.
    pub fn has_selectors_of(&self, other: &Head<'_>) -> bool {
        self.selectors().eq(other.selectors())
    }

    fn after_selectors(&self) -> Reader<'a> {
        let mut reader = Reader { rest: self.bytes };
        reader.text();
        for _ in 0..reader.number().unwrap_or(0) {
            reader.selector();
        }
        reader
    }
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    /// LEB128, five bytes at most.
    fn number(&mut self) -> Option<usize> {
        let mut number = 0u64;
        for place in 0..5 {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return usize::try_from(number).ok();
            }
        }
        None
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(text)
    }

    fn name(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.text()?).ok()
    }

    fn line(&mut self) -> Option<(&'a str, &'a [u8])> {
        Some((self.name()?, self.text()?))
    }

    fn selector(&mut self) -> Option<(&'a str, Option<&'a [u8]>)> {
        let (name, has, value) = (self.name()?, self.byte()?, self.text()?);
        Some((name, (has == 1).then_some(value)))
    }

    fn word(&mut self) -> Option<[u8; 8]> {
        let (word, rest) = self.rest.split_first_chunk::<8>()?;
        self.rest = rest;
        Some(*word)
    }

    fn u64(&mut self) -> Option<u64> {
        self.word().map(u64::from_le_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.word().map(i64::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        u32::try_from(self.u64()?).ok()
    }
}

fn number(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn text(bytes: &mut Vec<u8>, text: &[u8]) {
    number(bytes, text.len());
    bytes.extend_from_slice(text);
}

fn all_lines(bytes: &mut Vec<u8>, lines: &[(String, Vec<u8>)]) {
    for (name, value) in lines {
        text(bytes, name.as_bytes());
        text(bytes, value);
    }
}

/// The first byte of an entry: another layout is another number.
const VERSION: u8 = 2;

/// An entry without its body: metadata and head.
pub fn encode_entry(stored: &Stored, head: &[u8]) -> Vec<u8> {
    let flags = u8::from(stored.no_cache)
        | u8::from(stored.must_revalidate) << 1
        | u8::from(stored.last_modified.is_some()) << 2;
    let mut bytes = vec![VERSION, flags];
    for number in [
        u64::from(stored.status),
        stored.response_time.0,
        u64::from(stored.initial_age),
        u64::from(stored.lifetime),
        u64::from(stored.stale_while_revalidate),
        u64::from(stored.stale_if_error),
    ] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(&stored.date.to_le_bytes());
    bytes.extend_from_slice(&stored.last_modified.unwrap_or(0).to_le_bytes());
    bytes.extend_from_slice(head);
    bytes
}

/// Reads an entry of unknown origin; none where it is not one of this version from end to end.
pub fn decode_entry(bytes: &[u8]) -> Option<(Stored, Head<'_>)> {
    let mut reader = Reader { rest: bytes };
    let (version, flags) = (reader.byte()?, reader.byte()?);
    if version != VERSION || flags > 7 {
        return None;
    }
    let status = u16::try_from(reader.u64()?).ok().filter(|status| (200..=599).contains(status))?;
    let response_time = Time(reader.u64()?);
    let (initial_age, lifetime) = (reader.u32()?, reader.u32()?);
    let (stale_while_revalidate, stale_if_error) = (reader.u32()?, reader.u32()?);
    let (date, modified) = (reader.i64()?, reader.i64()?);
    let stored = Stored {
        status,
        no_cache: flags & 1 != 0,
        must_revalidate: flags & 2 != 0,
        response_time,
        initial_age,
        lifetime,
        date,
        last_modified: (flags & 4 != 0).then_some(modified),
        stale_while_revalidate,
        stale_if_error,
    };
    Some((stored, Head::check(reader.rest)?))
}

fn owned((name, value): (&str, &[u8])) -> (String, Vec<u8>) {
    (name.to_owned(), value.to_vec())
}

/// The parts of a head, for who makes another of it.
pub fn parts(head: &Head<'_>) -> Parts {
    Parts {
        key: head.key().to_vec(),
        selectors: head
            .selectors()
            .map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec)))
            .collect(),
        tags: head.tags().map(<[u8]>::to_vec).collect(),
        lines: head.lines().map(owned).collect(),
        recast: head.recast().map(|lines| lines.map(owned).collect()),
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_parts() -> impl Strategy<Value = Parts> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..200);
        let selectors = prop::collection::vec(("[a-z-]{1,9}", prop::option::of(bytes())), 0..4);
        let lines = || prop::collection::vec(("[a-z-]{1,9}", bytes()), 0..6);
        let recast = prop::option::of(lines());
        (bytes(), selectors, prop::collection::vec(bytes(), 0..3), lines(), recast)
            .prop_map(|(key, selectors, tags, lines, recast)| Parts { key, selectors, tags, lines, recast })
    }

    fn any_stored() -> impl Strategy<Value = Stored> {
        (200u16..600, any::<[bool; 2]>(), any::<u64>(), any::<[u32; 4]>(), any::<i64>(), any::<Option<i64>>())
            .prop_map(
                |(
                    status,
                    [no_cache, must_revalidate],
                    time,
                    [age, lifetime, swr, sie],
                    date,
                    last_modified,
                )| Stored {
                    status,
                    no_cache,
                    must_revalidate,
                    response_time: Time(time),
                    initial_age: age,
                    lifetime,
                    date,
                    last_modified,
                    stale_while_revalidate: swr,
                    stale_if_error: sie,
                },
            )
    }

    proptest! {
        #[test]
        fn an_entry_reads_as_it_was_written(parts_written in any_parts(), stored in any_stored()) {
            let head = Head::encode(&parts_written);
            let bytes = encode_entry(&stored, &head);
            let (read, head) = decode_entry(&bytes).unwrap();
            prop_assert_eq!(read, stored);
            prop_assert_eq!(parts(&head), parts_written);
        }

        #[test]
        fn a_damaged_entry_is_refused_or_read_without_a_panic(
            parts_written in any_parts(), stored in any_stored(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
        ) {
            let mut bytes = encode_entry(&stored, &Head::encode(&parts_written));
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] = byte }
            let read = decode_entry(&bytes);
            if cut { prop_assert!(read.is_none()) }
            if let Some((_, head)) = read { let _ = parts(&head); }
        }
    }
}
