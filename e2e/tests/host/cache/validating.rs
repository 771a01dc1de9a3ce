//! What the origin says when it is asked whether a stored response still holds.

use serde_json::json;

use super::{before, get, origin};
use crate::streaming::wire::Wire;

#[test]
fn an_origin_that_confirms_nothing_is_asked_again_for_the_whole() {
    let listener = origin();
    let rig = before(&listener, &json!({}));
    let mut client = Wire::to(&rig);
    client.send(get("/a"));
    let mut upstream = Wire::accept(&listener);
    upstream.head();
    upstream
        .send("HTTP/1.1 200 OK\r\ncache-control: no-cache\r\netag: \"a\"\r\ncontent-length: 3\r\n\r\none");
    client.head();
    assert_eq!(client.exactly(3), "one");
    client.send(get("/a"));
    assert!(upstream.head().contains("if-none-match: \"a\"\r\n"));
    upstream.send("HTTP/1.1 304 Not Modified\r\netag: \"b\"\r\nconnection: close\r\n\r\n");
    drop(upstream);
    let mut again = Wire::accept(&listener);
    assert!(!again.head().contains("if-none-match"));
    again.send("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\ntwo");
    assert!(client.head().starts_with("http/1.1 200"));
    assert_eq!(client.exactly(3), "two");
}
