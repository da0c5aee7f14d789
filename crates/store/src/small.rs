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

use std::{
    collections::{BTreeMap, HashSet},
    io,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use hoist_protocol::{
    Checksum, ChunkHasher, Kind, Millis, PackChunk, Sender, UploadId, merge_checksums,
};

use crate::{
    Change, ChunkAnswer, Party, Store, StoreError,
    active::{Active, Busy, Grant},
    backend::{Backend, Unsynced},
    catalog::{Command, Outcome, Row, RowState},
    figures::add,
    piece::expect,
    publish::Publishing,
    share::{Counted, SMALL_PIECE, share},
    store::{Shared, io_error},
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

/// One whose bytes lie on the disk. Dropping it lets others go on with the upload.
#[derive(Debug)]
struct Written {
    at: usize,
    row: Row,
    publishing: Publishing,
    /// What a planted fault has left out.
    #[cfg(test)]
    unsynced: Vec<Unsynced>,
}

/// One that lies on the disk, or leaves the short way: refused, or without an answer.
type Wrote = Result<(Written, Vec<Unsynced>), (usize, Option<StoreError>)>;

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

impl Shared {
    /// Writes all of them, and syncs them together.
    async fn write_small(&self, small: Vec<Small>, answers: &mut [Answer]) -> Vec<Written> {
        if small.is_empty() {
            return Vec::new();
        }
        for one in &small {
            self.count_received(one.chunk.length);
        }
        let (backend, failed) = (Arc::clone(&self.backend), self.backend.failed_syncs());
        let wrote = self.start(move || small.into_iter().map(|one| one.write(&*backend)).collect());
        let wrote: Vec<Wrote> = wrote.await.unwrap_or_default();
        let (mut written, mut unsynced) = (Vec::new(), Vec::new());
        for one in wrote {
            match one {
                #[cfg(test)]
                Ok((mut one, of_one)) if self.leaves_unsynced(None) => {
                    one.unsynced = of_one;
                    written.push(one);
                }
                Ok((one, of_one)) => {
                    written.push(one);
                    unsynced.extend(of_one);
                }
                Err((at, Some(error))) => refuse(answers, at, error),
                Err((_, None)) => {}
            }
        }
        match self.make_durable_since(failed, unsynced).await {
            Ok(()) => written,
            Err(error) => refuse_all(answers, &written, &error),
        }
    }

    /// Claims the name that each wants; who does not get it looks for another on the long way.
    async fn claim_small(&self, written: Vec<Written>, answers: &mut [Answer]) -> Vec<Written> {
        let claim = |one: &Written| Command::Claim {
            id: one.row.id,
            stored_as: one.row.stored_as.clone(),
            path_key: one.row.path_key.clone(),
            hash: one.row.hash,
            size: one.row.size.unwrap_or(0),
        };
        match self.apply_to(&written, claim).await {
            Ok(outcomes) => done(written, &outcomes),
            Err(error) => refuse_all(answers, &written, &error),
        }
    }

    /// Gives each its place, and syncs their names together.
    async fn place_small(&self, claimed: Vec<Written>, answers: &mut [Answer]) -> Vec<Written> {
        if claimed.is_empty() {
            return claimed;
        }
        let backend = Arc::clone(&self.backend);
        let placed = self.start(move || {
            let publish = |one: Written| {
                let row = &one.row;
                let done = backend.publish(row.id, &row.place(), row.last_modified);
                (one, done)
            };
            claimed.into_iter().map(publish).collect::<Vec<_>>()
        });
        let all = placed.await;
        let (mut placed, mut back) = (Vec::new(), Vec::new());
        for (one, done) in all.unwrap_or_default() {
            match done {
                Ok(true) => placed.push(one),
                // Something lies there that the catalog does not know, or a folder has gone.
                Ok(false) => back.push(one),
                Err(error) => {
                    tracing::debug!(id = %one.row.id, %error, "a small file goes the long way");
                    back.push(one);
                }
            }
        }
        let unclaim = |one: &Written| Command::Unclaim { id: one.row.id };
        if let Err(error) = self.apply_to(&back, unclaim).await {
            keep_claimed(&back);
            refuse_all(answers, &back, &error);
        }
        #[cfg(test)]
        if self.config.planted == Some(crate::planted::Planted::RenameBeforeSync) {
            let late = placed.iter().flat_map(|one| one.unsynced.clone());
            if let Err(error) = self.make_durable(late.collect()).await {
                return refuse_all(answers, &placed, &error);
            }
        }
        let names = placed
            .iter()
            .flat_map(|one| self.backend.names_at(&one.row.place()));
        match self.make_durable(names.collect()).await {
            Ok(()) => placed,
            Err(error) => {
                keep_claimed(&placed);
                refuse_all(answers, &placed, &error)
            }
        }
    }

    /// Notes that they are files, and says so.
    async fn finish_small(&self, now: Millis, placed: Vec<Written>, answers: &mut [Answer]) {
        let finish = |one: &Written| Command::Finish {
            id: one.row.id,
            finished: now.0,
        };
        let outcomes = match self.apply_to(&placed, finish).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                keep_claimed(&placed);
                refuse_all(answers, &placed, &error);
                return;
            }
        };
        self.news.send_replace(());
        for mut one in done(placed, &outcomes) {
            one.row.state = RowState::Finished;
            one.row.finished = now.0;
            Self::log(&one.row, "file finished");
            let receipt = one.row.receipt();
            add(&self.counters.acknowledged, receipt.size);
            one.publishing.0.lock().has_ended = true;
            self.forget(one.row.id);
            self.tell(Change::Finished {
                owner: one.row.owner,
                receipt: receipt.clone(),
            });
            if let Some(answer) = answers.get_mut(one.at) {
                *answer = Some(Ok(ChunkAnswer {
                    is_new: true,
                    receipt: Some(receipt),
                }));
            }
        }
    }

    async fn apply_to(
        &self,
        all: &[Written],
        command: impl Fn(&Written) -> Command,
    ) -> Result<Vec<Outcome>, StoreError> {
        if all.is_empty() {
            return Ok(Vec::new());
        }
        self.catalog
            .apply_all(all.iter().map(command).collect())
            .await
    }
}

