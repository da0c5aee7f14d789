//! The engine's hands in a browser: runs its actions, feeds it events, owns timers, and publishes
//! what is seen once per animation frame.
//!
//! Everything here is one thread, and any callback of the host page may call any method of the
//! handle. So nothing is ever borrowed while somebody else's code runs: events wait in a queue
//! until the one before has been handled to its end.

mod actions;
mod page;

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::{Rc, Weak},
    sync::Arc,
};

use gloo_file::File;
use hoist_engine::{Engine, EngineConfig, Event, FileKey, Picked, RequestId};
use hoist_protocol::{FileState, ListResponse, Millis, Sender, UploadStatus, route};
use leptos::prelude::{GetUntracked, Set, Update};

use crate::{
    board::{self, Board, Publisher},
    browser::{self, Listener, Wake},
    few::Few,
    hash::{self, Reader},
    options::{Body, UploaderOptions},
    transport::{self, Call, deletes},
};

/// Events handled without giving the page its turn. Only a callback that answers each event with
/// another one ever gets there.
const MOST_AT_ONCE: u32 = 20_000;
/// While files are sent, what is new is shown this often. Nobody reads faster, and each time costs a layout and a
/// drawing, in a long upload a tenth of all its work.
const SHOW_MS: f64 = 100.0;

/// Largest pack that is sent from memory: a browser copies it while the page stands still, about two milliseconds
/// for each mebibyte.
const LARGEST_COPY: u64 = 16 << 20;

thread_local! {
    /// The drivers of this page. They are reached by number, since what JavaScript holds cannot be
    /// kept where the server's threads could drop it.
    static DRIVERS: RefCell<Few<u64, Rc<Driver>>> = const { RefCell::new(Few::new()) };
}

fn now() -> Millis {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "milliseconds since 1970 are positive and fit"
    )]
    Millis(browser::now_ms() as u64)
}

const fn sends_buffers(options: &UploaderOptions, is_safari: bool) -> bool {
    match options.body {
        Body::Auto => is_safari,
        Body::Slices => false,
        Body::Buffer => true,
    }
}

/// See the module.
pub(crate) struct Driver {
    me: Weak<Self>,
    pub(crate) options: Arc<UploaderOptions>,
    board: Board,
    engine: RefCell<Engine>,
    inbox: RefCell<VecDeque<Event>>,
    /// Whether events are being handled, or signals written, further up the stack.
    is_busy: Cell<bool>,
    publisher: RefCell<Publisher>,
    /// Where the window that a view wants begins.
    first: Cell<u32>,
    /// By key; `None` for what the server listed and for what was let go.
    files: RefCell<Vec<Option<File>>>,
    pub(crate) reader: Reader,
    calls: RefCell<Few<RequestId, Call>>,
    /// Packs in a buffer whose bytes are being read, until they are sent.
    gathering: RefCell<Few<RequestId, ()>>,
    limits_call: RefCell<Option<Call>>,
    /// What [`Self::keep_deletes`] has kept.
    deletes: RefCell<String>,
    tick: Wake,
    timer: Cell<Option<(i32, Millis)>>,
    frame: Wake,
    asked_frame: Cell<Option<i32>>,
    /// Asks for a frame when it is time for one.
    later: Wake,
    asked_later: Cell<Option<i32>>,
    /// When news were shown last.
    shown_at: Cell<f64>,
    listeners: RefCell<Vec<Listener>>,
    leave_guard: RefCell<Option<Listener>>,
    is_safari: bool,
    /// Whether pieces of large files are sent from memory, and not as slices.
    pub(crate) keeps_pieces: bool,
}

impl Driver {
    /// The driver of a handle; starts it if it does not run. `None` outside of a browser.
    pub(crate) fn of(slot: u64, board: &Board, options: &Arc<UploaderOptions>) -> Option<Rc<Self>> {
        if cfg!(not(target_arch = "wasm32")) {
            return None;
        }
        let running = DRIVERS.with_borrow(|drivers| drivers.get(&slot).cloned());
        if running.is_some() {
            return running;
        }
        let driver = Self::new(board.clone(), Arc::clone(options))?;
        DRIVERS.with_borrow_mut(|drivers| drivers.insert(slot, Rc::clone(&driver)));
        driver.begin();
        Some(driver)
    }

    /// Ends a driver: requests are aborted, timers and listeners go.
    pub(crate) fn stop(slot: u64) {
        let driver = DRIVERS.try_with(|drivers| drivers.borrow_mut().remove(&slot));
        if let Ok(Some(driver)) = driver {
            driver.listeners.borrow_mut().clear();
            driver.leave_guard.borrow_mut().take();
            driver.tell_deletes_again();
            driver.calls.borrow_mut().clear();
            transport::close_idle_sockets();
            // What is called back later must not be called when it is gone.
            let tick = driver.timer.take().map(|(id, _)| id);
            for id in [tick, driver.asked_later.take()].into_iter().flatten() {
                browser::clear_timeout(id);
            }
            if let Some(id) = driver.asked_frame.take() {
                browser::cancel_frame(id);
            }
        }
    }

