//! The engine: one event in, any number of actions out. Dispatch only; what happens is in the
//! files named after it.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasherDefault, DefaultHasher},
};

use hoist_protocol::{Limits, Millis, PauseReason, UploadId};

use crate::{
    Action, EngineConfig, Event, FileKey, Notice, Snapshot,
    add::Identities,
    file::File,
    hold::Holds,
    line::Line,
    queue::Queue,
    rate::Rate,
    request::{Request, Requests},
    retry::Backoff,
    rng::Rng,
};

/// The state machine of one page's uploads.
///
/// Feed it what happened with [`handle`](Self::handle), then take actions until there is none.
/// When [`deadline`](Self::deadline) has come and nothing else happened, feed [`Event::Tick`].
///
/// # Examples
///
/// ```
/// use hoist_engine::{Action, Engine, EngineConfig, Event, FileKey, Picked};
/// use hoist_protocol::{Millis, Sender};
///
/// let config = EngineConfig::new(Sender::new("page-1").expect("a plain name"));
/// let mut engine = Engine::new(config, 42);
/// let file = Picked { name: "a.txt".into(), size: 12, ..Picked::default() };
/// engine.handle(Millis(0), Event::Added { key: FileKey(0), file });
/// // It waits a moment for more files, so that one call asks for all of them.
/// let when = engine.deadline().expect("something is to be done");
/// engine.handle(when, Event::Tick);
/// let actions: Vec<Action> = std::iter::from_fn(|| engine.next_action()).collect();
/// assert!(actions.iter().any(|action| matches!(action, Action::Create { .. })));
/// ```
#[derive(Debug)]
pub struct Engine {
    pub(crate) config: EngineConfig,
    /// The restriction on types, in the form that the protocol reads.
    pub(crate) accept: Limits,
    pub(crate) limits: Limits,
    pub(crate) snapshot: Snapshot,
    pub(crate) actions: VecDeque<Action>,
    pub(crate) now: Millis,
    pub(crate) rng: Rng,
    pub(crate) queue: Queue,
    pub(crate) requests: Requests,
    pub(crate) holds: Holds,
    pub(crate) line: Line,
    pub(crate) rate: Rate,
    /// After small calls that failed.
    pub(crate) control: Backoff,
    /// After packs that failed.
    pub(crate) bytes: Backoff,
    pub(crate) identities: Identities,
    pub(crate) uploads: HashMap<UploadId, FileKey, BuildHasherDefault<DefaultHasher>>,
    /// How often packs had to be sent again.
    pub(crate) attempt: u32,
    /// Whether some pack may carry nothing but unwanted chunks.
    pub(crate) recheck_packs: bool,
    /// Whether there was something to do since *complete* was said.
    is_busy: bool,
}

impl Engine {
    /// An engine without files. `seed` is for the jitter of retries.
    #[must_use]
    pub fn new(config: EngineConfig, seed: u64) -> Self {
        let snapshot = Snapshot {
            is_started: config.auto_start,
            ..Snapshot::default()
        };
        Self {
            accept: Limits {
                types: config.restrictions.accept.clone(),
                ..Limits::default()
            },
            limits: Limits::default(),
            snapshot,
            actions: VecDeque::new(),
            now: Millis(0),
            rng: Rng::new(seed),
            queue: Queue::default(),
            requests: Requests::default(),
            holds: Holds::default(),
            line: Line::default(),
            rate: Rate::default(),
            control: Backoff::default(),
            bytes: Backoff::default(),
            identities: Identities::default(),
            uploads: HashMap::default(),
            attempt: 0,
            recheck_packs: false,
            is_busy: false,
            config,
        }
    }

    /// Feeds one event that happened at `now`. Never fails and never panics; what makes no sense
    /// is ignored.
    ///
    /// `now` should come from a clock that does not jump (in a browser `performance.timeOrigin +
    /// performance.now()`); an earlier time than the last one counts as the last one.
    pub fn handle(&mut self, now: Millis, event: Event) {
        self.now = self.now.max(now);
        match event {
            Event::Added { key, file } => self.add(key, &file),
            Event::Listed { keys, uploads } => self.list(&keys, uploads),
            Event::Limits(limits) => self.limits = limits,
            Event::Created { request, result } => self.on_created(request, result),
            Event::Status { request, result } => self.on_status(request, result),
            Event::PackProgress { request, sent } => self.on_progress(request, sent),
            Event::PackAnswered { request, result } => self.on_pack(request, result),
            Event::Deleted { request, result } => self.on_deleted(request, result),
            Event::Hashed {
                key,
                index,
                checksum,
            } => self.on_hashed(key, index, checksum),
            Event::Probed { key, unchanged } => self.on_probed(key, unchanged),
            Event::Tick => {}
            Event::Network { online } => self.on_network(online),
            Event::SignedIn => self.on_signed_in(),
            Event::Start => self.snapshot.is_started = true,
            Event::Pause(key) => self.pause(key),
            Event::Resume(key) => self.resume(key),
            Event::PauseAll => self.pause_all(),
            Event::ResumeAll => self.resume_all(),
            Event::TryNow => self.end_waits(),
            Event::Cancel(key) => self.cancel(key),
            Event::CancelAll => self.cancel_all(),
            Event::Delete(key) => self.delete(key),
            Event::Restore(key) => self.restore(key),
            Event::RestoreAll => self.restore_all(),
            Event::Elsewhere(change) => self.elsewhere(&change),
            Event::Retry(key) => self.retry(key),
            Event::RetryAll => self.retry_all(),
            Event::Resolve { key, choice } => self.resolve(key, choice),
            Event::Remove(key) => self.remove(key),
        }
        self.pump();
    }

