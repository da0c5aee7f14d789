//! Checksums of chunks, and how they become the hash of the file.
//!
//! The checksum of a chunk is its BLAKE3 subtree chaining value; the checksum of a file's only
//! chunk is the plain BLAKE3 hash. Merged in the order of the chunks they give the ordinary hash
//! of the file, equal to `b3sum FILE`, without reading the file again (`blake3::hazmat`).
//!
//! `hazmat` panics on misuse, so every number is checked by [`ChunkLayout`] before it gets there.

use std::{fmt, str::FromStr};

use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{
    ChunkLayout, InvalidId, LayoutError,
    id::{hex, parse_hex},
};

/// 32 bytes of proof: of a chunk or of a whole file; written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Checksum([u8; 32]);

impl Checksum {
    /// Takes 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(hex(&self.0, &mut [0; 64]))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checksum({self})")
    }
}

impl FromStr for Checksum {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let mut bytes = [0; 32];
        parse_hex(text, &mut bytes).ok_or(InvalidId)?;
        Ok(Self(bytes))
    }
}

impl Serialize for Checksum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(hex(&self.0, &mut [0; 64]))
    }
}

impl<'de> Deserialize<'de> for Checksum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// Takes the checksum of one chunk while its bytes go by.
#[derive(Clone, Debug)]
pub struct ChunkHasher {
    hasher: blake3::Hasher,
    /// Bytes of the chunk that are still to come.
    left: u64,
    is_whole_file: bool,
}

impl ChunkHasher {
    /// Starts chunk `index` of a file.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Index`] if the file has no such chunk.
    pub fn new(layout: ChunkLayout, index: u32) -> Result<Self, LayoutError> {
        let range = layout.range(index).ok_or(LayoutError::Index)?;
        let mut hasher = blake3::Hasher::new();
        // Safe from panic: nothing was hashed yet and the offset is a multiple of the chunk size,
        // a power of two of at least 64 KiB, so of BLAKE3's own 1 KiB chunks.
        hasher.set_input_offset(range.start);
        Ok(Self {
            hasher,
            left: range.len(),
            is_whole_file: layout.count() == 1,
        })
    }

    /// Feeds the next bytes.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Length`] if they are more than the chunk has; nothing was hashed then.
    pub fn update(&mut self, bytes: &[u8]) -> Result<(), LayoutError> {
        // Checked first: hazmat panics beyond the end of the subtree.
        self.left = self
            .left
            .checked_sub(bytes.len() as u64)
            .ok_or(LayoutError::Length)?;
        self.hasher.update(bytes);
        Ok(())
    }

    /// Bytes of the chunk that are still to come.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.left
    }

    /// Ends the chunk.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Length`] if bytes are missing.
    pub fn finish(self) -> Result<Checksum, LayoutError> {
        if self.left != 0 {
            return Err(LayoutError::Length);
        }
        // A chunk is never empty, so neither call can panic.
        Ok(Checksum(if self.is_whole_file {
            *self.hasher.finalize().as_bytes()
        } else {
            self.hasher.finalize_non_root()
        }))
    }
}

/// The checksum of chunk `index` whose bytes are all here.
///
/// # Errors
///
/// [`LayoutError::Index`] if the file has no such chunk, [`LayoutError::Length`] if `bytes` are
/// more or fewer than it has.
pub fn chunk_checksum(
    layout: ChunkLayout,
    index: u32,
    bytes: &[u8],
) -> Result<Checksum, LayoutError> {
    let mut hasher = ChunkHasher::new(layout, index)?;
    hasher.update(bytes)?;
    hasher.finish()
}

