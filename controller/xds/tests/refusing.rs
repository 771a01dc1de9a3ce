//! What a refused response leads to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod stream;

use ferrule_xds::{Kind, Notice, Refused, Request};
use stream::{Stream, show};

const NOTHING: [&str; 0] = [];

/// Answers as a proxy that refuses every response with one of `bad` in it, and returns what it was sent.
fn answer_refusing(stream: &mut Stream, bad: &[&str]) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(response) = stream.unanswered.first() {
        seen.push(show(response));
        let kind = response.kind;
        let refuses = response.resources.iter().any(|r| bad.contains(&&*format!("{}@{}", r.name, r.version)));
        if refuses {
            stream.refuse(kind)
        } else {
            stream.accept(kind)
        };
    }
    seen
}

fn refusals(stream: &Stream) -> Vec<(String, Option<u64>)> {
    let of = |notice: &Notice| match notice {
        Notice::Nacked { refused, .. } => refused.clone(),
        _ => Vec::new(),
    };
    stream.notices.iter().flat_map(of).map(|refused| (refused.name.to_string(), refused.version)).collect()
}

#[test]
fn a_refused_resource_is_told_with_the_proxys_words() {
    let mut stream = Stream::settled("Cluster a@1");
    stream.publish("Cluster a@2");
    stream.refuse(Kind::Cluster);
    let refused = Refused { kind: Kind::Cluster, name: "a".into(), version: Some(2), message: "bad".into() };
    let nacked =
        Notice::Nacked { kind: Kind::Cluster, message: "bad".into(), refused: vec![refused.clone()] };
    assert_eq!(stream.notices, [nacked, Notice::Synced { generation: 2, refused: vec![refused] }]);
}

#[test]
fn a_refused_resource_is_sent_again_only_when_it_changes() {
    let mut stream = Stream::settled("Cluster a@1");
    stream.publish("Cluster a@2");
    assert_eq!(stream.refuse(Kind::Cluster), NOTHING);
    assert_eq!(stream.publish("Cluster a@2, Cluster b@1"), ["Cluster +b@1"]);
    stream.accept_all();
    assert_eq!(stream.publish("Cluster a@3, Cluster b@1"), ["Cluster +a@3"]);
}

#[test]
fn a_refused_resource_is_sent_again_when_it_is_subscribed_to_anew() {
    let mut stream = Stream::settled("Routes r@1");
    stream.publish("Routes r@2");
    stream.refuse(Kind::Routes);
    assert_eq!(stream.ask("Routes"), NOTHING);
    assert_eq!(stream.ask("Routes +r"), ["Routes +r@2"]);
}

#[test]
fn going_back_to_what_the_proxy_kept_sends_nothing() {
    let mut stream = Stream::settled("Cluster a@1");
    stream.publish("Cluster a@2");
    stream.refuse(Kind::Cluster);
    assert_eq!(stream.publish("Cluster a@1"), NOTHING);
    assert_eq!(stream.synced(), [(2, vec!["a".to_owned()]), (3, vec![])]);
}

#[test]
fn one_bad_resource_among_many_is_found_and_the_others_are_applied() {
    let mut stream = Stream::settled("");
    stream.publish("Cluster a@1, Cluster b@1, Cluster c@1, Cluster d@1, Cluster e@1");
    let seen = answer_refusing(&mut stream, &["d@1"]);
    let expected = [
        "Cluster +a@1 +b@1 +c@1 +d@1 +e@1",
        "Cluster +a@1 +b@1",
        "Cluster +c@1 +d@1 +e@1",
        "Cluster +c@1",
        "Cluster +d@1 +e@1",
        "Cluster +d@1",
        "Cluster +e@1",
    ];
    assert_eq!(seen, expected);
    assert_eq!(refusals(&stream), [("d".to_owned(), Some(1))]);
    assert_eq!(stream.synced(), [(2, vec!["d".to_owned()])]);
}

#[test]
fn every_bad_resource_of_many_is_found() {
    let mut stream = Stream::settled("");
    stream.publish("Listener a@1, Listener b@1, Listener c@1, Listener d@1");
    answer_refusing(&mut stream, &["a@1", "c@1", "d@1"]);
    let names: Vec<String> = refusals(&stream).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a", "c", "d"]);
}

#[test]
fn a_change_during_the_search_is_sent_once_and_in_its_newest_form() {
    let mut stream = Stream::settled("");
    stream.publish("Cluster a@1, Cluster b@1");
    assert_eq!(stream.refuse(Kind::Cluster), ["Cluster +a@1"]);
    stream.publish("Cluster a@2, Cluster b@2");
    assert_eq!(stream.accept_all(), ["Cluster +a@1", "Cluster +b@1", "Cluster +a@2 +b@2"]);
}

