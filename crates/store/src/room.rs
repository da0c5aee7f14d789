//! Room: what the disk has, what an owner may have, and how large a file may be.

use std::sync::Arc;

use hoist_protocol::{Millis, UploadId};

use crate::{
    Party, StoreError,
    catalog::{Command, Left, Outcome, Room, Row},
    store::Shared,
};

impl Shared {
    /// Reservations made before this and without a byte do not count any more.
    pub(crate) fn since(&self, now: Millis) -> u64 {
        now.0.saturating_sub(self.config.reservation_ttl_ms)
    }

    /// How many bytes this party may have in all.
    pub(crate) fn quota(&self, party: &Party) -> Option<u64> {
        party.quota.or(self.config.quota)
    }

    /// Bytes that the disk has free, above what always stays free.
    pub(crate) async fn free(&self) -> Result<u64, StoreError> {
        let backend = Arc::clone(&self.backend);
        let free = self.run("asking for free space", move || backend.free());
        Ok(free.await?.saturating_sub(self.config.keep_free))
    }

    /// What this party may still take.
    pub(crate) async fn room(&self, now: Millis, party: &Party) -> Result<Room, StoreError> {
        Ok(Room {
            owner: party.owner.clone(),
            free: self.free().await?,
            quota: self.quota(party),
            files: self.config.files,
            unfinished: self.config.limits.unfinished,
            since: self.since(now),
        })
    }

    /// Makes room for an upload: see [`Command::Reserve`].
    pub(crate) async fn reserve(
        &self,
        now: Millis,
        party: &Party,
        id: UploadId,
        received: u64,
    ) -> Result<(), StoreError> {
        let room = self.room(now, party).await?;
        let command = Command::Reserve { id, received, room };
        match self.catalog.apply(command).await? {
            Outcome::Done => Ok(()),
            Outcome::NoRoom(reason) => Err(self.no_room(reason)),
            _ => Err(StoreError::NotFound),
        }
    }

    /// Makes room again, before its first byte, for an upload whose reservation has lapsed.
    pub(crate) async fn reserve_again(
        &self,
        now: Millis,
        party: &Party,
        row: &Row,
    ) -> Result<(), StoreError> {
        if row.size.is_some() && row.received == 0 && row.created <= self.since(now) {
            self.reserve(now, party, row.id, 1).await
        } else {
            Ok(())
        }
    }

    /// How many bytes an upload without a size may still grow; nothing is reserved for it.
    pub(crate) async fn growth(&self, now: Millis, party: &Party) -> Result<Left, StoreError> {
        let room = self.room(now, party).await?;
        let own = self
            .catalog
            .usage(Some(party.owner.clone()), room.since)
            .await?;
        Ok(room.left(own, self.catalog.usage(None, room.since).await?))
    }

    pub(crate) fn check_size(&self, size: u64) -> Result<(), StoreError> {
        let (min, max) = (
            self.config.limits.min_file_size,
            self.config.limits.file_size,
        );
        if (min..=max).contains(&size) {
            Ok(())
        } else {
            Err(StoreError::FileSize { size, min, max })
        }
    }
}
