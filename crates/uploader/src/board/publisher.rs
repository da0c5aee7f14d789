//! How a snapshot of the engine becomes signals.

use std::ops::Range;

use hoist_engine::{FileKey, Snapshot};
use leptos::prelude::*;

use super::{Board, FileView, Overview, VisibleRow, WINDOW};
use crate::few::Few;

/// Rows that are made in one frame: more than a list shows at first, few enough that the page does not hang.
const NEW_PER_FRAME: usize = 16;

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
    /// What is wanted, if that is not all.
    problems: Option<Problems>,
}

/// What a publish found to be new. Written to signals when nothing is borrowed any more, since
/// whoever watches them may call back at once.
#[derive(Debug, Default)]
pub(crate) struct News {
    overview: Option<Overview>,
    count: Option<u32>,
    /// No problem is left, so all rows are shown again.
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

    /// Shows only rows with a problem, or all again.
    pub(crate) fn show_only_problems(&mut self, only_problems: bool) {
        self.problems = only_problems.then(Problems::default);
        self.order_revision = None;
    }

    fn count(&self) -> u32 {
        u32::try_from(self.order.len()).unwrap_or(u32::MAX)
    }

    /// The rows in the order a person wants them: what was added in this visit in its order, then
    /// what the server listed.
    fn order_of(&self, snapshot: &Snapshot) -> Vec<FileKey> {
        let is_listed = |key: &FileKey| self.listed.iter().any(|range| range.contains(&key.0));
        let problems = self.problems.as_ref();
        let is_wanted = |key: &FileKey| problems.is_none_or(|all| all.contains(snapshot, *key));
        let visible = || snapshot.visible().iter().copied().filter(is_wanted);
        let mut order = Vec::with_capacity(snapshot.visible().len());
        order.extend(visible().filter(|key| !is_listed(key)));
        order.extend(visible().filter(is_listed));
        order
    }

    /// Puts the rows in order anew; tells whether all are shown again, because no problem is left.
    fn sort(&mut self, snapshot: &Snapshot) -> bool {
        self.order = self.order_of(snapshot);
        let Some(problems) = &mut self.problems else {
            return false;
        };
        problems.keep(&self.order);
        let is_over = self.order.is_empty();
        if is_over {
            self.problems = None;
            self.order = self.order_of(snapshot);
        }
        is_over
    }

    /// Looks what is new since the last time; `first` is where the wanted window begins.
    pub(crate) fn look(&mut self, snapshot: &Snapshot, first: u32) -> News {
        let mut news = News::default();
        let has_changed = self.revision != Some(snapshot.revision());
        if self.order_revision != Some(snapshot.order_revision())
            || (has_changed && self.problems.is_some())
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
            news.overview = Some(Overview::of(snapshot));
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
            board.only_problems.set(false);
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

/// The rows with a problem since somebody wanted to see only those, by key. A row that is tried again stays: who has just pressed
/// the button wants to see what comes of it.
#[derive(Debug, Default)]
struct Problems(Vec<FileKey>);

impl Problems {
    fn contains(&self, snapshot: &Snapshot, key: FileKey) -> bool {
        snapshot.is_problem(key) || self.0.binary_search(&key).is_ok()
    }

    fn keep(&mut self, rows: &[FileKey]) {
        self.0 = rows.to_vec();
        self.0.sort_unstable();
    }
}

#[cfg(test)]
mod tests;
