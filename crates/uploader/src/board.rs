//! What is shown: signals.

mod publisher;

use std::sync::Arc;

use hoist_engine::{Engine, EngineConfig, Event, FileKey, FileRow, Offers, Snapshot, Totals};
use hoist_protocol::{FileState, ListResponse, Millis, PauseReason, Receipt, Sender, UploadId};
use leptos::prelude::*;

pub(crate) use publisher::Publisher;

/// The rows that are in the document at one time, whatever the height of the list: enough for a
/// tall screen, and all of a first HTML.
pub(crate) const WINDOW: u32 = 50;

/// One row as it stands now.
#[derive(Clone, Debug, PartialEq)]
pub struct FileView {
    /// Which file.
    pub key: FileKey,
    /// Its place in the list, from 0.
    pub position: u32,
    /// Its name.
    pub name: Arc<str>,
    /// Its folder, `a/b`, or empty.
    pub path: Arc<str>,
    /// Its size in bytes.
    pub size: u64,
    /// Its media type, if known.
    pub media_type: Option<Arc<str>>,
    /// Whether it is a folder without anything in it.
    pub is_directory: bool,
    /// Where it stands.
    pub state: FileState,
    /// Bytes the server has acknowledged.
    pub acknowledged: u64,
    /// Bytes on their way.
    pub in_flight: u64,
    /// Bytes to show as progress.
    pub shown: u64,
    /// The server's upload, once there is one.
    pub upload: Option<UploadId>,
    /// Whether the person added it in this visit; otherwise the server listed it.
    pub is_from_this_visit: bool,
    /// What a person can do with it now.
    pub offers: Offers,
}

impl FileView {
    fn new(row: &FileRow<'_>, position: u32) -> Self {
        Self {
            key: row.key,
            position,
            name: row.name.into(),
            path: row.path.into(),
            size: row.size,
            media_type: row.media_type.map(Into::into),
            is_directory: row.is_directory,
            state: row.state.clone(),
            acknowledged: row.acknowledged,
            in_flight: row.in_flight,
            shown: row.shown,
            upload: row.upload,
            is_from_this_visit: row.is_from_this_visit,
            offers: row.offers,
        }
    }

    /// The receipt, if the file is stored.
    #[must_use]
    pub fn receipt(&self) -> Option<&Receipt> {
        match &self.state {
            FileState::Done(receipt) | FileState::Present(receipt) => Some(receipt),
            _ => None,
        }
    }
}

/// The whole queue as it stands now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// Sums over the rows.
    pub totals: Totals,
    /// What holds the whole queue, if anything does.
    pub paused: Option<PauseReason>,
    /// Whether the person has paused everything and resumed some again, that are not settled yet.
    pub some_go_on: bool,
    /// Whether requests fail again and again; they are repeated by themselves.
    pub is_failing: bool,
    /// Bytes per second that the network takes, once and as long as that can be told.
    pub rate_bytes_per_s: Option<u64>,
    /// Time left in milliseconds, once that can be told.
    pub time_left_ms: Option<u64>,
    /// Whether sending was started.
    pub is_started: bool,
}

impl Overview {
    pub(crate) const fn of(snapshot: &Snapshot) -> Self {
        Self {
            totals: snapshot.totals,
            paused: snapshot.paused,
            some_go_on: snapshot.some_go_on,
            is_failing: snapshot.is_failing,
            rate_bytes_per_s: snapshot.rate_bytes_per_s,
            time_left_ms: snapshot.time_left_ms,
            is_started: snapshot.is_started,
        }
    }
}

/// A row inside the window that a view asked for, with its own signal.
#[derive(Clone, Debug)]
pub struct VisibleRow {
    /// Which file.
    pub key: FileKey,
    /// Unlike the key never the same for two signals: a row that left the window and came back is
    /// another. Key a `<For>` with this.
    pub serial: u64,
    /// The row; changes at most once per animation frame.
    pub file: ArcRwSignal<FileView>,
}

/// All signals of one uploader. `Arc` signals, because requests and timers outlive components.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board {
    pub(crate) overview: ArcRwSignal<Overview>,
    /// How many rows are shown.
    pub(crate) count: ArcRwSignal<u32>,
    /// Where the window begins.
    pub(crate) first: ArcRwSignal<u32>,
    pub(crate) visible: ArcRwSignal<Vec<VisibleRow>>,
    /// Walks and reads of selections that are under way: files may still be added.
    pub(crate) picking: ArcRwSignal<u32>,
    /// How many picked things could not be read.
    pub(crate) unreadable: ArcRwSignal<u32>,
    /// Whether only rows with a problem are shown.
    pub(crate) only_problems: ArcRwSignal<bool>,
    /// What went wrong with a file whose row does not say it: the file is there.
    pub(crate) problem: ArcRwSignal<String>,
}

/// An engine that only lists, to show the server's list before anything else can happen.
pub(crate) fn publish_initial(board: &Board, list: &ListResponse) {
    let Ok(sender) = Sender::new("listing") else {
        return;
    };
    let mut engine = Engine::new(EngineConfig::new(sender), 0);
    let event = listed(0, list);
    let mut publisher = Publisher::default();
    publisher.add_listed(0..u32::try_from(list.uploads.len()).unwrap_or(u32::MAX));
    engine.handle(Millis(0), event);
    publisher.look(engine.snapshot(), 0).publish(board);
}

/// The event that tells an engine the server's list; `first` is the next free key.
pub(crate) fn listed(first: u32, list: &ListResponse) -> Event {
    let count = u32::try_from(list.uploads.len()).unwrap_or(u32::MAX);
    Event::Listed {
        keys: (first..first.saturating_add(count)).map(FileKey).collect(),
        uploads: list.uploads.clone(),
    }
}
