//! The brain of a Hoist client, without I/O.

mod action;
mod event;

pub use action::{Action, Notice};
pub use event::{Event, Failure, Picked};

/// A file of this engine: dense numbers from 0 in the order they were added; the driver counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileKey(pub u32);

/// A request that the driver makes for the engine; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);
