//! What the person wants: pause, resume, try again, decide; and what the browser knows of the
//! network.

use hoist_protocol::{Millis, OnConflict, PauseReason};

use crate::{
    Engine, FileKey, Notice, Picked,
    file::{File, Stage},
    restrict::Refusal,
};

impl Engine {
    pub(crate) fn pause(&mut self, key: FileKey) {
        if !self
            .file(key)
            .is_some_and(|file| file.is_under_way() && !file.is_paused)
        {
            return;
        }
        self.queue.paused.insert(key);
        self.queue.exempt.remove(&key);
        self.queue.rest(key);
        self.drop_work(key);
        self.snapshot.update(key, |file| {
            file.is_paused = true;
            file.is_exempt = false;
        });
        self.recheck_packs = true;
    }

    pub(crate) fn resume(&mut self, key: FileKey) {
        if !self.file(key).is_some_and(File::is_under_way) {
            return;
        }
        self.queue.paused.remove(&key);
        let all_paused = self.snapshot.all_paused;
        if all_paused {
            self.queue.exempt.insert(key);
        }
        self.clear_timer(key);
        self.snapshot.update(key, |file| {
            file.is_paused = false;
            file.is_exempt = all_paused;
        });
        self.wake(key);
    }

    pub(crate) fn pause_all(&mut self) {
        self.end_exemptions();
        self.snapshot.all_paused = true;
        self.snapshot.touch_all();
        // What was read ahead is let go: a pause may last the night.
        for key in self.queue.working.to_vec() {
            self.drop_work(key);
            self.wake(key);
        }
        self.recheck_packs = true;
    }

    pub(crate) fn resume_all(&mut self) {
        self.end_exemptions();
        self.snapshot.all_paused = false;
        self.snapshot.touch_all();
        for key in std::mem::take(&mut self.queue.paused).to_vec() {
            self.snapshot.update(key, |file| file.is_paused = false);
            self.wake(key);
        }
        // Whoever presses this wants it tried now, whatever it waits for.
        self.end_waits();
    }

    pub(crate) fn end_waits(&mut self) {
        self.holds.end_waits();
        self.try_now();
    }

    fn end_exemptions(&mut self) {
        for key in std::mem::take(&mut self.queue.exempt).to_vec() {
            self.snapshot.update(key, |file| file.is_exempt = false);
        }
    }

    pub(crate) fn retry(&mut self, key: FileKey) {
        let Some(file) = self.file(key).filter(|file| file.is_from_this_visit) else {
            return;
        };
        match &file.stage {
            Stage::FileChanged | Stage::Failed(_)
                if file.upload.is_some()
                    && (file.is_spoilt || matches!(file.stage, Stage::FileChanged)) =>
            {
                self.snapshot.update(key, File::begin_anew);
                self.queue.to_delete.insert(key);
            }
            Stage::Failed(_) if file.is_hopeless() => return,
            Stage::Failed(_) if file.is_not_taken => self.take_after_all(key),
            Stage::FileChanged | Stage::Failed(_) | Stage::Cancelled => {
                self.reset(key);
                self.snapshot.update(key, |file| {
                    file.failures = 0;
                    file.is_recreated = false;
                });
                self.wake(key);
            }
            // A file that waits for its turn after a failure is tried now.
            Stage::Waiting | Stage::Active if file.timer.is_some() => {
                self.clear_timer(key);
                self.wake(key);
            }
            _ => return,
        }
        self.notify(Notice::Retry(key));
    }

    /// A restriction refused the file; there may be room by now.
    fn take_after_all(&mut self, key: FileKey) {
        let Some(file) = self.file(key) else { return };
        let picked = Picked {
            name: file.name.as_ref().to_owned(),
            path: file.folder.as_ref().to_owned(),
            size: file.size,
            last_modified: file.last_modified,
            media_type: file.media_type.as_deref().map(str::to_owned),
            is_directory: file.is_directory,
        };
        match self.judge(&picked, None) {
            Ok(()) => {
                self.snapshot.update(key, |file| {
                    file.is_not_taken = false;
                    file.stage = Stage::Waiting;
                });
                self.wake(key);
            }
            Err(Refusal { words, may_pass }) => {
                self.snapshot.update(key, |file| {
                    file.may_be_taken = may_pass;
                    file.stage = Stage::Failed(Box::new((None, words.clone())));
                });
                self.notify(Notice::RestrictionFailed { key, words });
            }
        }
    }

    pub(crate) fn retry_all(&mut self) {
        self.holds.end_waits();
        self.try_now();
        let is = |file: &File| matches!(file.stage, Stage::Failed(_)) && !file.is_not_taken;
        for key in self.snapshot.keys_of(is) {
            self.retry(key);
        }
    }

    pub(crate) fn resolve(&mut self, key: FileKey, choice: Option<OnConflict>) {
        if !matches!(
            self.file(key).map(|file| &file.stage),
            Some(Stage::Conflict)
        ) {
            return;
        }
        match choice {
            None => self.cancelled(key),
            Some(choice) => {
                self.snapshot.update(key, |file| {
                    file.on_conflict = Some(choice);
                    file.stage = Stage::Waiting;
                });
                self.wake(key);
            }
        }
    }

    pub(crate) fn remove(&mut self, key: FileKey) {
        let can = self.file(key).is_some_and(|file| {
            let is_between = matches!(file.stage, Stage::Telling(_) | Stage::Deleting(_));
            file.is_visible() && !file.is_unsettled() && !is_between
        });
        if can {
            self.hide(key);
        }
    }

    pub(crate) fn on_network(&mut self, online: bool) {
        if self.holds.is_offline != online {
            return;
        }
        if !online {
            self.holds.hold(PauseReason::Offline, Millis(0));
            self.recheck_packs = true;
            return;
        }
        self.holds.is_offline = false;
        self.try_now();
    }

    pub(crate) fn on_signed_in(&mut self) {
        self.holds.sign_in = false;
        self.try_now();
    }

    /// Ends all waits that were for the network, because there is reason for hope.
    pub(crate) fn try_now(&mut self) {
        self.control.end();
        self.bytes.end();
        let waiting: Vec<FileKey> = self.queue.timers().map(|(_, key)| key).collect();
        for key in waiting {
            if self
                .file(key)
                .is_some_and(|file| file.is_under_way() && !file.is_full)
            {
                self.clear_timer(key);
                self.wake(key);
            }
        }
    }
}
