//! Template text to tokens.
//!
//! Two things are as odd as in Inja: `-` before blanks takes a line's indentation but no line break, and whether a
//! minus sign is an operator or the start of a number depends on the token before it, even across tags.

use super::token::{Kind, Tag, Token};

/// Characters that start a name besides letters.
const NAME_START: &[u8] = b"_@$~";
/// Characters that go on with a name besides letters and digits.
const NAME_PART: &[u8] = b"._-/~";
const BLANK: &[char] = &[' ', '\t'];
const SPACE: &[char] = &[' ', '\t', '\n', '\r'];
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads tokens one by one.
#[derive(Debug)]
pub(super) struct Lexer<'s> {
    source: &'s str,
    at: usize,
    tag: Option<Tag>,
    /// Whether a minus sign that comes next is an operator.
    minus_subtracts: bool,
}

impl<'s> Lexer<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        let at = if source.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
        Self { source, at, tag: None, minus_subtracts: false }
    }

    pub(super) fn next(&mut self) -> Token<'s> {
        match self.tag {
            Some(tag) => self.in_tag(tag),
            None => self.in_text(),
        }
    }

    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or_default()
    }

    /// The token from `start` to here.
    fn token(&self, kind: Kind, start: usize) -> Token<'s> {
        Token { kind, text: self.source.get(start..self.at).unwrap_or_default(), at: start }
    }

    fn take(&mut self, kind: Kind, length: usize) -> Token<'s> {
        let start = self.at;
        self.at += length;
        self.token(kind, start)
    }

    fn in_text(&mut self) -> Token<'s> {
        let (start, rest) = (self.at, self.rest());
        if rest.is_empty() {
            return self.token(Kind::End, start);
        }
        let open = (0..rest.len()).find(|place| self.opens(start + place)).unwrap_or(rest.len());
        let text = rest.get(..open).unwrap_or(rest);
        let strips = rest.get(open..).is_some_and(|tag| tag.starts_with('{') && tag.get(2..3) == Some("-"));
        let kept = if strips { without_indentation(text) } else { text };
        self.at += open;
        if kept.is_empty() { self.open() } else { Token { kind: Kind::Text, text: kept, at: start } }
    }

    fn opens(&self, at: usize) -> bool {
        let Some(rest) = self.source.get(at..) else { return false };
        let starts_line = at == 0 || self.source.as_bytes().get(at - 1) == Some(&b'\n');
        ["{{", "{%", "{#"].iter().any(|tag| rest.starts_with(tag)) || (starts_line && rest.starts_with("##"))
    }

    /// The tag that starts here, or the end.
    fn open(&mut self) -> Token<'s> {
        let rest = self.rest();
        let (tag, length) = match rest.get(..2) {
            Some("{{") => (Tag::Expression, 2 + usize::from(rest.starts_with("{{-"))),
            Some("{%") => {
                (Tag::Statement, 2 + usize::from(rest.starts_with("{%-") || rest.starts_with("{%+")))
            }
            Some("##") => (Tag::Line, 2),
            Some("{#") => return self.comment(),
            _ => return self.token(Kind::End, self.at),
        };
        self.tag = Some(tag);
        self.take(Kind::Open(tag), length)
    }

    fn comment(&mut self) -> Token<'s> {
        let start = self.at;
        let length = if self.rest().starts_with("{#-") { 3 } else { 2 };
        let body = self.rest().get(length..).unwrap_or_default();
        let Some(end) = body.find("#}") else {
            self.at = self.source.len();
            return Token { kind: Kind::Unknown, text: "{#", at: start };
        };
        let body = body.get(..end).unwrap_or_default();
        self.at += length + end + 2;
        let strips = self.source.get(..self.at).is_some_and(|before| before.ends_with("-#}"));
        if strips {
            self.skip_line();
        }
        Token {
            kind: Kind::Comment,
            text: body.strip_suffix('-').filter(|_| strips).unwrap_or(body),
            at: start,
        }
    }

    /// Skips blanks and the line break after them.
    fn skip_line(&mut self) {
        let rest = self.rest().trim_start_matches(BLANK);
        let rest = ["\r\n", "\n", "\r"].iter().find_map(|end| rest.strip_prefix(end)).unwrap_or(rest);
        self.at = self.source.len() - rest.len();
    }

    fn in_tag(&mut self, tag: Tag) -> Token<'s> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches([' ', '\t', '\r']);
            self.at += rest.len() - trimmed.len();
            if trimmed.is_empty() {
                return self.token(Kind::End, self.at);
            }
            if let Some(close) = self.close(tag) {
                return close;
            }
            if !trimmed.starts_with('\n') {
                return self.in_expression(trimmed);
            }
            self.at += 1;
        }
    }

    fn close(&mut self, tag: Tag) -> Option<Token<'s>> {
        let (rest, close) = (self.rest(), tag.close());
        let strips = tag != Tag::Line && rest.strip_prefix('-').is_some_and(|rest| rest.starts_with(close));
        if !strips && !rest.starts_with(close) {
            return None;
        }
        self.tag = None;
        let token = self.take(Kind::Close(tag), close.len() + usize::from(strips));
        if strips {
            self.at = self.source.len() - self.rest().trim_start_matches(SPACE).len();
        }
        Some(token)
    }

    fn in_expression(&mut self, rest: &str) -> Token<'s> {
        let Some(first) = rest.bytes().next() else { return self.token(Kind::End, self.at) };
        let part = |byte: u8| byte.is_ascii_alphanumeric() || NAME_PART.contains(&byte);
        let subtracts = std::mem::take(&mut self.minus_subtracts);
        if first.is_ascii_alphabetic() || NAME_START.contains(&first) {
            self.minus_subtracts = true;
            let length = rest.bytes().skip(1).take_while(|byte| part(*byte)).count() + 1;
            return self.take(Kind::Name, length);
        }
        self.minus_subtracts = first.is_ascii_digit() || matches!(first, b')' | b']' | b'}');
        let kind = match first {
            b'"' => return self.string(rest),
            b'-' if !subtracts => return self.number(rest),
            b'0'..=b'9' => return self.number(rest),
            b'.' => Kind::Dot,
            b',' => Kind::Comma,
            b':' => Kind::Colon,
            b'|' => Kind::Pipe,
            b'(' => Kind::ParenOpen,
            b')' => Kind::ParenClose,
            b'[' => Kind::BracketOpen,
            b']' => Kind::BracketClose,
            b'{' => Kind::BraceOpen,
            b'}' => Kind::BraceClose,
            b'=' | b'!' | b'<' | b'>' => return self.comparison(rest),
            b'+' | b'-' | b'*' | b'/' | b'^' | b'%' => Kind::Operator,
            _ => Kind::Unknown,
        };
        self.take(kind, rest.chars().next().map_or(1, char::len_utf8))
    }

    fn comparison(&mut self, rest: &str) -> Token<'s> {
        match (rest.as_bytes().get(1), rest.as_bytes().first()) {
            (Some(b'='), _) => self.take(Kind::Operator, 2),
            (_, Some(b'<' | b'>')) => self.take(Kind::Operator, 1),
            (_, Some(b'=')) => self.take(Kind::Assign, 1),
            _ => self.take(Kind::Unknown, 1),
        }
    }

    fn number(&mut self, rest: &str) -> Token<'s> {
        let bytes = rest.as_bytes();
        let exponent = |place: usize| matches!(bytes.get(place.wrapping_sub(1)), Some(b'e' | b'E'));
        let part = |(place, byte): &(usize, &u8)| match byte {
            b'0'..=b'9' | b'.' | b'e' | b'E' => true,
            b'+' | b'-' => *place == 0 || exponent(*place),
            _ => false,
        };
        let length = bytes.iter().enumerate().take_while(part).count();
        self.take(Kind::Number, length)
    }

    /// With its quotes; one that does not end goes on to the end.
    fn string(&mut self, rest: &str) -> Token<'s> {
        let mut escaped = false;
        let end = rest.bytes().skip(1).position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        self.take(Kind::String, end.map_or(rest.len(), |end| end + 2))
    }
}

/// Drops the blanks that a text ends in if its last line has nothing else.
fn without_indentation(text: &str) -> &str {
    let trimmed = text.trim_end_matches(BLANK);
    if trimmed.is_empty() || trimmed.ends_with(['\n', '\r']) { trimmed } else { text }
}
