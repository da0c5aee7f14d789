//! What became of stored files by other means than this engine, as by a list beside it on the page.

use hoist_protocol::{DeleteResult, Receipt, UploadId};

use crate::{Engine, FileKey, file::Stage};

/// What became of a stored file by other means than the engine, by the server's own answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Elsewhere {
    /// It is deleted.
    Deleted {
        /// Which.
        upload: UploadId,
        /// Until when it can be restored, by the server's clock; `None` if it is gone for good.
        until: Option<u64>,
    },
    /// A delete of it was taken back.
    Restored(Receipt),
    /// It lies under another name.
    Renamed(Receipt),
}

impl Elsewhere {
    const fn upload(&self) -> UploadId {
        match self {
            Self::Deleted { upload, .. } => *upload,
            Self::Restored(receipt) | Self::Renamed(receipt) => receipt.id,
        }
    }
}

impl Engine {
    pub(crate) fn elsewhere(&mut self, change: &Elsewhere) {
        let upload = Some(change.upload());
        for key in self.snapshot.keys_of(|file| file.upload == upload) {
            self.follow(key, change);
        }
    }

    /// What is being deleted or restored from here waits for the answer to that.
    fn follow(&mut self, key: FileKey, change: &Elsewhere) {
        let Some(file) = self.file(key) else { return };
        match change {
            &Elsewhere::Deleted { until, .. } => {
                if file.is_stored() {
                    self.delete(key);
                    self.queue.to_delete.remove(&key);
                    let until = until.map(|until| DeleteResult::Deleting { until });
                    self.on_delete_result(key, until.unwrap_or(DeleteResult::Deleted));
                }
            }
            Elsewhere::Restored(receipt) => {
                // Its time was over by this clock, and not by the server's.
                let is_over = matches!(file.stage, Stage::Deleted);
                if is_over || file.is_restorable() {
                    self.restored(key, receipt.clone());
                }
            }
            Elsewhere::Renamed(receipt) => {
                self.snapshot.update(key, |file| {
                    if let Stage::Done(old) | Stage::Present(old) = &mut file.stage {
                        **old = receipt.clone();
                    }
                });
            }
        }
    }
}
