//! Inputs that fuzzing found worth keeping come to the same, to the byte, wherever this is built for.
//!
//! `outcomes.txt` has a hash for each line of `transform.txt`; `BLESS=1` writes it, on a target that has files.

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::invariants::{Exchange, check};

const INPUTS: &str = include_str!("../fuzz/corpus/transform.txt");
const OUTCOMES: &str = include_str!("../fuzz/corpus/outcomes.txt");

/// A line as Rust writes byte strings, read back.
fn unescaped(line: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(line.len());
    let mut rest = line.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let (byte, after) = match (byte, after) {
            (b'\\', [b'n', after @ ..]) => (b'\n', after),
            (b'\\', [b'r', after @ ..]) => (b'\r', after),
            (b'\\', [b't', after @ ..]) => (b'\t', after),
            (b'\\', [b'x', high, low, after @ ..]) => (hex(*high) << 4 | hex(*low), after),
            (b'\\', [literal, after @ ..]) => (*literal, after),
            (byte, after) => (*byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
    bytes
}

fn hex(digit: u8) -> u8 {
    (digit as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap()
}

/// FNV-1a, which is the same everywhere.
fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// What becomes of an input, and a hash of that.
fn outcome(line: &str) -> (String, String) {
    let input = unescaped(line);
    let told =
        Exchange::parse(&input).map(|(template, exchange)| check(template, &exchange)).unwrap_or_default();
    (format!("{:016x}", hash(&told)), told)
}

#[test]
fn inputs_come_to_the_same_everywhere() {
    let outcomes: Vec<_> = INPUTS.lines().map(outcome).collect();
    #[cfg(not(target_arch = "wasm32"))]
    if std::env::var_os("BLESS").is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/outcomes.txt");
        let hashes = outcomes.iter().map(|(hash, _)| format!("{hash}\n"));
        std::fs::write(file, hashes.collect::<String>()).unwrap();
        return;
    }
    for ((input, expected), (hash, told)) in INPUTS.lines().zip(OUTCOMES.lines()).zip(&outcomes) {
        assert_eq!(hash, expected, "{input} came to {told}");
    }
    assert_eq!(outcomes.len(), OUTCOMES.lines().count());
}
