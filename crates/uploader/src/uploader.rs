//! The handle: what a page can do with an uploader, and what it can watch.

use std::{
    fmt,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use gloo_file::File;
use hoist_engine::{Elsewhere, Event, FileKey};
use hoist_protocol::{ListResponse, OnConflict};
use leptos::prelude::*;

use crate::{
    board::{self, Board, Overview, VisibleRow},
    driver::Driver,
    options::UploaderOptions,
    pick,
};

static NEXT_SLOT: AtomicU64 = AtomicU64::new(0);

/// A handle on one queue of uploads: actions and signals. Copy it wherever it is needed; it lives
/// as long as the component that called [`use_uploader`].
///
/// Actions do nothing while a page is rendered on the server, and nothing once the component is
/// gone. They may be called from every callback.
///
/// # Examples
///
/// A skin of one's own, over the same queue:
///
/// ```
/// use hoist_leptos::{Uploader, UploaderOptions, VisibleRow, format_bytes, use_uploader};
/// use leptos::prelude::*;
///
/// #[component]
/// fn Mine() -> impl IntoView {
///     let uploader = use_uploader(UploaderOptions { auto_start: false, ..UploaderOptions::default() });
///     let (rows, overview) = (uploader.visible(), uploader.overview());
///     let row = move |row: VisibleRow| {
///         let (file, key) = (row.file, row.key);
///         view! {
///             <li>
///                 {move || format!("{}: {}", file.read().name, format_bytes(file.read().shown))}
///                 <button on:click=move |_| uploader.cancel(key)>"Stop"</button>
///                 <button on:click=move |_| uploader.retry(key)>"Once more"</button>
///                 <button on:click=move |_| uploader.delete(key)>"Delete"</button>
///             </li>
///         }
///     };
///     view! {
///         <button on:click=move |_| uploader.start()>"Send"</button>
///         <button on:click=move |_| uploader.cancel_all()>"Stop all"</button>
///         <button on:click=move |_| uploader.clear()>"Clear"</button>
///         <p>{move || overview.read().totals.files} " files, " {uploader.count()} " rows"</p>
///         <ul><For each=move || rows.get() key=|row| row.serial children=row/></ul>
///     }
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Uploader(StoredValue<Inner>);

struct Inner {
    board: Board,
    options: Arc<UploaderOptions>,
    slot: u64,
}

impl fmt::Debug for Uploader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Uploader")
    }
}

/// Makes a queue of uploads, and begins its work once the page is alive.
///
/// # Examples
///
/// ```
/// use hoist_leptos::{UploaderOptions, use_uploader};
/// use leptos::prelude::*;
///
/// #[component]
/// fn Plain() -> impl IntoView {
///     let uploader = use_uploader(UploaderOptions::default());
///     let overview = uploader.overview();
///     view! {
///         <p>{move || overview.read().totals.finished} " files are there"</p>
///         <button on:click=move |_| uploader.pause_all()>"Pause"</button>
///     }
/// }
/// ```
///
/// # Server rendering
///
/// Renders what [`UploaderOptions::initial`] says, on the server and in the browser alike.
#[must_use]
pub fn use_uploader(options: UploaderOptions) -> Uploader {
    let board = Board::default();
    if let Some(list) = &options.initial {
        board::publish_initial(&board, list);
    }
    let slot = NEXT_SLOT.fetch_add(1, Ordering::Relaxed);
    let uploader = Uploader(StoredValue::new(Inner {
        board,
        options: Arc::new(options),
        slot,
    }));
    // Never on the server: an effect does not run there.
    Effect::new(move || drop(uploader.driver()));
    on_cleanup(move || Driver::stop(slot));
    uploader
}

impl Uploader {
    pub(crate) fn driver(self) -> Option<Rc<Driver>> {
        self.0
            .try_with_value(|inner| (inner.slot, inner.board.clone(), Arc::clone(&inner.options)))
            .and_then(|(slot, board, options)| Driver::of(slot, &board, &options))
    }

    pub(crate) fn board(self) -> Board {
        self.0
            .try_with_value(|inner| inner.board.clone())
            .unwrap_or_default()
    }

    /// What it was made with.
    #[must_use]
    pub fn options(self) -> Arc<UploaderOptions> {
        self.0
            .try_with_value(|inner| Arc::clone(&inner.options))
            .unwrap_or_default()
    }

    fn feed(self, event: Event) {
        if let Some(driver) = self.driver() {
            driver.feed(event);
        }
    }

    /// Adds files, as from an input or a drop. Ten thousand are added in slices, so that the page
    /// goes on reacting.
    ///
    /// The folder of a file that was picked with its folder is kept.
    pub fn add_files(self, files: impl IntoIterator<Item = File>) {
        if let Some(driver) = self.driver() {
            pick::add_files(
                &driver,
                files
                    .into_iter()
                    .map(|file| AsRef::<web_sys::File>::as_ref(&file).clone())
                    .collect(),
            );
        }
    }

