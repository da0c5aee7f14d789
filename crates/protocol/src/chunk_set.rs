//! Which chunks of a file have arrived.

use std::collections::BTreeMap;

use crate::{ByteRange, ChunkLayout};

/// A set of chunk indexes, held as merged ranges.
///
/// A file that arrives in order is one range whatever its size; each call costs the logarithm of
/// the number of gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunkSet {
    /// `start → end`, half-open, disjoint and never touching.
    ranges: BTreeMap<u32, u32>,
    len: u32,
}

impl ChunkSet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            ranges: BTreeMap::new(),
            len: 0,
        }
    }

    /// Adds a chunk; `false` if it was there.
    pub fn insert(&mut self, index: u32) -> bool {
        let before = self.len;
        self.insert_all(index, index.saturating_add(1));
        self.len > before
    }

    /// Adds the chunks `start..end`, at the cost of the ranges that they meet.
    fn insert_all(&mut self, mut start: u32, mut end: u32) {
        if start >= end {
            return;
        }
        // Those that only touch become one with it, too.
        while let Some((&from, &to)) = self.ranges.range(..=end).next_back()
            && to >= start
        {
            self.len -= to - from;
            end = end.max(to);
            if from <= start {
                // Nothing before it is met, and it is overwritten.
                start = from;
                break;
            }
            self.ranges.remove(&from);
        }
        self.ranges.insert(start, end);
        self.len += end - start;
    }

    /// Takes a chunk out; `false` if it was not there.
    pub fn remove(&mut self, index: u32) -> bool {
        let Some((&start, &end)) = self.ranges.range(..=index).next_back() else {
            return false;
        };
        if index >= end {
            return false;
        }
        self.ranges.remove(&start);
        if start < index {
            self.ranges.insert(start, index);
        }
        if index + 1 < end {
            self.ranges.insert(index + 1, end);
        }
        self.len -= 1;
        true
    }

    /// Whether the chunk is there.
    #[must_use]
    pub fn contains(&self, index: u32) -> bool {
        self.ranges
            .range(..=index)
            .next_back()
            .is_some_and(|(_, &end)| index < end)
    }

    /// How many chunks.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The chunks that are there, as half-open ranges of indexes, in order.
    pub fn ranges(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.ranges.iter().map(|(&start, &end)| (start, end))
    }

    /// The first chunk at or after `from`, and below `count`, that is not there.
    #[must_use]
    pub fn first_missing(&self, from: u32, count: u32) -> Option<u32> {
        let found = match self.ranges.range(..=from).next_back() {
            Some((_, &end)) if from < end => end,
            _ => from,
        };
        (found < count).then_some(found)
    }

    /// The bytes that are there, as merged byte ranges.
    #[must_use]
    pub fn byte_ranges(&self, layout: ChunkLayout) -> Vec<ByteRange> {
        self.ranges()
            .filter_map(|(start, end)| {
                Some(ByteRange::new(
                    layout.range(start)?.start,
                    layout.range(end - 1)?.end,
                ))
            })
            .collect()
    }

    /// How many bytes are there.
    #[must_use]
    pub fn bytes(&self, layout: ChunkLayout) -> u64 {
        self.ranges()
            .filter_map(|(start, end)| {
                Some(layout.range(end - 1)?.end - layout.range(start)?.start)
            })
            .sum()
    }

    /// The chunks that lie wholly inside the given byte ranges.
    ///
    /// Ranges that end beyond the file, overlap or are unordered are taken for what they cover.
    #[must_use]
    pub fn from_byte_ranges(layout: ChunkLayout, ranges: &[ByteRange]) -> Self {
        let mut set = Self::new();
        let clip = |index: u64| {
            u32::try_from(index).map_or(layout.count(), |index| index.min(layout.count()))
        };
        for range in ranges {
            let first = clip(range.start.div_ceil(layout.chunk_size()));
            // The last chunk may be short.
            let end = if range.end >= layout.file_size() {
                layout.count()
            } else {
                clip(range.end / layout.chunk_size())
            };
            set.insert_all(first, end);
        }
        set
    }
}

impl FromIterator<u32> for ChunkSet {
    fn from_iter<I: IntoIterator<Item = u32>>(indexes: I) -> Self {
        let mut set = Self::new();
        for index in indexes {
            set.insert(index);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::MIN_CHUNK_SIZE;

    proptest! {
        #[test]
        fn it_behaves_like_a_set(steps in prop::collection::vec((any::<bool>(), 0..40u32), 0..200), from in 0..45u32) {
            let mut set = ChunkSet::new();
            let mut model = BTreeSet::new();
            for (insert, index) in steps {
                if insert {
                    prop_assert_eq!(set.insert(index), model.insert(index));
                } else {
                    prop_assert_eq!(set.remove(index), model.remove(&index));
                }
            }
            prop_assert_eq!(set.len() as usize, model.len());
            prop_assert!((0..45).all(|i| set.contains(i) == model.contains(&i)));
            let ranges: Vec<_> = set.ranges().collect();
            prop_assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0), "merged: {ranges:?}");
            prop_assert_eq!(set.first_missing(from, 40), (from..40).find(|i| !model.contains(i)));

            let layout = ChunkLayout::new(39 * MIN_CHUNK_SIZE + 5, MIN_CHUNK_SIZE).unwrap();
            let bytes = set.byte_ranges(layout);
            prop_assert_eq!(bytes.iter().map(|r| r.len()).sum::<u64>(), set.bytes(layout));
            prop_assert_eq!(ChunkSet::from_byte_ranges(layout, &bytes), set);
        }
    }

    proptest! {
        #[test]
        fn byte_ranges_are_taken_for_what_they_cover(
            ranges in prop::collection::vec((0..12u64, 0..12u64, any::<bool>()), 0..12),
        ) {
            let (layout, c) = (ChunkLayout::new(9 * MIN_CHUNK_SIZE + 5, MIN_CHUNK_SIZE).unwrap(), MIN_CHUNK_SIZE);
            let of = |&(from, length, is_cut): &(u64, u64, bool)| {
                ByteRange::new(from * c, (from + length) * c - u64::from(is_cut).min(length))
            };
            let bytes: Vec<_> = ranges.iter().map(of).collect();
            // Chunk by chunk.
            let lies_in = |index: &u32| {
                let chunk = layout.range(*index).unwrap();
                bytes.iter().any(|range| range.start <= chunk.start && chunk.end <= range.end)
            };
            let model: ChunkSet = (0..layout.count()).filter(lies_in).collect();
            prop_assert_eq!(ChunkSet::from_byte_ranges(layout, &bytes), model);
        }
    }

    #[test]
    fn half_a_chunk_does_not_count() {
        let layout = ChunkLayout::new(3 * MIN_CHUNK_SIZE, MIN_CHUNK_SIZE).unwrap();
        let ranges = [
            ByteRange::new(1, 2 * MIN_CHUNK_SIZE),
            ByteRange::new(2 * MIN_CHUNK_SIZE, u64::MAX),
        ];
        assert_eq!(
            ChunkSet::from_byte_ranges(layout, &ranges)
                .ranges()
                .collect::<Vec<_>>(),
            [(1, 3)]
        );
        assert_eq!(
            ChunkSet::from_byte_ranges(layout, &[ByteRange::new(u64::MAX, u64::MAX)]),
            ChunkSet::new()
        );
    }
}
