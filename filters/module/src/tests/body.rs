//! Which bytes of a body a filter reads and replaces.

use super::*;

/// What `edit` gives when the filter is told of `at`, in a stream that awaits a body or a reply where `at` is one.
fn edited(
    at: &'static str,
    edit: impl Fn(&mut dyn Host) -> Vec<u8> + 'static,
    run: impl FnOnce(Stream),
) -> Vec<u8> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let shown = Rc::clone(&seen);
    let stream = stream(move |what, host| {
        if what.contains(at) {
            *shown.borrow_mut() = edit(host);
        }
        match what {
            what if what.contains("headers") && at == "body" => Flow::AwaitBody,
            what if what.contains("headers") && at == "reply" => Flow::AwaitReply,
            _ => Flow::Continue,
        }
    });
    run(stream);
    stream.end();
    seen.take()
}

/// What the filter reads of a body, and what is left of Envoy's bodies once it has put "new" in its place.
fn replaced(at: &'static str, message: Message, run: impl FnOnce(Stream)) -> String {
    let replace = move |host: &mut dyn Host| {
        let before = host.body(message).concat();
        assert_eq!(before.len(), host.body_len(message));
        host.replace_body(message, b"new");
        before
    };
    String::from_utf8(edited(at, replace, run)).unwrap()
}

#[test]
fn a_passing_chunk_is_read_and_replaced_alone() {
    let before = replaced("data", REQUEST, |stream| {
        stream.headers(REQUEST, false);
        set_body(BodyType::BufferedRequest, "what a later filter holds");
        set_body(BodyType::ReceivedRequest, "chunk");
        stream.data(REQUEST, false);
    });
    assert_eq!(before, "chunk");
    assert_eq!(body(BodyType::ReceivedRequest).unwrap(), "new");
    assert_eq!(body(BodyType::BufferedRequest).unwrap(), "what a later filter holds");
}

#[test]
fn a_held_body_is_what_is_buffered_and_the_last_chunk() {
    let before = replaced("body", RESPONSE, |stream| {
        stream.headers(RESPONSE, false);
        set_body(BodyType::BufferedResponse, "first,");
        set_body(BodyType::ReceivedResponse, "last");
        stream.data(RESPONSE, true);
    });
    assert_eq!(before, "first,last");
    assert_eq!(body(BodyType::BufferedResponse).unwrap(), "");
    assert_eq!(body(BodyType::ReceivedResponse).unwrap(), "new");
}

#[test]
fn a_body_that_an_earlier_filter_held_is_seen_once() {
    let before = replaced("body", REQUEST, |stream| {
        stream.headers(REQUEST, false);
        set_body(BodyType::BufferedRequest, "whole");
        set_body(BodyType::ReceivedRequest, "whole");
        fake(|fake| fake.same_bytes = true);
        stream.data(REQUEST, true);
    });
    assert_eq!(before, "whole");
    assert_eq!(body(BodyType::ReceivedRequest).unwrap(), "new");
    assert_eq!(body(BodyType::BufferedRequest).unwrap(), "whole", "Envoy's one buffer is edited once");
}

#[test]
fn a_held_body_with_trailers_is_what_is_buffered() {
    let before = replaced("body", RESPONSE, |stream| {
        stream.headers(RESPONSE, false);
        stream.data(RESPONSE, false);
        set_body(BodyType::BufferedResponse, "all");
        assert_eq!(stream.trailers(RESPONSE), TrailersStatus::Continue);
    });
    assert_eq!(before, "all");
    assert_eq!(body(BodyType::BufferedResponse).unwrap(), "new");
}

#[test]
fn a_message_without_a_body_is_given_one() {
    for at in ["headers", "body"] {
        let before = replaced(at, REQUEST, |stream| {
            assert_eq!(stream.headers(REQUEST, true), HeadersStatus::Continue);
        });
        assert_eq!((before.as_str(), body(BodyType::BufferedRequest).unwrap().as_str()), ("", "new"));
    }
}

#[test]
fn a_held_message_without_a_body_is_given_one_by_the_reply() {
    replaced("reply", REQUEST, |stream| {
        stream.headers(REQUEST, true);
        stream.reply(CalloutResult::SUCCESS);
    });
    assert_eq!(body(BodyType::BufferedRequest).unwrap(), "new");
}

