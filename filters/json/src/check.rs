//! The one pass that checks a JSON text.
//!
//! Invariant: containers are a stack of bits, so that depth costs nothing and nothing recurses.

use std::ops::Range;

use super::string::plain_end;
use super::{Document, Key, MAX_DEPTH, Member, Node};

/// Why a text is no JSON that we read. Tells nothing of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub struct JsonError {
    offset: usize,
    reason: &'static str,
}

impl JsonError {
    pub(super) fn at(offset: usize, reason: &'static str) -> Self {
        Self { offset, reason }
    }
}

/// What fails says why; where is where the checker stands.
type Checked<T = ()> = Result<T, &'static str>;

/// How many places of members are noted; a text that repeats a key more often is hostile.
const MAX_PLACES: usize = 1024;

/// Walks over a text. Its steps are made one loop, a quarter faster than calls between them.
pub(crate) struct Checker<'a, 'n> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: u32,
    /// Which of the containers around are objects, the innermost lowest.
    objects: u128,
    names: &'n [String],
    members: Vec<Member>,
    truncated: bool,
    /// A member that was asked for: place of its name, start of its value.
    pending: Option<(usize, usize)>,
}

impl<'a, 'n> Checker<'a, 'n> {
    pub(super) fn new(text: &'a str, names: &'n [String]) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            depth: 0,
            objects: 0,
            names,
            members: Vec::new(),
            truncated: false,
            pending: None,
        }
    }

    pub(super) fn document(mut self) -> Result<Document<'a>, JsonError> {
        let Range { start, end } = self.whole().map_err(|reason| JsonError::at(self.at, reason))?;
        for member in &mut self.members {
            member.value = member.value.start - start..member.value.end - start;
        }
        let root = Node(self.text.get(start..end).unwrap_or_default());
        Ok(Document { root, members: self.members, truncated: self.truncated })
    }

    /// Where the one value stands that the text is.
    #[inline(always)]
    fn whole(&mut self) -> Checked<Range<usize>> {
        self.skip_whitespace();
        let start = self.at;
        self.values()?;
        let end = self.at;
        self.skip_whitespace();
        if self.at < self.bytes.len() { Err("text after the value") } else { Ok(start..end) }
    }

    /// A value and all within it.
    #[inline(always)]
    fn values(&mut self) -> Checked {
        loop {
            match self.byte() {
                b'"' => self.string()?,
                b'{' => {
                    if self.open(true, b'}')? {
                        continue;
                    }
                }
                b'[' => {
                    if self.open(false, b']')? {
                        continue;
                    }
                }
                b'-' | b'0'..=b'9' => self.number()?,
                b't' => self.word("true")?,
                b'f' => self.word("false")?,
                b'n' => self.word("null")?,
                _ if self.at >= self.bytes.len() => return Err("the text ends early"),
                _ => return Err("a value was expected"),
            }
            if !self.goes_on()? {
                return Ok(());
            }
        }
    }

    /// Enters a container; says whether a value comes in it.
    #[inline(always)]
    fn open(&mut self, object: bool, close: u8) -> Checked<bool> {
        self.at += 1;
        if self.skip_whitespace() == close {
            self.at += 1;
            return if self.depth < MAX_DEPTH { Ok(false) } else { Err("nested too deep") };
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("nested too deep");
        }
        self.objects = self.objects << 1 | u128::from(object);
        if object {
            self.key()?;
        }
        Ok(true)
    }

    /// Leaves containers that end here; says whether another value comes.
    #[inline(always)]
    fn goes_on(&mut self) -> Checked<bool> {
        while self.depth > 0 {
            if self.depth == 1 {
                self.note();
            }
            let object = self.objects & 1 == 1;
            match self.skip_whitespace() {
                b',' => {
                    self.at += 1;
                    self.skip_whitespace();
                    if object {
                        self.key()?;
                    }
                    return Ok(true);
                }
                b'}' if object => self.leave(),
                b']' if !object => self.leave(),
                _ if object => return Err("a comma or a closing brace was expected"),
                _ => return Err("a comma or a closing bracket was expected"),
            }
        }
        Ok(false)
    }

    #[inline(always)]
    fn leave(&mut self) {
        self.at += 1;
        self.depth -= 1;
        self.objects >>= 1;
    }

    /// A key and its colon.
    #[inline(always)]
    fn key(&mut self) -> Checked {
        if self.byte() != b'"' {
            return Err("a key was expected");
        }
        let start = self.at + 1;
        self.string()?;
        let key = || Key(self.text.get(start..self.at - 1).unwrap_or_default());
        let asked_for = if self.depth == 1 { place_of(key(), self.names) } else { None };
        if self.skip_whitespace() != b':' {
            return Err("a colon was expected");
        }
        self.at += 1;
        self.skip_whitespace();
        if let Some(name) = asked_for {
            self.pending = Some((name, self.at));
        }
        Ok(())
    }

    /// A member of the root object ends.
    #[inline(always)]
    fn note(&mut self) {
        let Some((name, start)) = self.pending.take() else { return };
        let member = Member { name, value: start..self.at };
        if self.members.len() < MAX_PLACES {
            self.members.push(member);
            return;
        }
        self.truncated = true;
        self.members.retain(|known| known.name != name);
        self.members.push(member);
    }

    #[inline(always)]
    fn string(&mut self) -> Checked {
        self.at += 1;
        loop {
            self.at = plain_end(self.bytes, self.at);
            match self.byte() {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.at += escape_length(self.bytes, self.at).ok_or("a bad escape in a string")?,
                _ if self.at < self.bytes.len() => return Err("a control character in a string"),
                _ => return Err("a string does not end"),
            }
        }
    }

    /// RFC 8259 §6: `-`? (`0` | digits) (`.` digits)? (`e` sign? digits)?
    #[inline(always)]
    fn number(&mut self) -> Checked {
        self.at += usize::from(self.byte() == b'-');
        if self.byte() == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), b'e' | b'E') {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), b'+' | b'-'));
            self.digits()?;
        }
        Ok(())
    }

    #[inline(always)]
    fn digits(&mut self) -> Checked {
        let start = self.at;
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        if self.at == start { Err("a digit was expected") } else { Ok(()) }
    }

    #[inline(always)]
    fn word(&mut self, word: &str) -> Checked {
        if !self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            return Err("a value was expected");
        }
        self.at += word.len();
        Ok(())
    }

    /// Says which byte comes after it.
    #[inline(always)]
    fn skip_whitespace(&mut self) -> u8 {
        loop {
            match self.byte() {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return byte,
            }
        }
    }

    /// The byte at hand; past the end NUL, which no text may have outside of strings.
    #[inline(always)]
    fn byte(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }
}

/// How many bytes the escape takes that stands at `at`, if it is one.
#[inline(always)]
fn escape_length(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at + 1..)? {
        [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Some(2),
        [b'u', digits @ ..] => digits.first_chunk::<4>()?.iter().all(u8::is_ascii_hexdigit).then_some(6),
        _ => None,
    }
}

fn place_of(key: Key<'_>, names: &[String]) -> Option<usize> {
    names.iter().position(|name| key.is(name))
}
