//! The state of one file.

use hoist_protocol::FileState;

use crate::{FileKey, FileRow, Offers, Snapshot};

#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) revision: u64,
}

impl File {
    pub(crate) const fn is_visible(&self) -> bool {
        self.revision > 0
    }

    pub(crate) fn row(&self, key: FileKey, _snapshot: &Snapshot) -> FileRow<'_> {
        FileRow {
            key,
            revision: self.revision,
            name: "",
            path: "",
            size: 0,
            last_modified: None,
            media_type: None,
            is_directory: false,
            state: FileState::Queued,
            acknowledged: 0,
            in_flight: 0,
            shown: 0,
            upload: None,
            is_from_this_visit: true,
            offers: Offers::default(),
        }
    }
}
