//! What policies make of answers, and what becomes of stored ones when a policy changes.

use super::{Rig, cache_status, is_hit};
use crate::client::{Answer, ask};

#[test]
fn the_second_answer_is_the_first_one_stored_on_either_host() {
    for rig in Rig::each_host() {
        let (first, second) = (rig.get("/cached"), rig.get("/cached"));
        assert!(cache_status(&first).starts_with("first; fwd=uri-miss"), "{first:?}");
        assert!(is_hit(&second), "{second:?}");
        assert_eq!((second.status, &second.body), (200, &first.body));
        assert!(second.header("age").is_some(), "{second:?}");
        assert_eq!(rig.origin_requests("/cached"), 1);
        assert!(!is_hit(&rig.get("/cached?other")), "another URL");
    }
}

#[test]
fn the_most_specific_policy_can_switch_the_cache_off_on_either_host() {
    for rig in Rig::each_host() {
        for _ in 0..2 {
            assert_eq!(cache_status(&rig.get("/never")), "");
        }
        assert_eq!(rig.origin_requests("/never"), 2);
        rig.controller.wait_for_condition("cachepolicy", "none", "Accepted=True", "");
        rig.controller.wait_for_condition("cachepolicy", "all", "Attached=True", "");
    }
}

#[test]
fn what_is_stored_is_the_origins_and_transformed_on_its_way_out_on_either_host() {
    for rig in Rig::each_host() {
        let turned = |answer: &Answer| answer.header("x-turned").map(str::to_owned);
        assert_eq!(turned(&rig.get("/turned")).as_deref(), Some("once"));
        let hit = rig.get("/turned");
        assert!(is_hit(&hit) && turned(&hit).as_deref() == Some("once"), "{hit:?}");
        rig.controller.edit("extra.yaml", |text| text.replace("value: once", "value: anew"));
        let anew = rig.controller.wait_until("the new transformation", || {
            Some(rig.get("/turned")).filter(|answer| turned(answer).as_deref() == Some("anew"))
        });
        assert!(is_hit(&anew), "{anew:?}");
        assert_eq!(rig.origin_requests("/turned"), 1);
    }
}

#[test]
fn what_is_stored_for_requests_of_one_rule_is_no_answer_for_those_of_another_on_either_host() {
    for rig in Rig::each_host() {
        let canary = || ask(rig.controller.gateway, "GET", "/split", &[("x-canary", "1")]);
        let who = |answer: &Answer| answer.json()["headers"]["x-who"].clone();
        assert_eq!(who(&canary()), "canary");
        let plain = rig.get("/split");
        assert!(!is_hit(&plain) && who(&plain).is_null(), "{plain:?}");
        for answer in [canary(), rig.get("/split")] {
            assert!(is_hit(&answer), "{answer:?}");
        }
        assert_eq!((who(&canary()), who(&rig.get("/split"))), ("canary".into(), serde_json::Value::Null));
        let purged = rig.controller.cache(&["purge", "http://localhost/split"]);
        assert!(purged.status.success(), "{purged:?}");
        assert!(!is_hit(&canary()) && !is_hit(&rig.get("/split")), "a URL is purged for all");
    }
}

#[test]
fn a_change_of_policy_keeps_what_is_stored_unless_it_is_about_the_storage_on_either_host() {
    for rig in Rig::each_host() {
        rig.get("/cached");
        rig.controller.edit("extra.yaml", |text| text.replace("name: first", "name: second"));
        let answer = rig.controller.wait_until("the new name", || {
            Some(rig.get("/cached")).filter(|answer| cache_status(answer).starts_with("second"))
        });
        assert!(is_hit(&answer), "{answer:?}");
        assert_eq!(rig.origin_requests("/cached"), 1);
        rig.controller.edit("extra.yaml", |text| text.replace("bytes: 8388608", "bytes: 4194304"));
        rig.controller.wait_until("an empty storage", || (!is_hit(&rig.get("/cached"))).then_some(()));
    }
}

#[test]
fn a_policy_that_does_not_compile_fails_its_routes_and_says_why() {
    let rig = Rig::new(&[]);
    rig.get("/cached");
    rig.controller
        .edit("extra.yaml", |text| text.replace("bytes: 8388608", "bytes: 65536, objectBytes: 65536"));
    rig.controller.wait_for_condition("cachepolicy", "all", "Accepted=False Invalid", "storage.objectBytes");
    rig.controller.wait_until("500", || (rig.get("/cached").status == 500).then_some(()));
    assert_eq!(rig.get("/never").status, 200, "its policy is another");
}
