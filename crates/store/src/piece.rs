//! What is done to one piece of a chunk, on a thread that may block or by a backend whose writes do not wait.

use std::io;

use bytes::Bytes;
use hoist_protocol::{ByteRange, Checksum, ChunkHasher, PackChunk};
use tokio::task::JoinHandle;

use crate::{
    StoreError,
    active::{Active, Busy},
    backend::{Incoming, Stored},
    store::{io_error, joined},
};

/// Files from this size on get room ahead of the writer …
const ALLOCATE_FROM: u64 = 64 << 20;
/// … in steps of this many bytes.
const ALLOCATE_STEP: u64 = 64 << 20;

/// Said of a chunk behind the end that another has told.
pub(crate) const BEYOND: StoreError = StoreError::Invalid("the file ends before this chunk");

/// Bytes that come as part of a chunk differ from those that came as a range.
#[derive(Debug, thiserror::Error)]
#[error("these bytes have come before, and were others")]
struct Differs;

/// What writing said, if it was that.
pub(crate) fn conflict(error: StoreError) -> StoreError {
    match error {
        StoreError::Io { source, .. } if source.get_ref().is_some_and(|e| e.is::<Differs>()) => {
            StoreError::ChunkConflict
        }
        other => other,
    }
}

/// At most one piece is on its way to the disk while the next arrives; none where writing does not wait.
#[derive(Debug)]
pub(crate) enum Work {
    Idle(Box<ChunkHasher>),
    Running(JoinHandle<io::Result<Box<ChunkHasher>>>),
    Failed,
}

impl Work {
    /// Waits for the piece on its way, and takes the hasher.
    pub(crate) async fn wait(&mut self) -> Result<Box<ChunkHasher>, StoreError> {
        match std::mem::replace(self, Self::Failed) {
            Self::Idle(hasher) => Ok(hasher),
            Self::Running(task) => written(joined(task.await)?),
            Self::Failed => Err(StoreError::Unavailable),
        }
    }
}

/// What writing a piece said.
pub(crate) fn written<T>(result: io::Result<T>) -> Result<T, StoreError> {
    result
        .map_err(io_error("writing a chunk"))
        .map_err(conflict)
}

/// Writes frames that follow each other, and hashes each while it is at hand.
pub(crate) fn write_frames(
    incoming: &dyn Incoming,
    mut offset: u64,
    frames: Vec<Bytes>,
    there: &[ByteRange],
    mut hasher: Option<&mut ChunkHasher>,
) -> io::Result<()> {
    for frame in frames {
        if let Some(hasher) = &mut hasher {
            // Cannot fail: the writer counts every byte.
            hasher.update(&frame).map_err(io::Error::other)?;
        }
        write_new(incoming, offset, &frame, there)?;
        offset += frame.len() as u64;
    }
    Ok(())
}

/// Whether a file has these bytes at this offset.
pub(crate) fn is_stored(file: &dyn Stored, mut offset: u64, frames: &[Bytes]) -> io::Result<bool> {
    for frame in frames {
        let mut stored = vec![0; frame.len()];
        if file.read_at(offset, &mut stored)? < frame.len() || stored != *frame {
            return Ok(false);
        }
        offset += frame.len() as u64;
    }
    Ok(true)
}

/// Writes a piece, but for the parts that are there: those are compared.
fn write_new(
    incoming: &dyn Incoming,
    offset: u64,
    piece: &[u8],
    there: &[ByteRange],
) -> io::Result<()> {
    let (mut offset, mut piece) = (offset, piece);
    for range in there {
        // What lies before the range is new.
        let new = cut(&mut piece, range.start.saturating_sub(offset));
        incoming.write_at(offset, new)?;
        offset += new.len() as u64;
        let old = cut(&mut piece, range.end.saturating_sub(offset));
        let mut stored = vec![0; old.len()];
        if incoming.read_at(offset, &mut stored)? < stored.len() || stored != old {
            return Err(io::Error::other(Differs));
        }
        offset += old.len() as u64;
    }
    incoming.write_at(offset, piece)
}

/// Takes at most so many bytes from the front.
fn cut<'a>(bytes: &mut &'a [u8], length: u64) -> &'a [u8] {
    let length = usize::try_from(length)
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    let (front, rest) = bytes.split_at_checked(length).unwrap_or_default();
    *bytes = rest;
    front
}

/// Writes the last piece, checks the whole and records it, under the lease.
#[expect(
    clippy::too_many_arguments,
    reason = "all that may move to another thread"
)]
pub(crate) fn record(
    active: &Active,
    busy: Busy,
    incoming: &dyn Incoming,
    chunk: &PackChunk,
    mut hasher: Box<ChunkHasher>,
    start: u64,
    piece: Vec<Bytes>,
    there: &[ByteRange],
) -> io::Result<Result<Busy, StoreError>> {
    if !piece.is_empty() {
        for frame in &piece {
            hasher.update(frame).map_err(io::Error::other)?;
        }
        // Hashed first: a damaged chunk of one piece never touches the disk.
        if let Err(error) = hasher
            .clone()
            .finish()
            .map_err(|_| StoreError::InvalidChunk("bytes are missing"))
            .and_then(|found| expect(chunk, found))
        {
            return Ok(Err(error));
        }
        let length: u64 = piece.iter().map(|frame| frame.len() as u64).sum();
        write_frames(incoming, start + chunk.length - length, piece, there, None)?;
    }
    let Ok(found) = hasher.finish() else {
        return Ok(Err(StoreError::InvalidChunk("bytes are missing")));
    };
    if let Err(error) = expect(chunk, found) {
        return Ok(Err(error));
    }
    let end = start + chunk.length;
    // The end may have become known while the bytes came.
    if !active.lock().takes(end) {
        return Ok(Err(BEYOND));
    }
    // From here on it is there for the next start, whatever becomes of the answer.
    incoming.write_sum(chunk.index, found.as_bytes())?;
    Ok(Ok(busy))
}

pub(crate) fn expect(chunk: &PackChunk, found: Checksum) -> Result<(), StoreError> {
    if chunk.checksum.is_some_and(|wanted| wanted != found) {
        Err(StoreError::ChecksumMismatch)
    } else {
        Ok(())
    }
}

/// The room to make before bytes up to `end` are written, if it is time for another step.
pub(crate) fn room_ahead(active: &Active, end: u64) -> Option<(u64, u64)> {
    let mut inner = active.lock();
    let size = inner.size.filter(|size| *size >= ALLOCATE_FROM)?;
    let from = inner.allocated;
    if end <= from {
        return None;
    }
    let to = (end.div_ceil(ALLOCATE_STEP) * ALLOCATE_STEP).min(size);
    // Chunks far ahead of the others get their own room when the rest arrives.
    inner.allocated = to;
    (to > from).then_some((from, to - from))
}
