//! What a signature says of the body.

use std::fmt;

use sha2::{Digest, Sha256};

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A SHA-256 digest in hexadecimal digits, as Signature Version 4 writes it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sha256Hex([u8; 64]);

impl Sha256Hex {
    /// The digest of bytes that come in chunks.
    pub fn of<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut digest = Sha256::new();
        chunks.into_iter().for_each(|chunk| digest.update(chunk));
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(digest.finalize()) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        Self(text)
    }

    /// Its digits.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sha256Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// What is signed of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// This digest of all of it.
    Hash(Sha256Hex),
    /// Nothing: it may flow while it is sent. Services take that over TLS only, and not all do.
    Unsigned,
}

impl Payload {
    /// As it stands in a canonical request and in `x-amz-content-sha256`.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Hash(digest) => digest.as_bytes(),
            Self::Unsigned => b"UNSIGNED-PAYLOAD",
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_digest_does_not_depend_on_chunks() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(format!("{:?}", Sha256Hex::of([])), empty);
        assert_eq!(Sha256Hex::of([&b"ab"[..], b"", b"c"]), Sha256Hex::of([&b"abc"[..]]));
    }
}
