//! Telling the server to delete, until it has confirmed; and taking it back.

use hoist_protocol::{
    DeleteRequest, DeleteResponse, DeleteResult, ErrorBody, ErrorCode, Millis, Receipt, UploadId,
};

use crate::{
    Action, Engine, Failure, FileKey, Notice, RequestId,
    file::{File, Grave, Stage, Then},
    request::Request,
    retry::{Verdict, classify, classify_body, is_about_content},
    words,
};

/// A grace is counted by the server's clock, which may be wrong here: the undo is shown for at
/// least and at most so long. A restore that comes too late is answered as such.
const SHORTEST_GRACE_MS: u64 = 3_000;
const LONGEST_GRACE_MS: u64 = 120_000;

impl Engine {
    /// Sends deletes. `true` if a request was sent.
    pub(crate) fn send_delete(&mut self) -> bool {
        let Some(files) = self.next_of(&self.queue.to_delete) else {
            return false;
        };
        for &(key, _) in &files {
            self.queue.to_delete.remove(&key);
        }
        let body = DeleteRequest {
            ids: files.iter().map(|&(_, id)| id).collect(),
        };
        let expires = self.now.plus(self.config.control_timeout_ms);
        let request = self
            .requests
            .start(self.now, expires, Request::Delete(files));
        self.act(Action::Delete { request, body });
        true
    }

    /// Sends restores. `true` if a request was sent.
    pub(crate) fn send_restore(&mut self) -> bool {
        let Some(files) = self.next_of(&self.queue.to_restore) else {
            return false;
        };
        for &(key, _) in &files {
            self.queue.to_restore.remove(&key);
        }
        let body = DeleteRequest {
            ids: files.iter().map(|&(_, id)| id).collect(),
        };
        let expires = self.now.plus(self.config.control_timeout_ms);
        let request = self
            .requests
            .start(self.now, expires, Request::Restore(files));
        self.act(Action::Restore { request, body });
        true
    }

    /// Uploads that are to be deleted, as long as nobody has confirmed or refused it: a driver keeps
    /// them where they outlive the page.
    #[must_use]
    pub fn doomed(&self) -> Vec<UploadId> {
        let waiting = self.queue.to_delete.iter();
        let waiting = waiting.filter_map(|key| self.file(key)?.upload);
        waiting.chain(self.requests.deleting()).collect()
    }

    fn next_of(&self, keys: &crate::sorted::Keys) -> Option<Vec<(FileKey, UploadId)>> {
        let files: Vec<(FileKey, UploadId)> = keys
            .iter()
            .filter_map(|key| Some((key, self.file(key)?.upload?)))
            .take(self.batch())
            .collect();
        (!files.is_empty()).then_some(files)
    }

    pub(crate) fn on_deleted(
        &mut self,
        request: RequestId,
        result: Result<DeleteResponse, Failure>,
    ) {
        let is_delete =
            |request: &Request| matches!(request, Request::Delete(_) | Request::Restore(_));
        let Some(running) = self.requests.end(request, is_delete) else {
            return;
        };
        let (files, is_restore) = match running.request {
            Request::Delete(files) => (files, false),
            Request::Restore(files) => (files, true),
            Request::Create(_) | Request::Status { .. } | Request::Pack(_) => return,
        };
        let results = match result {
            Ok(response) => response.results,
            Err(failure) => return self.delete_failed(&files, is_restore, &failure),
        };
        self.control.succeed();
        let mut results = results.into_iter();
        let mut is_short = false;
        for (key, _) in files {
            match results.next() {
                Some(result) if is_restore => self.on_restored(key, result),
                Some(result) => self.on_delete_result(key, result),
                None => {
                    is_short = true;
                    self.tell_again(key, is_restore);
                }
            }
        }
        if is_short {
            self.control_failed(0);
        }
    }

    fn tell_again(&mut self, key: FileKey, is_restore: bool) {
        let Some(file) = self.file(key) else { return };
        match &file.stage {
            Stage::Telling(_) if !is_restore => self.queue.to_delete.insert(key),
            Stage::Deleting(grave) if is_restore && grave.is_restoring => {
                self.queue.to_restore.insert(key)
            }
            _ => false,
        };
    }

    pub(crate) fn delete_failed(
        &mut self,
        files: &[(FileKey, UploadId)],
        is_restore: bool,
        failure: &Failure,
    ) {
        for &(key, _) in files {
            self.tell_again(key, is_restore);
        }
        match classify(failure) {
            Verdict::Retry { after_ms } => self.control_failed(after_ms),
            Verdict::Pause { reason, after_ms } => self.hold(reason, after_ms),
            Verdict::Resync | Verdict::Probe | Verdict::Recreate => self.control_failed(0),
            Verdict::Smaller { status: 413 } | Verdict::GiveUp { .. }
                if files.len() > 1 && is_about_content(failure) =>
            {
                self.limits.batch = u32::try_from(files.len() / 2).unwrap_or(1).max(1);
            }
            Verdict::Smaller { .. } => self.control_failed(0),
            Verdict::GiveUp { code, words } => {
                for &(key, _) in files {
                    self.queue.to_delete.remove(&key);
                    self.queue.to_restore.remove(&key);
                    if is_restore {
                        self.not_restored(key);
                    } else {
                        self.not_deleted(key, code, words.clone());
                    }
                }
            }
        }
    }

