//! A store in which there is no room left costs requests to the origin, never a client its answer.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::sync::Arc;

use ferrule_cache::Cache;
use ferrule_kit::{Driver, Event, Fields, Host, MemoryHost, Message, Step, compile};

type Stream = (Driver<Cache>, MemoryHost);

fn ask(cache: &Arc<Cache>, path: &str) -> Stream {
    let lines = [(":method", "GET"), (":path", path), (":authority", "a.example"), (":scheme", "http")];
    let mut host = MemoryHost::with_request(lines);
    let mut driver = Driver::new(Arc::clone(cache));
    assert_eq!(driver.on(Event::Headers { message: Message::Request, end: true }, &mut host), Step::Pass);
    (driver, host)
}

fn head((driver, host): &mut Stream, lines: &[(&str, &str)], end: bool) -> Step {
    let lines = lines.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    host.arrive(Fields::ResponseHeaders, lines.collect());
    driver.on(Event::Headers { message: Message::Response, end }, host)
}

fn body((driver, host): &mut Stream, bytes: &str, end: bool) {
    host.push_body(Message::Response, bytes);
    driver.on(Event::Data { message: Message::Response, end }, host);
}

#[test]
fn what_the_origin_confirms_answers_though_there_is_no_room_to_freshen_it() {
    let cache = Arc::new(compile::<Cache>(br#"{"storage": {"bytes": 65536}}"#).unwrap());
    let stale = [(":status", "200"), ("etag", "\"a\""), ("cache-control", "max-age=60"), ("age", "100")];
    let mut first = ask(&cache, "/a");
    head(&mut first, &stale, false);
    body(&mut first, "one", true);
    let mut second = ask(&cache, "/a");
    assert_eq!(second.1.field(Fields::RequestHeaders, "if-none-match").as_deref(), Some(b"\"a\"".as_slice()));
    // Bodies under way take all the room that there is, the confirmed one's own included.
    let mut under_way = Vec::new();
    for (length, count) in [(8_000, 12), (4_200, 4)] {
        for n in 0..count {
            let mut stream = ask(&cache, &format!("/{length}/{n}"));
            let declared = length.to_string();
            let lines = [stale[0], ("cache-control", "max-age=60"), ("content-length", declared.as_str())];
            head(&mut stream, &lines, false);
            body(&mut stream, &"x".repeat(length - 1), false);
            under_way.push(stream);
        }
    }
    let long = "x".repeat(6_000);
    let confirms =
        [(":status", "304"), stale[1], ("cache-control", "max-age=600"), ("x-long", long.as_str())];
    let (status, came) = match head(&mut second, &confirms, true) {
        Step::Respond(response) => (response.status, response.body),
        Step::Pass => {
            let status = second.1.field(Fields::ResponseHeaders, ":status").unwrap();
            (
                String::from_utf8(status.into_owned()).unwrap().parse().unwrap(),
                second.1.body(Message::Response).concat(),
            )
        }
        step => panic!("{step:?}"),
    };
    assert_eq!((status, came), (200, b"one".to_vec()));
    drop(under_way);
    // It was not stored, so that the next request asks again.
    ask(&cache, "/a");
}
