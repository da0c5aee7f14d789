//! The truth about uploads: asked after every doubt, before another byte travels.

use hoist_protocol::{
    ErrorBody, FileState, Receipt, StatusRequest, StatusResponse, UploadId, UploadStatus,
};

use crate::{
    Action, Engine, Failure, FileKey, Notice, RequestId,
    file::{File, Stage},
    queue::candidates,
    request::Request,
    retry::{Verdict, classify, classify_body, delay, is_about_content},
    transfer::{Need, Transfer},
    words,
};

/// How often the last chunk is sent again to make the server finish the file.
const MOST_NUDGES: u32 = 6;

impl Engine {
    /// Asks how uploads stand. `true` if a request was sent.
    pub(crate) fn send_status(&mut self) -> bool {
        let all_paused = self.snapshot.all_paused;
        let files: Vec<(FileKey, UploadId)> =
            candidates(&self.queue.to_ask, &self.queue.exempt, all_paused)
                .filter_map(|key| Some((key, self.file(key)?.upload?)))
                .take(self.batch())
                .collect();
        if files.is_empty() {
            return false;
        }
        for &(key, _) in &files {
            self.queue.to_ask.remove(&key);
            self.transfer(key, |transfer| {
                transfer.need = Need::Nothing;
                transfer.is_asked = true;
                transfer.ask();
            });
        }
        let body = StatusRequest {
            ids: files.iter().map(|&(_, id)| id).collect(),
            checksums: None,
        };
        self.ask(files, body);
        true
    }

    pub(crate) fn ask(&mut self, files: Vec<(FileKey, UploadId)>, body: StatusRequest) {
        let checksums = body.checksums.is_some();
        let expires = self.now.plus(self.config.control_timeout_ms);
        let request = self
            .requests
            .start(self.now, expires, Request::Status { files, checksums });
        self.act(Action::Status { request, body });
    }

    pub(crate) fn on_status(
        &mut self,
        request: RequestId,
        result: Result<StatusResponse, Failure>,
    ) {
        let is_status = |request: &Request| matches!(request, Request::Status { .. });
        let Some(running) = self.requests.end(request, is_status) else {
            return;
        };
        let Request::Status { files, checksums } = running.request else {
            return;
        };
        let statuses = match result {
            Ok(response) => response.uploads,
            Err(failure) => return self.status_failed(&files, checksums, &failure),
        };
        self.control.succeed();
        let mut statuses = statuses.into_iter();
        let mut unanswered = Vec::new();
        for (key, id) in files {
            match statuses.next() {
                Some(status) if id_of(&status) == id => self.on_truth(key, id, status, checksums),
                _ => unanswered.push((key, id)),
            }
        }
        if !unanswered.is_empty() {
            self.control_failed(0);
            self.unasked(&unanswered, checksums);
        }
    }

    /// The question was not answered: it stands again.
    fn unasked(&mut self, files: &[(FileKey, UploadId)], checksums: bool) {
        for &(key, id) in files {
            if self.file(key).is_none_or(|file| file.upload != Some(id)) {
                continue;
            }
            self.transfer(key, |transfer| {
                if checksums {
                    transfer.compare.is_asked = false;
                } else {
                    transfer.is_asked = false;
                    if transfer.need == Need::Nothing {
                        transfer.need = Need::Status;
                    }
                }
            });
            self.wake(key);
        }
    }

    pub(crate) fn status_failed(
        &mut self,
        files: &[(FileKey, UploadId)],
        checksums: bool,
        failure: &Failure,
    ) {
        self.unasked(files, checksums);
        match classify(failure) {
            Verdict::Retry { after_ms } => self.control_failed(after_ms),
            Verdict::Pause { reason, after_ms } => self.hold(reason, after_ms),
            Verdict::Resync | Verdict::Probe | Verdict::Recreate => self.control_failed(0),
            Verdict::Smaller { status: 413 } | Verdict::GiveUp { .. }
                if files.len() > 1 && is_about_content(failure) =>
            {
                // The question itself may be too large.
                self.limits.batch = u32::try_from(files.len() / 2).unwrap_or(1).max(1);
            }
            Verdict::Smaller { .. } => self.control_failed(0),
            Verdict::GiveUp { code, words } => {
                for &(key, _) in files {
                    if self.file(key).is_some_and(File::is_active) {
                        self.fail(key, code, words.clone());
                    }
                }
            }
        }
    }