    pub(crate) fn on_delete_result(&mut self, key: FileKey, result: DeleteResult) {
        let Some(Stage::Telling(_)) = self.file(key).map(|file| &file.stage) else {
            return;
        };
        let until = match result {
            DeleteResult::Deleted => None,
            DeleteResult::Deleting { until } => Some(Millis(until)),
            DeleteResult::Restored { .. } => {
                // No answer to what was asked: ask again.
                self.control_failed(0);
                return self.tell_again(key, false);
            }
            DeleteResult::Refused(error) => return self.on_delete_refused(key, &error),
        };
        let then = self.snapshot.update(key, |file| {
            match std::mem::replace(&mut file.stage, Stage::Deleted) {
                Stage::Telling(then) => Some(then),
                stage => {
                    file.stage = stage;
                    None
                }
            }
        });
        match then.flatten() {
            Some(Then::Cancelled) => self.cancelled(key),
            Some(Then::StartOver) => {
                self.reset(key);
                self.wake(key);
            }
            Some(Then::Deleted(_, was_present)) => {
                if let Some(until) = until {
                    let until = Millis(until.0.clamp(
                        self.now.plus(SHORTEST_GRACE_MS).0,
                        self.now.plus(LONGEST_GRACE_MS).0,
                    ));
                    self.snapshot.update(key, |file| {
                        file.stage = Stage::Deleting(Box::new(Grave {
                            until,
                            was_present,
                            is_restoring: false,
                        }));
                        file.timer = Some(until);
                    });
                    self.queue.set_timer(until, key);
                }
                let upload = self.file(key).and_then(|file| file.upload);
                if let Some(upload) = upload {
                    self.notify(Notice::Deleted { key, upload });
                }
            }
            None => {}
        }
    }

    fn on_delete_refused(&mut self, key: FileKey, error: &ErrorBody) {
        match classify_body(error) {
            // It is not there: that was the wish.
            Verdict::Recreate => self.on_delete_result(key, DeleteResult::Deleted),
            Verdict::GiveUp { code, words } => self.not_deleted(key, code, words),
            Verdict::Pause { reason, after_ms } => {
                self.hold(reason, after_ms);
                self.tell_again(key, false);
            }
            Verdict::Retry { after_ms } => {
                self.control_failed(after_ms);
                self.tell_again(key, false);
            }
            Verdict::Resync | Verdict::Smaller { .. } | Verdict::Probe => {
                self.control_failed(0);
                self.tell_again(key, false);
            }
        }
    }

    /// The server refuses to delete, and always will.
    fn not_deleted(&mut self, key: FileKey, code: Option<ErrorCode>, words: String) {
        let then = self.snapshot.update(key, |file| {
            match std::mem::replace(&mut file.stage, Stage::Cancelled) {
                Stage::Telling(Then::Deleted(receipt, was_present)) => {
                    file.stage = if was_present {
                        Stage::Present(receipt)
                    } else {
                        Stage::Done(receipt)
                    };
                    true
                }
                Stage::Telling(Then::StartOver) => {
                    file.stage = Stage::Failed(Box::new((code, words.clone())));
                    true
                }
                Stage::Telling(Then::Cancelled) => true,
                stage => {
                    file.stage = stage;
                    false
                }
            }
        });
        if then == Some(true) {
            self.notify(Notice::Error { key, code, words });
            if matches!(
                self.file(key).map(|file| &file.stage),
                Some(Stage::Cancelled)
            ) {
                self.notify(Notice::Cancelled(key));
            }
        }
    }

    fn on_restored(&mut self, key: FileKey, result: DeleteResult) {
        let Some(Stage::Deleting(grave)) = self.file(key).map(|file| &file.stage) else {
            return;
        };
        if !grave.is_restoring {
            return;
        }
        match result {
            DeleteResult::Restored { receipt } => self.restored(key, receipt),
            DeleteResult::Deleted => self.not_restored(key),
            DeleteResult::Deleting { .. } => {
                self.control_failed(0);
                self.tell_again(key, true);
            }
            DeleteResult::Refused(error) => match classify_body(&error) {
                Verdict::Recreate | Verdict::GiveUp { .. } => self.not_restored(key),
                Verdict::Pause { reason, after_ms } => {
                    self.hold(reason, after_ms);
                    self.tell_again(key, true);
                }
                Verdict::Retry { after_ms } => {
                    self.control_failed(after_ms);
                    self.tell_again(key, true);
                }
                Verdict::Resync | Verdict::Smaller { .. } | Verdict::Probe => {
                    self.control_failed(0);
                    self.tell_again(key, true);
                }
            },
        }
    }

