//! What a stream subscribes to, and what it is sent for it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod stream;

use ferrule_xds::{Kind, Limits, Notice, Request, Subscription, TooManyNames};
use stream::{Stream, world};

const NOTHING: [&str; 0] = [];

#[test]
fn an_empty_first_request_asks_for_every_cluster_listener_and_scope() {
    for kind in ["Cluster", "Listener", "ScopedRoutes"] {
        let mut stream = Stream::new();
        stream.publish(&format!("{kind} a@1, {kind} b@2"));
        assert_eq!(stream.ask(kind), [format!("{kind} +a@1 +b@2")]);
    }
}

#[test]
fn an_empty_first_request_for_another_type_asks_for_nothing() {
    for kind in ["Endpoints", "Routes", "Secret", "ExtensionConfig"] {
        let mut stream = Stream::new();
        stream.publish(&format!("{kind} a@1"));
        assert_eq!(stream.ask(kind), NOTHING);
    }
}

#[test]
fn a_star_asks_for_everything_of_any_type() {
    let mut stream = Stream::new();
    stream.publish("Routes a@1, Routes b@1");
    assert_eq!(stream.ask("Routes +*"), ["Routes +a@1 +b@1"]);
}

#[test]
fn a_wildcard_with_nothing_to_send_is_answered_once_with_an_empty_response() {
    let mut stream = Stream::new();
    stream.publish("");
    assert_eq!(stream.ask("Cluster"), ["Cluster"]);
    assert_eq!(stream.accept(Kind::Cluster), NOTHING);
    assert_eq!(stream.ask("Cluster"), NOTHING);
}

#[test]
fn nothing_is_sent_before_the_first_snapshot() {
    let mut stream = Stream::new();
    assert_eq!(stream.ask("Cluster"), NOTHING);
    assert_eq!(stream.ask("Endpoints +a"), NOTHING);
    assert_eq!(stream.publish("Cluster a@1, Endpoints a@1"), ["Cluster +a@1", "Endpoints +a@1"]);
}

#[test]
fn a_name_that_does_not_exist_is_told_so_once_and_sent_when_it_comes_to_exist() {
    let mut stream = Stream::settled("");
    assert_eq!(stream.ask("Endpoints +a"), ["Endpoints -a"]);
    stream.accept_all();
    assert_eq!(stream.publish("Endpoints b@1"), NOTHING);
    assert_eq!(stream.publish("Endpoints a@1"), ["Endpoints +a@1"]);
}

#[test]
fn a_name_subscribed_to_again_is_sent_again() {
    let mut stream = Stream::settled("Endpoints a@1");
    assert_eq!(stream.ask("Endpoints +a"), ["Endpoints +a@1"]);
    stream.accept_all();
    assert_eq!(stream.ask("Endpoints"), NOTHING);
}

#[test]
fn a_name_dropped_and_taken_up_again_while_its_response_is_unanswered_is_sent_again() {
    let mut stream = Stream::settled("Endpoints x@1");
    stream.publish("Endpoints x@1, Endpoints a@1");
    assert_eq!(stream.ask("Endpoints +a"), ["Endpoints +a@1"]);
    assert_eq!(stream.ask("Endpoints -a"), NOTHING);
    assert_eq!(stream.ask("Endpoints +a"), NOTHING);
    assert_eq!(stream.accept(Kind::Endpoints), ["Endpoints +a@1"]);
}

#[test]
fn an_unsubscribed_name_is_not_sent_any_more() {
    let mut stream = Stream::settled("Endpoints a@1, Endpoints b@1");
    stream.ask("Endpoints -a");
    assert_eq!(stream.publish("Endpoints a@2, Endpoints b@2"), ["Endpoints +b@2"]);
}

#[test]
fn a_name_in_both_lists_is_subscribed_to() {
    let mut stream = Stream::settled("Endpoints a@1");
    assert_eq!(stream.ask("Endpoints +a -a"), ["Endpoints +a@1"]);
}

#[test]
fn dropping_a_name_that_the_wildcard_covers_is_answered_with_its_resource_or_its_removal() {
    let mut stream = Stream::settled("Cluster a@1");
    stream.ask("Cluster +a +gone");
    stream.accept_all();
    assert_eq!(stream.ask("Cluster -a -gone"), ["Cluster +a@1 -gone"]);
}

#[test]
fn dropping_the_star_keeps_what_was_named() {
    let mut stream = Stream::settled("Cluster a@1, Cluster b@1");
    stream.ask("Cluster +a");
    stream.accept_all();
    stream.ask("Cluster -*");
    assert_eq!(stream.publish("Cluster a@2, Cluster b@2"), ["Cluster +a@2"]);
}

#[test]
fn a_first_request_with_names_is_no_wildcard_later_either() {
    let mut stream = Stream::new();
    stream.publish("Cluster a@1, Cluster b@1");
    assert_eq!(stream.ask("Cluster +a"), ["Cluster +a@1"]);
    stream.accept_all();
    assert_eq!(stream.ask("Cluster -a"), NOTHING);
    assert_eq!(stream.ask("Cluster"), NOTHING);
    assert_eq!(stream.publish("Cluster b@2"), NOTHING);
}

#[test]
fn a_reconnected_proxy_is_sent_only_what_differs() {
    let mut stream = Stream::new();
    stream.publish("Cluster same@1, Cluster changed@2, Cluster new@1, Endpoints e@5");
    let sent = stream.ask("Cluster same=1 changed=1 gone=1");
    assert_eq!(sent, ["Cluster +changed@2 +new@1"]);
    assert_eq!(stream.ask("Endpoints +e +unknown e=5"), ["Endpoints -unknown"]);
    assert_eq!(stream.accept(Kind::Cluster), NOTHING);
    assert_eq!(stream.accept(Kind::Endpoints), NOTHING);
    assert_eq!(stream.wait_in_vain(), ["Cluster -gone"]);
}

