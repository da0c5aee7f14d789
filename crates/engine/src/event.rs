//! What the outside world tells the engine.

use hoist_protocol::{
    Checksum, CreateResponse, DeleteResponse, ErrorBody, Limits, OnConflict, PackResponse,
    StatusResponse, UploadStatus,
};

use crate::{Elsewhere, FileKey, RequestId};

/// A file the person picked, as the browser describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picked {
    /// Its name.
    pub name: String,
    /// Its folder, `a/b`, or empty.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last modified, in milliseconds since the epoch.
    pub last_modified: Option<i64>,
    /// Its media type, if the browser knows one.
    pub media_type: Option<String>,
    /// Whether it is an empty folder rather than a file.
    pub is_directory: bool,
}

/// Why a request has no answer that the engine can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Status 0: the connection broke, or the file could not be read while it was sent.
    NoAnswer,
    /// The answer is ours and is an error.
    Refused(ErrorBody),
    /// The answer is somebody else's (a proxy's): only its status says anything.
    Foreign {
        /// The HTTP status.
        status: u16,
        /// Its `Retry-After`, in milliseconds, if it had one.
        retry_after_ms: Option<u64>,
    },
}

/// What the outside world tells the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The person added a file. Keys come in order, from 0, each once; another key is ignored.
    ///
    /// If the same file (path, name, size, time) is under way already, the new key gets no row
    /// ([`crate::Notice::Duplicate`]). If a settled row stands for it, or one that needs its file
    /// again, the new key takes its place ([`crate::Notice::Replaced`]).
    Added {
        /// Its key.
        key: FileKey,
        /// What it is.
        file: Picked,
    },
    /// What the server allows.
    Limits(Limits),
    /// What the server has of this visitor, from the first HTML or the list call. `keys` are fresh
    /// ones, as many as rows, from the same counter as [`Event::Added`].
    Listed {
        /// One per upload.
        keys: Vec<FileKey>,
        /// The rows.
        uploads: Vec<UploadStatus>,
    },
    /// Answer to [`crate::Action::Create`].
    Created {
        /// Which.
        request: RequestId,
        /// The answer.
        result: Result<CreateResponse, Failure>,
    },
    /// Answer to [`crate::Action::Status`].
    Status {
        /// Which.
        request: RequestId,
        /// The answer.
        result: Result<StatusResponse, Failure>,
    },
    /// So many bytes of the pack's chunks were handed to the network; a claim, not a truth.
    PackProgress {
        /// Which.
        request: RequestId,
        /// Bytes since the request began; manifest included.
        sent: u64,
    },
    /// Answer to [`crate::Action::SendPack`].
    PackAnswered {
        /// Which.
        request: RequestId,
        /// The answer.
        result: Result<PackResponse, Failure>,
    },
    /// Answer to [`crate::Action::Delete`] or [`crate::Action::Restore`].
    Deleted {
        /// Which.
        request: RequestId,
        /// The answer.
        result: Result<DeleteResponse, Failure>,
    },
    /// Answer to [`crate::Action::Hash`]; `None` if the bytes could not be read.
    Hashed {
        /// Which file.
        key: FileKey,
        /// Which chunk.
        index: u32,
        /// The checksum.
        checksum: Option<Checksum>,
    },
    /// Answer to [`crate::Action::Probe`]: whether one byte of the file could be read, and whether
    /// its size and time are still those of when it was picked.
    Probed {
        /// Which file.
        key: FileKey,
        /// `None` if it cannot be read; otherwise whether it is unchanged.
        unchanged: Option<bool>,
    },
    /// Time has passed; wanted at `Engine::deadline`.
    Tick,
    /// The network is gone, or there again, as the browser believes.
    Network {
        /// Whether there is one.
        online: bool,
    },
    /// The visitor signed in (or the host renewed their right): go on.
    SignedIn,
    /// Begin, if the engine does not start by itself.
    Start,
    /// The person pauses one file.
    Pause(FileKey),
    /// The person resumes one file.
    Resume(FileKey),
    /// The person pauses everything, what is added later included, until [`ResumeAll`](Self::ResumeAll) or [`CancelAll`](Self::CancelAll).
    PauseAll,
    /// The person resumes everything.
    ResumeAll,
    /// The person does not want to wait for what waits to be tried again. What is paused stays so.
    TryNow,
    /// The person cancels one file.
    Cancel(FileKey),
    /// The person cancels all that was added in this visit: what is not begun is dropped, what is
    /// under way stopped and deleted, what was finished in this visit deleted with an undo, what
    /// was already there taken off the list. Rows that the server listed are not touched, nor those that were not taken.
    /// If nothing is under way then, a pause of everything ends.
    CancelAll,
    /// The person deletes a finished file.
    Delete(FileKey),
    /// The person takes the delete back.
    Restore(FileKey),
    /// The person takes all deletes of this visit back that can be.
    RestoreAll,
    /// Something else on the page has deleted, restored or renamed a stored file; a row of it follows. What is not stored here, or
    /// just being deleted, is left alone.
    Elsewhere(Elsewhere),
    /// The person tries a failed file again.
    Retry(FileKey),
    /// The person tries all failed files again.
    RetryAll,
    /// The person answered a conflict: `None` skips the file.
    Resolve {
        /// Which file.
        key: FileKey,
        /// What to do.
        choice: Option<OnConflict>,
    },
    /// The person takes a settled row off the list; the server is not told.
    Remove(FileKey),
}
