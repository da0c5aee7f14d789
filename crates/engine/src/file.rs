//! The state of one file, and what is shown of it.

use std::sync::Arc;

use hoist_protocol::{
    ErrorCode, FileState, Kind, Millis, NewFile, OnConflict, PauseReason, Receipt, UploadId,
};

use crate::{
    FileKey, FileRow, Offers, Picked, Snapshot,
    transfer::{Need, Transfer},
};

/// Where a file stands by itself; what holds the whole queue comes on top when it is shown.
#[derive(Debug, Default)]
pub(crate) enum Stage {
    /// It has no row: merged into another, or taken off the list.
    #[default]
    Hidden,
    /// To be asked for.
    Waiting,
    /// Asked for.
    Creating,
    /// The server waits for bytes; there is a [`Transfer`].
    Active,
    /// The server listed it unfinished.
    NeedsFile,
    Conflict,
    FileChanged,
    Done(Box<Receipt>),
    Present(Box<Receipt>),
    Failed(Box<(Option<ErrorCode>, String)>),
    /// The server is told to delete it.
    Telling(Then),
    Cancelled,
    Deleting(Box<Grave>),
    Deleted,
}

/// What comes when the server has confirmed a delete.
#[derive(Debug)]
pub(crate) enum Then {
    Cancelled,
    /// It was finished, and stands again if the delete is refused.
    Deleted(Box<Receipt>, bool),
    /// The upload is created anew.
    StartOver,
}

/// A deleted file that can be had back.
#[derive(Debug)]
pub(crate) struct Grave {
    pub(crate) until: Millis,
    pub(crate) was_present: bool,
    pub(crate) is_restoring: bool,
}

#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts of one file; there are many files, so they are one byte each"
)]
pub(crate) struct File {
    pub(crate) revision: u64,
    pub(crate) name: Box<str>,
    pub(crate) folder: Arc<str>,
    pub(crate) media_type: Option<Arc<str>>,
    pub(crate) size: u64,
    pub(crate) last_modified: Option<i64>,
    pub(crate) stage: Stage,
    pub(crate) transfer: Option<Box<Transfer>>,
    pub(crate) upload: Option<UploadId>,
    /// What was acknowledged and in flight when the transfer ended, or was listed.
    pub(crate) kept: (u64, u64),
    pub(crate) shown: u64,
    /// When it was first asked for, to tell whether an empty file is there *already*.
    pub(crate) asked_at: Option<Millis>,
    /// Nothing happens before this time.
    pub(crate) timer: Option<Millis>,
    /// Failures of this file alone, since the last acknowledged chunk.
    pub(crate) failures: u32,
    pub(crate) on_conflict: Option<OnConflict>,
    pub(crate) is_directory: bool,
    pub(crate) is_from_this_visit: bool,
    /// The person paused just this file.
    pub(crate) is_paused: bool,
    /// The person resumed just this file while everything is paused.
    pub(crate) is_exempt: bool,
    /// The person cancelled it while its create had no answer.
    pub(crate) is_unwanted: bool,
    /// It waits for space on the server.
    pub(crate) is_full: bool,
    /// Its pack was given up without an answer.
    pub(crate) is_stalled: bool,
    /// It was created anew once already.
    pub(crate) is_recreated: bool,
    /// Its first byte has travelled.
    pub(crate) is_begun: bool,
    /// What the server has of it cannot be used: a retry deletes it first.
    pub(crate) is_spoilt: bool,
    /// A restriction refused it when it was added.
    pub(crate) is_not_taken: bool,
    /// Of one that was not taken: whether there may be room later.
    pub(crate) may_be_taken: bool,
}

impl File {
    pub(crate) fn picked(file: &Picked, folder: Arc<str>, media_type: Option<Arc<str>>) -> Self {
        Self {
            name: file.name.as_str().into(),
            folder,
            media_type,
            size: if file.is_directory { 0 } else { file.size },
            last_modified: file.last_modified,
            is_directory: file.is_directory,
            is_from_this_visit: true,
            stage: Stage::Waiting,
            ..Self::default()
        }
    }

    pub(crate) const fn is_visible(&self) -> bool {
        !matches!(self.stage, Stage::Hidden)
    }

