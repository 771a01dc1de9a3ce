//! Results that are carried from one translation to the next, found again by what they depend on.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::object::Key;

/// What depends on objects besides the one that it is of.
pub(crate) trait Dependent {
    /// The objects that it names, whether or not they exist.
    fn named(&self) -> &[Key];
}

/// Results of one kind, in the order of their keys.
#[derive(Debug)]
pub(crate) struct Carried<K, V> {
    /// Boxed: a tree has room for more than it holds.
    results: BTreeMap<K, Box<V>>,
    /// Keys of the results that name an object, ascending.
    dependents: HashMap<Key, Vec<K>>,
}

impl<K, V> Default for Carried<K, V> {
    fn default() -> Self {
        Self { results: BTreeMap::new(), dependents: HashMap::new() }
    }
}

impl<K: Ord + Clone, V: Dependent> Carried<K, V> {
    /// Puts a result in where there is none.
    pub(crate) fn put(&mut self, key: K, value: V) {
        for named in value.named() {
            // As a rule there is one.
            let dependents = self.dependents.entry(named.clone()).or_insert_with(|| Vec::with_capacity(1));
            if let Err(place) = dependents.binary_search(&key) {
                dependents.insert(place, key.clone());
            }
        }
        self.results.insert(key, Box::new(value));
    }

    /// Takes a result out.
    pub(crate) fn take(&mut self, key: &K) -> Option<V> {
        let value = self.results.remove(key)?;
        for named in value.named() {
            let Some(dependents) = self.dependents.get_mut(named) else { continue };
            if let Ok(place) = dependents.binary_search(key) {
                dependents.remove(place);
            }
            if dependents.is_empty() {
                self.dependents.remove(named);
            }
        }
        Some(*value)
    }

    /// Keys of the results that name any of these objects.
    pub(crate) fn dependents<'a>(&'a self, on: &'a BTreeSet<Key>) -> impl Iterator<Item = &'a K> {
        on.iter().filter_map(|named| self.dependents.get(named)).flatten()
    }

    /// All results, ascending by key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.results.iter().map(|(key, value)| (key, &**value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Dependent for Vec<Key> {
        fn named(&self) -> &[Key] {
            self
        }
    }

    #[test]
    fn a_result_is_found_by_what_it_names_for_as_long_as_it_is_there() {
        let object = |name: &str| -> Key { ("d".into(), name.into()) };
        let mut carried = Carried::default();
        carried.put(2, vec![object("a"), object("b"), object("a")]);
        carried.put(1, vec![object("a")]);
        let on = BTreeSet::from([object("a"), object("c")]);
        assert!(carried.dependents(&on).eq(&[1, 2]));
        assert_eq!(carried.take(&2).map(|named| named.len()), Some(3));
        assert!(carried.dependents(&on).eq(&[1]));
        assert!(carried.take(&2).is_none());
        assert!(carried.iter().map(|(key, _)| key).eq(&[1]));
    }
}
