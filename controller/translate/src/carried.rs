//! Results that are carried from one translation to the next.

/// Results of one kind, in the order of their keys.
#[derive(Debug)]
pub(crate) struct Carried<K, V>(Vec<(K, V)>);

impl<K, V> Default for Carried<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> Carried<K, V> {
    /// Makes all results anew from `sources`, which ascend by key; `make` also gets what it gave for that key last time.
    pub(crate) fn renew<S>(
        &mut self,
        sources: impl Iterator<Item = (K, S)>,
        mut make: impl FnMut(&K, S, Option<V>) -> V,
    ) {
        let mut earlier = std::mem::take(&mut self.0).into_iter().peekable();
        let renewed = sources.map(|(key, source)| {
            while earlier.next_if(|(other, _)| *other < key).is_some() {}
            let same = earlier.next_if(|(other, _)| *other == key);
            let value = make(&key, source, same.map(|(_, value)| value));
            (key, value)
        });
        self.0 = renewed.collect();
    }

    /// The results of `keys`, which ascend.
    pub(crate) fn select<'a>(&'a self, keys: impl Iterator<Item = &'a K>) -> impl Iterator<Item = &'a V> {
        let mut all = self.0.iter().peekable();
        keys.filter_map(move |key| {
            while all.next_if(|(other, _)| other < key).is_some() {}
            all.next_if(|(other, _)| other == key).map(|(_, value)| value)
        })
    }

    /// The results of the keys that `order` calls equal to what is looked for; it ascends as the keys do.
    pub(crate) fn of_mut(
        &mut self,
        order: impl Fn(&K) -> std::cmp::Ordering,
    ) -> impl Iterator<Item = (&K, &mut V)> {
        let start = self.0.partition_point(|(key, _)| order(key).is_lt());
        let end = self.0.partition_point(|(key, _)| order(key).is_le());
        self.0[start..end].iter_mut().map(|(key, value)| (&*key, value))
    }

    /// All results, ascending by key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(K, V)> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_gets_its_own_earlier_result() {
        let mut carried = Carried::default();
        carried.renew([(1, 'a'), (3, 'c'), (5, 'e')].into_iter(), |_, source, _| source.to_string());
        let add = |_: &i32, source: char, earlier: Option<String>| {
            earlier.unwrap_or_default() + &source.to_string()
        };
        carried.renew([(0, 'x'), (3, 'y'), (4, 'z'), (5, 'w')].into_iter(), add);
        let all: Vec<&str> = carried.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(all, ["x", "cy", "z", "ew"]);
        let selected: Vec<&str> = carried.select([1, 3, 5, 7].iter()).map(String::as_str).collect();
        assert_eq!(selected, ["cy", "ew"]);
    }
}
