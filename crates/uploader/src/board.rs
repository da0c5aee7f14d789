//! What is shown: signals, and how a snapshot of the engine becomes them.

use std::{ops::Range, sync::Arc};

use hoist_engine::{Engine, EngineConfig, Event, FileKey, FileRow, Offers, Snapshot, Totals};
use hoist_protocol::{FileState, ListResponse, Millis, PauseReason, Receipt, Sender, UploadId};
use leptos::prelude::*;

use crate::few::Few;

/// The rows that are in the document at one time, whatever the height of the list: enough for a
/// tall screen, and all of a first HTML.
pub(crate) const WINDOW: u32 = 50;

/// Rows that are made in one frame: more than a list shows at first, few enough that the page does not hang.
const NEW_PER_FRAME: usize = 16;

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
    /// Whether the person has paused everything and resumed some again.
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
    /// How many rows there are.
    pub(crate) count: ArcRwSignal<u32>,
    /// Where the window begins.
    pub(crate) first: ArcRwSignal<u32>,
    pub(crate) visible: ArcRwSignal<Vec<VisibleRow>>,
    /// Walks and reads of selections that are under way: files may still be added.
    pub(crate) picking: ArcRwSignal<u32>,
    /// How many picked things could not be read.
    pub(crate) unreadable: ArcRwSignal<u32>,
    /// Whether only rows that failed are shown.
    pub(crate) only_failed: ArcRwSignal<bool>,
    /// What went wrong with a file whose row does not say it: the file is there.
    pub(crate) problem: ArcRwSignal<String>,
}

/// Turns snapshots into signals, and touches only what has changed.
#[derive(Debug, Default)]
pub(crate) struct Publisher {
    order: Vec<FileKey>,
    order_revision: Option<u64>,
    revision: Option<u64>,
    shown: Few<FileKey, (u64, VisibleRow)>,
    window: Range<u32>,
    /// Keys of rows that the server listed.
    listed: Vec<Range<u32>>,
    serial: u64,
    /// Most rows that one look makes; `None` for all.
    most_new: Option<usize>,
    /// Whether the last look has left rows for the next one.
    is_short: bool,
    /// The rows that were seen to have failed since only those are wanted, by key.
    failed: Option<Vec<FileKey>>,
}

/// What a publish found to be new. Written to signals when nothing is borrowed any more, since
/// whoever watches them may call back at once.
#[derive(Debug, Default)]
pub(crate) struct News {
    overview: Option<Overview>,
    count: Option<u32>,
    /// No row that failed is left, so all are shown again.
    is_all: bool,
    visible: Option<(u32, Vec<VisibleRow>)>,
    rows: Vec<(ArcRwSignal<FileView>, FileView)>,
}

impl Publisher {
    /// One that makes a few rows with each frame.
    pub(crate) fn by_frames() -> Self {
        Self {
            most_new: Some(NEW_PER_FRAME),
            ..Self::default()
        }
    }

    /// Whether rows are missing, to be made in the next frame.
    pub(crate) const fn is_short(&self) -> bool {
        self.is_short
    }

    /// Goes on from the rows that are shown already: views hold their signals.
    pub(crate) fn adopt(&mut self, board: &Board) {
        for row in board.visible.get_untracked() {
            self.serial = self.serial.max(row.serial);
            self.shown.insert(row.key, (u64::MAX, row));
        }
    }

    /// Remembers which keys the server's list was given.
    pub(crate) fn add_listed(&mut self, keys: Range<u32>) {
        self.listed.push(keys);
        self.order_revision = None;
    }

    /// Shows only rows that have failed, or all again. One that failed stays where it is when it is tried
    /// again: who has just pressed the button wants to see what comes of it.
    pub(crate) fn show_only_failed(&mut self, only_failed: bool) {
        self.failed = only_failed.then(Vec::new);
        self.order_revision = None;
    }

    fn count(&self) -> u32 {
        u32::try_from(self.order.len()).unwrap_or(u32::MAX)
    }

    /// The rows in the order a person wants them: what was added in this visit in its order, then
    /// what the server listed.
    fn order_of(&self, snapshot: &Snapshot) -> Vec<FileKey> {
        let is_listed = |key: &FileKey| self.listed.iter().any(|range| range.contains(&key.0));
        let is_wanted = |key: &FileKey| {
            let wants =
                |failed: &Vec<_>| snapshot.is_failed(*key) || failed.binary_search(key).is_ok();
            self.failed.as_ref().is_none_or(wants)
        };
        let visible = || snapshot.visible().iter().copied().filter(is_wanted);
        let mut order = Vec::new();
        order.extend(visible().filter(|key| !is_listed(key)));
        order.extend(visible().filter(is_listed));
        order
    }

