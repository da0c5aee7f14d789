//! Small files, many at a time.
//!
//! A trip to the disk or to the catalog costs more than what is done there for a small file. So files
//! that come whole make each trip together:
//!
//! ```text
//!   rows ── write ── sync ── claim the names ── rename ── sync ── note that they are done
//! ```
//!
//! It is the order of [`crate::publish`], with one difference: the checksum is not recorded beside the
//! bytes, for nothing is acknowledged before the file is there. What does not go this way without a
//! question (a name that is taken, bytes that came before) goes the long way, one by one.

mod steps;

use std::{
    collections::{BTreeMap, HashSet},
    io,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use hoist_protocol::{Kind, Millis, PackChunk, Sender, UploadId};

use crate::{
    ChunkAnswer, Party, Store, StoreError,
    active::{Active, Busy, Grant},
    catalog::{Row, RowState},
    share::{Counted, SMALL_PIECE, share},
    store::Shared,
};

/// Most bytes of a file that is small: it is held in memory until it is whole.
const SMALL: u64 = 32 << 10;
/// Files that go the long way at one time.
const LONG_WAY: usize = 32;

/// Most bytes that one sender gathers, where few do.
const GATHERED: usize = 512 << 10;

/// Room for small files that are gathered before they are written together. With more than next to
/// nothing in it, it counts as one more writer: the more there are, the less has each.
#[derive(Debug)]
pub struct Gathering {
    shared: Arc<Shared>,
    held: u64,
    counted: Option<Counted>,
}

impl Gathering {
    /// Whether there is room for so many bytes more. If not, what was gathered goes first; what does not
    /// fit into new room is not gathered.
    #[must_use]
    pub fn fits(&self, bytes: u64) -> bool {
        let writers = self.shared.writers.load(Ordering::Relaxed);
        self.held + bytes <= share(writers, GATHERED) as u64
    }

    /// Counts bytes that have come.
    pub fn hold(&mut self, bytes: u64) {
        self.held += bytes;
        if self.counted.is_none() && self.held > SMALL_PIECE as u64 {
            self.counted = Some(Counted::new(&self.shared));
        }
    }
}

/// Nothing: it goes the long way.
type Answer = Option<Result<ChunkAnswer, StoreError>>;

/// One that is on the short way.
#[derive(Debug)]
struct Small {
    /// Its place among those that were sent together.
    at: usize,
    chunk: PackChunk,
    bytes: Bytes,
    row: Row,
    active: Arc<Active>,
    grant: Grant,
    busy: Busy,
}

impl Store {
    /// Whether this chunk may be a small file, which [`Store::write_small`] takes.
    #[must_use]
    pub const fn is_small(&self, chunk: &PackChunk) -> bool {
        chunk.index == 0 && !chunk.last && chunk.length > 0 && chunk.length <= SMALL
    }

    /// Room to gather small files in.
    #[must_use]
    pub fn gathering(&self) -> Gathering {
        Gathering {
            shared: Arc::clone(&self.shared),
            held: 0,
            counted: None,
        }
    }

    /// Writes chunks that came whole, and publishes the files that they are; one answer per chunk, in
    /// order. Many together cost little more than a few.
    ///
    /// As [`Store::write_chunk`], [`crate::ChunkWriter::write`] and [`crate::ChunkWriter::finish`] for
    /// each, with the same answers and errors.
    ///
    /// # Cancel safety
    ///
    /// Goes on even if the future is dropped.
    ///
    /// # Durability
    ///
    /// On return each answered chunk survives what [`crate::StoreConfig::durability`] says.
    pub async fn write_small(
        &self,
        now: Millis,
        party: &Party,
        sender: &Sender,
        attempt: u32,
        chunks: Vec<(PackChunk, Bytes)>,
    ) -> Vec<Result<ChunkAnswer, StoreError>> {
        let count = chunks.len();
        let sent = Sent {
            store: self.clone(),
            now,
            party: party.clone(),
            sender: sender.clone(),
            attempt,
        };
        let answers = tokio::spawn(sent.answers(chunks)).await;
        let none = |_| (0..count).map(|_| Err(StoreError::Unavailable)).collect();
        answers.unwrap_or_else(none)
    }
}

/// What is the same for all chunks that were sent together.
struct Sent {
    store: Store,
    now: Millis,
    party: Party,
    sender: Sender,
    attempt: u32,
}

impl Sent {
    async fn answers(
        self,
        chunks: Vec<(PackChunk, Bytes)>,
    ) -> Vec<Result<ChunkAnswer, StoreError>> {
        let short = self.short_way(&chunks).await;
        let mut seen = HashSet::new();
        let all = short.into_iter().zip(&chunks);
        let one = |(answer, (chunk, bytes)): (Answer, &(PackChunk, Bytes))| {
            // The same once more comes when the first has ended: they would overtake each other.
            let is_first = seen.insert(chunk.upload);
            let (sent, chunk, bytes) = (&self, chunk.clone(), bytes.clone());
            async move {
                match answer {
                    None if is_first => Some(sent.long_way(&chunk, bytes).await),
                    answer => answer,
                }
            }
        };
        let first: Vec<_> = stream::iter(all)
            .map(one)
            .buffered(LONG_WAY)
            .collect()
            .await;
        let mut answers = Vec::with_capacity(chunks.len());
        for (answer, (chunk, bytes)) in first.into_iter().zip(chunks) {
            answers.push(match answer {
                Some(answer) => answer,
                None => self.long_way(&chunk, bytes).await,
            });
        }
        answers
    }

    async fn long_way(&self, chunk: &PackChunk, bytes: Bytes) -> Result<ChunkAnswer, StoreError> {
        let (store, party, sender) = (&self.store, &self.party, &self.sender);
        let writer = store.write_chunk(self.now, party, sender, self.attempt, chunk);
        let mut writer = writer.await?;
        writer.write(self.now, bytes).await?;
        writer.finish(self.now).await
    }

    /// Takes as many as it can the short way; the others have no answer.
    async fn short_way(&self, chunks: &[(PackChunk, Bytes)]) -> Vec<Answer> {
        let mut answers: Vec<Answer> = chunks.iter().map(|_| None).collect();
        let shared = &self.store.shared;
        // An error: the long way has it, too, and says of which chunk.
        let small = self.take(chunks).await.unwrap_or_default();
        let written = shared.write_small(small, &mut answers).await;
        let claimed = shared.claim_small(written, &mut answers).await;
        let placed = shared.place_small(claimed, &mut answers).await;
        shared.finish_small(self.now, placed, &mut answers).await;
        answers
    }

    /// Takes the leases of those of which nothing is there and nobody knows anything yet.
    async fn take(&self, chunks: &[(PackChunk, Bytes)]) -> Result<Vec<Small>, StoreError> {
        let shared = &self.store.shared;
        shared.check_open()?;
        let mut wanted: BTreeMap<UploadId, usize> = BTreeMap::new();
        for (at, (chunk, bytes)) in chunks.iter().enumerate() {
            let is_whole = self.store.is_small(chunk) && bytes.len() as u64 == chunk.length;
            if is_whole && self.party.reaches(chunk.upload) {
                wanted.entry(chunk.upload).or_insert(at);
            }
        }
        // As in `ask_once`: held from the look into memory until it is there.
        let _loading = shared.loading_all(wanted.keys().copied()).await;
        wanted.retain(|id, _| shared.remembered(*id).is_none());
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let mut rows = shared.catalog.get(wanted.keys().copied().collect()).await?;
        rows.retain(|row| self.may_go(row));
        let backend = Arc::clone(&shared.backend);
        let looked = shared.run("looking for uploads", move || {
            let is_new = |row: &Row| backend.incoming(row.id).map(|there| there.is_none());
            let all = rows.into_iter().map(|row| Ok((is_new(&row)?, row)));
            all.collect::<io::Result<Vec<_>>>()
        });
        let idle = shared.config.lease_idle_ms;
        let mut small = Vec::new();
        for (_, row) in looked.await?.into_iter().filter(|(is_new, _)| *is_new) {
            let Some((at, (chunk, bytes))) = wanted
                .get(&row.id)
                .and_then(|at| Some((*at, chunks.get(*at)?)))
            else {
                continue;
            };
            if row.size != Some(chunk.length) {
                continue;
            }
            let active = Arc::new(Active::new(row.id, row.chunk_size, row.size));
            let grant = active
                .lease(0, &self.sender, self.attempt, self.now, idle)
                .await?;
            let busy = grant.begin(self.now)?;
            shared.remember(&active);
            small.push(Small {
                at,
                chunk: chunk.clone(),
                bytes: bytes.clone(),
                row,
                active,
                grant,
                busy,
            });
        }
        // Who was sent first gets the plain name.
        small.sort_unstable_by_key(|one| one.at);
        Ok(small)
    }

    /// Whether nothing has to be asked before a row is written; what has is asked on the long way.
    fn may_go(&self, row: &Row) -> bool {
        let shared = &self.store.shared;
        let is_reserved = row.received > 0 || row.created > shared.since(self.now);
        row.owner == self.party.owner
            && row.state == RowState::Unfinished
            && row.kind == Kind::File
            && row.expires > self.now.0
            && !shared.is_suspect(row)
            && is_reserved
            && row.layout().is_some_and(|layout| layout.count() == 1)
            && self.party.check_end(row.size.unwrap_or(u64::MAX)).is_ok()
    }
}
