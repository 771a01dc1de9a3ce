//! The one pass that checks a JSON text.
//!
//! Invariant: containers are a stack of bits, so that depth costs nothing and nothing recurses.

use super::string::plain_length;
use super::{Document, Key, MAX_DEPTH, Member, Node};

/// Why a text is no JSON that we read. Tells nothing of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub(crate) struct JsonError {
    offset: usize,
    reason: &'static str,
}

impl JsonError {
    pub(super) fn at(offset: usize, reason: &'static str) -> Self {
        Self { offset, reason }
    }
}

type Checked<T = ()> = Result<T, JsonError>;

/// How many places of members are noted; a text that repeats a key more often is hostile.
const MAX_PLACES: usize = 1024;

/// Walks over a text.
pub(super) struct Checker<'a, 'n> {
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

    pub(super) fn document(mut self) -> Checked<Document<'a>> {
        self.skip_whitespace();
        let start = self.at;
        self.values()?;
        let end = self.at;
        self.skip_whitespace();
        if self.at < self.bytes.len() {
            return Err(self.error("text after the value"));
        }
        for member in &mut self.members {
            member.value = member.value.start - start..member.value.end - start;
        }
        let root = Node(self.text.get(start..end).unwrap_or_default());
        Ok(Document { root, members: self.members, truncated: self.truncated })
    }

    /// A value and all within it.
    fn values(&mut self) -> Checked {
        loop {
            let goes_in = match self.byte() {
                b'"' => self.string().map(|()| false)?,
                b'{' => self.open(true, b'}')?,
                b'[' => self.open(false, b']')?,
                b'-' | b'0'..=b'9' => self.number().map(|()| false)?,
                b't' => self.word("true").map(|()| false)?,
                b'f' => self.word("false").map(|()| false)?,
                b'n' => self.word("null").map(|()| false)?,
                _ if self.at >= self.bytes.len() => return Err(self.error("the text ends early")),
                _ => return Err(self.error("a value was expected")),
            };
            if !goes_in && !self.goes_on()? {
                return Ok(());
            }
        }
    }

    /// Enters a container; says whether a value comes in it.
    #[inline]
    fn open(&mut self, object: bool, close: u8) -> Checked<bool> {
        self.at += 1;
        self.skip_whitespace();
        if self.byte() == close {
            self.at += 1;
            return if self.depth < MAX_DEPTH { Ok(false) } else { Err(self.error("nested too deep")) };
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error("nested too deep"));
        }
        self.objects = self.objects << 1 | u128::from(object);
        if object {
            self.key()?;
        }
        Ok(true)
    }

    /// Leaves containers that end here; says whether another value comes.
    #[inline]
    fn goes_on(&mut self) -> Checked<bool> {
        while self.depth > 0 {
            if self.depth == 1 {
                self.note();
            }
            self.skip_whitespace();
            let object = self.objects & 1 == 1;
            match self.byte() {
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
                _ if object => return Err(self.error("a comma or a closing brace was expected")),
                _ => return Err(self.error("a comma or a closing bracket was expected")),
            }
        }
        Ok(false)
    }

    #[inline]
    fn leave(&mut self) {
        self.at += 1;
        self.depth -= 1;
        self.objects >>= 1;
    }

    /// A key and its colon.
    #[inline]
    fn key(&mut self) -> Checked {
        if self.byte() != b'"' {
            return Err(self.error("a key was expected"));
        }
        let start = self.at + 1;
        self.string()?;
        let asked_for = if self.depth == 1 { self.asked_for(start) } else { None };
        self.skip_whitespace();
        if self.byte() != b':' {
            return Err(self.error("a colon was expected"));
        }
        self.at += 1;
        self.skip_whitespace();
        self.pending = asked_for.map(|name| (name, self.at)).or(self.pending);
        Ok(())
    }

    fn asked_for(&self, start: usize) -> Option<usize> {
        let key = Key(self.text.get(start..self.at - 1).unwrap_or_default());
        self.names.iter().position(|name| key.is(name))
    }

    /// A member of the root object ends.
    #[inline]
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

    #[inline]
    fn string(&mut self) -> Checked {
        self.at += 1;
        loop {
            self.at += plain_length(self.bytes.get(self.at..).unwrap_or_default());
            match self.bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.error("a control character in a string")),
                None => return Err(self.error("a string does not end")),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn escape(&mut self) -> Checked {
        let rest = self.bytes.get(self.at + 1..).unwrap_or_default();
        match rest {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => self.at += 2,
            [b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) => {
                self.at += 6
            }
            _ => return Err(self.error("a bad escape in a string")),
        }
        Ok(())
    }

    /// RFC 8259 §6: `-`? (`0` | digits) (`.` digits)? (`e` sign? digits)?
    #[inline]
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

    #[inline]
    fn digits(&mut self) -> Checked {
        let start = self.at;
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        if self.at == start { Err(self.error("a digit was expected")) } else { Ok(()) }
    }

    fn word(&mut self, word: &str) -> Checked {
        if !self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            return Err(self.error("a value was expected"));
        }
        self.at += word.len();
        Ok(())
    }

    #[inline]
    fn skip_whitespace(&mut self) {
        while matches!(self.byte(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    /// The byte at hand; past the end NUL, which no text may have outside of strings.
    #[inline]
    fn byte(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn error(&self, reason: &'static str) -> JsonError {
        JsonError::at(self.at, reason)
    }
}
