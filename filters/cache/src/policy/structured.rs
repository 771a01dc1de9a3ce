//! Structured Fields (RFC 9651): dictionaries, as far as targeted cache-control fields need them. All of a field is checked, and
//! nothing of it is used where any of it is malformed (§4.2).

use super::field::is_token_char;

/// The value of a dictionary's member; parameters are checked and dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// An integer (§3.3.1).
    Integer(i64),
    /// A string, its escapes still in it (§3.3.3).
    String(&'a [u8]),
    /// A boolean (§3.3.6); a member without a value is true.
    Boolean(bool),
    /// Any other type.
    Other,
}

/// The members of a dictionary (§4.2.2), in order; of members with the same key the last counts, in the place of the first.
/// None where the field is malformed.
pub fn dictionary(field: &[u8]) -> Option<Vec<(&[u8], Value<'_>)>> {
    let mut reader = Reader { rest: field };
    let mut members: Vec<(&[u8], Value<'_>)> = Vec::new();
    reader.skip(b" ");
    while !reader.rest.is_empty() {
        let key = reader.key()?;
        let value = reader.member_value()?;
        match members.iter().position(|(known, _)| *known == key) {
            Some(place) => members[place].1 = value,
            None if members.len() < MAX_MEMBERS => members.push((key, value)),
            None => return None,
        }
        reader.skip(b" \t");
        if reader.rest.is_empty() {
            break;
        }
        reader.expect(b',')?;
        reader.skip(b" \t");
        if reader.rest.is_empty() {
            return None;
        }
    }
    Some(members)
}

/// Parsers must take 1024 members at least (§3.2).
const MAX_MEMBERS: usize = 1024;

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.take_if(byte).then_some(())
    }

    fn take_if(&mut self, byte: u8) -> bool {
        let takes = self.peek() == Some(byte);
        if takes {
            self.rest = &self.rest[1..];
        }
        takes
    }

    fn skip(&mut self, any_of: &[u8]) {
        self.run(|byte| any_of.contains(&byte));
    }

    fn run(&mut self, belongs: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| !belongs(*byte)).unwrap_or(self.rest.len());
        let (run, rest) = self.rest.split_at(end);
        self.rest = rest;
        run
    }

    /// §4.2.3.3
    fn key(&mut self) -> Option<&'a [u8]> {
        self.peek().filter(|byte| byte.is_ascii_lowercase() || *byte == b'*')?;
        let belongs =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.*".contains(&byte);
        Some(self.run(belongs))
    }

    fn member_value(&mut self) -> Option<Value<'a>> {
        let value = match () {
            () if !self.take_if(b'=') => Value::Boolean(true),
            () if self.take_if(b'(') => self.inner_list()?,
            () => self.item()?,
        };
        self.parameters()?;
        Some(value)
    }

    /// §4.2.1.2
    fn inner_list(&mut self) -> Option<Value<'a>> {
        loop {
            self.skip(b" ");
            if self.take_if(b')') {
                return Some(Value::Other);
            }
            self.item()?;
            self.parameters()?;
            self.peek().filter(|byte| matches!(byte, b' ' | b')'))?;
        }
    }

    /// §4.2.3.2
    fn parameters(&mut self) -> Option<()> {
        while self.take_if(b';') {
            self.skip(b" ");
            self.key()?;
            if self.take_if(b'=') {
                self.item()?;
            }
        }
        Some(())
    }

    /// §4.2.3.1, without its parameters
    fn item(&mut self) -> Option<Value<'a>> {
        match self.peek()? {
            b'-' | b'0'..=b'9' => self.number(),
            b'"' => self.string(),
            b'?' => self.boolean(),
            b':' => self.byte_sequence(),
            b'@' => self.date(),
            b'%' => self.display_string(),
            byte if byte.is_ascii_alphabetic() || byte == b'*' => {
                self.run(|byte| is_token_char(byte) || b":/".contains(&byte));
                Some(Value::Other)
            }
            _ => None,
        }
    }

    /// §4.2.4: at most 15 digits, or 12 before and 3 after the point.
    fn number(&mut self) -> Option<Value<'a>> {
        let negative = self.take_if(b'-');
        let whole = self.run(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 15 {
            return None;
        }
        if self.take_if(b'.') {
            let fraction = self.run(|byte| byte.is_ascii_digit());
            return (whole.len() <= 12 && (1..=3).contains(&fraction.len())).then_some(Value::Other);
        }
        let number = whole.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        Some(Value::Integer(if negative { -number } else { number }))
    }

    /// §4.2.5
    fn string(&mut self) -> Option<Value<'a>> {
        let text = &self.rest[1..];
        let mut at = 0;
        loop {
            match (text.get(at)?, text.get(at + 1)) {
                (b'"', _) => break,
                (b'\\', Some(b'"' | b'\\')) => at += 2,
                (b'\\', _) => return None,
                (0x20..=0x7e, _) => at += 1,
                _ => return None,
            }
        }
        self.rest = &text[at + 1..];
        Some(Value::String(&text[..at]))
    }

    /// §4.2.8
    fn boolean(&mut self) -> Option<Value<'a>> {
        let (value, rest) = match self.rest {
            [b'?', b'1', rest @ ..] => (true, rest),
            [b'?', b'0', rest @ ..] => (false, rest),
            _ => return None,
        };
        self.rest = rest;
        Some(Value::Boolean(value))
    }

    /// §4.2.7
    fn byte_sequence(&mut self) -> Option<Value<'a>> {
        self.expect(b':')?;
        self.run(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
        self.expect(b':')?;
        Some(Value::Other)
    }

    /// §4.2.9
    fn date(&mut self) -> Option<Value<'a>> {
        self.expect(b'@')?;
        self.peek().filter(|byte| *byte == b'-' || byte.is_ascii_digit())?;
        matches!(self.number()?, Value::Integer(_)).then_some(Value::Other)
    }

    /// §4.2.10
    fn display_string(&mut self) -> Option<Value<'a>> {
        self.expect(b'%')?;
        self.expect(b'"')?;
        loop {
            self.run(|byte| matches!(byte, 0x20..=0x7e) && byte != b'%' && byte != b'"');
            if self.take_if(b'"') {
                return Some(Value::Other);
            }
            self.expect(b'%')?;
            let is_hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
            let [first, second, rest @ ..] = self.rest else { return None };
            if !is_hex(first) || !is_hex(second) {
                return None;
            }
            self.rest = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn members_have_keys_values_and_parameters() {
        let read = dictionary(
            b"max-age=60;x=\"y\";z, no-store,\tprivate=\"a, b\", a=(1 2);q=1.5, t=tok/en:1, f=?0, n=-5  ",
        )
        .unwrap();
        let keys: Vec<_> = read.iter().map(|(key, _)| std::str::from_utf8(key).unwrap()).collect();
        assert_eq!(keys, ["max-age", "no-store", "private", "a", "t", "f", "n"]);
        let values: Vec<_> = read.into_iter().map(|(_, value)| value).collect();
        let expected = [
            Value::Integer(60),
            Value::Boolean(true),
            Value::String(b"a, b"),
            Value::Other,
            Value::Other,
            Value::Boolean(false),
            Value::Integer(-5),
        ];
        assert_eq!(values, expected);
    }

    #[test]
    fn the_last_of_two_members_counts() {
        assert_eq!(dictionary(b"a=1, b, a=2").unwrap()[0], (&b"a"[..], Value::Integer(2)));
    }

    #[test]
    fn one_malformed_member_makes_the_whole_field_malformed() {
        for field in [
            "max-age=60,",
            "max-age=60 60",
            "Max-Age=60",
            "max-age =60",
            "max-age= 60",
            "a=\"b",
            "a=\"\\x\"",
            "a=(1",
            "a=(1(2))",
            "a=1.",
            "a=1.1234",
            "a=1234567890123456",
            "a=?2",
            "a=:x",
            "a=@1.5",
            "a=%\"%zz\"",
            "&&&",
            "a,,b",
            "a=\u{e9}",
            "a;=1",
            "a;B",
            "-a",
            "a=-",
            "a=b=c",
        ] {
            assert_eq!(dictionary(field.as_bytes()), None, "{field}");
        }
        assert_eq!(dictionary(b"  "), Some(vec![]));
        assert!(dictionary(b"a=@1659578233, b=%\"f%c3%bc\", c=:aGk=:").is_some());
    }
}

/// Not as wasm, where proptest does not run.
#[cfg(all(test, not(target_arch = "wasm32")))]
mod random {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(field in "[ -~\t]{0,60}") {
            let _ = dictionary(field.as_bytes());
        }
    }
}
