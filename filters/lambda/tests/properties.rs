//! Random answers, and answers that are nearly right.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

mod invariants;

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

fn frame(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in [(":event-type", kind), (":message-type", "event")] {
        headers.push(name.len() as u8);
        headers.extend_from_slice(name.as_bytes());
        headers.extend_from_slice(&[7, 0, value.len() as u8]);
        headers.extend_from_slice(value.as_bytes());
    }
    let total = (16 + headers.len() + payload.len()) as u32;
    let mut frame = [total.to_be_bytes(), (headers.len() as u32).to_be_bytes()].concat();
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame.extend_from_slice(&headers);
    frame.extend_from_slice(payload);
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame
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
        let chunks = [frame("PayloadChunk", &[head.as_bytes(), &[0; 8]].concat()), frame("PayloadChunk", &body)];
        let mut stream = [chunks.concat(), frame("InvokeComplete", end.as_bytes())].concat();
        if let Some((at, byte)) = damage {
            let at = at.index(stream.len());
            stream[at] = byte;
        }
        let length = if whole { stream.len() } else { length.index(stream.len()) };
        run(choice, cut, &stream[..length]);
    }
}
