//! What the engine wants the outside world to do.

use hoist_protocol::{
    ByteRange, ChunkLayout, CreateRequest, DeleteRequest, ErrorCode, PackManifest, PauseReason,
    Receipt, StatusRequest, UploadId,
};

use crate::{FileKey, RequestId};

/// What the engine wants the outside world to do. Each request is answered by exactly one event,
/// except after [`Action::Abort`]: then an answer may still come, and is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send `POST /uploads`.
    Create {
        /// Answered by [`crate::Event::Created`] with the same.
        request: RequestId,
        /// The body.
        body: CreateRequest,
    },
    /// Send `POST /uploads/status`.
    Status {
        /// Answered by [`crate::Event::Status`] with the same.
        request: RequestId,
        /// The body.
        body: StatusRequest,
    },
    /// Send `POST /packs`.
    SendPack {
        /// Answered by [`crate::Event::PackAnswered`] with the same.
        request: RequestId,
        /// The manifest.
        manifest: PackManifest,
        /// Where the bytes of each chunk of the manifest come from, in its order.
        parts: Vec<(FileKey, ByteRange)>,
    },
    /// Stop a request; its answer is not wanted any more.
    Abort {
        /// Which.
        request: RequestId,
    },
    /// Send `POST /uploads/delete`; must outlive the page if it can.
    Delete {
        /// Answered by [`crate::Event::Deleted`] with the same.
        request: RequestId,
        /// The body.
        body: DeleteRequest,
    },
    /// Send `POST /uploads/restore`.
    Restore {
        /// Answered by [`crate::Event::Deleted`] with the same.
        request: RequestId,
        /// The body.
        body: DeleteRequest,
    },
    /// Read a chunk and take its checksum; answered by [`crate::Event::Hashed`], unless
    /// [`Action::Forget`] came first.
    Hash {
        /// Which file.
        key: FileKey,
        /// Which chunk.
        index: u32,
        /// How the file is cut.
        layout: ChunkLayout,
        /// Whether the bytes are sent soon after: a driver that sends buffers keeps them until
        /// [`Action::SendPack`] or [`Action::Forget`]. Otherwise they are only compared.
        keep: bool,
    },
    /// Read one byte of the file, and look at its size and time again.
    Probe {
        /// Which file.
        key: FileKey,
    },
    /// Let go of the bytes kept for this file, and of reads that were not begun. They may be
    /// wanted again later, after a pause for example; then they are asked for again.
    Forget {
        /// Which file.
        key: FileKey,
        /// Which chunk; `None` for all of the file.
        index: Option<u32>,
    },
    /// Tell the host page.
    Notify(Notice),
}

/// Something the host page may want to know; each is a callback of the component.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// `on_file_added`.
    FileAdded(FileKey),
    /// `on_restriction_failed`: the file was not taken, and why.
    RestrictionFailed {
        /// Which file; it has a row in the state *failed*.
        key: FileKey,
        /// What a person reads.
        words: String,
    },
    /// The same file (path, name, size, time) stands in the list already and is under way; the new
    /// key has no row, and its file can be let go.
    Duplicate {
        /// The key that was not taken.
        key: FileKey,
        /// The row that stands for it.
        of: FileKey,
    },
    /// A row gave way to a newer one of the same file, which goes on from it: one that needed its
    /// file again, or had failed, or was finished. The old key has no row any more.
    Replaced {
        /// The row that is gone.
        key: FileKey,
        /// The row that stands now.
        by: FileKey,
    },
    /// `on_start`: the first byte of the file is about to travel.
    Started(FileKey),
    /// `on_chunk`: a chunk was acknowledged.
    Chunk {
        /// Which file.
        key: FileKey,
        /// Which chunk.
        index: u32,
    },
    /// `on_success`.
    Success {
        /// Which file.
        key: FileKey,
        /// Its receipt.
        receipt: Receipt,
    },
    /// `on_skipped`: it was already there.
    Skipped {
        /// Which file.
        key: FileKey,
        /// Its receipt.
        receipt: Receipt,
    },
    /// `on_error`: given up.
    Error {
        /// Which file.
        key: FileKey,
        /// The server's code, if it refused the file.
        code: Option<ErrorCode>,
        /// What a person reads.
        words: String,
    },
    /// `on_retry`.
    Retry(FileKey),
    /// `on_conflict`.
    Conflict(FileKey),
    /// `on_cancel`.
    Cancelled(FileKey),
    /// `on_deleted`.
    Deleted {
        /// Its row.
        key: FileKey,
        /// Its upload.
        upload: UploadId,
    },
    /// `on_restored`: a delete was taken back.
    Restored {
        /// Its row.
        key: FileKey,
        /// Its upload.
        upload: UploadId,
    },
    /// `on_pause`: the whole queue is paused, for this reason.
    Paused(PauseReason),
    /// `on_resume`: the whole queue goes on.
    Resumed,
    /// `on_stalled`: a request was given up because nothing was acknowledged for too long.
    Stalled,
    /// `on_complete`: nothing is left to do; said once each time the queue runs dry.
    Complete,
}
