use std::collections::BTreeSet;

use super::codec::{Head, Parts};
use super::*;
use crate::policy::stored;
use crate::policy::time::Time;

const STORED: stored::Stored = stored::Stored {
    status: 200,
    no_cache: false,
    must_revalidate: false,
    response_time: Time(0),
    initial_age: 0,
    lifetime: 100,
    date: 0,
    last_modified: None,
    stale_while_revalidate: 0,
    stale_if_error: 0,
};

fn small(bytes: usize) -> Store {
    Store::new(Limits { bytes, object_bytes: bytes, variants: 3, shards: 1 })
}

fn body(store: &Store, length: usize) -> Option<Body> {
    let chunks: Vec<Chunk> = vec![vec![b'x'; length].into()];
    store.reserve(Body::cost(&chunks)).map(|charge| Body::new(chunks, charge))
}

fn object_of(store: &Store, parts: &Parts, date: i64, length: usize) -> Option<Arc<Object>> {
    let body = body(store, length)?;
    let head = Head::encode(parts);
    let charge = store.reserve(Object::cost(&head))?;
    let stored = stored::Stored { date, response_time: Time::from_seconds(date.unsigned_abs()), ..STORED };
    Some(Arc::new(Object::new(stored, head, body, charge)))
}

fn object(store: &Store, key: &str, length: usize) -> Option<Arc<Object>> {
    object_of(store, &Parts { key: key.into(), ..Parts::default() }, 0, length)
}

fn put(store: &Store, key: &str, length: usize) -> bool {
    let epoch = store.epoch();
    object(store, key, length).is_some_and(|object| store.insert(object, epoch) == Stored::Yes)
}

fn has(store: &Store, key: &str) -> bool {
    matches!(store.find(key.as_bytes(), |_| true), Lookup::Found(_))
}

fn variant(store: &Store, key: &str, value: &str, date: i64) {
    let selectors = vec![("x-a".to_owned(), Some(value.as_bytes().to_vec()))];
    let parts = Parts { key: key.into(), selectors, ..Parts::default() };
    let object = object_of(store, &parts, date, 10).unwrap();
    store.insert(object, store.epoch());
}

fn wants(value: &str) -> impl Fn(&Object) -> bool {
    move |object| object.head().selectors().any(|(_, known)| known == Some(value.as_bytes()))
}

#[test]
fn what_is_stored_is_found_and_shares_its_bytes() {
    let store = small(1 << 20);
    assert!(put(&store, "a", 100));
    let Lookup::Found(object) = store.find(b"a", |_| true) else { panic!("not found") };
    let Lookup::Found(again) = store.find(b"a", |_| true) else { panic!("not found") };
    assert_eq!((object.body().len(), object.key()), (100, &b"a"[..]));
    assert!(Arc::ptr_eq(&object.body().chunks()[0], &again.body().chunks()[0]));
    assert!(matches!(store.find(b"a", |_| false), Lookup::Others));
    assert!(matches!(store.find(b"b", |_| true), Lookup::Nothing));
}

#[test]
fn the_budget_is_never_exceeded_and_all_of_it_comes_back() {
    let store = Store::new(Limits { bytes: 300_000, object_bytes: 100_000, variants: 3, shards: 4 });
    let mut stored = 0;
    for n in 0..5_000usize {
        stored += usize::from(put(&store, &format!("key {n}"), n * 37 % 5_000));
        assert!(store.bytes() <= 300_000, "{}", store.bytes());
    }
    assert_eq!(stored, 5_000);
    assert!(store.bytes() > 200_000 && store.evicted() > 4_000);
    store.purge(&Purge::Everything, false);
    let index = store.bytes();
    assert_eq!(store.objects(), 0);
    assert!(index < 60_000, "{index}");
}

#[test]
fn objects_are_counted_however_they_come_and_go() {
    let store = Store::new(Limits { bytes: 60_000, object_bytes: 10_000, variants: 3, shards: 4 });
    let counts = |store: &Store| store.shards.iter().map(|shard| lock(shard).len()).sum::<usize>();
    for n in 0..600usize {
        put(&store, &format!("key {}", n * 7 % 90), n * 37 % 900);
        variant(&store, "varied", &(n % 5).to_string(), n as i64);
        match n % 40 {
            7 => assert!(store.purge(&Purge::Prefix(b"key 1".to_vec()), false) > 0),
            13 => assert!(store.purge(&Purge::Prefix(b"key 2".to_vec()), true) > 0),
            21 => drop(store.purge(&Purge::Url(b"varied".to_vec()), false)),
            33 => {
                let Lookup::Found(object) = store.find(b"varied", |_| true) else { panic!("not found") };
                assert!(store.remove(&object) && !store.remove(&object));
            }
            _ => {}
        }
        assert_eq!(store.objects(), counts(&store), "{n}");
    }
    assert!(store.evicted() > 0 && store.objects() > 0);
}