#[test]
fn a_reconnected_proxy_that_has_everything_is_sent_nothing_and_is_synced() {
    let mut stream = Stream::new();
    stream.publish("Cluster c@1, Listener l@1, Routes r@1, Endpoints c@1");
    assert_eq!(stream.ask("Cluster c=1"), NOTHING);
    assert_eq!(stream.ask("Endpoints +c c=1"), NOTHING);
    assert_eq!(stream.ask("Listener l=1"), NOTHING);
    assert_eq!(stream.synced(), []);
    assert_eq!(stream.ask("Routes +r r=1"), NOTHING);
    assert_eq!(stream.synced(), [(1, vec![])]);
}

#[test]
fn a_version_of_another_control_plane_is_replaced() {
    let mut stream = Stream::new();
    stream.publish("Endpoints e@5");
    assert_eq!(stream.ask("Endpoints +e e=elsewhere"), ["Endpoints +e@5"]);
}

#[test]
fn versions_told_after_the_first_request_or_for_names_not_asked_for_mean_nothing() {
    let mut stream = Stream::new();
    stream.publish("Endpoints e@5, Endpoints f@5");
    assert_eq!(stream.ask("Endpoints +e f=5"), ["Endpoints +e@5"]);
    stream.accept_all();
    assert_eq!(stream.ask("Endpoints +f f=5"), ["Endpoints +f@5"]);
}

#[test]
fn more_names_than_allowed_end_the_stream() {
    let limits = Limits { subscription_bytes: 200, ..Limits::default() };
    let mut subscription = Subscription::new(limits);
    let ask =
        |names: [&str; 2]| Request { subscribe: names.map(Into::into).into(), ..Request::new(Kind::Routes) };
    assert!(subscription.on_request(ask(["a", "b"])).is_ok());
    let drop = Request { unsubscribe: vec!["a".into(), "b".into()], ..Request::new(Kind::Routes) };
    assert!(subscription.on_request(drop).is_ok());
    assert!(subscription.on_request(ask(["c", "d"])).is_ok());
    assert_eq!(subscription.on_request(ask(["e", "f"])), Err(TooManyNames));
}

#[test]
fn a_response_is_closed_when_it_is_full_and_the_rest_follows() {
    let mut stream = Stream::with_limits(Limits { response_bytes: 2, ..Limits::default() });
    stream.publish("Listener a@1, Listener b@1, Listener c@1");
    assert_eq!(stream.ask("Listener"), ["Listener +a@1 +b@1"]);
    assert_eq!(stream.accept(Kind::Listener), ["Listener +c@1"]);
}

#[test]
fn an_unchanged_world_published_again_sends_nothing_and_is_synced_anew() {
    let mut stream = Stream::settled("Cluster a@1, Listener l@1");
    assert_eq!(stream.publish("Cluster a@1, Listener l@1"), NOTHING);
    assert_eq!(stream.synced(), [(2, vec![])]);
}

#[test]
fn answers_to_unknown_nonces_change_nothing_but_their_subscriptions_count() {
    let mut stream = Stream::settled("Endpoints a@1, Endpoints b@1");
    stream.ask("Endpoints -b");
    let stale = Request {
        nonce: Some(999),
        error: Some("bad".into()),
        subscribe: vec!["b".into()],
        ..Request::new(Kind::Endpoints)
    };
    assert_eq!(stream.request(stale), ["Endpoints +b@1"]);
    assert_eq!(stream.notices, [Notice::StaleNonce]);
}

#[test]
fn a_nonce_answered_twice_counts_once() {
    let mut stream = Stream::new();
    stream.publish("Cluster a@1");
    stream.ask("Cluster");
    let answer = Request { nonce: Some(stream.unanswered[0].nonce), ..Request::new(Kind::Cluster) };
    stream.request(answer.clone());
    stream.request(answer);
    assert!(matches!(
        stream.notices.as_slice(),
        [Notice::Acked { .. }, Notice::Synced { .. }, Notice::StaleNonce]
    ));
}

#[test]
fn a_nonce_of_another_type_is_stale() {
    let mut stream = Stream::new();
    stream.publish("Cluster a@1");
    stream.ask("Cluster");
    let nonce = stream.unanswered[0].nonce;
    stream.request(Request { nonce: Some(nonce), ..Request::new(Kind::Listener) });
    assert_eq!(stream.notices, [Notice::StaleNonce]);
    assert_eq!(world("Cluster a@1").count(Kind::Cluster), 1);
}

#[test]
fn what_was_on_its_way_when_its_name_was_dropped_is_not_taken_as_received() {
    let mut stream = Stream::new();
    stream.publish("Cluster a@1");
    stream.ask("Cluster +a");
    stream.ask("Cluster -a");
    stream.ask("Cluster +*");
    assert_eq!(stream.accept(Kind::Cluster), ["Cluster +a@1"]);
}

#[test]
fn what_was_on_its_way_when_its_name_was_dropped_is_removed_in_case_it_was_taken_later() {
    let mut stream = Stream::new();
    stream.publish("Cluster a@1");
    stream.ask("Cluster");
    stream.ask("Cluster -*");
    stream.ask("Cluster +*");
    stream.publish("");
    assert_eq!(stream.accept_all(), ["Cluster +a@1", "Cluster +a@1", "Cluster -a"]);
}
