//! Files that wait, and where they stand when they can go on.

use crate::{
    Engine, FileKey,
    file::Stage,
    retry::delay,
    transfer::{Need, Transfer},
};

impl Engine {
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
        self.queue.set_timer(at, key);
    }

    pub(crate) fn clear_timer(&mut self, key: FileKey) {
        if let Some(at) = self.file(key).and_then(|file| file.timer) {
            self.queue.clear_timer(at, key);
            self.snapshot.update(key, |file| file.timer = None);
        }
    }

    /// Ends the waits that are over.
    pub(crate) fn wake_timers(&mut self) {
        while let Some((at, key)) = self.queue.first_timer() {
            if at > self.now {
                return;
            }
            self.queue.clear_timer(at, key);
            self.snapshot.update(key, |file| file.timer = None);
            self.bury(key);
            self.wake(key);
        }
    }

    /// Stops all that goes on for a file: sets, timers, reads, buffers. Packs are looked at later.
    pub(crate) fn let_go(&mut self, key: FileKey) {
        self.queue.rest(key);
        self.drop_work(key);
        self.clear_timer(key);
        self.recheck_packs = true;
    }
}
