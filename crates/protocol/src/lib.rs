//! What travels between a Hoist client and server, and how a file is cut.
//!
//! This crate is the contract: both sides of the wire use these types and nothing else. It knows
//! ids, sizes, chunk arithmetic, checksums, messages, states, error codes and route paths. It
//! deliberately knows no HTTP library, no clock, no randomness, no disk and no user interface, so
//! it compiles everywhere and each function is a pure one.
//!
//! ```
//! use hoist_protocol::{ChunkLayout, chunk_checksum, merge_checksums};
//!
//! let file: Vec<u8> = (0..200_000u32).map(|n| (n % 251) as u8).collect();
//! let layout = ChunkLayout::new(file.len() as u64, 64 * 1024)?;
//! let checksums = (0..layout.count()).map(|index| {
//!     let range = layout.range(index).expect("index is below count");
//!     let bytes = &file[range.start as usize..range.end as usize];
//!     chunk_checksum(layout, index, bytes).expect("the bytes are the whole chunk")
//! });
//! // Chunks may arrive in any order; the merged value is what `b3sum` prints.
//! let merged = merge_checksums(layout, checksums)?;
//! assert_eq!(merged.to_string(), blake3::hash(&file).to_hex().to_string());
//! # Ok::<(), hoist_protocol::LayoutError>(())
//! ```

#![cfg_attr(test, allow(clippy::cast_possible_truncation))] // small numbers in tests

mod checksum;
mod chunk_set;
mod error;
mod flat;
mod id;
mod layout;
mod limits;
mod message;
mod number;
mod path;
mod range;
pub mod route;
mod socket;
mod state;
mod token;

pub use checksum::{Checksum, ChunkHasher, chunk_checksum, merge_checksums};
pub use chunk_set::ChunkSet;
pub use error::{ErrorBody, ErrorClass, ErrorCode};
pub use id::{InvalidId, Sender, UploadId};
pub use layout::{
    ChunkLayout, DEFAULT_CHUNK_SIZE, LayoutError, MAX_CHUNK_SIZE, MAX_CHUNKS, MAX_FILE_SIZE,
    MIN_CHUNK_SIZE,
};
pub use limits::Limits;
pub use message::*;
pub use number::{grouped, in_binary_unit};
pub use path::{InvalidPath, MAX_NAME_BYTES, MAX_PATH_BYTES, MAX_PATH_DEPTH, RelativePath};
pub use range::ByteRange;
pub use socket::{SocketAnswer, SocketPack, SocketTaken};
pub use state::{FileState, PauseReason};
pub use token::{RevokeRequest, RevokeResponse, TokenRequest, TokenResponse, TokenRight};

/// A point in time or a span of it, in milliseconds; points count from the Unix epoch.
///
/// Time is always an argument: `Instant::now` panics in a browser's wasm, and tests own the clock.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl Millis {
    /// Adds a span in milliseconds, stopping at the largest value.
    #[must_use]
    pub const fn plus(self, span_ms: u64) -> Self {
        Self(self.0.saturating_add(span_ms))
    }

    /// Milliseconds from `earlier` to `self`; 0 if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
