//! Upgrades and CONNECT: their bytes are no bodies, whatever the route's templates make of those.

use super::place::HOSTS;
use super::wire::Wire;
use super::{PIECES, assert_edited, between, replaces_bodies};

/// Bytes go through, each way in its turn, as they are.
fn goes_both_ways(client: &mut Wire, upstream: &mut Wire) {
    for piece in 0..PIECES {
        let (there, back) = (format!("<there {piece}>"), format!("<back {piece}>"));
        client.send(&there);
        assert_eq!(upstream.until(&there), there);
        upstream.send(&back);
        assert_eq!(client.until(&back), back);
    }
}

#[test]
fn a_websocket_flows_both_ways_untouched_where_bodies_are_replaced() {
    for host in HOSTS {
        let (_rig, mut client, listener) = between(host, &replaces_bodies());
        client.send(
            "GET /chat HTTP/1.1\r\nhost: test\r\nx-in: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        );
        let mut upstream = Wire::accept(&listener);
        assert_edited(&upstream.head());
        upstream.send(
            "HTTP/1.1 101 Switching Protocols\r\nx-in: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        );
        let head = client.head();
        assert!(head.starts_with("http/1.1 101 "), "{head:?}");
        assert_edited(&head);
        goes_both_ways(&mut client, &mut upstream);
    }
}

#[test]
fn a_tunnel_by_connect_flows_both_ways_untouched_where_bodies_are_replaced() {
    for host in HOSTS {
        let (_rig, mut client, listener) = between(host, &replaces_bodies());
        client.send("CONNECT far:443 HTTP/1.1\r\nhost: far:443\r\nx-in: a\r\n\r\n");
        let mut upstream = Wire::accept(&listener);
        let head = upstream.head();
        assert!(head.starts_with("connect far:443 "), "{head:?}");
        assert_edited(&head);
        upstream.send("HTTP/1.1 200 OK\r\nx-in: a\r\n\r\n");
        let head = client.head();
        assert!(head.starts_with("http/1.1 200 "), "{head:?}");
        assert_edited(&head);
        goes_both_ways(&mut client, &mut upstream);
    }
}
