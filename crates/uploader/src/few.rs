//! A map of a handful of entries.

/// A map for what there are only ever a few of: requests under way, rows that are seen. Looks at
/// all of them; a tree for each kind of value would be several kilobytes of wasm apiece.
#[derive(Debug)]
pub(crate) struct Few<K, V>(Vec<(K, V)>);

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: PartialEq, V> Few<K, V> {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.0
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, value)| value)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let old = self.remove(&key);
        self.0.push((key, value));
        old
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let place = self.0.iter().position(|(k, _)| k == key)?;
        Some(self.0.swap_remove(place).1)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::Few;

    #[test]
    fn an_entry_is_there_once_until_it_is_removed() {
        let mut few = Few::new();
        assert_eq!(few.insert(1, "a"), None);
        assert_eq!(few.insert(2, "b"), None);
        assert_eq!(few.insert(1, "c"), Some("a"));
        assert_eq!(
            (few.len(), few.get(&1), few.get(&2)),
            (2, Some(&"c"), Some(&"b"))
        );
        assert_eq!(few.remove(&1), Some("c"));
        assert_eq!(few.remove(&1), None);
        assert_eq!((few.len(), few.get(&2)), (1, Some(&"b")));
        few.clear();
        assert_eq!(few.get(&2), None);
    }
}
