//! Containers for a browser: each kind of tree is ten kilobytes of wasm, so there are two.

use std::collections::{BTreeMap, BTreeSet};

use crate::FileKey;

/// A map in a sorted list, for what has a bound: chunks in work, requests under way.
#[derive(Debug)]
pub(crate) struct Sorted<K, V>(Vec<(K, V)>);

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord + Copy, V> Sorted<K, V> {
    fn place(&self, key: K) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.cmp(&key))
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.place(key) {
            Ok(at) => {
                if let Some(entry) = self.0.get_mut(at) {
                    entry.1 = value;
                }
            }
            Err(at) => self.0.insert(at, (key, value)),
        }
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        let at = self.place(key).ok()?;
        Some(self.0.remove(at).1)
    }

    pub(crate) fn get(&self, key: K) -> Option<&V> {
        self.0.get(self.place(key).ok()?).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let at = self.place(key).ok()?;
        self.0.get_mut(at).map(|(_, value)| value)
    }

    pub(crate) fn contains(&self, key: K) -> bool {
        self.place(key).is_ok()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A set of files in the order they were added. A tree of the same type as that of
/// [`hoist_protocol::ChunkSet`], so that it is compiled once.
#[derive(Debug, Default)]
pub(crate) struct Keys(BTreeMap<u32, u32>);

impl Keys {
    /// Adds a file; `false` if it was there.
    pub(crate) fn insert(&mut self, key: FileKey) -> bool {
        self.0.insert(key.0, 0).is_none()
    }

    /// Takes a file out; `false` if it was not there.
    pub(crate) fn remove(&mut self, key: &FileKey) -> bool {
        self.0.remove(&key.0).is_some()
    }

    pub(crate) fn contains(&self, key: &FileKey) -> bool {
        self.0.contains_key(&key.0)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = FileKey> + '_ {
        self.0.keys().map(|&key| FileKey(key))
    }

    pub(crate) fn to_vec(&self) -> Vec<FileKey> {
        self.iter().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A set of pairs in their order: chunks of files, or files by a time.
#[derive(Debug, Default)]
pub(crate) struct Pairs(BTreeSet<(u64, u32)>);

impl Pairs {
    /// Adds a pair; `false` if it was there.
    pub(crate) fn insert(&mut self, first: u64, second: u32) -> bool {
        self.0.insert((first, second))
    }

    /// Takes a pair out; `false` if it was not there.
    pub(crate) fn remove(&mut self, first: u64, second: u32) -> bool {
        self.0.remove(&(first, second))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.0.iter().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sorted_map_is_a_map_in_order() {
        let mut map = Sorted::default();
        for key in [5u32, 1, 9, 5, 3] {
            map.insert(key, key * 10);
        }
        map.insert(5, 7);
        assert_eq!(
            map.iter().map(|(k, &v)| (k, v)).collect::<Vec<_>>(),
            [(1, 10), (3, 30), (5, 7), (9, 90)]
        );
        assert_eq!((map.remove(3), map.remove(3)), (Some(30), None));
        assert_eq!((map.get(9), map.get(3)), (Some(&90), None));
        assert!(map.contains(1) && !map.contains(2));
    }

    #[test]
    fn keys_come_in_the_order_of_adding() {
        let mut keys = Keys::default();
        for key in [4, 2, 4, 3] {
            keys.insert(FileKey(key));
        }
        assert!(keys.remove(&FileKey(3)) && !keys.remove(&FileKey(3)));
        assert_eq!(keys.to_vec(), [FileKey(2), FileKey(4)]);
        assert!(keys.contains(&FileKey(2)) && !keys.contains(&FileKey(3)));
        assert_eq!((keys.len(), keys.is_empty()), (2, false));
    }
}
