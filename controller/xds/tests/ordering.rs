//! Make before break: what waits for what across types, and what must never wait.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod stream;

use ferrule_xds::{Kind, Request, Wait};
use stream::Stream;

const NOTHING: [&str; 0] = [];

const OLD: &str = "Cluster old@1 eds, Endpoints old@1, Listener l@1, Routes r@1";
const NEW: &str = "Cluster new@1 eds, Endpoints new@1, Listener l@1, Routes r@2";

#[test]
fn a_renamed_cluster_is_made_before_and_broken_after_the_routes_change() {
    let mut stream = Stream::settled(OLD);
    assert_eq!(stream.publish(NEW), ["Cluster +new@1"]);
    // Envoy withholds the ACK of the cluster until this is answered.
    assert_eq!(stream.ask("Endpoints +new"), ["Endpoints +new@1"]);
    assert_eq!(stream.accept(Kind::Endpoints), NOTHING);
    assert_eq!(stream.accept(Kind::Cluster), ["Routes +r@2"]);
    assert_eq!(stream.accept(Kind::Routes), ["Cluster -old"]);
    // Envoy unsubscribes by itself from what it no longer needs.
    assert_eq!(stream.ask("Endpoints -old"), NOTHING);
    assert_eq!(stream.accept(Kind::Cluster), NOTHING);
    assert_eq!(stream.synced(), [(2, vec![])]);
}

#[test]
fn routes_wait_for_endpoints_that_the_proxy_waits_for_even_if_the_cluster_was_accepted() {
    let mut stream = Stream::settled(OLD);
    stream.publish(NEW);
    stream.ask("Endpoints +new");
    assert_eq!(stream.accept(Kind::Cluster), NOTHING);
    assert_eq!(stream.accept(Kind::Endpoints), ["Routes +r@2"]);
}

#[test]
fn routes_do_not_wait_for_changed_endpoints() {
    let mut stream = Stream::settled(OLD);
    stream.publish("Cluster old@1 eds, Endpoints old@2, Listener l@1, Routes r@1");
    assert_eq!(
        stream.publish("Cluster old@1 eds, Endpoints old@2, Listener l@1, Routes r@2"),
        ["Routes +r@2"]
    );
}

#[test]
fn a_first_configuration_comes_in_order() {
    let mut stream = Stream::new();
    stream
        .publish("Secret s@1, Cluster c@1, ExtensionConfig x@1, Listener l@1, ScopedRoutes z@1, Routes r@1");
    assert_eq!(stream.ask("Cluster"), ["Cluster +c@1"]);
    assert_eq!(stream.ask("Listener"), NOTHING);
    assert_eq!(stream.ask("Secret +s"), ["Secret +s@1"]);
    assert_eq!(stream.accept(Kind::Cluster), NOTHING);
    assert_eq!(stream.accept(Kind::Secret), ["Listener +l@1"]);
    assert_eq!(stream.ask("ScopedRoutes"), NOTHING);
    assert_eq!(stream.ask("Routes +r"), NOTHING);
    assert_eq!(stream.ask("ExtensionConfig +x"), ["ExtensionConfig +x@1"]);
    assert_eq!(stream.accept(Kind::Listener), NOTHING);
    assert_eq!(stream.accept(Kind::ExtensionConfig), ["ScopedRoutes +z@1"]);
    assert_eq!(stream.synced(), []);
    assert_eq!(stream.accept(Kind::ScopedRoutes), ["Routes +r@1"]);
    assert_eq!(stream.accept(Kind::Routes), NOTHING);
    assert_eq!(stream.synced(), [(1, vec![])]);
}

#[test]
fn removals_run_in_reverse_each_after_the_answer_to_the_one_before() {
    let all = "Secret s@1, Cluster c@1 eds, Endpoints c@1, ExtensionConfig x@1, Listener l@1, ScopedRoutes z@1, Routes r@1";
    let mut stream = Stream::settled(all);
    assert_eq!(stream.publish(""), ["Listener -l"]);
    let seen = stream.accept_all();
    let order = [
        "Listener -l",
        "ScopedRoutes -z",
        "Routes -r",
        "ExtensionConfig -x",
        "Cluster -c",
        "Endpoints -c",
        "Secret -s",
    ];
    assert_eq!(seen, order);
}

#[test]
fn a_listener_that_takes_over_an_address_comes_with_the_removal_of_the_old_one() {
    let mut stream = Stream::settled("Listener a@1, ScopedRoutes x@1");
    assert_eq!(stream.publish("Listener b@1, ScopedRoutes y@1"), ["Listener +b@1 -a"]);
    assert_eq!(stream.accept(Kind::Listener), ["ScopedRoutes +y@1 -x"]);
}

#[test]
fn types_that_the_proxy_never_asked_for_hold_nothing_up() {
    let mut stream = Stream::new();
    stream.publish("Cluster c@1, Endpoints c@1, Secret s@1, Listener l@1, Routes r@1");
    assert_eq!(stream.ask("Routes +r"), ["Routes +r@1"]);
    stream.accept(Kind::Routes);
    assert_eq!(stream.publish("Cluster c@2, Endpoints c@2, Listener l@2, Routes r@2"), ["Routes +r@2"]);
}

