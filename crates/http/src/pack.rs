//! `POST /packs`: what happens to bytes.
//!
//! A pack is received by a task of its own. If the connection goes away, hyper drops the handler,
//! but the task goes on: what it has of whole chunks becomes acknowledged, the torn one is dropped
//! with its lease, and the body that nobody feeds any more ends the task. While the bytes of one
//! chunk arrive, earlier ones are being finished; small files finish many at a time.

use std::{
    collections::HashSet,
    mem,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use axum::{
    Extension,
    extract::{Request, State},
    response::Response,
};
use bytes::Bytes;
use hoist_protocol::{ChunkResult, ErrorCode, Limits, PackChunk, PackManifest, PackResponse};
use hoist_store::{ChunkAnswer, ChunkWriter, Gathering, Party, StoreError};
use tokio::{
    task::{JoinError, JoinSet},
    time::{sleep, timeout},
};
use tracing::Instrument as _;

use crate::{
    Access, ApiError, Stopping, answer,
    body::{BodyReader, too_short},
    pack_form::{FRAME_SIZE, PackForm},
    router::Core,
    shares::Who,
};

/// Without bytes for this long, what came is written although it is no whole piece.
const PAUSE: Duration = Duration::from_millis(250);

pub(crate) async fn send_pack(
    State(core): State<Arc<Core>>,
    Extension(access): Extension<Access>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let limits = core.store.limits(core.now(), &access.party).await?;
    let form = PackForm::announced(&parts.headers)?;
    let frame = if form.is_some() { FRAME_SIZE } else { 0 };
    let most = limits.pack_size.saturating_add(frame);
    let mut reader = BodyReader::new(&core, &parts, body, most);
    access.require(|rights| rights.send)?;
    reader.check_announced()?;
    let transfer = core.transfer(Who::new(&parts, &access.party))?;
    reader.keep_up(&transfer);
    core.config.packs.fetch_add(1, Ordering::Relaxed);
    let stopping = parts.extensions.get::<Stopping>().cloned();
    // Its headers are slices of the connection's buffer, and would keep it as long as the pack comes.
    drop(parts);
    let pack = Pack {
        core,
        party: access.party,
        stopping,
        reader,
        form,
        finishing: JoinSet::new(),
        gathered: Vec::new(),
        gathering: None,
        outcomes: Vec::new(),
    };
    let task = async move {
        let response = pack.receive(&limits).await;
        drop(transfer);
        response
    };
    let response = tokio::spawn(task.in_current_span())
        .await
        .map_err(ApiError::internal)??;
    Ok(answer::ok(&response))
}

/// Groups of small files that one pack has on their way while more arrive.
const GROUPS: usize = 2;

/// How long a server that stops waits for the rest of the chunk that is arriving.
const LAST_CHUNK: Duration = Duration::from_secs(2);

fn restarting() -> ApiError {
    ApiError::new(
        ErrorCode::Unavailable,
        "The server is restarting; what arrived is kept",
    )
}

/// A pack that is being received.
struct Pack {
    core: Arc<Core>,
    party: Party,
    stopping: Option<Stopping>,
    reader: BodyReader,
    /// What stands around the manifest and the bytes of each file.
    form: Option<PackForm>,
    /// Chunks that are whole here, with their places in the manifest.
    finishing: JoinSet<Vec<Outcome>>,
    /// Small files that are whole here and wait for others, with their places in the manifest.
    gathered: Vec<(usize, PackChunk, Bytes)>,
    /// Room for those.
    gathering: Option<Gathering>,
    /// What became of each chunk of the manifest; `None` while that is open.
    outcomes: Vec<Option<Result<ChunkAnswer, StoreError>>>,
}

impl Pack {
    async fn receive(mut self, limits: &Limits) -> Result<PackResponse, ApiError> {
        if let Some(form) = &mut self.form {
            form.open(&mut self.reader).await?;
        }
        let is_bare = self.form.is_none();
        let manifest = read_manifest(&self.core, &mut self.reader, limits, is_bare).await?;
        self.outcomes.resize_with(manifest.chunks.len(), || None);
        let read = match self.stopping.clone() {
            None => self.read_chunks(&manifest).await,
            Some(mut stopping) => {
                let late = async {
                    stopping.stopping().await;
                    sleep(LAST_CHUNK).await;
                };
                tokio::select! {
                    read = self.read_chunks(&manifest) => read,
                    () = late => Err(restarting()),
                }
            }
        };
        // Also after a cut: every whole chunk that had arrived is kept.
        self.write_gathered(&manifest).await;
        while let Some(done) = self.finishing.join_next().await {
            self.settle(done);
        }
        read?;
        Ok(self.into_response(&manifest))
    }

    /// Reads the bytes of all chunks; fails only if the rest cannot be read.
    async fn read_chunks(&mut self, manifest: &PackManifest) -> Result<(), ApiError> {
        for (place, chunk) in manifest.chunks.iter().enumerate() {
            if self.stopping.as_ref().is_some_and(Stopping::is_stopping) {
                return Err(restarting());
            }
            // Chunks of one upload that follow each other are one part of a form.
            let before = place
                .checked_sub(1)
                .and_then(|before| manifest.chunks.get(before));
            if let Some(form) = &mut self.form
                && before.is_none_or(|before| before.upload != chunk.upload)
            {
                form.open(&mut self.reader).await?;
            }
            if self.gathers(manifest, chunk).await {
                let bytes = self.read_small(chunk).await?;
                self.gathered.push((place, chunk.clone(), bytes));
                continue;
            }
            match self.read_chunk(manifest, chunk).await? {
                Ok(writer) => self.finish(place, writer).await,
                Err(error) => self.settle_at(place, Err(error)),
            }
        }
        if let Some(form) = self.form.take() {
            form.close(&mut self.reader).await?;
        }
        match self.reader.next(1).await? {
            None => Ok(()),
            Some(_) => Err(ApiError::new(
                ErrorCode::InvalidRequest,
                "The request goes on after its last chunk",
            )),
        }
    }

    /// Whether a chunk is gathered with others; makes room for it if it is.
    async fn gathers(&mut self, manifest: &PackManifest, chunk: &PackChunk) -> bool {
        if !self.core.store.is_small(chunk) {
            return false;
        }
        let fits = |gathering: &Gathering| gathering.fits(chunk.length);
        if self.gathering.as_ref().is_some_and(|room| !fits(room)) {
            self.write_gathered(manifest).await;
        }
        let new = || self.core.store.gathering();
        fits(self.gathering.get_or_insert_with(new))
    }

    /// Reads all bytes of a small file.
    async fn read_small(&mut self, chunk: &PackChunk) -> Result<Bytes, ApiError> {
        let (mut left, mut bytes) = (chunk.length, Vec::new());
        while left > 0 {
            let part = self.reader.next(left).await?.ok_or_else(too_short)?;
            if let Some(gathering) = &mut self.gathering {
                gathering.hold(part.len() as u64);
            }
            // All of its room at once, but not for who has sent next to nothing.
            let wanted = usize::try_from(left).unwrap_or(part.len());
            let wanted = if bytes.is_empty() { part.len() } else { wanted };
            bytes.reserve_exact(wanted.max(part.len()));
            left -= part.len() as u64;
            bytes.extend_from_slice(&part);
        }
        Ok(bytes.into())
    }

    /// Writes what was gathered, beside what arrives next.
    async fn write_gathered(&mut self, manifest: &PackManifest) {
        let (gathered, gathering) = (mem::take(&mut self.gathered), self.gathering.take());
        if gathered.is_empty() {
            return;
        }
        self.wait_for_room(GROUPS).await;
        let (core, now, party) = (Arc::clone(&self.core), self.core.now(), self.party.clone());
        let (sender, attempt) = (manifest.sender.clone(), manifest.attempt);
        let write = async move {
            let of = |(place, chunk, bytes)| (place, (chunk, bytes));
            let (places, chunks): (Vec<_>, Vec<_>) = gathered.into_iter().map(of).unzip();
            let store = &core.store;
            let written = store.write_small(now, &party, &sender, attempt, chunks);
            let outcomes = places.into_iter().zip(written.await).collect();
            drop(gathering);
            outcomes
        };
        self.finishing.spawn(write.in_current_span());
    }

    /// Reads the bytes of one chunk to their end, also if the store refuses it.
    async fn read_chunk(
        &mut self,
        manifest: &PackManifest,
        chunk: &PackChunk,
    ) -> Result<Result<ChunkWriter, StoreError>, ApiError> {
        let mut left = chunk.length;
        let taken = self
            .core
            .store
            .write_chunk(
                self.core.now(),
                &self.party,
                &manifest.sender,
                manifest.attempt,
                chunk,
            )
            .await;
        let mut writer = match taken {
            Ok(writer) => writer,
            Err(error) => {
                self.reader.skip(left).await?;
                return Ok(Err(error));
            }
        };
        while left > 0 {
            let (bytes, rested) = self.next(&mut writer, left).await?;
            let Some(bytes) = bytes else {
                return Err(too_short());
            };
            left -= bytes.len() as u64;
            let written = match rested {
                Ok(()) => writer.write(self.core.now(), bytes).await,
                Err(error) => Err(error),
            };
            if let Err(error) = written {
                drop(writer); // gives the lease back before the rest is waited for
                self.reader.skip(left).await?;
                return Ok(Err(error));
            }
        }
        Ok(Ok(writer))
    }

    /// The next bytes of a chunk. Who lets us wait for them, or sends slowly, holds no memory meanwhile; what
    /// came of writing that is told beside them.
    async fn next(
        &mut self,
        writer: &mut ChunkWriter,
        most: u64,
    ) -> Result<(Option<Bytes>, Result<(), StoreError>), ApiError> {
        let mut next = pin!(self.reader.next(most));
        if let Ok(next) = timeout(PAUSE, &mut next).await {
            return Ok((next?, Ok(())));
        }
        let rested = writer.rest(self.core.now()).await;
        Ok((next.await?, rested))
    }

    /// Finishes a chunk beside what arrives next; waits if too many are on their way.
    async fn finish(&mut self, place: usize, writer: ChunkWriter) {
        self.wait_for_room(self.core.config.finishing.max(1)).await;
        let now = self.core.now();
        let finish = async move { vec![(place, writer.finish(now).await)] };
        self.finishing.spawn(finish.in_current_span());
    }

    /// Waits until fewer are on their way.
    async fn wait_for_room(&mut self, most: usize) {
        while self.finishing.len() >= most {
            if let Some(done) = self.finishing.join_next().await {
                self.settle(done);
            }
        }
        while let Some(done) = self.finishing.try_join_next() {
            self.settle(done);
        }
    }

    fn settle(&mut self, done: Result<Vec<Outcome>, JoinError>) {
        match done {
            Ok(outcomes) => {
                for (place, outcome) in outcomes {
                    self.settle_at(place, outcome);
                }
            }
            // Its outcome stays open and is answered as internal.
            Err(panic) => tracing::error!(cause = %panic, "finishing a chunk broke off"),
        }
    }

    fn settle_at(&mut self, place: usize, outcome: Result<ChunkAnswer, StoreError>) {
        if let Some(slot) = self.outcomes.get_mut(place) {
            *slot = Some(outcome);
        }
    }

    fn into_response(self, manifest: &PackManifest) -> PackResponse {
        let mut response = PackResponse::default();
        let mut told = HashSet::new();
        for (outcome, chunk) in self.outcomes.into_iter().zip(&manifest.chunks) {
            response.results.push(match outcome {
                Some(Ok(answer)) => {
                    let receipt = answer.receipt.filter(|receipt| told.insert(receipt.id));
                    response.receipts.extend(receipt);
                    ChunkResult::Acknowledged
                }
                Some(Err(error)) => {
                    tracing::debug!(upload = %chunk.upload, index = chunk.index, "chunk refused");
                    ChunkResult::Refused(ApiError::from(error).into_body())
                }
                None => ChunkResult::Refused(ApiError::internal("no outcome").into_body()),
            });
        }
        response
    }
}

/// What became of the chunk at this place of the manifest.
type Outcome = (usize, Result<ChunkAnswer, StoreError>);

/// Reads the manifest and checks it against the limits, before a byte of a chunk is read. `is_bare`: nothing
/// stands around it and the bytes.
async fn read_manifest(
    core: &Core,
    reader: &mut BodyReader,
    limits: &Limits,
    is_bare: bool,
) -> Result<PackManifest, ApiError> {
    let json = if is_bare {
        // Its own room is given back before more is asked for.
        let size = {
            let prefix = reader.exactly(core, 4).await?;
            let digits = prefix.bytes.iter();
            digits.fold(0, |size, &byte| size << 8 | u64::from(byte))
        };
        if size > limits.manifest_size {
            return Err(too_long(size, limits));
        }
        reader.exactly(core, size).await?
    } else {
        let line = reader.line(core, limits.manifest_size).await?;
        line.ok_or_else(|| too_long(limits.manifest_size + 1, limits))?
    };
    let size = json.bytes.len() as u64;
    let manifest: PackManifest = serde_json::from_slice(&json.bytes).map_err(|error| {
        ApiError::new(
            ErrorCode::InvalidRequest,
            format!("The manifest is not the JSON that belongs here: {error}"),
        )
    })?;
    if manifest.chunks.len() as u64 > u64::from(limits.pack_chunks) {
        return Err(ApiError::new(
            ErrorCode::TooMany,
            format!("A pack may carry at most {} chunks", limits.pack_chunks),
        ));
    }
    let whole = manifest
        .chunks
        .iter()
        .try_fold(size + 4, |sum, chunk| sum.checked_add(chunk.length))
        .filter(|&whole| whole <= limits.pack_size)
        .ok_or_else(|| {
            ApiError::new(
                ErrorCode::TooLarge,
                format!("A pack may be at most {} bytes", limits.pack_size),
            )
        })?;
    if is_bare && reader.announced().is_some_and(|all| all != whole) {
        return Err(ApiError::new(
            ErrorCode::InvalidRequest,
            "The lengths in the manifest are not the length of the request",
        ));
    }
    Ok(manifest)
}

fn too_long(size: u64, limits: &Limits) -> ApiError {
    ApiError::new(
        ErrorCode::TooLarge,
        format!(
            "The manifest is at least {size} bytes, and at most {} are allowed",
            limits.manifest_size
        ),
    )
}