    fn on_truth(&mut self, key: FileKey, id: UploadId, status: UploadStatus, checksums: bool) {
        let is_meant = |file: &File| file.is_active() && file.upload == Some(id);
        if !self.file(key).is_some_and(is_meant) {
            return;
        }
        match status {
            UploadStatus::Finished { receipt } => self.finish(key, receipt),
            UploadStatus::Gone(gone) => {
                self.unasked(&[(key, id)], checksums);
                self.on_gone(key, &gone.error);
            }
            UploadStatus::Unfinished(upload) => {
                let is_fitting = self.transfer(key, |transfer| {
                    if checksums {
                        transfer.compare.is_asked = false;
                    } else {
                        transfer.is_asked = false;
                    }
                    let is_fitting = transfer.layout.chunk_size() == upload.chunk_size;
                    if is_fitting {
                        transfer.learn(&upload.received);
                        if checksums {
                            transfer.compare_with(upload.checksums);
                        } else {
                            transfer.is_told_unfinished = true;
                        }
                    }
                    is_fitting
                });
                if is_fitting != Some(true) {
                    return self.fail(key, None, words::NONSENSE.to_owned());
                }
                if self.read_transfer(key, |t| t.nudges > MOST_NUDGES && t.has_all()) == Some(true)
                {
                    return self.fail(key, None, words::UNPUBLISHED.to_owned());
                }
                if self.read_transfer(key, Transfer::is_unprovable) == Some(true) {
                    self.snapshot.update(key, |file| file.is_spoilt = true);
                    return self.fail(key, None, words::UNPROVEN.to_owned());
                }
                self.drop_superfluous(key);
                self.wake(key);
            }
        }
    }

    /// The server says that an upload is gone, or cannot say.
    pub(crate) fn on_gone(&mut self, key: FileKey, error: &ErrorBody) {
        match classify_body(error) {
            Verdict::Recreate => self.recreate(key),
            Verdict::Pause { reason, after_ms } => self.hold(reason, after_ms),
            Verdict::Retry { after_ms } => self.rest_for(key, after_ms),
            Verdict::GiveUp { code, words } => self.fail(key, code, words),
            Verdict::Resync | Verdict::Smaller { .. } | Verdict::Probe => self.rest_for(key, 0),
        }
    }

    /// Creates an upload anew, once; then only after an acknowledged chunk.
    pub(crate) fn recreate(&mut self, key: FileKey) {
        let Some(file) = self.file(key) else { return };
        if file.is_recreated {
            return self.fail(key, None, words::LOST.to_owned());
        }
        self.reset(key);
        self.snapshot.update(key, |file| file.is_recreated = true);
        self.notify(Notice::Retry(key));
        self.wake(key);
    }

    /// The server has published the file.
    ///
    /// If this page has not sent and compared every chunk, somebody else finished it: then the hash
    /// of the whole is compared before the row says so.
    pub(crate) fn finish(&mut self, key: FileKey, receipt: Receipt) {
        let Some(file) = self.file(key).filter(|file| file.is_active()) else {
            return;
        };
        if receipt.size != file.size {
            return self.fail(key, None, words::NONSENSE.to_owned());
        }
        let is_known = file
            .transfer
            .as_ref()
            .is_none_or(|transfer| transfer.has_all() && transfer.is_verified());
        if is_known || receipt.hash.is_none() {
            return self.settle_finished(key, receipt, false);
        }
        self.drop_work(key);
        self.transfer(key, |transfer| {
            transfer.need = Need::Nothing;
            transfer.is_asked = false;
            transfer.begin_whole(receipt);
        });
        self.wake(key);
    }

