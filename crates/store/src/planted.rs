//! Faults that the labs must see. They exist in tests only.

use crate::{
    StoreError,
    active::Active,
    backend::Unsynced,
    store::{Shared, joined},
};

/// What is done wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Planted {
    /// A chunk is acknowledged, and nothing was synced.
    AcknowledgeBeforeSync,
    /// The bytes of a file are synced, but after it has its name. Chunks that are no file yet are
    /// synced in time: it must not be seen as the fault above.
    RenameBeforeSync,
    /// The lease of a chunk passes on while a write under it still runs.
    WriteAfterLease,
}

impl Shared {
    /// Whether a fault leaves out the sync of this chunk; nothing stands for a file that came whole.
    pub(crate) fn leaves_unsynced(&self, chunk: Option<(&Active, u32)>) -> bool {
        match self.config.planted {
            Some(Planted::AcknowledgeBeforeSync) => true,
            Some(Planted::RenameBeforeSync) => {
                chunk.is_none_or(|(active, index)| active.misses_only(index))
            }
            Some(Planted::WriteAfterLease) | None => false,
        }
    }

    /// What is synced only after the file has its name.
    pub(crate) async fn left_for_later(
        &self,
        active: &Active,
    ) -> Result<Vec<Unsynced>, StoreError> {
        if self.config.planted != Some(Planted::RenameBeforeSync) {
            return Ok(Vec::new());
        }
        let (backend, id) = (std::sync::Arc::clone(&self.backend), active.id);
        let opened = joined(self.start(move || backend.incoming(id)).await)?;
        let incoming = opened.map_err(|_| StoreError::Unavailable)?;
        Ok(incoming.map_or_else(Vec::new, |incoming| incoming.unsynced()))
    }
}
