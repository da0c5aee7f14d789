//! Asking the server for uploads, in batches, ahead of the bytes.

use hoist_protocol::{
    ChunkLayout, CreateAnswer, CreateRequest, CreateResponse, ErrorBody, ErrorCode, Needed,
    PauseReason, Receipt,
};

use crate::{
    Action, Engine, Failure, FileKey, Notice, RequestId,
    file::{File, Stage, Then},
    queue::candidates,
    request::Request,
    retry::{Verdict, classify, classify_body, is_about_content},
    transfer::Transfer,
    words,
};

/// Uploads that are created and not finished, at most: enough to keep any line busy, and a bound
/// for what a hundred thousand waiting files cost here and on the server.
const MOST_AHEAD: u64 = 10_000;
/// Answers that fit no file of 0 bytes, before it is given up.
const MOST_ODD_ANSWERS: u32 = 5;

impl Engine {
    /// Sends one create if there is reason to. `true` if one was sent.
    ///
    /// The first goes out after a tiny window, so that it asks for more than one file; the next
    /// ones when they are full, or when no other is under way.
    pub(crate) fn send_create(&mut self) -> bool {
        if !self.snapshot.is_started || !self.holds.may_store() {
            return false;
        }
        if let Some(keys) = self.repeated_create() {
            return self.create(keys);
        }
        let batch = self.batch();
        let room = MOST_AHEAD
            .min(self.limits.unfinished)
            .max(u64::from(self.limits.batch));
        if u64::from(self.snapshot.active) >= room {
            return false;
        }
        if self.queue.to_create.is_empty() {
            self.queue.waiting_since = None;
            return false;
        }
        // Looked at before any key is: ten thousand files are added one by one.
        let is_full = self.queue.to_create.len() >= batch;
        let since = *self.queue.waiting_since.get_or_insert(self.now);
        let is_early = self.now < since.plus(self.config.batch_window_ms);
        if !is_full && (self.requests.creates() > 0 || is_early) {
            return false;
        }
        let all_paused = self.snapshot.all_paused;
        let keys: Vec<FileKey> = candidates(&self.queue.to_create, &self.queue.exempt, all_paused)
            .take(batch)
            .collect();
        if keys.is_empty() {
            return false;
        }
        for &key in &keys {
            self.queue.to_create.remove(&key);
            let now = self.now;
            self.snapshot.update(key, |file| {
                file.stage = Stage::Creating;
                file.asked_at.get_or_insert(now);
            });
        }
        self.queue.waiting_since = None;
        self.create(keys)
    }

    /// A create that failed and may be repeated now.
    fn repeated_create(&mut self) -> Option<Vec<FileKey>> {
        loop {
            let first = self.queue.again.front()?;
            // Those that were cancelled meanwhile are asked for too: only the answer says what
            // there is to delete.
            let is_wanted = !self.snapshot.all_paused
                || first.iter().any(|&key| {
                    self.file(key)
                        .is_some_and(|file| file.is_unwanted || file.is_exempt)
                });
            if !is_wanted {
                return None;
            }
            let mut keys = self.queue.again.pop_front()?;
            keys.retain(|&key| {
                self.file(key)
                    .is_some_and(|file| matches!(file.stage, Stage::Creating))
            });
            if !keys.is_empty() {
                return Some(keys);
            }
        }
    }

    pub(crate) fn batch(&self) -> usize {
        usize::try_from(self.limits.batch.clamp(1, 1000)).unwrap_or(1)
    }

    fn create(&mut self, keys: Vec<FileKey>) -> bool {
        // No wish of ours unless a proxy makes one: the server's size may change at any time.
        let server = self.limits.chunk_size;
        let fits = self.line.chunk_size(server);
        let chunk_size = match self.config.chunk_size {
            None => (fits < server).then_some(fits),
            Some(wish) => Some(self.line.chunk_size(wish)),
        };
        let files = keys
            .iter()
            .filter_map(|&key| {
                let file = self.file(key)?;
                Some(file.new_file(chunk_size, self.config.on_conflict))
            })
            .collect();
        let expires = self.now.plus(self.config.control_timeout_ms);
        let request = self
            .requests
            .start(self.now, expires, Request::Create(keys));
        self.act(Action::Create {
            request,
            body: CreateRequest {
                sender: self.config.sender.clone(),
                files,
            },
        });
        true
    }