    pub(crate) const fn is_active(&self) -> bool {
        matches!(self.stage, Stage::Active)
    }

    /// Whether the engine works on it, now or later, without being asked again.
    pub(crate) const fn is_under_way(&self) -> bool {
        matches!(self.stage, Stage::Waiting | Stage::Creating | Stage::Active)
    }

    /// Whether something is still to happen to it by itself.
    pub(crate) const fn is_unsettled(&self) -> bool {
        self.is_under_way()
            || matches!(
                self.stage,
                Stage::Telling(Then::Cancelled | Then::StartOver)
            )
    }

    /// Whether the server is told to stop or to delete it, or will be when it has said what there is.
    pub(crate) const fn is_cancelling(&self) -> bool {
        match self.stage {
            Stage::Creating => self.is_unwanted,
            Stage::Telling(Then::Cancelled | Then::Deleted(..)) => true,
            _ => false,
        }
    }

    /// Whether the server has it whole.
    pub(crate) const fn is_stored(&self) -> bool {
        matches!(self.stage, Stage::Done(_) | Stage::Present(_))
    }

    /// Whether it was not taken for what is wrong with the file itself, and stays wrong.
    pub(crate) const fn is_hopeless(&self) -> bool {
        self.is_not_taken && !self.may_be_taken
    }

    /// Whether it is deleted, and can be taken back.
    pub(crate) const fn is_restorable(&self) -> bool {
        matches!(&self.stage, Stage::Deleting(grave) if !grave.is_restoring)
    }

    /// Whether it belongs to what the person wants sent in this visit.
    pub(crate) const fn is_counted(&self) -> bool {
        self.is_from_this_visit
            && !self.is_not_taken
            && match self.stage {
                Stage::Hidden | Stage::Cancelled | Stage::Deleting(_) | Stage::Deleted => false,
                _ => !self.is_cancelling(),
            }
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        match (&self.stage, &self.transfer) {
            (Stage::Done(_) | Stage::Present(_), _) => self.size,
            (_, Some(transfer)) => transfer.acked_bytes(),
            _ => self.kept.0,
        }
    }

    pub(crate) fn in_flight(&self) -> u64 {
        match (&self.stage, &self.transfer) {
            (Stage::Done(_) | Stage::Present(_), _) => 0,
            (_, Some(transfer)) => transfer.handed_bytes(),
            _ => self.kept.1,
        }
    }

    /// Raises what is shown to what is true now; it is never lowered here.
    pub(crate) fn raise_shown(&mut self) {
        let sent = self.transfer.as_ref().map_or(0, |transfer| transfer.sent);
        let now = self
            .acknowledged()
            .saturating_add(sent.min(self.in_flight()));
        self.shown = self.shown.max(now);
    }

    /// Ends the transfer, and keeps its figures for the row.
    pub(crate) fn end_transfer(&mut self) {
        self.kept = (self.acknowledged(), self.in_flight());
        self.transfer = None;
        self.timer = None;
        self.is_stalled = false;
        self.is_full = false;
    }

    /// Forgets all that was sent: the truth is that nothing is there.
    pub(crate) fn start_over(&mut self) {
        self.end_transfer();
        self.kept = (0, 0);
        self.shown = 0;
        self.upload = None;
        self.is_unwanted = false;
        self.is_spoilt = false;
        self.stage = Stage::Waiting;
    }

    /// What the server has of it goes first; then it is created again.
    pub(crate) fn begin_anew(&mut self) {
        self.kept = (0, 0);
        self.shown = 0;
        self.stage = Stage::Telling(Then::StartOver);
    }

    pub(crate) fn new_file(&self, chunk_size: Option<u64>, on_conflict: OnConflict) -> NewFile {
        NewFile {
            name: self.name.as_ref().to_owned(),
            path: self.folder.as_ref().to_owned(),
            size: Some(self.size),
            last_modified: self.last_modified,
            media_type: self.media_type.as_deref().map(str::to_owned),
            kind: if self.is_directory {
                Kind::Directory
            } else {
                Kind::File
            },
            chunk_size,
            on_conflict: self.on_conflict.unwrap_or(on_conflict),
        }
    }