#[test]
fn other_types_go_on_after_a_refusal() {
    let mut stream = Stream::settled("Cluster a@1, Routes r@1");
    stream.publish("Cluster a@2, Routes r@2");
    assert_eq!(stream.refuse(Kind::Cluster), ["Routes +r@2"]);
}

#[test]
fn nothing_is_removed_that_a_kept_old_version_may_refer_to() {
    let mut stream = Stream::settled("Cluster a@1, Routes r@1");
    stream.publish("Cluster b@1, Routes r@2");
    stream.accept(Kind::Cluster);
    assert_eq!(stream.refuse(Kind::Routes), NOTHING);
    assert_eq!(stream.publish("Cluster b@1, Routes r@3"), ["Routes +r@3"]);
    assert_eq!(stream.accept(Kind::Routes), ["Cluster -a"]);
    stream.accept_all();
    assert_eq!(stream.synced(), [(2, vec!["r".to_owned()]), (3, vec![])]);
}

#[test]
fn a_refused_resource_that_never_worked_holds_no_removal_back() {
    let mut stream = Stream::settled("Cluster a@1, Routes r@1");
    stream.publish("Cluster b@1, Routes r@1, Routes never@1");
    assert_eq!(stream.accept(Kind::Cluster), ["Cluster -a"]);
    stream.accept_all();
    stream.publish("Cluster c@1, Routes r@1, Routes never@1");
    stream.accept(Kind::Cluster);
    stream.ask("Routes +never");
    stream.accept(Kind::Cluster);
    assert_eq!(answer_refusing(&mut stream, &["never@1"]), ["Routes +never@1"]);
    assert_eq!(stream.publish("Routes r@1, Routes never@1"), ["Cluster -c"]);
}

#[test]
fn a_resource_found_bad_among_many_is_known_to_have_kept_its_old_version() {
    let mut stream = Stream::settled("Cluster a@1, Cluster b@1");
    stream.publish("Cluster a@2, Cluster b@2");
    answer_refusing(&mut stream, &["a@2"]);
    assert_eq!(stream.publish("Cluster a@1, Cluster b@2"), NOTHING);
}

#[test]
fn a_resource_that_may_have_been_applied_in_part_is_removed_when_it_goes() {
    let mut stream = Stream::settled("");
    stream.publish("Cluster a@1, Cluster b@1");
    stream.refuse(Kind::Cluster);
    stream.publish("");
    assert_eq!(stream.accept(Kind::Cluster), ["Cluster +b@1"]);
    assert_eq!(stream.refuse(Kind::Cluster), ["Cluster -a"]);
}

#[test]
fn a_refused_removal_is_told_and_not_repeated() {
    let mut stream = Stream::settled("Cluster a@1");
    assert_eq!(stream.publish(""), ["Cluster -a"]);
    assert_eq!(stream.refuse(Kind::Cluster), NOTHING);
    assert_eq!(refusals(&stream), [("a".to_owned(), None)]);
    assert_eq!(stream.synced(), [(2, vec![])]);
}

#[test]
fn a_removal_beside_a_refused_addition_is_not_repeated() {
    let mut stream = Stream::settled("Listener a@1");
    assert_eq!(stream.publish("Listener b@1"), ["Listener +b@1 -a"]);
    assert_eq!(stream.refuse(Kind::Listener), NOTHING);
    assert_eq!(refusals(&stream), [("b".to_owned(), Some(1))]);
}

#[test]
fn an_endless_complaint_is_cut_between_characters() {
    let mut stream = Stream::settled("");
    stream.publish("Cluster a@1");
    let nonce = Some(stream.unanswered[0].nonce);
    stream.request(Request { nonce, error: Some("é".repeat(5000) + "x"), ..Request::new(Kind::Cluster) });
    let Some(Notice::Nacked { message, .. }) = stream.notices.first() else { panic!("no refusal told") };
    assert_eq!(message.len(), 4096);
}

#[test]
fn what_may_have_been_applied_in_part_is_removed_even_if_it_went_before_the_refusal() {
    let mut stream = Stream::new();
    stream.publish("Endpoints a@1, Endpoints b@1");
    stream.ask("Endpoints +*");
    stream.publish("");
    assert_eq!(stream.refuse(Kind::Endpoints), ["Endpoints -a -b"]);
}

#[test]
fn what_the_proxy_kept_is_removed_even_if_it_was_asked_for_anew_meanwhile() {
    let mut stream = Stream::settled("Cluster a@1");
    stream.publish("Cluster a@2");
    stream.ask("Cluster +a");
    assert_eq!(stream.refuse(Kind::Cluster), ["Cluster +a@2"]);
    stream.publish("");
    assert_eq!(stream.refuse(Kind::Cluster), ["Cluster -a"]);
}
