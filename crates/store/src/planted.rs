//! Faults that the labs must see. They exist in tests only.

/// What is done wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Planted {
    /// A chunk is acknowledged, and nothing was synced.
    AcknowledgeBeforeSync,
    /// The bytes of a file are synced after it has its name.
    RenameBeforeSync,
    /// The lease of a chunk passes on while a write under it still runs.
    WriteAfterLease,
}
