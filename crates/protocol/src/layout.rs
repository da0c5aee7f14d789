//! How a file is cut into chunks.

use std::fmt;

use crate::ByteRange;

/// Smallest size of a chunk, in bytes: 64 KiB.
pub const MIN_CHUNK_SIZE: u64 = 64 << 10;
/// Largest size of a chunk, in bytes: 16 MiB.
pub const MAX_CHUNK_SIZE: u64 = 16 << 20;
/// Size of a chunk if nobody wishes for another, in bytes: 1 MiB.
pub const DEFAULT_CHUNK_SIZE: u64 = 1 << 20;
/// Most chunks of a file: 2²⁰.
pub const MAX_CHUNKS: u64 = 1 << 20;
/// Largest file, in bytes: 16 TiB, the most chunks of the largest size.
pub const MAX_FILE_SIZE: u64 = MAX_CHUNKS * MAX_CHUNK_SIZE;

/// Why a file cannot be cut as asked, or a checksum not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// The chunk size is no power of two between [`MIN_CHUNK_SIZE`] and [`MAX_CHUNK_SIZE`].
    ChunkSize,
    /// The file has more than [`MAX_CHUNKS`] chunks of this size.
    TooManyChunks,
    /// There is no chunk with this index.
    Index,
    /// The bytes are not as many as the chunk has.
    Length,
    /// The checksums are not as many as the file has chunks.
    Count,
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ChunkSize => "the chunk size is no power of two from 64 KiB to 16 MiB",
            Self::TooManyChunks => "the file has too many chunks of this size",
            Self::Index => "the file has no chunk with this index",
            Self::Length => "the bytes are not as many as the chunk has",
            Self::Count => "the checksums are not as many as the file has chunks",
        })
    }
}

impl std::error::Error for LayoutError {}

/// The cut of one file: its size and the size of its chunks, both checked.
///
/// All chunks are equal but the last, which is as long as what is left. A file of 0 bytes has no
/// chunk. Because the chunk size is a power of two and at least 64 KiB, each chunk is a whole
/// subtree of the file's BLAKE3 tree, which is what makes [`crate::merge_checksums`] possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChunkLayout {
    file_size: u64,
    chunk_size: u64,
}

impl ChunkLayout {
    /// Cuts `file_size` bytes into chunks of `chunk_size` bytes.
    ///
    /// # Errors
    ///
    /// [`LayoutError::ChunkSize`] or [`LayoutError::TooManyChunks`].
    pub const fn new(file_size: u64, chunk_size: u64) -> Result<Self, LayoutError> {
        if !is_chunk_size(chunk_size) {
            return Err(LayoutError::ChunkSize);
        }
        if file_size.div_ceil(chunk_size) > MAX_CHUNKS {
            return Err(LayoutError::TooManyChunks);
        }
        Ok(Self {
            file_size,
            chunk_size,
        })
    }

    /// The chunk size nearest to `wish` that is allowed for a file of `file_size` bytes.
    ///
    /// Rounds to a power of two (down, unless that falls below the smallest), then grows until the
    /// file has at most [`MAX_CHUNKS`] chunks. `None` if the file is larger than [`MAX_FILE_SIZE`].
    #[must_use]
    pub fn nearest_chunk_size(file_size: Option<u64>, wish: u64) -> Option<u64> {
        let wish = wish.clamp(MIN_CHUNK_SIZE, MAX_CHUNK_SIZE);
        let mut chunk_size = 1 << wish.ilog2();
        let file_size = file_size.unwrap_or(0);
        if file_size > MAX_FILE_SIZE {
            return None;
        }
        while file_size.div_ceil(chunk_size) > MAX_CHUNKS {
            chunk_size *= 2;
        }
        Some(chunk_size)
    }

    /// Size of the file in bytes.
    #[must_use]
    pub const fn file_size(self) -> u64 {
        self.file_size
    }

    /// Size of every chunk but the last, in bytes.
    #[must_use]
    pub const fn chunk_size(self) -> u64 {
        self.chunk_size
    }

    /// How many chunks; 0 for a file of 0 bytes.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "new() allows at most 2^20")]
    pub const fn count(self) -> u32 {
        self.file_size.div_ceil(self.chunk_size) as u32
    }

