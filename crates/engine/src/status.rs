//! The truth about uploads: asked after every doubt, before another byte travels.

use hoist_protocol::{ErrorBody, StatusRequest, StatusResponse, UploadId, UploadStatus};

use crate::{
    Action, Engine, Failure, FileKey, RequestId,
    file::File,
    queue::candidates,
    request::Request,
    retry::{Verdict, classify, classify_body, is_about_content},
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
}

const fn id_of(status: &UploadStatus) -> UploadId {
    match status {
        UploadStatus::Unfinished(upload) => upload.id,
        UploadStatus::Finished { receipt } => receipt.id,
        UploadStatus::Gone(gone) => gone.id,
    }
}
