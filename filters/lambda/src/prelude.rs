//! The head of a streamed result ("HTTP integration"), told from a body while it comes: a JSON object, then eight NULs, all
//! within the first 16 KB.
//!
//! Invariant: what is told does not depend on the pieces that the result comes in.

/// Where the head must have ended, its separator included.
pub(crate) const MAX_HEAD: usize = 16 * 1024;
pub(crate) const SEPARATOR: [u8; 8] = [0; 8];

/// What may be a head, as far as it has come.
#[derive(Debug)]
pub(crate) struct Prelude {
    begun: Vec<u8>,
    /// How much of it has no separator.
    searched: usize,
    object: Object,
    /// The result's type says that there is one.
    required: bool,
}

/// What has come so far.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told<'a> {
    /// Only more of it can tell.
    Nothing,
    /// A head, and what follows it.
    Head(&'a [u8], &'a [u8]),
    /// None of it is a head.
    NoHead,
}

impl Prelude {
    pub(crate) fn new(required: bool) -> Self {
        Self { begun: Vec::new(), searched: 0, object: Object::default(), required }
    }

    pub(crate) fn is_required(&self) -> bool {
        self.required
    }

    /// Takes a piece in.
    pub(crate) fn take(&mut self, piece: &[u8]) -> Told<'_> {
        self.begun.extend_from_slice(piece);
        let head = self.begun.get(..MAX_HEAD).unwrap_or(&self.begun);
        let rest = head.get(self.searched..).unwrap_or_default();
        let found = rest.windows(SEPARATOR.len()).position(|window| window == SEPARATOR);
        let end = found.map(|at| self.searched + at);
        let refuted = if self.required { None } else { self.object.refuted(head) };
        match (end, refuted) {
            (Some(end), refuted) if refuted.is_none_or(|at| end < at) => {
                let (json, after) = self.begun.split_at(end);
                Told::Head(json, after.get(SEPARATOR.len()..).unwrap_or_default())
            }
            (None, None) if head.len() < MAX_HEAD => {
                self.searched = head.len().saturating_sub(SEPARATOR.len() - 1);
                Told::Nothing
            }
            _ => Told::NoHead,
        }
    }

    /// All that has come, which is no head.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.begun
    }
}

/// Where the first JSON object ends, by its brackets: a function that writes an object a line has no head, and its client must not
/// wait for one.
#[derive(Debug, Default)]
struct Object {
    read: usize,
    depth: u32,
    in_string: bool,
    is_escaped: bool,
    end: Option<usize>,
}

impl Object {
    /// Where `text` turns out to be no object that NULs follow; more of it may come.
    fn refuted(&mut self, text: &[u8]) -> Option<usize> {
        while let (None, Some(byte)) = (self.end, text.get(self.read)) {
            let blank = self.depth == 0 && byte.is_ascii_whitespace();
            if self.depth == 0 && *byte != b'{' && !blank {
                return Some(self.read);
            }
            self.read += 1;
            self.step(*byte);
        }
        let end = self.end?;
        text.get(end..)?.iter().position(|byte| *byte != 0).map(|at| end + at)
    }

    fn step(&mut self, byte: u8) {
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' if self.in_string => self.is_escaped = true,
            b'"' => self.in_string = !self.in_string,
            _ if self.in_string => {}
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth -= 1;
                self.end = (self.depth == 0).then_some(self.read);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// How many bytes must have come until it is told what they are, and what.
    fn told(required: bool, bytes: &[u8]) -> Option<(usize, bool)> {
        let mut prelude = Prelude::new(required);
        (1..=bytes.len()).find_map(|length| match prelude.take(&bytes[length - 1..length]) {
            Told::Nothing => None,
            Told::Head(..) => Some((length, true)),
            Told::NoHead => Some((length, false)),
        })
    }

    #[test]
    fn objects_a_line_are_no_head_as_soon_as_the_first_has_ended() {
        for (text, length) in [
            ("{\"a\":1}\n{\"b\":2}\n", 8),
            (" {\"a\":[\"}\\\"\"]}\n", 15),
            ("{}{}", 3),
            ("{}\0\0\0\0\0\0\0x", 10),
            ("[1]", 1),
            ("data: x", 1),
        ] {
            assert_eq!(told(false, text.as_bytes()), Some((length, false)), "{text:?}");
        }
        for text in ["", "  ", "{", "{\"a", "{\"a\":{}", "{}", "{}\0\0\0\0\0\0\0", "{\"}\"", "{\"\\\""] {
            assert_eq!(told(false, text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(told(true, b"{}\nx"), None);
    }

    #[test]
    fn a_head_has_ended_within_16_kb() {
        for (length, is_head) in [(10, true), (11, true), (MAX_HEAD, true), (MAX_HEAD + 1, false)] {
            let bytes = [b"{}", &vec![b' '; length - 10][..], &SEPARATOR].concat();
            assert_eq!(told(true, &bytes).unwrap().1, is_head, "{length}");
        }
        assert_eq!(told(false, &[b'{'; MAX_HEAD]), Some((MAX_HEAD, false)));
    }

    #[test]
    fn pieces_do_not_matter() {
        for text in [
            "{}\0\0\0\0\0\0\0\0x",
            "{} \0\0\0\0\0\0\0\0",
            "[1]\0\0\0\0\0\0\0\0",
            "{]\0\0\0\0\0\0\0\0",
            "{\0\0\0\0\0\0\0\0}x",
        ] {
            for required in [false, true] {
                let whole = matches!(Prelude::new(required).take(text.as_bytes()), Told::Head(..));
                assert_eq!(told(required, text.as_bytes()).unwrap().1, whole, "{text:?} {required}");
            }
        }
    }
}