    /// Adds rows of the server's list, another page of it for example. What is there already is
    /// not added again.
    pub fn add_listed(self, list: &ListResponse) {
        if let Some(driver) = self.driver() {
            driver.add_listed(list);
        }
    }

    /// Begins, if [`UploaderOptions::auto_start`] is off.
    pub fn start(self) {
        self.feed(Event::Start);
    }

    /// Pauses one file.
    pub fn pause(self, key: FileKey) {
        self.feed(Event::Pause(key));
    }

    /// Resumes one file.
    pub fn resume(self, key: FileKey) {
        self.feed(Event::Resume(key));
    }

    /// Cancels one file: what the server has of it is deleted.
    pub fn cancel(self, key: FileKey) {
        self.feed(Event::Cancel(key));
    }

    /// Tries a failed file again.
    pub fn retry(self, key: FileKey) {
        self.feed(Event::Retry(key));
    }

    /// Deletes a stored file on the server. It can be taken back for a while.
    pub fn delete(self, key: FileKey) {
        self.feed(Event::Delete(key));
    }

    /// Takes a delete back.
    pub fn restore(self, key: FileKey) {
        self.feed(Event::Restore(key));
    }

    /// Takes a settled row off the list; the server is not told.
    pub fn remove(self, key: FileKey) {
        self.feed(Event::Remove(key));
    }

    /// Answers a conflict; `None` leaves the file out.
    pub fn resolve(self, key: FileKey, choice: Option<OnConflict>) {
        self.feed(Event::Resolve { key, choice });
    }

    /// Pauses everything, what is added later included.
    pub fn pause_all(self) {
        self.feed(Event::PauseAll);
    }

    /// Resumes everything, and tries now whatever waits.
    pub fn resume_all(self) {
        self.feed(Event::ResumeAll);
        // Whoever resumes has signed in by now, or is told so again.
        self.feed(Event::SignedIn);
    }

    /// Tries now whatever waits to be tried again, as after an outage. What is paused stays so.
    pub fn try_now(self) {
        self.feed(Event::TryNow);
    }

    /// Cancels what was added in this visit: what has not begun is dropped, what is under way is
    /// stopped and deleted on the server, and what is **finished is deleted** there too (each row can
    /// be restored for the server's grace, and all of them by [`Self::restore_all`]). What was there
    /// already leaves the list and stays on the server; what the server had listed is not touched.
    pub fn cancel_all(self) {
        self.feed(Event::CancelAll);
    }

    /// Takes back all deletes of files that were added in this visit, as long as the server can.
    pub fn restore_all(self) {
        self.feed(Event::RestoreAll);
    }

    /// Tries all failed files again.
    pub fn retry_all(self) {
        self.feed(Event::RetryAll);
    }

    /// Says what became of a stored file by other means than this uploader, as a list of files beside it on the page: its row
    /// follows, and its delete can be taken back there.
    pub fn changed_elsewhere(self, change: Elsewhere) {
        self.feed(Event::Elsewhere(change));
    }

    /// Takes the rows off the list that are stored, cancelled, deleted or were not accepted; the server is not told.
    pub fn clear(self) {
        if let Some(driver) = self.driver() {
            driver.clear();
        }
    }

    /// The visitor has signed in again: goes on.
    pub fn signed_in(self) {
        self.feed(Event::SignedIn);
    }

    /// The whole queue as it stands now; changes at most once per animation frame.
    #[must_use]
    pub fn overview(self) -> ArcReadSignal<Overview> {
        self.board().overview.read_only()
    }

    /// How many rows are shown.
    #[must_use]
    pub fn count(self) -> ArcReadSignal<u32> {
        self.board().count.read_only()
    }

    /// Says which row is the first that is seen; [`Uploader::visible`] follows.
    pub fn show_from(self, first: u32) {
        if let Some(driver) = self.driver() {
            driver.show_from(first);
        }
    }

    /// Shows only the rows that wait for the person to do something, or all again: that failed or were not accepted,
    /// whose file has changed, or whose name is taken. A row that is tried again stays. When none is left,
    /// and when files are added, all are shown again by themselves.
    pub fn show_only_problems(self, only_problems: bool) {
        if let Some(driver) = self.driver() {
            driver.show_only_problems(only_problems);
        }
    }

    /// Whether [only rows with a problem](Self::show_only_problems) are shown.
    #[must_use]
    pub fn shows_only_problems(self) -> ArcReadSignal<bool> {
        self.board().only_problems.read_only()
    }

    /// The rows from the first that is seen on, at most 50, each with a signal of its own.
    #[must_use]
    pub fn visible(self) -> ArcReadSignal<Vec<VisibleRow>> {
        self.board().visible.read_only()
    }

    /// Whether a selection is still being read: more files may come.
    #[must_use]
    pub fn is_picking(self) -> Signal<bool> {
        let picking = self.board().picking;
        Signal::derive(move || picking.get() > 0)
    }

    /// How many picked things could not be read, and so are not in the list.
    #[must_use]
    pub fn unreadable(self) -> ArcReadSignal<u32> {
        self.board().unreadable.read_only()
    }
}