    /// Takes the next thing the outside world should do; take them until there is none.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Event::Tick`] is wanted, if nothing else happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        let window = self
            .queue
            .waiting_since
            .map(|since| since.plus(self.config.batch_window_ms));
        let flush = self
            .queue
            .hashed_since
            .map(|since| since.plus(crate::pack::LONGEST_WAIT_MS));
        [
            window,
            flush,
            self.control.until(),
            self.bytes.until(),
            self.holds.until(),
            self.queue.first_timer().map(|(at, _)| at),
            self.requests.first_expiry(),
            self.rate.next_look(),
        ]
        .into_iter()
        .flatten()
        // What is over and still not done waits for something else, which will come by itself.
        .filter(|&at| at > self.now)
        .min()
    }

    /// What a view may show.
    #[must_use]
    pub const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Does everything that can be done now.
    fn pump(&mut self) {
        self.holds.expire(self.now);
        self.wake_timers();
        self.give_up_expired();
        self.abort_unwanted_packs();
        if self.holds.may_talk() && self.control.is_over(self.now) {
            self.send_controls();
        }
        if self.holds.may_store() && self.bytes.is_over(self.now) {
            self.read_ahead();
            self.send_packs();
            // Reading may have found that something must be asked first.
            if self.holds.may_talk() && self.control.is_over(self.now) {
                self.send_controls();
            }
        }
        self.rate.look(self.now, self.requests.packs() > 0);
        self.show();
        self.say_complete();
    }

    fn send_controls(&mut self) {
        /// Small calls at once; with four packs that makes the six connections of a browser.
        const MOST: usize = 2;
        while self.requests.controls() < MOST
            && (self.send_status()
                || self.send_check()
                || self.send_delete()
                || self.send_restore()
                || self.send_create())
        {}
    }

    /// Gives up requests that have had no answer for too long.
    fn give_up_expired(&mut self) {
        while let Some(request) = self.requests.expired(self.now) {
            self.act(Action::Abort { request });
            let Some(running) = self.requests.end(request, |_| true) else {
                return;
            };
            let failure = crate::Failure::NoAnswer;
            match running.request {
                Request::Create(keys) => self.create_failed(keys, &failure),
                Request::Status { files, checksums } => {
                    self.status_failed(&files, checksums, &failure);
                }
                Request::Pack(pack) => {
                    self.notify(Notice::Stalled);
                    self.pack_failed(&pack, &failure, true);
                }
                Request::Delete(files) => self.delete_failed(&files, false, &failure),
                Request::Restore(files) => self.delete_failed(&files, true, &failure),
            }
        }
    }

    /// Brings the common part of the snapshot up to date.
    fn show(&mut self) {
        let held = self.holds.reason();
        let paused = if self.snapshot.all_paused {
            Some(PauseReason::ByPerson)
        } else {
            held
        };
        let retry_at = [self.control.until(), self.bytes.until(), self.holds.until()]
            .into_iter()
            .flatten()
            .filter(|&at| at > self.now)
            .min();
        let some_go_on = self.snapshot.all_paused
            && held.is_none()
            && self.queue.exempt.iter().any(|key| {
                let file = self.file(key);
                file.is_some_and(|file| file.is_under_way() && !file.is_unwanted)
            });
        let is_failing = self.control.is_failing() || self.bytes.is_failing();
        if (is_failing, some_go_on) != (self.snapshot.is_failing, self.snapshot.some_go_on) {
            self.snapshot.is_failing = is_failing;
            self.snapshot.some_go_on = some_go_on;
            self.snapshot.revision = self.snapshot.revision.saturating_add(1);
        }
        if held != self.snapshot.held || retry_at != self.snapshot.retry_at {
            self.snapshot.held = held;
            self.snapshot.retry_at = retry_at;
            self.snapshot.touch_all();
        }
        if paused != self.snapshot.paused {
            self.snapshot.paused = paused;
            self.snapshot.touch_all();
            self.notify(paused.map_or(Notice::Resumed, Notice::Paused));
        }
        let rate = self.rate.bytes_per_s();
        let left = self.rate.time_left_ms(self.snapshot.left);
        if (rate, left) != (self.snapshot.rate_bytes_per_s, self.snapshot.time_left_ms) {
            self.snapshot.rate_bytes_per_s = rate;
            self.snapshot.time_left_ms = left;
            self.snapshot.revision = self.snapshot.revision.saturating_add(1);
        }
    }

    fn say_complete(&mut self) {
        if self.snapshot.totals.unsettled > 0 {
            self.is_busy = true;
        } else if self.is_busy {
            self.is_busy = false;
            self.snapshot.is_started = self.config.auto_start;
            self.notify(Notice::Complete);
        }
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    pub(crate) fn notify(&mut self, notice: Notice) {
        self.act(Action::Notify(notice));
    }

    pub(crate) fn file(&self, key: FileKey) -> Option<&File> {
        self.snapshot.file(key)
    }

    /// Holds the whole queue for a reason other than the person's wish.
    pub(crate) fn hold(&mut self, reason: PauseReason, after_ms: u64) {
        let jitter = self.rng.up_to(self.config.retry.first_delay_ms);
        let until = self.now.plus(after_ms.saturating_add(jitter));
        self.holds.hold(reason, until);
    }
}