    fn new(board: Board, options: Arc<UploaderOptions>) -> Option<Rc<Self>> {
        let is_safari = browser::is_safari();
        let defaults = EngineConfig::new(Sender::new(browser::random_hex()).ok()?);
        let is_buffer = sends_buffers(&options, is_safari);
        let keeps_pieces = options.body == Body::Auto && hash::keeps_pieces();
        let config = EngineConfig {
            // Of small files, and where it pays of pieces of large ones, all is kept in memory while it waits.
            read_ahead: defaults.read_ahead << u32::from(!is_buffer),
            whole_files: !is_buffer,
            largest_pack: if keeps_pieces || is_buffer {
                LARGEST_COPY
            } else {
                defaults.largest_pack
            },
            auto_start: options.auto_start,
            chunk_size: options.chunk_size,
            max_concurrent: options.max_concurrent,
            on_conflict: options.on_conflict,
            restrictions: options.restrictions.clone(),
            retry: options.retry,
            ..defaults
        };
        let seed = u64::from_str_radix(browser::random_hex().get(..16)?, 16).ok()?;
        let mut publisher = Publisher::by_frames();
        publisher.adopt(&board);
        Some(Rc::new_cyclic(|me: &Weak<Self>| {
            let (for_tick, for_frame, for_later) =
                (Weak::clone(me), Weak::clone(me), Weak::clone(me));
            Self {
                me: Weak::clone(me),
                options,
                board,
                engine: RefCell::new(Engine::new(config, seed)),
                inbox: RefCell::default(),
                is_busy: Cell::new(false),
                publisher: RefCell::new(publisher),
                first: Cell::new(0),
                files: RefCell::default(),
                reader: Reader::default(),
                calls: RefCell::default(),
                gathering: RefCell::default(),
                limits_call: RefCell::default(),
                deletes: RefCell::default(),
                tick: Wake::new(move || {
                    if let Some(driver) = for_tick.upgrade() {
                        driver.timer.set(None);
                        driver.feed(Event::Tick);
                    }
                }),
                timer: Cell::new(None),
                frame: Wake::new(move || {
                    if let Some(driver) = for_frame.upgrade() {
                        driver.asked_frame.set(None);
                        driver.publish();
                    }
                }),
                asked_frame: Cell::new(None),
                later: Wake::new(move || {
                    if let Some(driver) = for_later.upgrade() {
                        driver.asked_later.set(None);
                        driver.ask_frame();
                    }
                }),
                asked_later: Cell::new(None),
                shown_at: Cell::new(0.0),
                listeners: RefCell::default(),
                leave_guard: RefCell::default(),
                is_safari,
                keeps_pieces,
            }
        }))
    }

    fn begin(&self) {
        if let Some(list) = &self.options.initial {
            self.add_listed(list);
            self.hide_doomed(list);
            self.publish();
        }
        self.listen();
        self.tell_deletes_again();
        self.ask_limits();
    }

    /// What an earlier page wanted deleted, and this one tells, is not shown as there.
    fn hide_doomed(&self, list: &ListResponse) {
        let doomed = deletes::kept(&self.url(route::DELETE));
        if doomed.is_empty() {
            return;
        }
        for (key, upload) in (0..).map(FileKey).zip(&list.uploads) {
            if let UploadStatus::Finished { receipt } = upload
                && let id = receipt.id.to_string()
                && doomed.split(' ').any(|other| other == id)
            {
                self.inbox.borrow_mut().push_back(Event::Remove(key));
            }
        }
        self.run();
    }

    /// Whether packs are sent as one buffer each.
    pub(crate) fn sends_buffers(&self) -> bool {
        sends_buffers(&self.options, self.is_safari)
    }

    /// The file of a key, while there is one.
    pub(crate) fn file(&self, key: FileKey) -> Option<File> {
        let files = self.files.borrow();
        files.get(usize::try_from(key.0).ok()?)?.clone()
    }

    fn drop_file(&self, key: FileKey) {
        if let Ok(place) = usize::try_from(key.0)
            && let Some(file) = self.files.borrow_mut().get_mut(place)
        {
            *file = None;
        }
    }

    fn next_key(&self) -> u32 {
        u32::try_from(self.files.borrow().len()).unwrap_or(u32::MAX)
    }

    /// Adds files that were picked, or folders without anything in them.
    pub(crate) fn add(&self, picked: impl IntoIterator<Item = (Picked, Option<File>)>) {
        for (file, handle) in picked {
            let key = FileKey(self.next_key());
            self.files.borrow_mut().push(handle);
            self.inbox
                .borrow_mut()
                .push_back(Event::Added { key, file });
        }
        self.run();
    }

    /// Adds rows that the server listed.
    pub(crate) fn add_listed(&self, list: &ListResponse) {
        let first = self.next_key();
        let count = list.uploads.len();
        let length = self.files.borrow().len().saturating_add(count);
        self.files.borrow_mut().resize(length, None);
        self.publisher
            .borrow_mut()
            .add_listed(first..self.next_key());
        self.feed(board::listed(first, list));
    }

