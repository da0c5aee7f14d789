//! How files end, and begin again.

use hoist_protocol::{ErrorCode, FileState, Receipt};

use crate::{
    Engine, FileKey, Notice,
    file::{File, Stage},
    transfer::Need,
    words,
};

impl Engine {
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
    pub(crate) fn fail(&mut self, key: FileKey, code: Option<ErrorCode>, words: String) {
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
}
