//! The brain of a Hoist client, without I/O.

mod action;
mod config;
mod engine;
mod event;
mod file;
mod snapshot;

pub use action::{Action, Notice};
pub use config::{EngineConfig, Restrictions, RetryPolicy};
pub use engine::Engine;
pub use event::{Event, Failure, Picked};
pub use snapshot::{FileRow, Offers, Snapshot, Totals};

/// A file of this engine: dense numbers from 0 in the order they were added; the driver counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileKey(pub u32);

/// A request that the driver makes for the engine; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);