#[test]
fn what_is_being_read_stays_charged_until_it_is_let_go() {
    let store = small(50_000);
    assert!(put(&store, "a", 30_000));
    let Lookup::Found(reader) = store.find(b"a", |_| true) else { panic!("not found") };
    store.purge(&Purge::Url(b"a".to_vec()), false);
    assert!(!put(&store, "b", 30_000));
    drop(reader);
    assert!(put(&store, "b", 30_000));
}

#[test]
fn objects_that_do_not_fit_are_refused_without_a_search() {
    let store = small(50_000);
    assert!(put(&store, "a", 100));
    assert!(store.reserve(50_001).is_none());
    assert!(has(&store, "a"));
}

#[test]
fn a_scan_does_not_push_out_what_is_asked_for() {
    let store = small(1 << 20);
    for round in 0..3 {
        for n in 0..100 {
            if round == 0 {
                assert!(put(&store, &format!("hot {n}"), 1_000))
            } else {
                assert!(has(&store, &format!("hot {n}")))
            }
        }
    }
    for n in 0..20_000 {
        put(&store, &format!("scan {n}"), 1_000);
    }
    let kept = (0..100).filter(|n| has(&store, &format!("hot {n}"))).count();
    assert_eq!(kept, 100);
}

#[test]
fn variants_of_a_key_are_bounded_and_the_oldest_goes() {
    let store = small(1 << 20);
    for (value, date) in [("1", 5), ("2", 4), ("3", 6), ("4", 7)] {
        variant(&store, "k", value, date);
    }
    assert_eq!(store.variants(b"k").len(), 3);
    assert!(matches!(store.find(b"k", wants("2")), Lookup::Others));
    variant(&store, "k", "3", 9);
    assert_eq!(store.variants(b"k").iter().map(|object| object.stored().date).collect::<Vec<_>>(), [9, 7, 5]);
}

#[test]
fn ten_thousand_variants_stay_within_their_bound() {
    let store = small(1 << 22);
    for n in 0..10_000 {
        variant(&store, "k", &n.to_string(), n);
    }
    assert_eq!((store.variants(b"k").len(), store.objects()), (3, 3));
}

#[test]
fn the_most_recent_of_several_answers() {
    let store = small(1 << 20);
    variant(&store, "k", "1", 5);
    variant(&store, "k", "2", 8);
    variant(&store, "k", "3", 3);
    let Lookup::Found(found) = store.find(b"k", |_| true) else { panic!("not found") };
    assert_eq!(found.stored().date, 8);
}

#[test]
fn each_variant_leaves_alone_whatever_its_place() {
    for gone in ["1", "2", "3"] {
        let store = small(1 << 20);
        ["1", "2", "3"].iter().for_each(|value| variant(&store, "k", value, 1));
        let Lookup::Found(object) = store.find(b"k", wants(gone)) else { panic!("not found") };
        assert!(store.remove(&object) && !store.remove(&object));
        let left = ["1", "2", "3"]
            .iter()
            .filter(|value| matches!(store.find(b"k", wants(value)), Lookup::Found(_)))
            .count();
        assert_eq!((left, store.objects()), (2, 2));
        assert!(matches!(store.find(b"k", wants(gone)), Lookup::Others));
    }
}

fn tagged(store: &Store, key: &str, tag: &str) {
    let parts = Parts { key: key.into(), tags: vec![tag.into()], ..Parts::default() };
    store.insert(object_of(store, &parts, 0, 10).unwrap(), store.epoch());
}

#[test]
fn purges_go_by_url_prefix_and_tag() {
    let store = Store::new(Limits { shards: 8, ..Limits::default() });
    for key in ["http://a/1", "http://a/1\0hx=1", "http://a/1\0hx=2", "http://a/12", "http://b/1"] {
        tagged(&store, key, &key[7..8]);
    }
    assert_eq!(store.purge(&Purge::Url(b"http://a/1".to_vec()), false), 3);
    assert_eq!(store.purge(&Purge::Prefix(b"http://a/".to_vec()), false), 1);
    assert_eq!(store.purge(&Purge::Tag(b"a".to_vec()), false), 0);
    assert_eq!(store.purge(&Purge::Tag(b"b".to_vec()), true), 1);
    assert_eq!(store.purge(&Purge::Tag(b"b".to_vec()), true), 0);
    let Lookup::Found(object) = store.find(b"http://b/1", |_| true) else { panic!("not found") };
    assert!(object.is_purged());
}

#[test]
fn what_was_fetched_before_a_purge_is_not_stored_after_it() {
    let store = small(1 << 20);
    for (purge, concerned) in [
        (Purge::Url(b"k".to_vec()), true),
        (Purge::Url(b"other".to_vec()), false),
        (Purge::Prefix(b"k".to_vec()), true),
        (Purge::Tag(b"t".to_vec()), false),
        (Purge::Everything, true),
    ] {
        let since = store.epoch();
        let fetched = object(&store, "k", 10).unwrap();
        store.purge(&purge, false);
        let expected = if concerned { Stored::Purged } else { Stored::Yes };
        assert_eq!(store.insert(fetched, since), expected, "{purge:?}");
    }
    let since = store.epoch();
    for n in 0..100 {
        store.purge(&Purge::Url(format!("other {n}").into()), false);
    }
    assert_eq!(store.insert(object(&store, "k", 10).unwrap(), since), Stored::Purged);
}

