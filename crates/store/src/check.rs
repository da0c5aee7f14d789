//! How a store learns that the machine has died, and what is then looked at again.

use std::{io, sync::Arc};

use hoist_protocol::{ChunkHasher, ChunkLayout, MAX_CHUNKS, UploadId};

use crate::{
    Durability, StoreError,
    backend::Incoming,
    catalog::{Command, Row, RowState},
    load::read_set,
    publish::hash,
    store::{Shared, joined},
};

/// Bytes read at once.
const READ: usize = 256 << 10;

/// The boot that the machine is in; empty where that cannot be known.
pub(crate) fn boot() -> String {
    // proc(5): a new one with each boot, the same in each container of a machine.
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.map(|id| id.trim().to_owned()).unwrap_or_default()
}

impl Shared {
    /// Begins to work: from here on only [`Shared::close`] makes it a clean end.
    ///
    /// What was written before is still there if the last end was clean, or if it was that of the
    /// process alone: the same boot.
    pub(crate) async fn begin_work(&mut self, boot: String) -> Result<(), StoreError> {
        let mark = self.catalog.mark().await?;
        if self.config.durability == Durability::Power
            && mark.boot.as_ref().is_some_and(|last| *last == boot)
        {
            // The process died, and its machine did not: what it had recorded and not yet synced is
            // believed from here on, so it must be as durable as what was acknowledged.
            let backend = Arc::clone(&self.backend);
            self.run("syncing the disk", move || backend.sync()).await?;
        }
        let has_died = mark
            .boot
            .is_some_and(|last| last != boot || boot.is_empty());
        self.epoch = mark.epoch + u64::from(has_died);
        if has_died {
            tracing::warn!(
                "the machine has died since: unfinished uploads are checked when they are asked for"
            );
        }
        let epoch = self.epoch;
        self.catalog.apply(Command::Start { boot, epoch }).await?;
        Ok(())
    }

    /// Whether what is there of it may be less than its checksums say.
    pub(crate) fn is_suspect(&self, row: &Row) -> bool {
        row.epoch < self.epoch && matches!(row.state, RowState::Unfinished | RowState::Publishing)
    }

    /// Checks what is there of an upload, once after the machine has died. Goes on even if the
    /// future is dropped.
    pub(crate) async fn check(self: &Arc<Self>, id: UploadId) -> Result<(), StoreError> {
        let shared = Arc::clone(self);
        joined(tokio::spawn(async move { shared.check_whole(id).await }).await)?
    }

    async fn check_whole(&self, id: UploadId) -> Result<(), StoreError> {
        let _loading = self.loading(id).await;
        let Some(row) = self.catalog.get(vec![id]).await?.pop() else {
            return Ok(());
        };
        if !self.is_suspect(&row) {
            return Ok(());
        }
        let (backend, of) = (Arc::clone(&self.backend), row.clone());
        let looked = self.run("checking an upload", move || {
            let Some(incoming) = backend.incoming(of.id)? else {
                // Checksums whose bytes are gone would be believed as soon as others come.
                backend.clear(of.id, false)?;
                return Ok((0, Vec::new(), false));
            };
            incoming.drop_unsafe_ranges()?;
            let lost = drop_lost(&*incoming, &of)?;
            let is_torn = of.state == RowState::Publishing && !is_whole(&*incoming, &of)?;
            Ok((lost, incoming.unsynced(), is_torn))
        });
        let (lost, unsynced, is_torn) = looked.await?;
        if lost > 0 {
            tracing::warn!(%id, lost, "chunks of an upload were lost when the machine died; they are asked for again");
        }
        self.make_durable(unsynced).await?;
        if is_torn {
            // It was about to be published, and is not whole any more.
            self.catalog.apply(Command::Unclaim { id }).await?;
            self.forget(id);
        }
        let epoch = self.epoch;
        self.catalog.apply(Command::Checked { id, epoch }).await?;
        Ok(())
    }
}

/// Whether these are the bytes that were to be published.
fn is_whole(incoming: &dyn Incoming, row: &Row) -> io::Result<bool> {
    match row.layout() {
        Some(layout) if incoming.len()? == layout.file_size() => {
            Ok(row.hash == Some(hash(incoming, layout, true)?))
        }
        _ => Ok(false),
    }
}

/// Forgets the chunks whose bytes are not those of their checksum; how many.
fn drop_lost(incoming: &dyn Incoming, row: &Row) -> io::Result<u64> {
    let mut lost = 0;
    let mut buffer = vec![0; READ];
    for (start, end) in read_set(incoming)?.ranges() {
        for index in start..end {
            let mut sum = [0; 32];
            incoming.read_sums(index, &mut sum)?;
            if !is_there(incoming, row, index, &sum, &mut buffer)? {
                incoming.write_sum(index, &[0; 32])?;
                lost += 1;
            }
        }
    }
    Ok(lost)
}

/// Whether the bytes of a chunk have this checksum: as one of many, or as the only one, whichever it
/// was taken for when it came.
fn is_there(
    incoming: &dyn Incoming,
    row: &Row,
    index: u32,
    sum: &[u8; 32],
    buffer: &mut [u8],
) -> io::Result<bool> {
    let of_many = ChunkLayout::new(MAX_CHUNKS * row.chunk_size, row.chunk_size).ok();
    for layout in row.layout().into_iter().chain(of_many) {
        let Some(range) = layout.range(index) else {
            continue;
        };
        let mut hasher = ChunkHasher::new(layout, index).map_err(io::Error::other)?;
        while hasher.left() > 0 {
            let wanted = usize::try_from(hasher.left()).unwrap_or(READ).min(READ);
            let part = buffer.get_mut(..wanted).unwrap_or_default();
            let length = incoming.read_at(range.end - hasher.left(), part)?;
            if length == 0 {
                break;
            }
            let read = part.get(..length).unwrap_or_default();
            hasher.update(read).map_err(io::Error::other)?;
        }
        if hasher.left() == 0 && hasher.finish().is_ok_and(|found| found.as_bytes() == sum) {
            return Ok(true);
        }
    }
    Ok(false)
}
