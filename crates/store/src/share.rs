//! How much those who write at the same time collect before they write.

use std::sync::{Arc, atomic::Ordering};

use crate::store::Shared;

/// So many bytes are written and hashed in one go where writing waits: each trip to another thread costs two
/// switches. One connection holds about two of these, however large the chunk.
pub(crate) const PIECE: usize = 512 << 10;
/// The fewest; small writes cost time.
pub(crate) const SMALL_PIECE: usize = 8 << 10;
/// All together hold about so much, while they are not so many that each has the fewest.
const ALL_PIECES: usize = 4 << 20;

/// How much one of so many writers collects before it writes.
pub(crate) fn share(writers: usize, most: usize) -> usize {
    (ALL_PIECES / writers.max(1)).clamp(SMALL_PIECE, most)
}

/// One more chunk on its way, as long as it lives. It counts from the bytes of a small piece on: thousands
/// who send a byte now and then hold next to nothing, and must not make others slow.
#[derive(Debug)]
pub(crate) struct Counted(Arc<Shared>);

impl Counted {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        shared.writers.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(shared))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.writers.fetch_sub(1, Ordering::Relaxed);
    }
}