    /// Gives a file up, with a reason.
    pub(crate) fn fail(
        &mut self,
        key: FileKey,
        code: Option<hoist_protocol::ErrorCode>,
        words: String,
    ) {
        if !self.file(key).is_some_and(File::is_unsettled) {
            return;
        }
        if self.file(key).is_some_and(|file| file.is_unwanted) {
            return self.cancelled(key);
        }
        self.let_go(key);
        self.snapshot.update(key, |file| {
            file.end_transfer();
            file.stage = Stage::Failed(Box::new((code, words.clone())));
        });
        self.notify(Notice::Error { key, code, words });
    }

    /// The file is not the one whose first part was sent.
    pub(crate) fn file_changed(&mut self, key: FileKey) {
        if !self.file(key).is_some_and(File::is_active) {
            return;
        }
        self.let_go(key);
        self.snapshot.update(key, |file| {
            file.end_transfer();
            file.stage = Stage::FileChanged;
        });
        self.notify(Notice::Error {
            key,
            code: None,
            words: format!("{}. {}", FileState::FileChanged.word(), words::CHANGED),
        });
    }

    /// Forgets all that is known of an upload; the file waits to be created.
    pub(crate) fn reset(&mut self, key: FileKey) {
        self.let_go(key);
        if let Some(id) = self.file(key).and_then(|file| file.upload)
            && self.uploads.get(&id) == Some(&key)
        {
            self.uploads.remove(&id);
        }
        self.snapshot.update(key, File::start_over);
    }

    pub(crate) fn transfer<R>(
        &mut self,
        key: FileKey,
        change: impl FnOnce(&mut Transfer) -> R,
    ) -> Option<R> {
        self.snapshot
            .update(key, |file| file.transfer.as_deref_mut().map(change))
            .flatten()
    }

    pub(crate) fn read_transfer<R>(
        &self,
        key: FileKey,
        read: impl FnOnce(&Transfer) -> R,
    ) -> Option<R> {
        self.file(key)?.transfer.as_deref().map(read)
    }

    /// Puts a file where it can go on.
    pub(crate) fn wake(&mut self, key: FileKey) {
        let Some(file) = self.file(key) else { return };
        if file.timer.is_some() || file.is_paused {
            return;
        }
        match (&file.stage, &file.transfer) {
            (Stage::Waiting, _) => {
                self.queue.to_create.insert(key);
                self.queue.waiting_since.get_or_insert(self.now);
            }
            (Stage::Active, Some(transfer)) if !transfer.is_asked => match transfer.need {
                Need::Nothing => {
                    self.queue.ready.insert(key);
                }
                Need::Status => {
                    self.queue.to_ask.insert(key);
                }
                Need::Probe => {}
            },
            _ => {}
        }
    }

    /// This file alone waits: at least so long, and longer with each failure.
    pub(crate) fn rest_for(&mut self, key: FileKey, after_ms: u64) {
        self.queue.rest(key);
        self.drop_work(key);
        self.clear_timer(key);
        let failures = self.file(key).map_or(0, |file| file.failures);
        let wait = delay(failures, self.config.retry, &mut self.rng, after_ms);
        let at = self.now.plus(wait);
        self.snapshot.update(key, |file| {
            file.failures = file.failures.saturating_add(1);
            file.timer = Some(at);
        });
        self.queue.timers.insert((at, key));
    }

    pub(crate) fn clear_timer(&mut self, key: FileKey) {
        if let Some(at) = self.file(key).and_then(|file| file.timer) {
            self.queue.timers.remove(&(at, key));
            self.snapshot.update(key, |file| file.timer = None);
        }
    }

    /// Ends the waits that are over.
    pub(crate) fn wake_timers(&mut self) {
        while let Some(&(at, key)) = self.queue.timers.first() {
            if at > self.now {
                return;
            }
            self.queue.timers.remove(&(at, key));
            self.snapshot.update(key, |file| file.timer = None);
            self.bury(key);
            self.wake(key);
        }
    }
}

const fn id_of(status: &UploadStatus) -> UploadId {
    match status {
        UploadStatus::Unfinished(upload) => upload.id,
        UploadStatus::Finished { receipt } => receipt.id,
        UploadStatus::Gone(gone) => gone.id,
    }
}
