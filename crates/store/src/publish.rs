//! How whole bytes become a file: hash, claim of a place, rename, note that it is done.
//!
//! Each step leaves a state from which the next start goes on: a claimed row whose bytes are still
//! incoming was not renamed, one whose bytes lie at the claimed place was.

use std::{io, sync::Arc};

use hoist_protocol::{
    Checksum, ChunkHasher, ChunkLayout, Kind, Millis, Receipt, RelativePath, merge_checksums,
};

use crate::{
    Change, StoreError,
    active::Active,
    backend::Incoming,
    catalog::{Command, Outcome, Row, RowState},
    disk::layout,
    numbers::Numbers,
    store::{Shared, joined},
};

/// Names that are tried for a folder that is a file.
const MAX_TRIES: u32 = 10_000;
/// Bytes read at once.
const READ: usize = 256 << 10;

/// The one that publishes an upload; others may when it is dropped.
#[derive(Debug)]
pub(crate) struct Publishing(pub(crate) Arc<Active>);

impl Drop for Publishing {
    fn drop(&mut self) {
        self.0.lock().is_publishing = false;
        self.0.tell();
    }
}

impl Shared {
    /// Publishes an upload if every byte has arrived; one does it, all who ask get the receipt.
    pub(crate) async fn publish_if_whole(
        self: &Arc<Self>,
        active: &Arc<Active>,
        now: Millis,
    ) -> Result<Option<Receipt>, StoreError> {
        // Some(true): ours to do. Some(false): nothing to do, or done by another meanwhile.
        let is_ours = active.wait(|inner| {
            if inner.is_publishing {
                return None;
            }
            let is_ours = !inner.has_ended && inner.is_whole(active.chunk_size);
            inner.is_publishing = is_ours;
            Some(is_ours)
        });
        if !is_ours.await {
            let row = self.catalog.get(vec![active.id]).await?.pop();
            return Ok(row
                .filter(|row| row.state == RowState::Finished)
                .map(|row| row.receipt()));
        }
        // In a task of its own: a dropped request must not leave it half done.
        let (shared, publishing) = (Arc::clone(self), Publishing(Arc::clone(active)));
        let publish = async move {
            let active = &publishing.0;
            // A range may still be on its way to where chunks have come meanwhile; it must not
            // land in the file.
            active.wait(|inner| (!inner.is_busy()).then_some(())).await;
            let result = shared.publish(active, now).await;
            active.lock().has_ended |= result.is_ok();
            result
        };
        joined(tokio::spawn(publish).await)?.map(Some)
    }

    async fn publish(
        self: &Arc<Self>,
        active: &Arc<Active>,
        now: Millis,
    ) -> Result<Receipt, StoreError> {
        let row = self
            .catalog
            .get(vec![active.id])
            .await?
            .pop()
            .ok_or(StoreError::NotFound)?;
        #[cfg(test)]
        let late = self.left_for_later(active).await?;
        let row = match row.state {
            RowState::Unfinished => self.place(active, row).await?,
            // The process died between claim and note.
            RowState::Publishing => self.go_on(active, row).await?,
            RowState::Finished => {
                self.forget(row.id);
                return Ok(row.receipt());
            }
            RowState::Hidden => return Err(StoreError::NotFound),
        };
        // The bytes were durable before they were acknowledged; now their name is, before the catalog
        // says that it is a file.
        let place = layout::place(&row.owner, &row.stored_as);
        let names = self.backend.names_at(&place);
        #[cfg(test)]
        self.make_durable(late).await?;
        self.make_durable(names).await?;
        if let Outcome::NotDone = self
            .apply_event(Command::Finish {
                id: row.id,
                finished: now.0,
            })
            .await?
        {
            return Err(StoreError::NotFound);
        }
        Self::log(&row, "file finished");
        let receipt = Row {
            state: RowState::Finished,
            finished: now.0,
            ..row.clone()
        }
        .receipt();
        let (backend, id) = (Arc::clone(&self.backend), row.id);
        if let Err(error) = self
            .run("clearing up", move || backend.clear(id, false))
            .await
        {
            // The file is published; the side files are found after the next start.
            tracing::warn!(%id, error = &error as &dyn std::error::Error, "side files stay behind");
        }
        self.forget(row.id);
        self.tell(Change::Finished {
            owner: row.owner,
            receipt: receipt.clone(),
        });
        Ok(receipt)
    }

