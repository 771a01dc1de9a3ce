//! Selecting among responses of one key by fields of the request (RFC 9111 §4.1, RFC 9110 §12.5.5).

use super::field::{Section, is_token, members, quoted_end, trim};

/// More names in a Vary make a response that is not stored.
pub const MAX_NAMES: usize = 32;

/// Fields that are lists of words in which neither case nor blanks say anything (RFC 9110 §12.5).
const LISTS: [&str; 4] = ["accept", "accept-charset", "accept-encoding", "accept-language"];

/// A Vary that can be met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vary {
    /// Names in lower case, sorted, each once.
    pub names: Vec<String>,
}

/// Why a Vary cannot be met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaryError {
    /// A member `*`: it always fails to match. What is no name at all is taken for one.
    Star,
    /// More than [`MAX_NAMES`].
    TooMany,
}

impl Vary {
    /// Reads a response's.
    ///
    /// # Errors
    /// Says why it can never be met here.
    pub fn read(response: &(impl Section + ?Sized)) -> Result<Self, VaryError> {
        let value = response.combined("vary").unwrap_or_default();
        let mut names = Vec::new();
        for name in members(&value) {
            if name == b"*" || !is_token(name) {
                return Err(VaryError::Star);
            }
            if names.len() == MAX_NAMES {
                return Err(VaryError::TooMany);
            }
            names.push(String::from_utf8_lossy(name).to_ascii_lowercase());
        }
        names.sort_unstable();
        names.dedup();
        Ok(Self { names })
    }
}

/// What a request says in the field of that name, such that requests which mean the same say the same (§4.1: blanks, case and
/// lines are normalised where the field's own definition allows it). None where the request has no such field.
pub fn selecting_value(request: &(impl Section + ?Sized), name: &str) -> Option<Vec<u8>> {
    let value = request.combined(name)?;
    if !LISTS.contains(&name) {
        return Some(trim(&value).to_vec());
    }
    Some(members(&value).map(normal).collect::<Vec<_>>().join(&b","[..]))
}

/// Without blanks and in lower case, but for what stands in quotes (RFC 9110 §5.6.6).
fn normal(mut word: &[u8]) -> Vec<u8> {
    let mut normal = Vec::with_capacity(word.len());
    while let [byte, rest @ ..] = word {
        if let Some(length) = quoted_end(word).filter(|_| *byte == b'"') {
            normal.extend_from_slice(&word[..length]);
            word = &word[length..];
            continue;
        }
        if !matches!(byte, b' ' | b'\t') {
            normal.push(byte.to_ascii_lowercase());
        }
        word = rest;
    }
    normal
}

/// A field of requests that is made coarser before it selects, so that fewer variants are stored for what is the same in effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coarsening {
    /// The words that count; others are dropped.
    pub known: Vec<String>,
}

impl Coarsening {
    /// The known words that the field's value accepts, sorted, each once; those with weight 0 are not accepted (RFC 9110 §12.4.2).
    /// A language of more subtags than a known one counts as that one.
    pub fn apply(&self, value: &[u8]) -> Vec<u8> {
        let mut words: Vec<&str> = members(value).filter_map(|member| self.known_word(member)).collect();
        words.sort_unstable();
        words.dedup();
        words.join(",").into_bytes()
    }

    fn known_word(&self, member: &[u8]) -> Option<&str> {
        let mut parts = member.split(|byte| *byte == b';').map(trim);
        let word = parts.next()?;
        if parts.any(is_weight_zero) {
            return None;
        }
        let is = |known: &&String| {
            let known = known.as_bytes();
            let head = word.get(..known.len());
            let whole = word.len() == known.len() || word.get(known.len()) == Some(&b'-');
            whole && head.is_some_and(|head| head.eq_ignore_ascii_case(known))
        };
        self.known.iter().find(is).map(String::as_str)
    }
}

fn is_weight_zero(parameter: &[u8]) -> bool {
    let [b'q' | b'Q', b'=', weight @ ..] = parameter else { return false };
    weight.first() == Some(&b'0') && weight[1..].iter().all(|byte| matches!(byte, b'0' | b'.'))
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn section(name: &str, values: &[&str]) -> Vec<(String, Vec<u8>)> {
        values.iter().map(|value| (name.to_owned(), value.as_bytes().to_vec())).collect()
    }

    fn vary(values: &[&str]) -> Result<Vec<String>, VaryError> {
        Vary::read(&section("vary", values)[..]).map(|vary| vary.names)
    }

    #[test]
    fn what_stands_in_quotes_stays_as_it_is() {
        let of = |value: &str| {
            let lines = [("accept".to_owned(), value.as_bytes().to_vec())];
            String::from_utf8(selecting_value(&lines[..], "accept").unwrap()).unwrap()
        };
        assert_eq!(of("A/B; P=\"X, Y\" ;q=1, c/d"), "a/b;p=\"X, Y\";q=1,c/d");
        assert_eq!(of("a/b;p=\"A \\\" B\"X"), "a/b;p=\"A \\\" B\"x");
        assert_eq!(of("a/b; p=\"X Y"), "a/b;p=\"xy");
    }

    #[test]
    fn names_are_sorted_and_in_lower_case_over_all_lines() {
        assert_eq!(vary(&["B, a", "A,,c"]).unwrap(), ["a", "b", "c"]);
        assert_eq!(vary(&[]).unwrap(), [""; 0]);
    }

    #[test]
    fn a_star_anywhere_never_matches_and_giants_are_refused() {
        for star in [&["*"][..], &["a, *"], &["a", "*"], &["a b"], &["\"a\""]] {
            assert_eq!(vary(star), Err(VaryError::Star), "{star:?}");
        }
        let giant = (0..100).map(|n| format!("x-{n}")).collect::<Vec<_>>().join(",");
        assert_eq!(vary(&[&giant]), Err(VaryError::TooMany));
    }

    #[test]
    fn requests_that_mean_the_same_say_the_same() {
        let value = |name, values: &[&str]| selecting_value(&section(name, values)[..], name);
        assert_eq!(value("accept-encoding", &["gzip, BR;q = 0.5"]), Some(b"gzip,br;q=0.5".to_vec()));
        assert_eq!(value("accept-encoding", &["gzip", "br;q=0.5"]), Some(b"gzip,br;q=0.5".to_vec()));
        assert_eq!(value("x-a", &["A,  b "]), Some(b"A,  b".to_vec()));
        assert_eq!(value("x-a", &["A", "b"]), Some(b"A, b".to_vec()));
        assert_eq!(value("x-a", &[]), None);
        assert_eq!(value("x-a", &[""]), Some(Vec::new()));
    }

    #[test]
    fn coarser_fields_keep_what_is_known_and_accepted() {
        let encodings = Coarsening { known: ["br", "gzip"].map(str::to_owned).into() };
        assert_eq!(encodings.apply(b"deflate, gzip;q=0.5, BR, gzip"), b"br,gzip");
        assert_eq!(encodings.apply(b"gzip;q=0, br; q=0.000"), b"");
        let languages = Coarsening { known: ["en", "de"].map(str::to_owned).into() };
        assert_eq!(languages.apply(b"de-AT, enx, en-GB;q=0.01"), b"de,en");
    }
}
