//! Random answers, and answers that are nearly right.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

mod framing;
mod invariants;

use framing::{chunk, complete};
use invariants::{Answer, check};
use proptest::prelude::*;

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?[0-9]{1,3}(\\.[0-9])?",
        Just("\"200\"".to_owned()),
        "\"[a-zA-Z0-9+/= ]{0,8}\"",
        "\"(\\\\u00[0-9a-f]{2}|\\\\ud83d|[a-z:]){0,4}\"",
        "\\[(\"[a-z]\"(,[0-9])?)?\\]",
        "\\{\"[a-zA-Z: -]{0,5}\":(null|1|\"[a-z]\"|\\[\"x\",2\\]|\\{\\})\\}",
        "\\{\"(x|\\\\u00[0-9a-f]{2}){0,2}\":(\"(\\\\u00[0-9a-f]{2}|[a-z]){0,4}\"|\\[\"\\\\u000[0ad]x\"\\])\\}",
    ]
}

fn object() -> impl Strategy<Value = String> {
    let names = prop_oneof![
        Just("statusCode"),
        Just("headers"),
        Just("multiValueHeaders"),
        Just("cookies"),
        Just("body"),
        Just("isBase64Encoded"),
        Just("errorType"),
        Just("errorMessage"),
    ];
    let members = proptest::collection::vec((names, value()), 0..6);
    members.prop_map(|members| {
        let members: Vec<String> =
            members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

fn run(choice: u8, cut: u8, bytes: &[u8]) {
    let input = [&[choice, cut], bytes].concat();
    check(&Answer::parse(&input).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn objects_of_any_members_are_answered(choice: u8, cut: u8, json in object()) {
        run(choice, cut, json.as_bytes());
    }

    #[test]
    fn any_bytes_are_answered(choice: u8, cut: u8, bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        run(choice, cut, &bytes);
    }

    #[test]
    fn streams_that_are_nearly_right_are_answered(
        choice: u8,
        cut: u8,
        head in object(),
        body in proptest::collection::vec(any::<u8>(), 0..40),
        end in prop_oneof![Just(""), Just("{}"), Just("{\"ErrorCode\":\"E\"}"), Just("x")],
        damage in proptest::option::of((any::<prop::sample::Index>(), any::<u8>())),
        length in any::<prop::sample::Index>(),
        whole: bool,
    ) {
        let chunks = [chunk(&[head.as_bytes(), &[0; 8]].concat()), chunk(&body)];
        let mut stream = [chunks.concat(), complete(end.as_bytes())].concat();
        if let Some((at, byte)) = damage {
            let at = at.index(stream.len());
            stream[at] = byte;
        }
        let length = if whole { stream.len() } else { length.index(stream.len()) };
        run(choice, cut, &stream[..length]);
    }
}
