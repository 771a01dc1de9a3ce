//! The one pass over a JSON text.

use super::string::plain_length;
use super::{Entry, Key, MAX_DEPTH, Wanted};

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

type Scanned = Result<(), JsonError>;

/// Walks over a text; `index` grows where `recording`.
pub(super) struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: u32,
    recording: bool,
    index: Vec<Entry>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self, JsonError> {
        // Entries hold 32-bit offsets.
        if u32::try_from(text.len()).is_err() {
            return Err(JsonError::at(text.len(), "larger than 4 GiB"));
        }
        let (bytes, index) = (text.as_bytes(), Vec::new());
        Ok(Self { text, bytes, at: 0, depth: 0, recording: false, index })
    }

    pub(super) fn document(mut self, wanted: &Wanted) -> Result<Vec<Entry>, JsonError> {
        self.skip_whitespace();
        match wanted {
            Wanted::Members(names) if self.peek() == Some(b'{') => self.root_object(names)?,
            Wanted::Members(_) => self.value()?,
            Wanted::Everything => {
                self.recording = true;
                self.value()?;
            }
        }
        self.skip_whitespace();
        if self.at < self.bytes.len() { Err(self.error("text after the value")) } else { Ok(self.index) }
    }

    fn root_object(&mut self, names: &[String]) -> Scanned {
        let start = self.open();
        self.members(|scanner, key| scanner.recording = names.iter().any(|name| key.is(name)))?;
        self.recording = true;
        self.close(start);
        Ok(())
    }

    fn value(&mut self) -> Scanned {
        match self.peek() {
            Some(b'"') => self.string_value(),
            Some(b'{') => self.nested(|scanner| scanner.members(|_, _| {})),
            Some(b'[') => self.nested(Self::elements),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(_) => Err(self.error("a value was expected")),
            None => Err(self.error("the text ends early")),
        }
    }

    fn nested(&mut self, content: impl FnOnce(&mut Self) -> Scanned) -> Scanned {
        let place = if self.recording { Some(self.open()) } else { None };
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error("nested too deep"));
        }
        content(self)?;
        self.depth -= 1;
        if let Some(place) = place {
            self.close(place);
        }
        Ok(())
    }

    /// `{ key: value, … }`, from the brace that opens to after the one that closes.
    fn members(&mut self, mut on_key: impl FnMut(&mut Self, Key<'a>)) -> Scanned {
        self.at += 1;
        self.skip_whitespace();
        if self.eat(b'}') {
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.error("a key was expected"));
            }
            self.member(&mut on_key)?;
            self.skip_whitespace();
            if self.eat(b'}') {
                return Ok(());
            }
            if !self.eat(b',') {
                return Err(self.error("a comma or a closing brace was expected"));
            }
            self.skip_whitespace();
        }
    }

    fn member(&mut self, on_key: &mut impl FnMut(&mut Self, Key<'a>)) -> Scanned {
        let start = self.at;
        let key = self.string()?;
        on_key(self, Key(key));
        self.record(start);
        self.skip_whitespace();
        if !self.eat(b':') {
            return Err(self.error("a colon was expected"));
        }
        self.skip_whitespace();
        self.value()
    }

    fn elements(&mut self) -> Scanned {
        self.at += 1;
        self.skip_whitespace();
        if self.eat(b']') {
            return Ok(());
        }
        loop {
            self.value()?;
            self.skip_whitespace();
            if self.eat(b']') {
                return Ok(());
            }
            if !self.eat(b',') {
                return Err(self.error("a comma or a closing bracket was expected"));
            }
            self.skip_whitespace();
        }
    }

    /// Returns what stands between the quotes.
    fn string(&mut self) -> Result<&'a str, JsonError> {
        let start = self.at + 1;
        self.at = start;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            self.at += plain_length(rest);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.error("a control character in a string")),
                None => return Err(self.error("a string does not end")),
            }
        }
        self.at += 1;
        Ok(self.text.get(start..self.at - 1).unwrap_or_default())
    }

    fn string_value(&mut self) -> Scanned {
        let start = self.at;
        self.string()?;
        self.record(start);
        Ok(())
    }

    fn escape(&mut self) -> Scanned {
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
    fn number(&mut self) -> Scanned {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        self.record(start);
        Ok(())
    }

    fn digits(&mut self) -> Scanned {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { Err(self.error("a digit was expected")) } else { Ok(()) }
    }

    fn word(&mut self, word: &str) -> Scanned {
        let start = self.at;
        if !self.bytes.get(start..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            return Err(self.error("a value was expected"));
        }
        self.at += word.len();
        self.record(start);
        Ok(())
    }

    /// Reserves the entry of an array or object, which comes before those of its content.
    fn open(&mut self) -> usize {
        self.index.push(Entry { start: offset(self.at), end: 0, next: 0 });
        self.index.len() - 1
    }

    fn close(&mut self, place: usize) {
        let next = offset(self.index.len());
        if let Some(entry) = self.index.get_mut(place) {
            (entry.end, entry.next) = (offset(self.at), next);
        }
    }

    fn record(&mut self, start: usize) {
        if self.recording {
            let next = offset(self.index.len() + 1);
            self.index.push(Entry { start: offset(start), end: offset(self.at), next });
        }
    }

    fn skip_whitespace(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn error(&self, reason: &'static str) -> JsonError {
        JsonError::at(self.at, reason)
    }
}

/// [`Scanner::new`] made sure that all offsets fit.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