    /// A deleted file is there again.
    pub(crate) fn restored(&mut self, key: FileKey, receipt: Receipt) {
        let upload = receipt.id;
        self.clear_timer(key);
        self.snapshot.update(key, |file| {
            let receipt = Box::new(receipt);
            file.stage = match &file.stage {
                Stage::Deleting(grave) if grave.was_present => Stage::Present(receipt),
                _ => Stage::Done(receipt),
            };
        });
        self.notify(Notice::Restored { key, upload });
    }

    /// The restore came too late.
    fn not_restored(&mut self, key: FileKey) {
        self.clear_timer(key);
        self.snapshot
            .update(key, |file| file.stage = Stage::Deleted);
        self.notify(Notice::Error {
            key,
            code: None,
            words: words::TOO_LATE.to_owned(),
        });
    }

    /// The grace of a deleted file is over.
    pub(crate) fn bury(&mut self, key: FileKey) {
        // While a restore is under way its answer decides.
        let is_over = matches!(
            self.file(key).map(|file| &file.stage),
            Some(Stage::Deleting(grave)) if !grave.is_restoring
        );
        if is_over {
            self.snapshot
                .update(key, |file| file.stage = Stage::Deleted);
        }
    }

    pub(crate) fn delete(&mut self, key: FileKey) {
        if !self.file(key).is_some_and(File::is_stored) {
            return;
        }
        self.snapshot.update(key, |file| {
            file.stage = match std::mem::take(&mut file.stage) {
                Stage::Done(receipt) => Stage::Telling(Then::Deleted(receipt, false)),
                Stage::Present(receipt) => Stage::Telling(Then::Deleted(receipt, true)),
                stage => stage,
            };
        });
        self.queue.to_delete.insert(key);
    }

    pub(crate) fn restore(&mut self, key: FileKey) {
        let can = self.snapshot.update(key, |file| match &mut file.stage {
            Stage::Deleting(grave) => !std::mem::replace(&mut grave.is_restoring, true),
            _ => false,
        });
        if can == Some(true) {
            self.queue.to_restore.insert(key);
        }
    }

    pub(crate) fn restore_all(&mut self) {
        let is = |file: &File| file.is_from_this_visit && file.is_restorable();
        for key in self.snapshot.keys_of(is) {
            self.restore(key);
        }
    }

    /// The file is cancelled, and the server has nothing of it, or was told.
    pub(crate) fn cancelled(&mut self, key: FileKey) {
        self.let_go(key);
        if let Some(id) = self.file(key).and_then(|file| file.upload)
            && self.uploads.get(&id) == Some(&key)
        {
            self.uploads.remove(&id);
        }
        self.snapshot.update(key, |file| {
            file.end_transfer();
            file.upload = None;
            file.is_unwanted = false;
            file.stage = Stage::Cancelled;
        });
        self.notify(Notice::Cancelled(key));
    }

    pub(crate) fn cancel(&mut self, key: FileKey) {
        let Some(file) = self.file(key) else { return };
        match &file.stage {
            Stage::Waiting => self.cancelled(key),
            // Nothing was begun that could be stopped.
            Stage::Failed(_) if file.is_not_taken => {}
            Stage::Creating => {
                // The answer says what there is to delete.
                self.snapshot.update(key, |file| file.is_unwanted = true);
            }
            Stage::Active
            | Stage::NeedsFile
            | Stage::Conflict
            | Stage::Failed(_)
            | Stage::FileChanged => {
                if file.upload.is_none() {
                    return self.cancelled(key);
                }
                self.let_go(key);
                self.snapshot.update(key, |file| {
                    file.end_transfer();
                    file.stage = Stage::Telling(Then::Cancelled);
                });
                self.queue.to_delete.insert(key);
            }
            Stage::Telling(Then::StartOver) => {
                self.snapshot
                    .update(key, |file| file.stage = Stage::Telling(Then::Cancelled));
            }
            Stage::Done(_) if file.is_from_this_visit => self.delete(key),
            Stage::Present(_) if file.is_from_this_visit => self.hide(key),
            Stage::Hidden
            | Stage::Done(_)
            | Stage::Present(_)
            | Stage::Telling(_)
            | Stage::Cancelled
            | Stage::Deleting(_)
            | Stage::Deleted => {}
        }
    }

    /// What was added in this visit: not started, dropped; running, stopped and deleted; finished,
    /// deleted. What was already there is taken off the list; what the server listed stays.
    pub(crate) fn cancel_all(&mut self) {
        for key in self.snapshot.keys_of(|file| file.is_from_this_visit) {
            self.cancel(key);
        }
        // Nobody sees a pause of nothing, and what is picked next would wait for no reason.
        if self.snapshot.all_paused && self.snapshot.keys_of(File::is_under_way).is_empty() {
            self.resume_all();
        }
    }
}