#[test]
fn snapshots_that_come_while_an_answer_is_awaited_are_merged_into_one() {
    let mut stream = Stream::settled("Cluster a@1, Routes r@1");
    assert_eq!(stream.publish("Cluster a@2, Routes r@1"), ["Cluster +a@2"]);
    assert_eq!(stream.publish("Cluster a@3, Cluster b@1, Routes r@1"), NOTHING);
    assert_eq!(stream.publish("Cluster a@4, Routes r@1"), NOTHING);
    assert_eq!(stream.accept(Kind::Cluster), ["Cluster +a@4"]);
    assert_eq!(stream.accept(Kind::Cluster), NOTHING);
    assert_eq!(stream.synced(), [(4, vec![])]);
}

#[test]
fn routes_get_their_turn_however_often_clusters_change() {
    let mut stream = Stream::settled("Cluster a@1, Routes r@1");
    stream.publish("Cluster a@2, Routes r@2");
    for version in 3..10 {
        stream.publish(&format!("Cluster a@{version}, Routes r@{version}"));
        let sent = stream.accept(Kind::Cluster);
        assert_eq!(sent, [format!("Routes +r@{}", version - 1)]);
        assert_eq!(stream.accept(Kind::Routes), [format!("Cluster +a@{version}")]);
    }
}

#[test]
fn endpoints_and_secrets_overtake_a_snapshot_that_is_being_carried_through() {
    let mut stream = Stream::settled(
        "Cluster a@1 eds, Cluster b@1 eds, Endpoints a@1, Endpoints b@1, Secret s@1, Routes r@1",
    );
    stream.publish("Cluster a@2, Cluster b@1 eds, Endpoints a@1, Endpoints b@1, Secret s@1, Routes r@2");
    let sent = stream.publish("Cluster a@2, Endpoints a@2, Secret s@2, Routes r@3");
    assert_eq!(sent, ["Secret +s@2", "Endpoints +a@2"]);
    // What the newest no longer has is still needed by the cluster that is.
    assert_eq!(stream.accept(Kind::Endpoints), NOTHING);
}

#[test]
fn endpoints_of_a_changed_cluster_are_sent_again_behind_it() {
    let mut stream = Stream::settled("Cluster a@1 eds, Cluster b@1 eds, Endpoints a@1, Endpoints b@1");
    let sent = stream.publish("Cluster a@2 eds, Cluster b@1 eds, Endpoints a@1, Endpoints b@1");
    assert_eq!(sent, ["Cluster +a@2", "Endpoints +a@1"]);
    assert_eq!(stream.accept_all(), sent);
}

#[test]
fn endpoints_of_a_cluster_changed_while_the_proxy_was_away_are_sent_again_too() {
    let mut stream = Stream::new();
    stream.publish("Cluster a@2 eds, Cluster b@1 eds, Endpoints a@1, Endpoints b@1");
    assert_eq!(stream.ask("Cluster a=1 b=1"), ["Cluster +a@2"]);
    assert_eq!(stream.ask("Endpoints +a +b a=1 b=1"), ["Endpoints +a@1"]);
}

#[test]
fn endpoints_of_a_changed_cluster_are_never_lost_behind_an_unanswered_response() {
    let mut stream = Stream::settled("Cluster a@1 eds, Endpoints a@1");
    stream.publish("Cluster a@1 eds, Endpoints a@2");
    assert_eq!(stream.publish("Cluster a@2 eds, Endpoints a@2"), ["Cluster +a@2"]);
    assert_eq!(stream.accept(Kind::Endpoints), ["Endpoints +a@2"]);
}

#[test]
fn a_filter_that_a_listener_warms_on_is_sent_although_clusters_are_unanswered() {
    let mut stream = Stream::settled("Cluster a@1, ExtensionConfig x@1");
    stream.publish("Cluster a@2, ExtensionConfig x@2, ExtensionConfig y@1");
    assert_eq!(stream.ask("ExtensionConfig +y"), ["ExtensionConfig +y@1"]);
    stream.accept(Kind::ExtensionConfig);
    assert_eq!(stream.accept(Kind::Cluster), ["ExtensionConfig +x@2"]);
}

#[test]
fn a_proxy_that_does_not_answer_in_time_is_gone_on_with() {
    let mut stream = Stream::settled("Cluster a@1, Routes r@1");
    stream.publish("Cluster b@1, Routes r@2");
    assert_eq!(stream.wait_in_vain(), ["Routes +r@2"]);
    assert_eq!(stream.accept(Kind::Routes), ["Cluster -a"]);
    assert_eq!(stream.synced(), []);
    assert_eq!(stream.accept(Kind::Cluster), NOTHING);
    assert_eq!(stream.accept(Kind::Cluster), NOTHING);
    assert_eq!(stream.synced(), [(2, vec![])]);
}