    /// Puts the rows in order anew; tells whether those that failed are no longer wanted, because none is left.
    fn sort(&mut self, snapshot: &Snapshot) -> bool {
        self.order = self.order_of(snapshot);
        let Some(failed) = &mut self.failed else {
            return false;
        };
        failed.clone_from(&self.order);
        failed.sort_unstable();
        let is_over = failed.is_empty();
        if is_over {
            self.failed = None;
            self.order = self.order_of(snapshot);
        }
        is_over
    }

    /// Looks what is new since the last time; `first` is where the wanted window begins.
    pub(crate) fn look(&mut self, snapshot: &Snapshot, first: u32) -> News {
        let mut news = News::default();
        let has_changed = self.revision != Some(snapshot.revision());
        if self.order_revision != Some(snapshot.order_revision())
            || (has_changed && self.failed.is_some())
        {
            self.order_revision = Some(snapshot.order_revision());
            let before = self.order.len();
            news.is_all = self.sort(snapshot);
            if self.order.len() != before {
                news.count = Some(self.count());
            }
        } else if !has_changed
            && !self.is_short
            && self.window.start == window(first, self.count()).start
        {
            return news;
        }
        if has_changed {
            self.revision = Some(snapshot.revision());
            news.overview = Some(Overview {
                totals: snapshot.totals,
                paused: snapshot.paused,
                some_go_on: snapshot.some_go_on,
                is_failing: snapshot.is_failing,
                rate_bytes_per_s: snapshot.rate_bytes_per_s,
                time_left_ms: snapshot.time_left_ms,
                is_started: snapshot.is_started,
            });
        }
        let start = self.window.start;
        self.window = window(first, self.count());
        // What is scrolled to is drawn at once: that is what the person looks at.
        let most_new = self.most_new.filter(|_| start == self.window.start);
        self.look_at_rows(snapshot, most_new, &mut news);
        news
    }

    fn look_at_rows(&mut self, snapshot: &Snapshot, most_new: Option<usize>, news: &mut News) {
        let mut seen = Few::new();
        let mut list = Vec::new();
        let place = |row: u32| usize::try_from(row).unwrap_or(usize::MAX);
        let window = place(self.window.start)..place(self.window.end);
        let keys = self.order.get(window).unwrap_or_default();
        let mut is_same = keys.len() == self.shown.len();
        let mut left = most_new.unwrap_or(usize::MAX);
        self.is_short = false;
        for (position, &key) in (self.window.start..).zip(keys) {
            let Some(revision) = snapshot.row_revision(key) else {
                continue;
            };
            let row = match self.shown.remove(&key) {
                Some((old, row)) => {
                    let has_moved = row.file.with_untracked(|file| file.position != position);
                    is_same &= !has_moved;
                    if (old != revision || has_moved)
                        && let Some(new) = snapshot.row(key)
                    {
                        news.rows
                            .push((row.file.clone(), FileView::new(&new, position)));
                    }
                    row
                }
                // Those behind it that are drawn stay.
                None if left == 0 => {
                    self.is_short = true;
                    continue;
                }
                None => {
                    let Some(new) = snapshot.row(key) else {
                        continue;
                    };
                    left -= 1;
                    is_same = false;
                    self.serial += 1;
                    VisibleRow {
                        key,
                        serial: self.serial,
                        file: ArcRwSignal::new(FileView::new(&new, position)),
                    }
                }
            };
            list.push(row.clone());
            seen.insert(key, (revision, row));
        }
        self.shown = seen;
        if !is_same {
            news.visible = Some((self.window.start, list));
        }
    }
}

impl News {
    pub(crate) fn publish(self, board: &Board) {
        for (signal, file) in self.rows {
            if signal.with_untracked(|old| *old != file) {
                signal.set(file);
            }
        }
        if self.is_all {
            board.only_failed.set(false);
        }
        if let Some(count) = self.count {
            board.count.set(count);
        }
        if let Some((first, rows)) = self.visible {
            if board.first.get_untracked() != first {
                board.first.set(first);
            }
            board.visible.set(rows);
        }
        if let Some(overview) = self.overview
            && board.overview.with_untracked(|old| *old != overview)
        {
            board.overview.set(overview);
        }
    }
}

/// The rows that are drawn if the one at `first` is the first that should be.
fn window(first: u32, count: u32) -> Range<u32> {
    let start = first.min(count.saturating_sub(WINDOW));
    start..count.min(start + WINDOW)
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

#[cfg(test)]
mod tests;