    /// Takes the rows off the list that [`crate::Uploader::clear`] names.
    pub(crate) fn clear(&self) {
        let done: Vec<FileKey> = {
            let engine = self.engine.borrow();
            let is_done = |state: &FileState| {
                matches!(
                    state,
                    FileState::Done(_)
                        | FileState::Present(_)
                        | FileState::Cancelled
                        | FileState::Deleted
                )
            };
            let rows = engine.snapshot().rows();
            rows.filter(|row| row.is_from_this_visit && (row.is_not_taken || is_done(&row.state)))
                .map(|row| row.key)
                .collect()
        };
        self.inbox
            .borrow_mut()
            .extend(done.into_iter().map(Event::Remove));
        self.run();
    }

    /// Something happened.
    pub(crate) fn feed(&self, event: Event) {
        self.inbox.borrow_mut().push_back(event);
        self.run();
    }

    fn run(&self) {
        if self.is_busy.replace(true) {
            return;
        }
        let mut handled = 0;
        while handled < MOST_AT_ONCE {
            let event = self.inbox.borrow_mut().pop_front();
            let Some(event) = event else { break };
            handled += 1;
            let removed = match &event {
                Event::Remove(key) => Some(*key),
                _ => None,
            };
            self.engine.borrow_mut().handle(now(), event);
            if let Some(key) = removed
                && self.engine.borrow().snapshot().row(key).is_none()
            {
                self.drop_file(key);
            }
            loop {
                let action = self.engine.borrow_mut().next_action();
                let Some(action) = action else { break };
                self.perform(action);
            }
        }
        self.is_busy.set(false);
        self.keep_deletes();
        if let Some(me) = self.me.upgrade() {
            self.reader.pump(&me);
        }
        self.arm();
        self.ask_frame_in_time();
    }

    /// Sets the timer to the engine's deadline.
    fn arm(&self) {
        let wanted = if self.inbox.borrow().is_empty() {
            self.engine.borrow().deadline()
        } else {
            Some(now())
        };
        let armed = self.timer.get();
        if armed.map(|(_, at)| at) == wanted {
            return;
        }
        if let Some((id, _)) = armed {
            browser::clear_timeout(id);
        }
        let set = wanted.and_then(|at| {
            // One more, because a browser may fire a fraction too early.
            let ms = at.since(now()).saturating_add(1);
            let id = self.tick.after(i32::try_from(ms).unwrap_or(i32::MAX))?;
            Some((id, at))
        });
        self.timer.set(set);
    }

    /// Asks for a frame, now or, while files are sent, when the last is long enough ago.
    fn ask_frame_in_time(&self) {
        let wait = self.shown_at.get() + SHOW_MS - browser::now_ms();
        if wait <= 0.0 || self.engine.borrow().snapshot().totals.unsettled == 0 {
            self.ask_frame();
        } else if self.asked_frame.get().is_none() && self.asked_later.get().is_none() {
            #[expect(clippy::cast_possible_truncation, reason = "between 0 and `SHOW_MS`")]
            self.asked_later.set(self.later.after(wait as i32));
        }
    }

    fn ask_frame(&self) {
        if self.asked_frame.get().is_none() {
            self.asked_frame.set(self.frame.at_frame());
        }
    }

    /// Which rows are seen.
    pub(crate) fn show_from(&self, first: u32) {
        if self.first.replace(first) != first {
            self.ask_frame();
        }
    }

    /// Which rows are shown at all.
    pub(crate) fn show_only_problems(&self, only_problems: bool) {
        if self.board.only_problems.get_untracked() == only_problems {
            return;
        }
        self.publisher
            .borrow_mut()
            .show_only_problems(only_problems);
        // They are another list, to be read from its beginning.
        self.first.set(0);
        self.board.only_problems.set(only_problems);
        self.ask_frame();
    }

    /// Writes what is new to the signals.
    pub(crate) fn publish(&self) {
        if self.is_busy.replace(true) {
            // Called back from an event: it is shown with the next frame.
            self.ask_frame();
            return;
        }
        let news = {
            let engine = self.engine.borrow();
            self.publisher
                .borrow_mut()
                .look(engine.snapshot(), self.first.get())
        };
        news.publish(&self.board);
        self.shown_at.set(browser::now_ms());
        self.is_busy.set(false);
        if self.publisher.borrow().is_short() {
            self.ask_frame();
        }
        self.guard_leaving();
        if !self.inbox.borrow().is_empty() {
            self.run();
        }
    }

    /// Says that a selection is being read, so that nobody believes that all is done.
    pub(crate) fn begin_picking(&self) {
        self.board.problem.set(String::new());
        // Whoever adds files wants to see them come.
        self.show_only_problems(false);
        self.board.picking.update(|walks| *walks += 1);
    }

    /// The selection is in the list now.
    pub(crate) fn end_picking(&self, unreadable: u32) {
        self.publish();
        if unreadable > 0 {
            self.board
                .unreadable
                .update(|count| *count = count.saturating_add(unreadable));
        }
        let walks = self.board.picking.get_untracked();
        self.board.picking.set(walks.saturating_sub(1));
    }
}