#[test]
fn a_body_that_has_not_arrived_is_not_replaced() {
    for at in ["headers", "reply"] {
        replaced(at, REQUEST, |stream| {
            stream.headers(REQUEST, false);
            stream.reply(CalloutResult::SUCCESS);
        });
        assert_eq!(body(BodyType::BufferedRequest), None, "{at}");
    }
}

#[test]
fn a_body_that_has_passed_is_not_replaced() {
    replaced("trailers", REQUEST, |stream| {
        stream.headers(REQUEST, false);
        stream.data(REQUEST, false);
        set_body(BodyType::BufferedRequest, "what a later filter holds");
        stream.trailers(REQUEST);
    });
    assert_eq!(body(BodyType::BufferedRequest).unwrap(), "what a later filter holds");
}

#[test]
fn an_answer_that_may_have_no_body_is_given_none() {
    for (method, status) in [("HEAD", "200"), ("GET", "204"), ("GET", "304")] {
        replaced("body", RESPONSE, |stream| {
            arrive(HeaderType::Request, &[(":method", method)]);
            arrive(HeaderType::Response, &[(":status", status)]);
            stream.headers(RESPONSE, true);
        });
        assert_eq!(body(BodyType::BufferedResponse), None, "{method} {status}");
    }
}

#[test]
fn a_body_of_an_answer_that_may_have_none_is_removed() {
    replaced("body", RESPONSE, |stream| {
        arrive(HeaderType::Response, &[(":status", "204")]);
        stream.headers(RESPONSE, false);
        set_body(BodyType::BufferedResponse, "first,");
        set_body(BodyType::ReceivedResponse, "last");
        stream.data(RESPONSE, true);
    });
    assert_eq!(body(BodyType::BufferedResponse).unwrap(), "");
    assert_eq!(body(BodyType::ReceivedResponse).unwrap(), "");
}

#[test]
fn one_message_is_not_edited_in_the_hooks_of_the_other() {
    let before = replaced("Response headers", REQUEST, |stream| {
        stream.headers(REQUEST, true);
        stream.headers(RESPONSE, true);
    });
    assert_eq!((before.as_str(), body(BodyType::BufferedRequest)), ("", None));
}

/// What the filter takes out of a body, and what is left of Envoy's bodies once it has put "new" in its place.
fn taken(at: &'static str, run: impl FnOnce(Stream)) -> Vec<u8> {
    let take = |host: &mut dyn Host| {
        let taken = host.take_body(REQUEST);
        assert_eq!((host.body_len(REQUEST), host.take_body(REQUEST).len()), (0, 0));
        host.put_body(REQUEST, &[b"n", b"", b"ew"]);
        taken
    };
    edited(at, take, run)
}

#[test]
fn a_large_body_is_taken_piece_by_piece() {
    const CHUNK: usize = 300_000;
    let whole: Vec<u8> = (0..10 * CHUNK).map(|place| (place / CHUNK) as u8).collect();
    let expected = whole.clone();
    let bytes = taken("body", move |stream| {
        stream.headers(REQUEST, false);
        let (held, last) = whole.split_at(8 * CHUNK + 5);
        fake(|fake| {
            fake.chunk = CHUNK;
            fake.bodies[BodyType::BufferedRequest as usize] = Some(held.to_vec());
            fake.bodies[BodyType::ReceivedRequest as usize] = Some(last.to_vec());
        });
        stream.data(REQUEST, true);
    });
    assert!(bytes == expected);
    assert_eq!(body(BodyType::BufferedRequest).unwrap(), "");
    assert_eq!(body(BodyType::ReceivedRequest).unwrap(), "new");
    let drained = fake(|fake| fake.drained.clone());
    assert_eq!(drained, [4 * CHUNK, 4 * CHUNK, 5, 2 * CHUNK - 5]);
}

#[test]
fn a_part_of_a_held_body_that_was_taken_is_replaced_by_the_reply() {
    let bytes = taken("reply", |stream| {
        stream.headers(REQUEST, false);
        set_body(BodyType::BufferedRequest, "first");
        stream.reply(CalloutResult::SUCCESS);
    });
    assert_eq!(bytes, b"first");
    assert_eq!(body(BodyType::BufferedRequest).unwrap(), "new");
}

#[test]
fn a_body_that_is_still_to_come_cannot_be_taken() {
    let bytes = taken("Request headers", |stream| {
        stream.headers(REQUEST, false);
    });
    assert_eq!((bytes.len(), body(BodyType::BufferedRequest)), (0, None));
}
