//! What has arrived of a chunk and waits for the disk.

use bytes::Bytes;

/// Frames from this size on wait as they came. A smaller one may be a slice of a much larger buffer,
/// which it would keep, so small ones are copied together.
pub(crate) const WHOLE: usize = 63 << 10;

/// The next piece: frames in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    whole: Vec<Bytes>,
    /// Small frames since the last whole one.
    small: Vec<u8>,
    length: usize,
}

impl Frames {
    /// How many bytes there are.
    pub(crate) const fn len(&self) -> usize {
        self.length
    }

    /// Adds a frame; those below `whole` bytes are copied, and get room for `wanted` in one go.
    pub(crate) fn push(&mut self, bytes: Bytes, wanted: usize, whole: usize) {
        self.length += bytes.len();
        if bytes.len() >= whole {
            self.end_small();
            self.whole.push(bytes);
            return;
        }
        let needs = self.small.len() + bytes.len();
        if needs > self.small.capacity() {
            self.small
                .reserve_exact(wanted.max(needs) - self.small.len());
        }
        self.small.extend_from_slice(&bytes);
    }

    /// All of them.
    pub(crate) fn take(&mut self) -> Vec<Bytes> {
        self.end_small();
        self.length = 0;
        std::mem::take(&mut self.whole)
    }

    fn end_small(&mut self) {
        if !self.small.is_empty() {
            self.whole.push(std::mem::take(&mut self.small).into());
        }
    }
}