    /// The bytes of chunk `index`, or `None` if there is no such chunk.
    #[must_use]
    pub const fn range(self, index: u32) -> Option<ByteRange> {
        if index >= self.count() {
            return None;
        }
        // No overflow: index < 2^20 and chunk_size <= 2^24.
        let start = index as u64 * self.chunk_size;
        let end = start + self.chunk_size;
        Some(ByteRange::new(
            start,
            if end < self.file_size {
                end
            } else {
                self.file_size
            },
        ))
    }

    /// The index of the chunk that holds byte `offset`, or `None` beyond the end.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "offset < file_size, so below 2^20 chunks"
    )]
    pub const fn index_at(self, offset: u64) -> Option<u32> {
        if offset < self.file_size {
            Some((offset / self.chunk_size) as u32)
        } else {
            None
        }
    }
}

/// Whether a chunk may have this size.
pub(crate) const fn is_chunk_size(chunk_size: u64) -> bool {
    chunk_size.is_power_of_two() && chunk_size >= MIN_CHUNK_SIZE && chunk_size <= MAX_CHUNK_SIZE
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const C: u64 = MIN_CHUNK_SIZE;

    #[test]
    fn chunks_at_the_edges() {
        for (size, lengths) in [
            (0, vec![]),
            (1, vec![1]),
            (C - 1, vec![C - 1]),
            (C, vec![C]),
            (C + 1, vec![C, 1]),
            (2 * C, vec![C, C]),
        ] {
            let layout = ChunkLayout::new(size, C).unwrap();
            let found: Vec<_> = (0..layout.count())
                .map(|i| layout.range(i).unwrap().len())
                .collect();
            assert_eq!(found, lengths, "size {size}");
            assert_eq!(layout.range(layout.count()), None);
            assert_eq!(layout.index_at(size), None);
        }
    }

    #[test]
    fn the_largest_file_and_one_byte_more() {
        let layout = ChunkLayout::new(MAX_FILE_SIZE, MAX_CHUNK_SIZE).unwrap();
        assert_eq!(layout.count(), 1 << 20);
        assert_eq!(layout.range((1 << 20) - 1).unwrap().end, MAX_FILE_SIZE);
        assert_eq!(
            ChunkLayout::new(MAX_FILE_SIZE + 1, MAX_CHUNK_SIZE),
            Err(LayoutError::TooManyChunks)
        );
        assert_eq!(
            ChunkLayout::new(u64::MAX, MAX_CHUNK_SIZE),
            Err(LayoutError::TooManyChunks)
        );
        assert_eq!(
            ChunkLayout::nearest_chunk_size(Some(MAX_FILE_SIZE), 1),
            Some(MAX_CHUNK_SIZE)
        );
        assert_eq!(
            ChunkLayout::nearest_chunk_size(Some(MAX_FILE_SIZE + 1), 1),
            None
        );
    }

    #[test]
    fn a_wish_becomes_the_nearest_allowed_size() {
        for (file, wish, size) in [
            (None, 0, MIN_CHUNK_SIZE),
            (None, u64::MAX, MAX_CHUNK_SIZE),
            (Some(5), 1 << 20, 1 << 20),
            (Some(5), (1 << 21) - 1, 1 << 20),
            (Some((1 << 40) + 1), 1 << 20, 1 << 21),
        ] {
            assert_eq!(ChunkLayout::nearest_chunk_size(file, wish), Some(size));
        }
    }

    #[test]
    fn other_chunk_sizes_are_refused() {
        for size in [
            0,
            1,
            1024,
            C / 2,
            C + 1,
            3 * C,
            MAX_CHUNK_SIZE * 2,
            u64::MAX,
        ] {
            assert_eq!(ChunkLayout::new(10, size), Err(LayoutError::ChunkSize));
        }
    }

    proptest! {
        #[test]
        fn chunks_tile_the_file(size in 0..1u64 << 34, power in 16..=24u32) {
            let layout = ChunkLayout::new(size, 1 << power).unwrap();
            let mut end = 0;
            for index in 0..layout.count() {
                let range = layout.range(index).unwrap();
                prop_assert_eq!(range.start, end);
                prop_assert!(!range.is_empty());
                prop_assert_eq!(layout.index_at(range.start), Some(index));
                prop_assert_eq!(layout.index_at(range.end - 1), Some(index));
                end = range.end;
            }
            prop_assert_eq!(end, size);
        }

        #[test]
        fn the_nearest_size_always_fits(size in 0..=MAX_FILE_SIZE, wish: u64) {
            let chunk_size = ChunkLayout::nearest_chunk_size(Some(size), wish).unwrap();
            prop_assert!(ChunkLayout::new(size, chunk_size).is_ok());
        }
    }
}
