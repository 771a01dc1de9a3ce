//! The content of a POST as a part of its key: equal requests for the same may be answered by what one of them brought.
//!
//! RFC 9110 §9.3.3 lets a cached response to POST answer GET and HEAD alone, where Content-Location is the target. That equal POSTs are
//! equal questions is the operator's word, not the origin's.

use sha2::{Digest, Sha256};

use super::field::{Section, trim};

/// Fields that say what the content means (RFC 9110 §8.3, §8.4).
const OF_CONTENT: [&str; 2] = ["content-type", "content-encoding"];

/// What tells one content from another: its bytes and what these mean. No one can make two of them alike.
pub fn digest<'c>(
    request: &(impl Section + ?Sized),
    content: impl IntoIterator<Item = impl AsRef<[u8]> + 'c>,
) -> [u8; 32] {
    let mut hash = Sha256::new();
    for name in OF_CONTENT {
        hash.update(trim(&request.combined(name).unwrap_or_default()));
        // No field holds a NUL.
        hash.update([0]);
    }
    content.into_iter().for_each(|chunk| hash.update(chunk));
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn of(lines: &[(&str, &str)], content: &[&str]) -> [u8; 32] {
        let lines: Vec<_> = lines.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec())).collect();
        digest(&lines[..], content.iter().map(|chunk| chunk.as_bytes()))
    }

    #[test]
    fn contents_differ_by_bytes_type_and_coding_and_not_by_their_chunks() {
        let json = ("content-type", "application/json");
        assert_eq!(of(&[json], &["ab", "c"]), of(&[json, ("x-a", "1")], &["a", "bc"]));
        let others = [
            of(&[json], &["abc"]),
            of(&[json], &["abd"]),
            of(&[], &["abc"]),
            of(&[("content-type", "text/plain")], &["abc"]),
            of(&[json, ("content-encoding", "gzip")], &["abc"]),
            of(&[("content-encoding", "application/json")], &["abc"]),
            of(&[], &["application/json", "abc"]),
        ];
        for (place, one) in others.iter().enumerate() {
            assert!(!others[..place].contains(one), "{place}");
        }
    }
}