/// Merges the checksums of all chunks, in the order of the file, to the BLAKE3 hash of the file.
///
/// Holds at most one value per level of the tree (21), however large the file is. A file of 0
/// bytes has the hash of nothing.
///
/// # Errors
///
/// [`LayoutError::Count`] if there are fewer or more checksums than chunks.
pub fn merge_checksums(
    layout: ChunkLayout,
    checksums: impl IntoIterator<Item = Checksum>,
) -> Result<Checksum, LayoutError> {
    let merge =
        |left: &[u8; 32], right: &[u8; 32]| merge_subtrees_non_root(left, right, Mode::Hash);
    let mut stack: Vec<[u8; 32]> = Vec::with_capacity(21);
    let mut seen: u32 = 0;
    for checksum in checksums {
        if seen == layout.count() {
            return Err(LayoutError::Count);
        }
        // Equal subtrees merge only when another chunk follows: the very last merge is the root's.
        while stack.len() > seen.count_ones() as usize {
            let (Some(right), Some(left)) = (stack.pop(), stack.pop()) else {
                break;
            };
            stack.push(merge(&left, &right));
        }
        stack.push(checksum.0);
        seen += 1;
    }
    if seen != layout.count() {
        return Err(LayoutError::Count);
    }
    let Some(mut right) = stack.pop() else {
        return Ok(Checksum(*blake3::hash(&[]).as_bytes()));
    };
    while let Some(left) = stack.pop() {
        if stack.is_empty() {
            return Ok(Checksum(
                *merge_subtrees_root(&left, &right, Mode::Hash).as_bytes(),
            ));
        }
        right = merge(&left, &right);
    }
    // A single chunk: its checksum is the plain hash already.
    Ok(Checksum(right))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{MAX_CHUNK_SIZE, MAX_CHUNKS, MAX_FILE_SIZE, MIN_CHUNK_SIZE};

    fn bytes(size: usize, seed: u64) -> Vec<u8> {
        let mut state = seed | 1;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        (0..size).map(|_| next()).collect()
    }

    /// Hashes the chunks in the given order and merges them in the file's.
    fn merged(file: &[u8], chunk_size: u64, order: &[u32]) -> Checksum {
        let layout = ChunkLayout::new(file.len() as u64, chunk_size).unwrap();
        let mut sums = vec![None; layout.count() as usize];
        for &index in order {
            let range = layout.range(index).unwrap();
            let part = &file[range.start as usize..range.end as usize];
            sums[index as usize] = Some(chunk_checksum(layout, index, part).unwrap());
        }
        merge_checksums(layout, sums.into_iter().flatten()).unwrap()
    }

    #[test]
    fn the_merged_hash_is_the_files_at_every_edge() {
        let c = MIN_CHUNK_SIZE as usize;
        for size in [
            0,
            1,
            c - 1,
            c,
            c + 1,
            2 * c - 1,
            2 * c,
            2 * c + 1,
            3 * c,
            5 * c + 7,
            16 * c,
            17 * c + 1,
        ] {
            let file = bytes(size, size as u64);
            let count = size.div_ceil(c) as u32;
            let order: Vec<_> = (0..count).rev().collect();
            assert_eq!(
                merged(&file, c as u64, &order).as_bytes(),
                blake3::hash(&file).as_bytes(),
                "size {size}"
            );
        }
    }

    #[test]
    fn the_largest_file_merges_and_one_checksum_too_few_or_many_is_refused() {
        let layout = ChunkLayout::new(MAX_FILE_SIZE, MAX_CHUNK_SIZE).unwrap();
        let some = |n: u64| (0..n).map(|_| Checksum([7; 32]));
        assert!(merge_checksums(layout, some(MAX_CHUNKS)).is_ok());
        assert_eq!(
            merge_checksums(layout, some(MAX_CHUNKS - 1)),
            Err(LayoutError::Count)
        );
        assert_eq!(
            merge_checksums(layout, some(MAX_CHUNKS + 1)),
            Err(LayoutError::Count)
        );
    }

    #[test]
    fn the_last_chunk_of_the_largest_file_hashes() {
        let layout = ChunkLayout::new(MAX_FILE_SIZE, MAX_CHUNK_SIZE).unwrap();
        let mut hasher = ChunkHasher::new(layout, (1 << 20) - 1).unwrap();
        for _ in 0..16 {
            hasher.update(&vec![1; 1 << 20]).unwrap();
        }
        assert_eq!(hasher.update(&[1]), Err(LayoutError::Length));
        assert!(hasher.finish().is_ok());
    }

    #[test]
    fn wrong_lengths_and_indexes_are_errors_and_not_panics() {
        let layout = ChunkLayout::new(100_000, MIN_CHUNK_SIZE).unwrap();
        assert_eq!(chunk_checksum(layout, 2, &[]), Err(LayoutError::Index));
        assert_eq!(
            chunk_checksum(layout, u32::MAX, &[]),
            Err(LayoutError::Index)
        );
        assert_eq!(
            chunk_checksum(layout, 1, &[0; 10]),
            Err(LayoutError::Length)
        );
        assert_eq!(
            chunk_checksum(layout, 1, &vec![0; 200_000]),
            Err(LayoutError::Length)
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_order_of_chunks_gives_the_plain_hash(
            (power, size) in (16..=19u32).prop_flat_map(|power| (Just(power), 0..(20usize << power))),
            seed: u64,
        ) {
            let file = bytes(size, seed);
            let count = (size as u64).div_ceil(1 << power) as u32;
            let mut order: Vec<u32> = (0..count).collect();
            order.sort_by_key(|i| u64::from(*i).wrapping_add(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let expected = Checksum(*blake3::hash(&file).as_bytes());
            prop_assert_eq!(merged(&file, 1 << power, &order), expected);
        }

        #[test]
        fn numbers_from_outside_never_panic(size: u64, chunk_size: u64, power in 0..64u32, index: u32, len in 0..3000usize) {
            for chunk_size in [chunk_size, 1 << power] {
                if let Ok(layout) = ChunkLayout::new(size, chunk_size) {
                    let _ = chunk_checksum(layout, index, &vec![0; len]);
                    let _ = merge_checksums(layout, std::iter::repeat_n(Checksum([0; 32]), len));
                }
            }
        }
    }
}