    pub(crate) fn on_created(
        &mut self,
        request: RequestId,
        result: Result<CreateResponse, Failure>,
    ) {
        let is_create = |request: &Request| matches!(request, Request::Create(_));
        let Some(running) = self.requests.end(request, is_create) else {
            return;
        };
        let Request::Create(keys) = running.request else {
            return;
        };
        let answers = match result {
            Ok(response) => response.answers,
            Err(failure) => return self.create_failed(keys, &failure),
        };
        self.control.succeed();
        let mut answers = answers.into_iter();
        let mut unanswered = Vec::new();
        for key in keys {
            match answers.next() {
                Some(answer) => self.on_create_answer(key, answer),
                None => unanswered.push(key),
            }
        }
        if !unanswered.is_empty() {
            self.control_failed(0);
            self.queue.again.push_back(unanswered);
        }
    }

    pub(crate) fn control_failed(&mut self, after_ms: u64) {
        self.control
            .fail(self.now, self.config.retry, &mut self.rng, after_ms);
    }

    /// A create that fails is repeated as a whole, or in halves if it is itself the trouble.
    pub(crate) fn create_failed(&mut self, mut keys: Vec<FileKey>, failure: &Failure) {
        let repeat = |engine: &mut Self, keys, after_ms| {
            engine.control_failed(after_ms);
            engine.queue.again.push_front(keys);
        };
        match classify(failure) {
            Verdict::Retry { after_ms } => repeat(self, keys, after_ms),
            Verdict::Resync | Verdict::Probe => repeat(self, keys, 0),
            Verdict::Pause { reason, after_ms } => {
                self.hold(reason, after_ms);
                self.queue.again.push_front(keys);
            }
            Verdict::Smaller { status: 413 } | Verdict::GiveUp { .. }
                if keys.len() > 1 && is_about_content(failure) =>
            {
                let second = keys.split_off(keys.len() / 2);
                self.queue.again.push_front(second);
                self.queue.again.push_front(keys);
            }
            Verdict::Smaller { status: 413 } => {
                for key in keys {
                    self.fail(key, None, words::of_stranger(413));
                }
            }
            Verdict::Smaller { .. } => repeat(self, keys, 0),
            Verdict::Recreate => {
                for key in keys {
                    self.fail(key, Some(ErrorCode::NotFound), words::NONSENSE.to_owned());
                }
            }
            Verdict::GiveUp { code, words } => {
                for key in keys {
                    self.fail(key, code, words.clone());
                }
            }
        }
    }

    fn on_create_answer(&mut self, key: FileKey, answer: CreateAnswer) {
        let Some(file) = self.file(key) else { return };
        if !matches!(file.stage, Stage::Creating) {
            return;
        }
        if file.is_unwanted {
            return self.on_unwanted_answer(key, answer);
        }
        let id = match &answer {
            CreateAnswer::Needed(needed) => Some(needed.id),
            CreateAnswer::Present { receipt } => Some(receipt.id),
            CreateAnswer::Conflict { .. } | CreateAnswer::Refused(_) => None,
        };
        // Its row was deleted here, and that is still on its way.
        if id.is_some_and(|id| self.doomed().contains(&id)) {
            return self.ask_again_later(key, 0);
        }
        match answer {
            CreateAnswer::Needed(needed) => self.on_needed(key, &needed),
            CreateAnswer::Present { receipt } => self.on_present(key, receipt),
            CreateAnswer::Conflict { .. } => {
                self.snapshot
                    .update(key, |file| file.stage = Stage::Conflict);
                self.notify(Notice::Conflict(key));
            }
            CreateAnswer::Refused(body) => self.on_create_refused(key, &body),
        }
    }

    fn on_needed(&mut self, key: FileKey, needed: &Needed) {
        let Some(file) = self.file(key) else { return };
        let layout = ChunkLayout::new(file.size, needed.chunk_size);
        if file.is_directory || file.size == 0 {
            // Nothing could ever complete it; the next create publishes it.
            if file.failures >= MOST_ODD_ANSWERS {
                return self.fail(key, None, words::NONSENSE.to_owned());
            }
            return self.ask_again_later(key, 0);
        }
        let Ok(layout) = layout else {
            return self.fail(key, None, words::NONSENSE.to_owned());
        };
        if !self.claim(key, needed) {
            return;
        }
        self.snapshot.update(key, |file| {
            file.upload = Some(needed.id);
            file.stage = Stage::Active;
            file.is_full = false;
            file.transfer = Some(Box::new(Transfer::new(layout, &needed.received)));
        });
        self.wake(key);
    }

