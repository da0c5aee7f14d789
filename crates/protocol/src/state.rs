//! States of a file, and the words a person sees.

use serde::{Deserialize, Serialize};

use crate::{ErrorCode, Millis, Receipt};

/// Where a file stands, from being picked to being stored.
///
/// One enum for the engine, the component and the server's list, so that a state has one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", content = "detail", rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileState {
    /// Nothing was asked or sent yet.
    Queued,
    /// The server is asked, or acknowledged bytes are compared with the file.
    Checking,
    /// Bytes travel.
    Uploading,
    /// Somebody or something holds it.
    Paused(PauseReason),
    /// A failure that passes; the next try is at this time.
    Retrying(Millis),
    /// The server has a part of it, and the browser has no bytes: it must be picked again.
    NeedsFile,
    /// Another file has this path on the server, and the person decides.
    Conflict,
    /// The file is not the one whose first part was sent.
    FileChanged,
    /// Stored whole.
    Done(Receipt),
    /// It was already there, unmodified; nothing was sent.
    Present(Receipt),
    /// Given up.
    Failed {
        /// The server's code, if the server refused it.
        code: Option<ErrorCode>,
        /// What a person reads.
        words: String,
    },
    /// The server is being told.
    Cancelling,
    /// Cancelled.
    Cancelled,
    /// Deleted on the server, restorable until this time of the server's clock.
    Deleting(Millis),
    /// Deleted.
    Deleted,
}

impl FileState {
    /// The word a person sees, in English; a locale may replace it.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Queued => "Waiting",
            Self::Checking => "Checking",
            Self::Uploading => "Uploading",
            Self::Paused(reason) => reason.word(),
            Self::Retrying(_) => "Trying again",
            Self::NeedsFile => "Choose it again to go on",
            Self::Conflict => "Name is taken",
            Self::FileChanged => "File changed",
            Self::Done(_) => "Done",
            Self::Present(_) => "Already there",
            Self::Failed { .. } => "Failed",
            Self::Cancelling => "Cancelling",
            Self::Cancelled => "Cancelled",
            // Whether it can be taken back, the button beside it says.
            Self::Deleting(_) | Self::Deleted => "Deleted",
        }
    }

    /// The stable name, as in `data-state` and in style sheets.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Checking => "checking",
            Self::Uploading => "uploading",
            Self::Paused(_) => "paused",
            Self::Retrying(_) => "retrying",
            Self::NeedsFile => "needs_file",
            Self::Conflict => "conflict",
            Self::FileChanged => "file_changed",
            Self::Done(_) => "done",
            Self::Present(_) => "present",
            Self::Failed { .. } => "failed",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
            Self::Deleting(_) => "deleting",
            Self::Deleted => "deleted",
        }
    }

    /// Whether nothing more happens unless somebody asks for it.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        matches!(
            self,
            Self::NeedsFile
                | Self::Conflict
                | Self::FileChanged
                | Self::Done(_)
                | Self::Present(_)
                | Self::Failed { .. }
                | Self::Cancelled
                | Self::Deleting(_)
                | Self::Deleted
        )
    }
}

/// Why a file or the whole queue is paused; each has its own way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PauseReason {
    /// The person paused it; only the person resumes it.
    ByPerson,
    /// There is no network; goes on with it.
    Offline,
    /// The visitor has to sign in; goes on then.
    SignIn,
    /// The server's disk or the visitor's share is full; tried again slowly.
    DiskFull,
    /// The server asked for fewer requests; goes on when the time is over.
    RateLimited,
    /// No byte was acknowledged for too long; tried again by itself.
    Stalled,
}

impl PauseReason {
    /// The words a person sees.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ByPerson => "Paused",
            Self::Offline => "Waiting for the network",
            Self::SignIn => "Waiting for you to sign in",
            Self::DiskFull => "No room left",
            Self::RateLimited => "The server asked to slow down",
            Self::Stalled => "The connection stalled",
        }
    }
}
