//! Against the map of the standard library.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Edit {
    Insert(u16, u8),
    Remove(u16),
}

fn edits(most: usize) -> impl Strategy<Value = Vec<Edit>> {
    let edit = prop_oneof![
        3 => (0_u16..400, any::<u8>()).prop_map(|(key, value)| Edit::Insert(key, value)),
        2 => (0_u16..400).prop_map(Edit::Remove),
    ];
    prop::collection::vec(edit, 0..most)
}

fn apply(edits: &[Edit], ours: &mut SharedMap<u16, u8>, theirs: &mut BTreeMap<u16, u8>) {
    for edit in edits {
        match edit {
            Edit::Insert(key, value) => assert_eq!(ours.insert(*key, *value), theirs.insert(*key, *value)),
            Edit::Remove(key) => assert_eq!(ours.remove(key), theirs.remove(key)),
        }
    }
}

fn check(map: &SharedMap<u16, u8>) {
    assert_eq!(map.len(), map.chunks.iter().map(|chunk| chunk.len()).sum::<usize>());
    assert!(map.chunks.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= FULL));
}

proptest! {
    #[test]
    fn it_holds_what_a_standard_map_holds(first in edits(600), second in edits(60), from in 0_u16..410) {
        let (mut ours, mut theirs) = (SharedMap::new(), BTreeMap::new());
        apply(&first, &mut ours, &mut theirs);
        let (before, known) = (ours.clone(), theirs.clone());
        apply(&second, &mut ours, &mut theirs);
        check(&ours);
        prop_assert!(ours.iter().eq(theirs.iter()));
        prop_assert!(ours.range(from..).eq(theirs.range(from..)));
        prop_assert_eq!(ours.iter().len(), theirs.len());
        prop_assert_eq!(ours.get(&from), theirs.get(&from));
        prop_assert!(before.iter().eq(known.iter()), "the earlier version is not touched");
        let found: Vec<u16> = before.differences(&ours, PartialEq::eq).map(|one| *one.key).collect();
        let all: std::collections::BTreeSet<&u16> = known.keys().chain(theirs.keys()).collect();
        let expected = all.into_iter().filter(|key| known.get(*key) != theirs.get(*key));
        prop_assert!(expected.eq(&found));
    }
}

#[test]
fn what_two_versions_share_is_not_looked_at() {
    let before: SharedMap<u32, u32> = (0..10_000).map(|number| (number, number)).collect();
    let mut after = before.clone();
    after.insert(5_000, 1);
    after.remove(&7_000);
    let looked_at = std::cell::Cell::new(0);
    let same = |ours: &u32, theirs: &u32| {
        looked_at.set(looked_at.get() + 1);
        ours == theirs
    };
    let found: Vec<_> = before.differences(&after, same).collect();
    assert_eq!(found[0], Difference { key: &5_000, before: Some(&5_000), now: Some(&1) });
    assert_eq!(found[1], Difference { key: &7_000, before: Some(&7_000), now: None });
    assert_eq!(found.len(), 2);
    assert!(looked_at.get() < 3 * FULL, "{}", looked_at.get());
}

#[test]
fn a_version_that_did_not_change_is_the_same_one() {
    let mut map: SharedMap<&str, u8> = [("b", 2), ("a", 1)].into_iter().collect();
    let earlier = map.clone();
    assert!(earlier.is_same(&map));
    *map.get_mut("a").unwrap() += 1;
    assert!(!earlier.is_same(&map));
    assert_eq!((earlier.get("a"), map.get("a")), (Some(&1), Some(&2)));
    assert_eq!(format!("{map:?}"), r#"{"a": 2, "b": 2}"#);
}
