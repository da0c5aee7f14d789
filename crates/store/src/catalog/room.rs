//! The ledger of space: what new uploads may still take.
//!
//! It is looked up and written in the transaction that adds the uploads, so that two creates at
//! once cannot both take the last of it.

use super::{Row, Usage};
use crate::Owner;

/// What a create is allowed.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    pub(crate) owner: Owner,
    /// Bytes that are free above what always stays free.
    pub(crate) free: u64,
    /// Bytes the owner may have in all.
    pub(crate) quota: Option<u64>,
    /// Files and folders the owner may have in all.
    pub(crate) files: Option<u64>,
    /// Unfinished uploads the owner may have.
    pub(crate) unfinished: u64,
    /// Reservations that are older than this and have no byte do not count.
    pub(crate) since: u64,
}

/// What of a [`Room`] is left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left {
    pub(crate) storage: u64,
    pub(crate) quota: u64,
    pub(crate) files: u64,
    pub(crate) unfinished: u64,
}

/// What there is not enough of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// Free bytes that no upload that has begun needs, nor another one of the owner.
    Storage,
    /// The owner's bytes.
    Quota,
    /// Unfinished uploads of the owner.
    Unfinished,
    /// Files of the owner.
    Files,
}

impl Room {
    /// What is left, given what the owner and what all have.
    pub(crate) fn left(&self, own: Usage, all: Usage) -> Left {
        let used = own.finished_bytes.saturating_add(own.unfinished_bytes);
        // What others have only announced is no reason to refuse anybody: a thousand strangers could
        // announce a terabyte each. Who has begun keeps the room for the rest.
        let announced = own.missing_bytes.saturating_sub(own.missing_of_begun);
        let reserved = all.missing_of_begun.saturating_add(announced);
        Left {
            storage: self.free.saturating_sub(reserved),
            quota: self
                .quota
                .map_or(u64::MAX, |quota| quota.saturating_sub(used)),
            files: self.files.map_or(u64::MAX, |files| {
                files.saturating_sub(own.finished.saturating_add(own.unfinished))
            }),
            unfinished: self.unfinished.saturating_sub(own.unfinished),
        }
    }
}

impl Left {
    /// What an unfinished upload has received at least, for the ledger, if there is room for that.
    pub(crate) fn reserve(self, row: &Row, received: u64, since: u64) -> Result<u64, NoRoom> {
        let is_counted = row.received > 0 || row.created > since;
        let needed = match row.size {
            Some(_) if is_counted => 0,
            Some(size) => size,
            None => received.saturating_sub(row.received),
        };
        if needed > self.quota {
            return Err(NoRoom::Quota);
        }
        if needed > self.storage {
            return Err(NoRoom::Storage);
        }
        // With one byte it counts until it expires.
        Ok(received.max(row.received).max(1))
    }

    /// Takes what a new upload needs, or nothing. Folders and empty files are no unfinished uploads:
    /// they are finished at once.
    pub(crate) fn take(&mut self, row: &Row) -> Result<(), NoRoom> {
        let bytes = row.size.unwrap_or(0);
        let unfinished = u64::from(row.size != Some(0));
        let left = Self {
            unfinished: self
                .unfinished
                .checked_sub(unfinished)
                .ok_or(NoRoom::Unfinished)?,
            files: self.files.checked_sub(1).ok_or(NoRoom::Files)?,
            quota: self.quota.checked_sub(bytes).ok_or(NoRoom::Quota)?,
            storage: self.storage.checked_sub(bytes).ok_or(NoRoom::Storage)?,
        };
        *self = left;
        Ok(())
    }
}