    pub(crate) fn is_held_by_person(&self, all_paused: bool) -> bool {
        self.is_paused || (all_paused && !self.is_exempt)
    }

    fn state(&self, snapshot: &Snapshot) -> FileState {
        match &self.stage {
            Stage::Hidden | Stage::Cancelled => FileState::Cancelled,
            _ if self.is_cancelling() => FileState::Cancelling,
            Stage::Waiting | Stage::Creating | Stage::Active => self.state_under_way(snapshot),
            Stage::NeedsFile => FileState::NeedsFile,
            Stage::Conflict => FileState::Conflict,
            Stage::FileChanged => FileState::FileChanged,
            Stage::Done(receipt) => FileState::Done(receipt.as_ref().clone()),
            Stage::Present(receipt) => FileState::Present(receipt.as_ref().clone()),
            Stage::Failed(why) => FileState::Failed {
                code: why.0,
                words: why.1.clone(),
            },
            Stage::Telling(_) => FileState::Checking,
            Stage::Deleting(grave) => FileState::Deleting(grave.until),
            Stage::Deleted => FileState::Deleted,
        }
    }

    fn state_under_way(&self, snapshot: &Snapshot) -> FileState {
        if self.is_held_by_person(snapshot.all_paused) {
            return FileState::Paused(PauseReason::ByPerson);
        }
        if let Some(reason) = snapshot.held {
            return FileState::Paused(reason);
        }
        if self.is_full {
            return FileState::Paused(PauseReason::DiskFull);
        }
        if self.is_stalled {
            return FileState::Paused(PauseReason::Stalled);
        }
        if let Some(at) = self.timer {
            return FileState::Retrying(at);
        }
        let Some(transfer) = &self.transfer else {
            return if matches!(self.stage, Stage::Creating) {
                FileState::Checking
            } else {
                FileState::Queued
            };
        };
        if transfer.need != Need::Nothing || transfer.is_asked {
            return match snapshot.retry_at {
                Some(at) => FileState::Retrying(at),
                None => FileState::Checking,
            };
        }
        if transfer.running > 0 || (transfer.handed_bytes() > 0 && !transfer.is_checking()) {
            FileState::Uploading
        } else if transfer.has_work() && transfer.is_checking() {
            FileState::Checking
        } else if transfer.has_work() || self.is_begun {
            FileState::Uploading
        } else {
            FileState::Queued
        }
    }

    fn offers(&self, snapshot: &Snapshot) -> Offers {
        let under_way = self.is_under_way() && !self.is_unwanted;
        let held = self.is_held_by_person(snapshot.all_paused);
        let failed = matches!(
            self.stage,
            Stage::Failed(_) | Stage::FileChanged | Stage::Cancelled
        );
        let finished = self.is_stored();
        Offers {
            pause: under_way && !held,
            resume: under_way && held,
            // What was not taken has nothing to be stopped: it is removed.
            cancel: under_way
                || match self.stage {
                    Stage::NeedsFile | Stage::Conflict | Stage::FileChanged => true,
                    Stage::Failed(_) => !self.is_not_taken,
                    _ => false,
                },
            retry: failed && self.is_from_this_visit && !self.is_hopeless(),
            delete: finished,
            restore: self.is_restorable(),
            resolve: matches!(self.stage, Stage::Conflict),
            remove: failed || finished || matches!(self.stage, Stage::Deleted | Stage::Conflict),
        }
    }

    pub(crate) fn row(&self, key: FileKey, snapshot: &Snapshot) -> FileRow<'_> {
        FileRow {
            key,
            revision: self.revision.max(snapshot.common_revision),
            name: &self.name,
            path: &self.folder,
            size: self.size,
            last_modified: self.last_modified,
            media_type: self.media_type.as_deref(),
            is_directory: self.is_directory,
            state: self.state(snapshot),
            acknowledged: self.acknowledged(),
            in_flight: self.in_flight(),
            shown: self.shown,
            upload: self.upload,
            is_from_this_visit: self.is_from_this_visit,
            is_not_taken: self.is_not_taken,
            offers: self.offers(snapshot),
        }
    }
}