#[test]
fn nothing_is_removed_while_a_type_that_may_refer_to_it_is_overdue() {
    let mut stream = Stream::settled("Cluster a@1, Routes r@1");
    stream.publish("Cluster b@1, Routes r@2");
    stream.accept(Kind::Cluster);
    assert_eq!(stream.wait_in_vain(), NOTHING);
    assert_eq!(stream.accept(Kind::Routes), ["Cluster -a"]);
}

#[test]
fn a_late_refusal_still_counts() {
    let mut stream = Stream::settled("Cluster a@1, Routes r@1");
    stream.publish("Cluster a@2, Routes r@2");
    stream.wait_in_vain();
    stream.accept(Kind::Routes);
    assert_eq!(stream.refuse(Kind::Cluster), NOTHING);
    assert_eq!(stream.synced(), [(2, vec!["a".to_owned()])]);
    assert_eq!(stream.publish("Cluster a@1, Routes r@2"), ["Cluster +a@1"]);
}

#[test]
fn what_is_waited_for_stays_the_same_until_it_is_answered() {
    let mut stream = Stream::settled("Cluster a@1 eds, Endpoints a@1");
    assert_eq!(stream.subscription.waiting(), None);
    stream.publish("Cluster a@2, Endpoints a@1");
    let wait = stream.subscription.waiting();
    for version in 2..5 {
        stream.publish(&format!("Cluster a@2, Endpoints a@{version}"));
        stream.accept(Kind::Endpoints);
        assert_eq!(stream.subscription.waiting(), wait);
    }
    stream.accept(Kind::Cluster);
    assert_eq!(stream.subscription.waiting(), None);
}

#[test]
fn routes_of_a_reconnected_proxy_wait_for_it_to_ask_for_clusters() {
    let mut stream = Stream::new();
    stream.publish("Cluster new@1, Routes r@2");
    assert_eq!(stream.ask("Routes +r r=1"), NOTHING);
    assert_eq!(stream.subscription.waiting(), Some(Wait::Reconnect));
    assert_eq!(stream.ask("Cluster old=1"), ["Cluster +new@1"]);
    assert_eq!(stream.accept(Kind::Cluster), ["Routes +r@2"]);
}

#[test]
fn a_reconnected_proxy_that_never_asks_for_clusters_gets_its_routes_after_a_while() {
    let mut stream = Stream::new();
    stream.publish("Routes r@2");
    assert_eq!(stream.ask("Routes +r r=1"), NOTHING);
    assert_eq!(stream.wait_in_vain(), ["Routes +r@2"]);
    assert_eq!(stream.ask("Cluster"), ["Cluster"]);
}

#[test]
fn nothing_is_removed_from_a_reconnected_proxy_before_it_had_time_to_tell_what_uses_it() {
    let mut stream = Stream::new();
    stream.publish("Cluster b@1, Routes r@2");
    assert_eq!(stream.ask("Cluster a=1 b=1"), NOTHING);
    assert_eq!(stream.ask("Routes +r r=1"), ["Routes +r@2"]);
    assert_eq!(stream.accept(Kind::Routes), NOTHING);
    assert_eq!(stream.synced(), []);
    assert_eq!(stream.time_out(Wait::Reconnect), ["Cluster -a"]);
    stream.accept_all();
    assert_eq!(stream.synced(), [(1, vec![])]);
}

#[test]
fn a_stream_is_not_synced_before_every_kind_of_its_snapshot_was_asked_for() {
    let mut stream = Stream::new();
    stream.publish("Cluster c@1, Listener l@1");
    stream.ask("Cluster");
    stream.accept_all();
    assert_eq!(stream.synced(), []);
    stream.ask("Listener");
    stream.accept_all();
    assert_eq!(stream.synced(), [(1, vec![])]);
}

#[test]
fn a_removed_name_that_comes_back_before_its_turn_is_not_removed() {
    let mut stream = Stream::settled("Cluster a@1, Routes r@1");
    stream.publish("Routes r@2");
    stream.publish("Cluster a@1, Routes r@1");
    assert_eq!(stream.accept(Kind::Routes), ["Cluster -a"]);
    stream.accept(Kind::Cluster);
    assert_eq!(stream.unanswered.len(), 1);
    assert_eq!(stream.accept_all(), ["Cluster +a@1", "Routes +r@1"]);
    assert!(stream.request(Request::new(Kind::Cluster)).is_empty());
}

#[test]
fn going_back_while_a_change_is_unanswered_is_not_lost() {
    let mut stream = Stream::settled("Cluster a@1, Endpoints e@1");
    stream.publish("Cluster a@2");
    stream.publish("Cluster a@1, Endpoints e@1");
    assert_eq!(stream.accept_all(), ["Cluster +a@2", "Cluster +a@1"]);
    stream.publish("Cluster a@1");
    stream.publish("Cluster a@1, Endpoints e@1");
    assert_eq!(stream.accept_all(), ["Endpoints -e", "Endpoints +e@1"]);
}