#[test]
fn an_object_is_freshened_only_while_it_is_stored() {
    let store = small(1 << 20);
    put(&store, "k", 10);
    let Lookup::Found(old) = store.find(b"k", |_| true) else { panic!("not found") };
    assert!(store.replace(&old, object(&store, "k", 20).unwrap(), store.epoch()));
    assert!(!store.replace(&old, object(&store, "k", 30).unwrap(), store.epoch()));
    let Lookup::Found(new) = store.find(b"k", |_| true) else { panic!("not found") };
    assert_eq!(new.body().len(), 20);
}

/// Threads that store, read, purge and evict the same few keys: what is found is always whole, and the books balance.
#[test]
fn threads_see_whole_objects_and_the_books_balance() {
    let store = Store::new(Limits { bytes: 400_000, object_bytes: 50_000, variants: 2, shards: 2 });
    std::thread::scope(|scope| {
        for seed in 0..4u64 {
            let store = &store;
            scope.spawn(move || {
                let mut state = seed + 1;
                for _ in 0..20_000 {
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let n = (state >> 33) % 50;
                    let key = format!("http://a/{n}");
                    match (state >> 20) % 16 {
                        0 => drop(store.purge(&Purge::Url(key.into_bytes()), state & 1 == 0)),
                        1..=5 => drop(put(store, &key, (n as usize) * 400)),
                        _ => {
                            if let Lookup::Found(object) = store.find(key.as_bytes(), |_| true) {
                                assert_eq!(object.body().len(), n * 400);
                                assert_eq!(object.key(), key.as_bytes());
                            }
                        }
                    }
                }
            });
        }
    });
    assert!(store.bytes() <= 400_000);
    store.purge(&Purge::Everything, false);
    assert_eq!(store.objects(), 0);
    assert!(store.bytes() < 60_000, "{}", store.bytes());
}

#[test]
fn keys_are_spread_over_all_shards() {
    let store = Store::new(Limits { shards: 16, ..Limits::default() });
    for n in 0..2_000 {
        put(&store, &format!("http://a/{n}"), 1);
    }
    let sizes: BTreeSet<bool> = store.shards.iter().map(|shard| lock(shard).len() > 60).collect();
    assert_eq!(sizes, BTreeSet::from([true]));
}

#[test]
fn what_is_read_stays_where_its_memory_would_not_come_back() {
    let store = small(256 * 1024);
    let read: Vec<_> = (0..4).map(|n| object(&store, &n.to_string(), 30_000).unwrap()).collect();
    read.iter().for_each(|object| assert_eq!(store.insert(Arc::clone(object), store.epoch()), Stored::Yes));
    (4..20).for_each(|n| assert!(put(&store, &n.to_string(), 30_000)));
    assert!((0..4).all(|n| has(&store, &n.to_string())));
    let bodies: Vec<Body> = read.iter().map(|object| object.body().clone()).collect();
    drop(read);
    assert!(store.reserve(200_000).is_none(), "bodies that are read pay for themselves");
    assert!((0..4).all(|n| has(&store, &n.to_string())), "and are not evicted for nothing");
    drop(bodies);
    assert!(store.reserve(200_000).is_some());
}

#[test]
fn what_came_earlier_does_not_replace_what_came_later() {
    let store = small(1 << 20);
    let dated =
        |date| object_of(&store, &Parts { key: b"a".to_vec(), ..Parts::default() }, date, 10).unwrap();
    let since = store.epoch();
    for (date, left) in [(10, 10), (5, 10), (10, 10), (20, 20), (19, 20)] {
        store.insert(dated(date), since);
        let Lookup::Found(object) = store.find(b"a", |_| true) else { panic!("not found") };
        assert_eq!((object.stored().date, store.objects()), (left, 1));
    }
}

#[test]
fn a_soft_purge_is_not_undone_by_a_validation_that_was_under_way() {
    let store = small(1 << 20);
    assert!(put(&store, "a", 10) && put(&store, "b", 10));
    let found = |key: &str| match store.find(key.as_bytes(), |_| true) {
        Lookup::Found(object) => object,
        _ => panic!("not found"),
    };
    let since = store.epoch();
    store.purge(&Purge::Url(b"a".to_vec()), true);
    for (key, stays) in [("a", true), ("b", false)] {
        assert!(store.replace(&found(key), object(&store, key, 10).unwrap(), since));
        assert_eq!(found(key).is_purged(), stays);
    }
    assert!(store.replace(&found("a"), object(&store, "a", 10).unwrap(), store.epoch()));
    assert!(!found("a").is_purged());
}
