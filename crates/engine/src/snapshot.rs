//! What a view may show: rows, totals, rate.

use hoist_protocol::{FileState, Millis, PauseReason, UploadId};

use crate::{
    FileKey,
    file::{File, Stage},
};

/// One row of the list, as it stands now. Cheap to make; make it for the rows that are seen.
#[derive(Clone, Debug, PartialEq)]
pub struct FileRow<'a> {
    /// Which file.
    pub key: FileKey,
    /// Grows whenever anything in this row changes; compare it before drawing.
    pub revision: u64,
    /// Its name.
    pub name: &'a str,
    /// Its folder, `a/b`, or empty.
    pub path: &'a str,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last modified, in milliseconds since the epoch.
    pub last_modified: Option<i64>,
    /// Its media type, if known.
    pub media_type: Option<&'a str>,
    /// Whether it is a folder without anything in it.
    pub is_directory: bool,
    /// Where it stands, with the word for a person; what holds the whole queue is included.
    pub state: FileState,
    /// Bytes the server has acknowledged.
    pub acknowledged: u64,
    /// Bytes that were handed to the network and are not acknowledged: on their way, or to be sent
    /// again.
    pub in_flight: u64,
    /// Bytes to show as progress: see [`Totals::shown`].
    pub shown: u64,
    /// The server's upload, once there is one; of a finished row the receipt's.
    pub upload: Option<UploadId>,
    /// Whether the person added it in this visit; otherwise the server listed it.
    pub is_from_this_visit: bool,
    /// Whether a restriction refused it when it was added, or when it was tried again.
    pub is_not_taken: bool,
    /// What a person can do with it now.
    pub offers: Offers,
}

/// What a person can do with a row now; an event for anything else is ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one per button, each by itself"
)]
pub struct Offers {
    /// [`crate::Event::Pause`].
    pub pause: bool,
    /// [`crate::Event::Resume`].
    pub resume: bool,
    /// [`crate::Event::Cancel`].
    pub cancel: bool,
    /// [`crate::Event::Retry`].
    pub retry: bool,
    /// [`crate::Event::Delete`].
    pub delete: bool,
    /// [`crate::Event::Restore`].
    pub restore: bool,
    /// [`crate::Event::Resolve`].
    pub resolve: bool,
    /// [`crate::Event::Remove`].
    pub remove: bool,
}

/// Sums over the rows, kept as they change and never summed again.
///
/// The first group counts rows of this visit that are still wanted: not cancelled, not deleted,
/// not taken off the list. A file that failed still counts, so a bar that is not full says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many.
    pub files: u32,
    /// Their sizes.
    pub bytes: u64,
    /// What the server has acknowledged of them; all of a finished one.
    pub acknowledged: u64,
    /// What was handed to the network and is not acknowledged.
    pub in_flight: u64,
    /// What to show as progress: acknowledged, and of what is in flight the part that the network
    /// says it took.
    ///
    /// It never goes back while work is repeated: it stands still until the repetition has caught
    /// up. It never exceeds `acknowledged + in_flight`. It falls only when the truth does: the
    /// server lost an upload, or the person started a file over or took it out.
    pub shown: u64,
    /// Stored whole, in this visit or before.
    pub finished: u32,
    /// Of the finished ones, those that were already there.
    pub present: u32,
    /// Given up, or changed while they were sent.
    pub failed: u32,
    /// Waiting for an answer of the person, because the name is taken.
    pub conflicts: u32,
    /// Rows of this visit that a restriction refused when they were added, and that stand there as failed. They are none of
    /// the others.
    pub not_taken: u32,
    /// Rows of this visit that are [`FileState::Cancelling`]: the server is told to stop or to delete them. Neither they nor the
    /// next three are in [`Self::files`] or in its sums.
    pub cancelling: u32,
    /// Rows of this visit that are [`FileState::Cancelled`].
    pub cancelled: u32,
    /// Rows of this visit that are [`FileState::Deleting`]: nobody sees the file any more, and the grace is not over.
    pub deleting: u32,
    /// Rows of this visit that are [`FileState::Deleted`], for good.
    pub deleted: u32,
    /// Of those that are deleting, the ones that can be restored and are not yet asked for.
    pub restorable: u32,
    /// Not settled yet.
    pub unsettled: u32,
    /// Rows that the server listed as unfinished and whose file is needed again.
    pub needs_file: u32,
    /// Rows that the server listed as finished.
    pub listed_finished: u32,
}