    /// Makes the upload this row's. `false` if another row works on it already.
    fn claim(&mut self, key: FileKey, needed: &Needed) -> bool {
        let other = self.uploads.insert(needed.id, key);
        let Some(other) = other.filter(|&other| other != key) else {
            return true;
        };
        let (Some(mine), Some(theirs)) = (self.file(key), self.file(other)) else {
            return true;
        };
        let is_same = mine.name == theirs.name && mine.size == theirs.size;
        let is_going_away = matches!(theirs.stage, Stage::Telling(_) | Stage::Deleting(_));
        if theirs.is_under_way() {
            self.uploads.insert(needed.id, other);
            if is_same {
                self.hide(key);
                self.notify(Notice::Duplicate { key, of: other });
            } else {
                self.fail(key, None, words::NONSENSE.to_owned());
            }
            return false;
        }
        if !is_going_away {
            self.hide(other);
            self.uploads.insert(needed.id, key);
            self.notify(Notice::Replaced {
                key: other,
                by: key,
            });
        }
        true
    }

    /// Whether an answer *present* tells of something that this very create made: an empty file or
    /// a folder. By two clocks, so it is only a word on the row: *done* or *already there*.
    fn is_made_now(file: &File, receipt: &Receipt) -> bool {
        file.size == 0
            && file
                .asked_at
                .is_some_and(|asked| receipt.finished >= asked.0)
    }

    fn on_present(&mut self, key: FileKey, receipt: Receipt) {
        let Some(file) = self.file(key) else { return };
        if receipt.size != file.size {
            return self.fail(key, None, words::NONSENSE.to_owned());
        }
        let is_made_now = Self::is_made_now(file, &receipt);
        self.settle_finished(key, receipt, !is_made_now);
    }

    /// The row is finished: sent, or already there.
    pub(crate) fn settle_finished(&mut self, key: FileKey, receipt: Receipt, is_present: bool) {
        self.let_go(key);
        self.uploads.insert(receipt.id, key);
        self.snapshot.update(key, |file| {
            file.end_transfer();
            file.kept = (file.size, 0);
            file.upload = Some(receipt.id);
            let receipt = Box::new(receipt.clone());
            file.stage = if is_present {
                Stage::Present(receipt)
            } else {
                Stage::Done(receipt)
            };
        });
        self.notify(if is_present {
            Notice::Skipped { key, receipt }
        } else {
            Notice::Success { key, receipt }
        });
    }

    fn on_create_refused(&mut self, key: FileKey, body: &ErrorBody) {
        match classify_body(body) {
            Verdict::GiveUp { code, words } => self.fail(key, code, words),
            Verdict::Recreate => {
                self.fail(key, Some(body.code), words::of_server(&body.message));
            }
            Verdict::Pause {
                reason: PauseReason::DiskFull,
                after_ms,
            } => {
                // Only this file does not fit; a smaller one may.
                self.snapshot.update(key, |file| file.is_full = true);
                self.ask_again_later(key, after_ms);
            }
            Verdict::Pause { reason, after_ms } => {
                self.hold(reason, after_ms);
                self.snapshot
                    .update(key, |file| file.stage = Stage::Waiting);
                self.wake(key);
            }
            Verdict::Retry { after_ms } => self.ask_again_later(key, after_ms),
            Verdict::Resync | Verdict::Smaller { .. } | Verdict::Probe => {
                self.ask_again_later(key, 0);
            }
        }
    }

    /// This file waits alone, then is created again.
    fn ask_again_later(&mut self, key: FileKey, after_ms: u64) {
        self.snapshot
            .update(key, |file| file.stage = Stage::Waiting);
        self.rest_for(key, after_ms);
        self.notify(Notice::Retry(key));
    }

    /// The answer came after the person had cancelled the file.
    fn on_unwanted_answer(&mut self, key: FileKey, answer: CreateAnswer) {
        let made = match answer {
            CreateAnswer::Needed(needed) => Some(needed.id),
            CreateAnswer::Present { receipt } => self
                .file(key)
                .is_some_and(|file| Self::is_made_now(file, &receipt))
                .then_some(receipt.id),
            CreateAnswer::Conflict { .. } | CreateAnswer::Refused(_) => None,
        };
        let other = made.and_then(|id| self.uploads.get(&id).copied());
        let is_anothers = other
            .filter(|&other| other != key)
            .and_then(|other| self.file(other))
            .is_some_and(File::is_under_way);
        match made {
            Some(id) if !is_anothers => {
                self.uploads.insert(id, key);
                self.snapshot.update(key, |file| {
                    file.upload = Some(id);
                    file.stage = Stage::Telling(Then::Cancelled);
                });
                self.queue.to_delete.insert(key);
            }
            _ => self.cancelled(key),
        }
    }
}
