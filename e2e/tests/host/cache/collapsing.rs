//! Requests for one key wait for each other, across workers.

use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::origin::answering;
use super::{before, counted, get, ok, origin, wait_for};
use crate::rig::Rig;
use crate::streaming::wire::Wire;

const READERS: usize = 20;
/// What comes before something happens, and after it.
const PARTS: [usize; 2] = [6_000, 4_000];

fn parts() -> [String; 2] {
    [("a", PARTS[0]), ("b", PARTS[1])].map(|(letter, count)| letter.repeat(count))
}

fn whole() -> String {
    parts().concat()
}

/// A fetch whose header section and first part have come, and those who read it along.
struct Fetch {
    rig: Rig,
    listener: TcpListener,
    fetcher: Wire,
    origin: Wire,
    readers: Vec<Wire>,
}

fn request(rig: &Rig) -> Wire {
    let mut client = Wire::to(rig);
    client.send(get("/"));
    client
}

/// A request that has reached the origin, and others that wait for it.
fn waiting() -> Fetch {
    let listener = origin();
    let rig = before(&listener, &json!({}));
    let fetcher = request(&rig);
    let mut origin = Wire::accept(&listener);
    origin.head();
    let readers = (0..READERS).map(|_| request(&rig)).collect();
    wait_for(&rig, "collapsed", READERS as u64);
    Fetch { rig, listener, fetcher, origin, readers }
}

fn reading(lines: &str) -> Fetch {
    let mut fetch = waiting();
    fetch.origin.send(ok(PARTS[0] + PARTS[1], lines) + &parts()[0]);
    for reader in &mut fetch.readers {
        let head = reader.head();
        assert!(head.contains("cache-status: ferrule; fwd=uri-miss; collapsed"), "{head}");
        assert_eq!(reader.exactly(PARTS[0]), parts()[0]);
    }
    fetch
}

impl Fetch {
    /// The client whose request went to the origin goes away; the origin's end of the request that follows.
    fn abort(mut self) -> (Self, Wire, String) {
        self.fetcher.head();
        self.fetcher.exactly(PARTS[0]);
        drop(std::mem::replace(&mut self.fetcher, Wire::to(&self.rig)));
        let mut origin = Wire::accept(&self.listener);
        let head = origin.head();
        (self, origin, head)
    }

    fn all_get_the_rest(&mut self) {
        for reader in &mut self.readers {
            assert_eq!(reader.exactly(PARTS[1]), parts()[1]);
        }
        // It is stored as soon as its last bytes are out.
        let is_hit = || {
            let mut later = request(&self.rig);
            let head = later.head();
            assert_eq!(later.exactly(PARTS[0] + PARTS[1]), whole());
            head.contains("cache-status: ferrule; hit")
        };
        assert!((0..100).any(|_| is_hit()), "nothing was stored");
    }
}

#[test]
fn many_misses_make_one_request_and_read_its_response_as_it_comes() {
    let mut fetch = reading("");
    fetch.origin.send(&parts()[1]);
    fetch.fetcher.head();
    assert_eq!(fetch.fetcher.exactly(PARTS[0] + PARTS[1]), whole());
    fetch.all_get_the_rest();
    assert_eq!(counted(&fetch.rig, "miss"), 1);
    fetch.listener.set_nonblocking(true).unwrap();
    assert!(fetch.listener.accept().is_err(), "there was another request");
}

#[test]
fn who_reads_along_gets_the_rest_though_the_client_of_the_fetch_has_gone() {
    let (mut fetch, mut origin, head) = reading("etag: \"v1\"\r\n").abort();
    assert!(head.contains("range: bytes=6000-\r\n") && head.contains("if-range: \"v1\"\r\n"), "{head}");
    let length = "content-length: 4000\r\ncontent-range: bytes 6000-9999/10000\r\netag: \"v1\"\r\n\r\n";
    origin.send(format!("HTTP/1.1 206 Partial Content\r\n{length}{}", parts()[1]));
    fetch.all_get_the_rest();
}

#[test]
fn the_rest_may_come_with_what_has_come_already() {
    for validator in ["etag: \"v1\"\r\n", "last-modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"] {
        let (mut fetch, mut origin, _) = reading(validator).abort();
        origin.send(ok(PARTS[0] + PARTS[1], validator) + &whole());
        fetch.all_get_the_rest();
    }
}

#[test]
fn the_rest_of_another_version_is_no_rest() {
    let (mut fetch, mut origin, _) = reading("etag: \"v1\"\r\n").abort();
    origin.send(ok(PARTS[0] + PARTS[1], "etag: \"v2\"\r\n") + &whole());
    fetch.readers.iter_mut().for_each(|reader| reader.until_closed("b"));
}

#[test]
fn one_that_waits_takes_over_where_nothing_has_come_yet() {
    let mut fetch = waiting();
    drop(std::mem::replace(&mut fetch.fetcher, Wire::to(&fetch.rig)));
    let mut origin = Wire::accept(&fetch.listener);
    origin.head();
    origin.send(ok(10_000, "") + &whole());
    for reader in &mut fetch.readers {
        reader.head();
        assert_eq!(reader.exactly(10_000), whole());
    }
}

#[test]
fn waiting_ends_by_itself() {
    let listener = origin();
    let rig = before(&listener, &json!({"collapse": {"waitMilliseconds": 100}}));
    let _silent = request(&rig);
    let mut first = Wire::accept(&listener);
    first.head();
    let mut second = request(&rig);
    let mut origin = Wire::accept(&listener);
    origin.head();
    origin.send(ok(2, "") + "ok");
    second.head();
    assert_eq!(second.exactly(2), "ok");
}

#[test]
fn what_cannot_be_stored_releases_all_who_wait() {
    let listener = origin();
    let rig = before(&listener, &json!({}));
    let heads = answering(&listener, |_| {
        thread::sleep(Duration::from_millis(300));
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncache-control: no-store\r\n\r\nok".to_vec()
    });
    let mut clients: Vec<_> = (0..10).map(|_| request(&rig)).collect();
    for client in &mut clients {
        client.head();
        assert_eq!(client.exactly(2), "ok");
    }
    assert_eq!(heads.lock().unwrap().len(), 10);
    assert!(counted(&rig, "collapsed") > 0);
}
