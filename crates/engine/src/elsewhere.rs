//! What became of stored files by other means than this engine, as a list beside it on the page.

use hoist_protocol::{DeleteResult, Receipt, UploadId};

use crate::{
    Engine, FileKey,
    file::{File, Stage},
};

/// What became of a stored file by other means than the engine, by the server's own answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Elsewhere {
    /// It is deleted: for good, or until then by the server's clock unless it is restored.
    Deleted {
        /// Until when it can be had back.
        until: Option<u64>,
    },
    /// A delete of it was taken back.
    Restored(Receipt),
    /// It lies under another name.
    Renamed(Receipt),
}

impl Engine {
    pub(crate) fn elsewhere(&mut self, upload: UploadId, change: &Elsewhere) {
        for key in self.snapshot.keys_of(|file| file.upload == Some(upload)) {
            self.follow(key, change);
        }
    }

    /// What is being deleted or restored from here waits for the answer to that.
    fn follow(&mut self, key: FileKey, change: &Elsewhere) {
        let stored = |file: &File| matches!(file.stage, Stage::Done(_) | Stage::Present(_));
        match change {
            Elsewhere::Deleted { until } if self.file(key).is_some_and(stored) => {
                self.delete(key);
                self.queue.to_delete.remove(&key);
                let until = until.map(|until| DeleteResult::Deleting { until });
                self.on_delete_result(key, until.unwrap_or(DeleteResult::Deleted));
            }
            Elsewhere::Restored(receipt) if self.file(key).is_some_and(File::is_restorable) => {
                self.restore(key);
                self.queue.to_restore.remove(&key);
                let receipt = receipt.clone();
                self.on_restored(key, DeleteResult::Restored { receipt });
            }
            Elsewhere::Renamed(receipt) => {
                self.snapshot.update(key, |file| {
                    if let Stage::Done(old) | Stage::Present(old) = &mut file.stage {
                        **old = receipt.clone();
                    }
                });
            }
            Elsewhere::Deleted { .. } | Elsewhere::Restored(_) => {}
        }
    }
}