    /// Hashes the bytes and gives them the first free name.
    async fn place(&self, active: &Active, mut row: Row) -> Result<Row, StoreError> {
        let (size, was_sizeless) = {
            let inner = active.lock();
            (inner.size, inner.was_sizeless)
        };
        row.size = size;
        if row.kind == Kind::File {
            let layout = row
                .layout()
                .ok_or(StoreError::Invalid("the size of the upload is not known"))?;
            let (backend, id) = (Arc::clone(&self.backend), row.id);
            let hashed = self.run("hashing an upload", move || {
                let incoming = if layout.file_size() == 0 {
                    backend.begin(id)?
                } else {
                    backend.own(id)?.ok_or(io::ErrorKind::NotFound)?
                };
                let is_too_long = incoming.len()? > layout.file_size();
                if is_too_long {
                    incoming.truncate(layout.file_size())?;
                }
                let is_alone = layout.count() == 1 && layout.file_size() == layout.chunk_size();
                let hash = hash(&*incoming, layout, was_sizeless && is_alone)?;
                let is_changed = is_too_long || layout.file_size() == 0;
                Ok((hash, is_changed.then(|| incoming.unsynced())))
            });
            let (hash, unsynced) = hashed.await?;
            self.make_durable(unsynced.unwrap_or_default()).await?;
            row.hash = Some(hash);
        }
        let path = RelativePath::new(&row.folder, &row.name)?;
        let mut numbers = Numbers::new(&row.owner, row.id, layout::spelled(&path));
        loop {
            row.stored_as = numbers.next(self).await?;
            row.path_key = layout::key(&row.stored_as);
            let claim = Command::Claim {
                id: row.id,
                stored_as: row.stored_as.clone(),
                path_key: row.path_key.clone(),
                hash: row.hash,
                size: row.size.unwrap_or(0),
            };
            if let Outcome::NotDone = self.catalog.apply(claim).await? {
                // The place is taken, or the upload is not what it was.
                let now = self.catalog.get(vec![row.id]).await?.pop();
                match now.map(|row| row.state) {
                    Some(RowState::Unfinished) => {}
                    Some(_) => return Err(StoreError::Unavailable),
                    None => return Err(StoreError::NotFound),
                }
                continue;
            }
            let renamed = self.put_in_place(&row).await;
            if let Ok(true) = renamed {
                return Ok(row);
            }
            self.catalog.apply(Command::Unclaim { id: row.id }).await?;
            match renamed {
                // Something lies there that the catalog does not know.
                Ok(_) => {}
                Err(StoreError::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotADirectory =>
                {
                    let around = self.around_file(&row, numbers.wanted()).await?;
                    numbers.want(around);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Puts a file or folder where its row says; `false` if something lies there.
    pub(crate) async fn put_in_place(&self, row: &Row) -> Result<bool, StoreError> {
        let (id, kind, time) = (row.id, row.kind, row.last_modified);
        let place = layout::place(&row.owner, &row.stored_as);
        let at = place.clone();
        self.put("publishing a file", &place, move |backend| match kind {
            Kind::File => backend.publish(id, &at, time),
            Kind::Directory => backend.make_folder(&at),
        })
        .await
    }

    /// Where a folder of the path is something else: the same path with that folder's next free number.
    async fn around_file(&self, row: &Row, wanted: &str) -> Result<String, StoreError> {
        let (backend, owner, wanted) = (
            Arc::clone(&self.backend),
            row.owner.clone(),
            wanted.to_owned(),
        );
        self.run("looking for a folder", move || {
            for (end, _) in wanted.match_indices('/') {
                let (folder, rest) = wanted.split_at_checked(end).unwrap_or_default();
                // Anything that is no folder, such as a planted symlink. What is not there is made, as it
                // will be needed.
                let is_folder = |folder: &str| backend.make_folder(&layout::place(&owner, folder));
                if !is_folder(folder)? {
                    for n in 2..MAX_TRIES {
                        let other = layout::numbered(folder, n);
                        if is_folder(&other)? {
                            return Ok(format!("{other}{rest}"));
                        }
                    }
                }
            }
            Err(io::ErrorKind::NotADirectory.into())
        })
        .await
    }

    /// Goes on where a process died after the claim.
    async fn go_on(&self, active: &Active, row: Row) -> Result<Row, StoreError> {
        if row.kind == Kind::File {
            let (backend, id) = (Arc::clone(&self.backend), row.id);
            let place = layout::place(&row.owner, &row.stored_as);
            let (is_incoming, is_there) = self
                .run("looking for an upload", move || {
                    let stored = backend.open(&place)?;
                    let length = stored.map(|stored| stored.len()).transpose()?;
                    Ok((backend.incoming(id)?.is_some(), length == row.size))
                })
                .await?;
            if !is_incoming && is_there {
                return Ok(row);
            }
            if !is_incoming {
                // The machine died, and nobody had promised that it would not matter; or somebody
                // removed it by hand.
                self.catalog.apply(Command::Unclaim { id }).await?;
                self.forget(id);
                tracing::warn!(%id, "the bytes of an upload are gone; they are asked for again");
                return Err(StoreError::Unavailable);
            }
        }
        let renamed = self.put_in_place(&row).await;
        if let Ok(true) = renamed {
            return Ok(row);
        }
        // Somebody put something there by hand in between: now it is placed anew.
        self.catalog.apply(Command::Unclaim { id: row.id }).await?;
        active.lock().is_claimed = false;
        self.place(active, row).await
    }

    /// Ends what was being published when the process died; called once, before anybody asks.
    pub(crate) async fn recover(self: &Arc<Self>, now: Millis) -> Result<(), StoreError> {
        for row in self.catalog.publishing().await? {
            let id = row.id;
            // As if its owner asked, who publishes what was claimed; after a check, if it needs one.
            let mut asked = self.ask_once(now, id, &row.owner).await;
            if let Ok(None) = asked {
                asked = self.ask_once(now, id, &row.owner).await;
            }
            if let Err(error) = asked {
                tracing::warn!(%id, error = &error as &dyn std::error::Error, "an upload could not be published yet");
            }
        }
        Ok(())
    }
}

/// The hash of whole bytes: merged from the checksums of the chunks; those that are missing (or
/// all, if told so) are taken from the bytes.
pub(crate) fn hash(
    incoming: &dyn Incoming,
    layout: ChunkLayout,
    from_bytes: bool,
) -> io::Result<Checksum> {
    if incoming.len()? < layout.file_size() {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "bytes that were acknowledged are not there",
        ));
    }
    let mut failed = None;
    let mut sums = vec![0; 64 << 10];
    let mut known = 0;
    let checksums = (0..layout.count()).map_while(|index| {
        let read = |sums: &mut Vec<u8>, known: &mut usize| -> io::Result<Checksum> {
            let at = index as usize * 32 % sums.len();
            if at == 0 {
                *known = incoming.read_sums(index, sums)?;
            }
            let sum = sums
                .get(at..at + 32)
                .filter(|_| at + 32 <= *known && !from_bytes);
            match sum
                .and_then(|sum| <[u8; 32]>::try_from(sum).ok())
                .filter(|sum| *sum != [0; 32])
            {
                Some(sum) => Ok(Checksum::from_bytes(sum)),
                None => hash_chunk(incoming, layout, index),
            }
        };
        read(&mut sums, &mut known)
            .map_err(|error| failed = Some(error))
            .ok()
    });
    let merged = merge_checksums(layout, checksums);
    match failed {
        Some(error) => Err(error),
        None => merged.map_err(io::Error::other),
    }
}

fn hash_chunk(incoming: &dyn Incoming, layout: ChunkLayout, index: u32) -> io::Result<Checksum> {
    let range = layout.range(index).ok_or(io::ErrorKind::InvalidInput)?;
    let mut hasher = ChunkHasher::new(layout, index).map_err(io::Error::other)?;
    let mut buffer = vec![0; READ];
    while hasher.left() > 0 {
        let wanted = usize::try_from(hasher.left()).unwrap_or(READ).min(READ);
        let part = buffer.get_mut(..wanted).unwrap_or_default();
        let length = incoming.read_at(range.end - hasher.left(), part)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        hasher
            .update(buffer.get(..length).unwrap_or_default())
            .map_err(io::Error::other)?;
    }
    hasher.finish().map_err(io::Error::other)
}
