use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ferrule_translate::CacheHost;
use ferrule_xds::Peer;

use super::*;
use crate::publish::Caching;

const MINUTE: Duration = Duration::from_secs(60);

fn peer(gateway: &str, node: &str, stream: u64) -> Peer {
    Peer { group: gateway.into(), node: node.into(), stream }
}

fn state(gateways: &[(&str, CacheHost)], now: Instant) -> State {
    let mut state = State::default();
    state.give("one", json!({"id": "one"}), now);
    let caching: BTreeMap<_, _> = gateways
        .iter()
        .map(|(name, host)| ((*name).into(), Caching { generation: 7, host: *host }))
        .collect();
    state.on_published(&caching);
    state
}

fn standings(state: &State, now: Instant) -> Vec<(String, Standing)> {
    let account = state.account("one", now).unwrap();
    account.proxies.iter().map(|word| (word.proxy.to_string(), word.standing)).collect()
}

fn reported(peer: Peer, text: &str) -> Event {
    Event::Reported { peer, body: text.to_owned().into() }
}

#[test]
fn an_order_is_complete_once_every_proxy_with_a_cache_has_answered() {
    let now = Instant::now();
    let mut state = state(&[("d/g", CacheHost::Native)], now);
    assert!(!state.account("one", now).unwrap().is_complete(), "no proxy is no answer");
    for (gateway, node, stream) in [("d/g", "a", 1), ("d/g", "b", 2), ("d/h", "without", 3)] {
        state.on_event(&Event::Connected(peer(gateway, node, stream)), now);
    }
    state.on_event(&reported(peer("d/g", "a", 1), r#"{"id": "one", "outcome": {"purged": 2}}"#), now);
    state.on_event(&reported(peer("d/g", "b", 2), r#"{"id": "two", "outcome": {}}"#), now);
    state.on_event(&reported(peer("d/g", "b", 2), "nonsense"), now);
    assert_eq!(standings(&state, now), [("a".into(), Standing::Answered), ("b".into(), Standing::Waiting)]);
    assert!(!state.account("one", now).unwrap().is_complete());
    state.on_event(&reported(peer("d/g", "b", 2), r#"{"id": "one", "outcome": {"purged": 0}}"#), now);
    assert!(state.account("one", now).unwrap().is_complete());
    assert_eq!(state.account("one", now).unwrap().proxies[0].outcome, Some(json!({"purged": 2})));
}

#[test]
fn a_proxy_that_is_gone_is_missed_for_a_while_unless_it_comes_back() {
    let now = Instant::now();
    let mut state = state(&[("d/g", CacheHost::Native)], now);
    state.on_event(&Event::Connected(peer("d/g", "a", 1)), now);
    state.on_event(&Event::Disconnected(peer("d/g", "a", 1)), now);
    assert_eq!(standings(&state, now), [("a".into(), Standing::Gone)]);
    assert_eq!(standings(&state, now + MINUTE), []);
    state.on_event(&Event::Connected(peer("d/g", "a", 2)), now);
    assert_eq!(standings(&state, now), [("a".into(), Standing::Waiting)]);
}

#[test]
fn a_proxy_whose_host_does_not_report_has_accepted_once_it_runs_what_has_the_order() {
    let now = Instant::now();
    let mut state = state(&[("d/g", CacheHost::Wasm)], now);
    let synced = |generation| Event::Synced { peer: peer("d/g", "a", 1), generation, refused: vec![] };
    state.on_event(&synced(6), now);
    assert_eq!(standings(&state, now), [("a".into(), Standing::Waiting)]);
    state.on_event(&synced(7), now);
    assert_eq!(standings(&state, now), [("a".into(), Standing::Accepted)]);
}

#[test]
fn orders_stand_for_a_while_and_no_more_than_so_many() {
    let now = Instant::now();
    let mut state = state(&[], now);
    assert!(!state.expire(now + MINUTE));
    assert!(state.expire(now + 10 * MINUTE) && state.orders().is_empty());
    (0..100).for_each(|at| state.give(&at.to_string(), json!(at), now));
    assert_eq!((state.orders().len(), state.orders().last()), (32, Some(&json!(99))));
    let large = "x".repeat(100 << 10);
    (0..3).for_each(|at| state.give(&format!("large {at}"), large.as_str().into(), now));
    assert_eq!(state.orders().len(), 2, "so many bytes");
}

#[test]
fn replicas_pass_orders_on_and_speak_for_their_own_proxies() {
    let now = Instant::now();
    let mut first = state(&[("d/g", CacheHost::Native)], now);
    first.on_event(&Event::Connected(peer("d/g", "a", 1)), now);
    first.on_event(&reported(peer("d/g", "a", 1), r#"{"id": "one", "outcome": {"purged": 2}}"#), now);
    // It was here a moment ago.
    first.on_event(&Event::Connected(peer("d/g", "b", 2)), now);
    first.on_event(&Event::Disconnected(peer("d/g", "b", 2)), now);
    let mut second = State::default();
    assert!(!first.hear(vec![second.told(now)], now));
    assert_eq!(first.account("one", now).unwrap().unheard, 1, "the other has not heard of it");
    assert!(second.hear(vec![first.told(now)], now));
    assert!(!second.hear(vec![first.told(now)], now), "once");
    assert_eq!(second.orders(), first.orders());
    let caching = Caching { generation: 9, host: CacheHost::Native };
    second.on_published(&[("d/g".into(), caching)].into());
    second.on_event(&Event::Connected(peer("d/g", "b", 1)), now);
    first.hear(vec![second.told(now)], now);
    assert_eq!(standings(&first, now), [("a".into(), Standing::Answered), ("b".into(), Standing::Waiting)]);
    second.on_event(&reported(peer("d/g", "b", 1), r#"{"id": "one", "outcome": {"purged": 1}}"#), now);
    first.hear(vec![second.told(now)], now);
    assert!(first.account("one", now).unwrap().is_complete());
    assert_eq!(second.account("one", now).unwrap().proxies.len(), 2, "whoever is asked");
}

#[test]
fn what_replicas_tell_each_other_is_bounded_and_not_brought_back_from_the_past() {
    let now = Instant::now();
    let mut state = state(&[("d/g", CacheHost::Native)], now);
    let large = format!(r#"{{"id": "one", "outcome": {{"caches": ["{}"]}}}}"#, "x".repeat(200 << 10));
    state.on_event(&reported(peer("d/g", "a", 1), &large), now);
    assert!(serde_json::to_string(&state.told(now)).unwrap().len() < 1000);
    let told = state.told(now + 10 * MINUTE);
    assert!(!State::default().hear(vec![told], now + 10 * MINUTE));
}

#[test]
fn an_order_that_makes_no_sense_is_refused_by_its_field() {
    for (order, why) in [
        ("{", "no JSON"),
        ("[]", "no JSON object"),
        (r#"{"id": "x", "purge": {"tags": ["a"]}}"#, "id"),
        ("{}", "neither a purge nor an inspection"),
        (r#"{"purge": {}}"#, "purge: names nothing"),
        (r#"{"purge": {"urls": ["http://a/", "/x"]}}"#, "purge.urls[1]: `/x` is no URL"),
        (r#"{"purge": {"tags": ["a"], "now": true}}"#, "unknown field `now`"),
        (r#"{"inspect": {"url": "ftp://a/"}}"#, "inspect.url"),
    ] {
        let refused = checked(order.as_bytes(), "one").unwrap_err();
        assert!(refused.starts_with(why) || refused.contains(why), "{order}: {refused}");
        assert!(!refused.contains("list[0]"), "{refused}");
    }
    assert_eq!(checked(br#"{"purge": {"tags": ["a"]}}"#, "one").unwrap()["id"], "one");
}
