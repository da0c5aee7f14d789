//! Any part of a file, whatever of it has come before: for protocols that cut as they like.
//!
//! A client that sends a part again, or goes on with parts of another size, sends bytes that are
//! there beside bytes that are not. What is there is compared, what is new is written.

use std::{io, sync::Arc};

use bytes::Bytes;
use hoist_protocol::{ByteRange, Millis, UploadId};

use crate::{
    ChunkAnswer, Party, RangeWriter, Store, StoreError,
    backend::{Incoming, Stored},
    figures::add,
    load::{Asked, TRIES},
    range::PIECE,
};

/// One part of a file, its bytes in order, whatever has come before.
///
/// Dropping it keeps what lay between bytes that had come before, and nothing else.
#[derive(Debug)]
pub struct PartWriter {
    store: Store,
    party: Party,
    id: UploadId,
    /// Where the next byte belongs, and where the last one ends.
    at: u64,
    end: u64,
    is_new: bool,
    step: Step,
}

/// What is done with the next bytes.
#[derive(Debug)]
enum Step {
    /// They are new.
    New(RangeWriter),
    /// They are there, up to this offset.
    Known(There, u64),
    /// That has to be asked.
    Next,
}

/// Bytes that are there.
#[derive(Clone, Debug)]
enum There {
    Unfinished(Arc<dyn Incoming>),
    Finished(Arc<dyn Stored>),
}

impl There {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unfinished(incoming) => incoming.read_at(offset, buffer),
            Self::Finished(file) => file.read_at(offset, buffer),
        }
    }
}

impl Store {
    /// Starts taking the bytes of one part. New ones have one writer per upload.
    ///
    /// # Errors
    ///
    /// - [`StoreError::NotFound`], [`StoreError::Expired`].
    /// - [`StoreError::FileSize`] if the part goes beyond the end of the file.
    /// - [`StoreError::InFlight`] if the first byte is new and another writes ranges.
    /// - [`StoreError::TooMany`] if too many ranges lie apart from each other.
    ///
    /// # Examples
    ///
    /// ```
    /// # use hoist_protocol::{ByteRange, CreateAnswer, DeleteResult, Millis, NewFile, UploadStatus};
    /// # use hoist_store::{ListQuery, Owner, Party, Store, StoreConfig};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let store = Store::memory(StoreConfig::default());
    /// # let (now, party) = (Millis(0), Party::known(Owner::shared()));
    /// # let file = NewFile { name: "a.txt".into(), size: Some(5), ..NewFile::default() };
    /// # let created = store.create(now, &party, &[file.clone()]).await?;
    /// # let Some(CreateAnswer::Needed(needed)) = created.first() else { panic!() };
    /// # let id = needed.id;
    /// // Any part of the file, whatever the chunks are.
    /// let mut part = store.write_part(now, &party, id, ByteRange::new(2, 5)).await?;
    /// part.write(now, "llo".into()).await?;
    /// assert!(part.finish(now).await?.receipt.is_none(), "two bytes are missing");
    /// let mut part = store.write_part(now, &party, id, ByteRange::new(0, 2)).await?;
    /// part.write(now, "he".into()).await?;
    /// let receipt = part.finish(now).await?.receipt.expect("it is whole");
    /// assert_eq!(receipt.hash.unwrap().to_string(), blake3::hash(b"hello").to_hex().to_string());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn write_part(
        &self,
        now: Millis,
        party: &Party,
        id: UploadId,
        part: ByteRange,
    ) -> Result<PartWriter, StoreError> {
        party.check_whole()?;
        let size = match self.shared.ask(now, party, id).await? {
            Asked::Finished(row) => row.size,
            Asked::Active(active, _) => active.lock().size,
        };
        let max = size.unwrap_or(self.shared.config.limits.file_size);
        if part.end > max {
            return Err(StoreError::FileSize {
                size: part.end,
                min: 0,
                max,
            });
        }
        let mut writer = PartWriter {
            store: self.clone(),
            party: party.clone(),
            id,
            at: part.start,
            end: part.end,
            is_new: false,
            step: Step::Next,
        };
        if !part.is_empty() {
            writer.step = writer.next(now).await?;
        }
        Ok(writer)
    }
}