impl Small {
    /// Checks the bytes and writes them, on a thread that may wait for the disk.
    fn write(mut self, backend: &dyn Backend) -> Wrote {
        let at = self.at;
        let unsynced = match self.put(backend) {
            Ok(unsynced) => unsynced,
            Err(error) => return Err((at, error)),
        };
        {
            let mut inner = self.active.lock();
            if inner.has_ended {
                // Deleted meanwhile; the long way says so.
                return Err((at, None));
            }
            // Before the lease goes: from here on nobody else may write.
            inner.is_publishing = true;
        }
        let publishing = Publishing(self.active);
        drop((self.busy, self.grant));
        let row = self.row;
        Ok((
            Written {
                at,
                row,
                publishing,
                #[cfg(test)]
                unsynced: Vec::new(),
            },
            unsynced,
        ))
    }

    fn put(&mut self, backend: &dyn Backend) -> Result<Vec<Unsynced>, Option<StoreError>> {
        let layout = self.row.layout().ok_or(None)?;
        let hash = || -> Result<Checksum, StoreError> {
            let wrong = |_| StoreError::InvalidChunk("bytes are missing");
            let mut hasher = ChunkHasher::new(layout, 0).map_err(wrong)?;
            hasher.update(&self.bytes).map_err(wrong)?;
            let found = hasher.finish().map_err(wrong)?;
            expect(&self.chunk, found)?;
            merge_checksums(layout, [found]).map_err(wrong)
        };
        // Hashed first: what is damaged never touches the disk.
        self.row.hash = Some(hash()?);
        let failed = |error| Some(io_error("writing a small file")(error));
        let incoming = backend.begin(self.row.id).map_err(failed)?;
        incoming.write_at(0, &self.bytes).map_err(failed)?;
        let mut unsynced = incoming.unsynced();
        // An error: a file is where a folder should be, and the long way goes around it.
        unsynced.extend(backend.prepare(&self.row.place()).map_err(|_| None)?);
        Ok(unsynced)
    }
}

/// Those of which something was done.
fn done(all: Vec<Written>, outcomes: &[Outcome]) -> Vec<Written> {
    let is_done = |outcome: &Outcome| matches!(outcome, Outcome::Done);
    let with = all.into_iter().zip(outcomes);
    with.filter_map(|(one, outcome)| is_done(outcome).then_some(one))
        .collect()
}

/// They have their places, or may have: whoever asks for one next goes on from there.
fn keep_claimed(all: &[Written]) {
    for one in all {
        one.publishing.0.lock().is_claimed = true;
    }
}

fn refuse(answers: &mut [Answer], at: usize, error: StoreError) {
    if let Some(answer) = answers.get_mut(at) {
        *answer = Some(Err(error));
    }
}

/// Refuses all of them for what went wrong with all; none is left.
fn refuse_all(answers: &mut [Answer], all: &[Written], error: &StoreError) -> Vec<Written> {
    tracing::warn!(
        error = error as &dyn std::error::Error,
        files = all.len(),
        "small files could not be published"
    );
    for one in all {
        let error = match error {
            StoreError::StorageFull => StoreError::StorageFull,
            _ => StoreError::Unavailable,
        };
        refuse(answers, one.at, error);
    }
    Vec::new()
}
