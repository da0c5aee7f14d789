//! One upload or file of the catalog.

use hoist_protocol::{Checksum, ChunkLayout, Kind, Receipt, UploadId};

use crate::{Owner, disk::layout};

/// How far a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowState {
    /// It waits for bytes.
    Unfinished = 0,
    /// All bytes are there, the place is claimed, the rename may or may not have happened.
    Publishing = 1,
    /// It is a file.
    Finished = 2,
    /// It is a file that nobody sees and that is removed at `expires`.
    Hidden = 3,
}

impl RowState {
    pub(crate) const fn from_number(number: i64) -> Self {
        match number {
            1 => Self::Publishing,
            2 => Self::Finished,
            3 => Self::Hidden,
            _ => Self::Unfinished,
        }
    }
}

/// One upload or file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) id: UploadId,
    pub(crate) owner: Owner,
    pub(crate) name: String,
    pub(crate) folder: String,
    pub(crate) kind: Kind,
    pub(crate) size: Option<u64>,
    pub(crate) last_modified: Option<i64>,
    pub(crate) media_type: Option<String>,
    pub(crate) chunk_size: u64,
    pub(crate) state: RowState,
    pub(crate) created: u64,
    /// When it is removed; never, for a finished file.
    pub(crate) expires: u64,
    /// Bytes that had come when it was last touched; 0 lets its reservation lapse.
    pub(crate) received: u64,
    pub(crate) finished: u64,
    pub(crate) hash: Option<Checksum>,
    /// Where it lies (or is about to) below the owner's folder.
    pub(crate) stored_as: String,
    /// The wanted place before it is claimed, the claimed one after: case-folded and NFC.
    pub(crate) path_key: String,
    /// [`super::Mark::epoch`] when it was created, or checked for the last time: with a lower one what is
    /// there of it may be less than its checksums say.
    pub(crate) epoch: u64,
}

impl Row {
    /// How it is cut; `None` while its size is not known.
    pub(crate) fn layout(&self) -> Option<ChunkLayout> {
        ChunkLayout::new(self.size?, self.chunk_size).ok()
    }

    /// Where its file lies, below the data folder.
    pub(crate) fn place(&self) -> String {
        layout::place(&self.owner, &self.stored_as)
    }

    /// Whether it may be a file of some folder that was picked without its folder this time. A
    /// folder of its own has nothing but its path to be known by.
    pub(crate) fn is_picked_alone(&self) -> bool {
        self.folder.is_empty() && self.kind == Kind::File
    }

    /// The time the list is ordered by.
    pub(crate) const fn list_time(&self) -> u64 {
        if matches!(self.state, RowState::Finished) {
            self.finished
        } else {
            self.created
        }
    }

    pub(crate) fn receipt(&self) -> Receipt {
        Receipt {
            id: self.id,
            name: self.name.clone(),
            path: self.folder.clone(),
            kind: self.kind,
            size: self.size.unwrap_or(0),
            hash: self.hash,
            last_modified: self.last_modified,
            media_type: self.media_type.clone(),
            stored_as: self.stored_as.clone(),
            finished: self.finished,
        }
    }
}