impl PartWriter {
    /// Takes the next bytes.
    ///
    /// # Errors
    ///
    /// - [`StoreError::ChunkConflict`] if other bytes have come before.
    /// - [`StoreError::Invalid`] if they are more than the part has.
    /// - Else as [`RangeWriter::write`] and [`Store::write_part`].
    pub async fn write(&mut self, now: Millis, mut bytes: Bytes) -> Result<(), StoreError> {
        if bytes.len() as u64 > self.end.saturating_sub(self.at) {
            return Err(StoreError::Invalid("more bytes came than the part has"));
        }
        while !bytes.is_empty() {
            let end = match &self.step {
                Step::New(writer) => writer.max(),
                Step::Known(_, end) => *end,
                Step::Next => self.at,
            };
            let room = usize::try_from(end.saturating_sub(self.at)).unwrap_or(usize::MAX);
            if room == 0 {
                if let Step::New(writer) = std::mem::replace(&mut self.step, Step::Next) {
                    writer.finish(now).await?;
                    self.is_new = true;
                }
                self.step = self.next(now).await?;
                continue;
            }
            let part = bytes.split_to(bytes.len().min(room));
            let length = part.len() as u64;
            match &mut self.step {
                Step::New(writer) => writer.write(now, part).await?,
                Step::Known(there, _) => {
                    let there = there.clone();
                    self.compare(there, part).await?;
                }
                Step::Next => {}
            }
            self.at += length;
        }
        Ok(())
    }

    /// Records what was new; an upload that is whole with it is published.
    ///
    /// # Errors
    ///
    /// - [`StoreError::Invalid`] if bytes are missing: then nothing more is recorded.
    /// - Else as [`RangeWriter::finish`].
    pub async fn finish(self, now: Millis) -> Result<ChunkAnswer, StoreError> {
        if self.at < self.end {
            return Err(StoreError::Invalid("fewer bytes came than the part has"));
        }
        if let Step::New(writer) = self.step {
            return writer.finish(now).await;
        }
        let receipt = match self.store.shared.ask(now, &self.party, self.id).await? {
            Asked::Finished(row) => Some(row.receipt()),
            Asked::Active(..) => None,
        };
        Ok(ChunkAnswer {
            is_new: self.is_new,
            receipt,
        })
    }

    /// What is to be done from here on; there is at least one byte of it.
    async fn next(&self, now: Millis) -> Result<Step, StoreError> {
        let (shared, at) = (&self.store.shared, self.at);
        for _ in 0..TRIES {
            match shared.ask(now, &self.party, self.id).await? {
                Asked::Finished(row) => {
                    let file = shared.open_file(&row).await?;
                    return Ok(Step::Known(There::Finished(file), self.end));
                }
                Asked::Active(active, _) => {
                    let received = active.lock().received(active.chunk_size);
                    let known = received
                        .iter()
                        .find(|range| (range.start..range.end).contains(&at));
                    if let Some(known) = known {
                        match shared.bytes_there(&active).await {
                            Ok(there) => {
                                return Ok(Step::Known(There::Unfinished(there), known.end));
                            }
                            // Published meanwhile.
                            Err(StoreError::NotFound) => continue,
                            Err(error) => return Err(error),
                        }
                    }
                }
            }
            match self.store.write_range(now, &self.party, self.id, at).await {
                Ok(writer) => return Ok(Step::New(writer)),
                // They have come meanwhile, or all of it has.
                Err(StoreError::Invalid(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Unavailable)
    }

    async fn compare(&self, there: There, bytes: Bytes) -> Result<(), StoreError> {
        let shared = &self.store.shared;
        shared.count_received(bytes.len() as u64);
        add(&shared.counters.again, bytes.len() as u64);
        let at = self.at;
        let is_equal = shared
            .run("comparing with what has come before", move || {
                let mut buffer = vec![0; bytes.len().min(PIECE)];
                let mut offset = at;
                for piece in bytes.chunks(PIECE) {
                    let stored = buffer.get_mut(..piece.len()).unwrap_or_default();
                    if there.read_at(offset, stored)? < piece.len() || *stored != *piece {
                        return Ok(false);
                    }
                    offset += piece.len() as u64;
                }
                Ok(true)
            })
            .await?;
        if is_equal {
            Ok(())
        } else {
            Err(StoreError::ChunkConflict)
        }
    }
}