/// Everything a view may show.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub(crate) files: Vec<File>,
    pub(crate) visible: Vec<FileKey>,
    pub(crate) revision: u64,
    pub(crate) order_revision: u64,
    /// The last change that concerned all rows at once.
    pub(crate) common_revision: u64,
    /// Whether the person paused everything.
    pub(crate) all_paused: bool,
    /// What else holds the whole queue.
    pub(crate) held: Option<PauseReason>,
    /// Bytes still to come, of rows that are not settled.
    pub(crate) left: u64,
    /// How many uploads wait for bytes.
    pub(crate) active: u32,
    /// Sums over the rows.
    pub totals: Totals,
    /// What holds the whole queue, if anything does.
    pub paused: Option<PauseReason>,
    /// Whether the person has paused everything and resumed some again, that are not settled yet.
    pub some_go_on: bool,
    /// When the queue or the connection is tried again by itself, if it waits for that.
    pub retry_at: Option<Millis>,
    /// Whether requests fail again and again, which is worth a word although all goes on by itself.
    pub is_failing: bool,
    /// Bytes per second that the network takes, over the last ten seconds; once and as long as that can be told.
    pub rate_bytes_per_s: Option<u64>,
    /// Time left in milliseconds, once that can be told and while nothing holds the queue.
    pub time_left_ms: Option<u64>,
    /// Whether sending was started, by itself or by [`crate::Event::Start`].
    pub is_started: bool,
}

impl Snapshot {
    /// Grows with every change of anything.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Grows when a row appears or disappears.
    #[must_use]
    pub const fn order_revision(&self) -> u64 {
        self.order_revision
    }

    /// The rows to show, oldest first.
    #[must_use]
    pub fn visible(&self) -> &[FileKey] {
        &self.visible
    }

    /// The revision of one row, without making it; `None` if there is no such row.
    #[must_use]
    pub fn row_revision(&self, key: FileKey) -> Option<u64> {
        let file = self.file(key)?;
        file.is_visible()
            .then(|| file.revision.max(self.common_revision))
    }

    /// Whether a row waits for the person to do something: it failed, was not accepted, is of a file that has changed, or
    /// has a name that is taken. Without making it.
    #[must_use]
    pub fn is_problem(&self, key: FileKey) -> bool {
        self.file(key).is_some_and(|file| {
            matches!(
                file.stage,
                Stage::Failed(_) | Stage::FileChanged | Stage::Conflict
            )
        })
    }

    /// One row; `None` if there is none, or not any more.
    #[must_use]
    pub fn row(&self, key: FileKey) -> Option<FileRow<'_>> {
        let file = self.file(key)?;
        file.is_visible().then(|| file.row(key, self))
    }

    /// All rows, oldest first.
    pub fn rows(&self) -> impl Iterator<Item = FileRow<'_>> {
        self.visible.iter().filter_map(|&key| self.row(key))
    }

    /// The rows of which this is true.
    pub(crate) fn keys_of(&self, is: impl Fn(&File) -> bool) -> Vec<FileKey> {
        let visible = self.visible.iter().copied();
        visible
            .filter(|&key| self.file(key).is_some_and(&is))
            .collect()
    }

    pub(crate) fn file(&self, key: FileKey) -> Option<&File> {
        self.files.get(usize::try_from(key.0).ok()?)
    }
}
