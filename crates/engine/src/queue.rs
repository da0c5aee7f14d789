//! Who is next: files by what they wait for, in the order they were added.

use std::collections::{BTreeSet, VecDeque};

use hoist_protocol::Millis;

use crate::FileKey;

/// Sets of keys. A file is in a set only while it can go on there, so that taking the first is
/// enough and a file that is stuck stands in nobody's way.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// To be created.
    pub(crate) to_create: BTreeSet<FileKey>,
    /// When the oldest of them came, as long as none was sent since.
    pub(crate) waiting_since: Option<Millis>,
    /// Creates that failed, to be repeated as they were.
    pub(crate) again: VecDeque<Vec<FileKey>>,
    /// Their status is needed.
    pub(crate) to_ask: BTreeSet<FileKey>,
    /// The checksums of what the server has are needed.
    pub(crate) to_check: BTreeSet<FileKey>,
    /// To be deleted on the server.
    pub(crate) to_delete: BTreeSet<FileKey>,
    pub(crate) to_restore: BTreeSet<FileKey>,
    /// They may have chunks to read.
    pub(crate) ready: BTreeSet<FileKey>,
    /// They have chunks that are read, hashed or in a pack.
    pub(crate) working: BTreeSet<FileKey>,
    /// Chunks that are hashed and can go into a pack.
    pub(crate) hashed: BTreeSet<(FileKey, u32)>,
    pub(crate) hashed_bytes: u64,
    /// Since when chunks wait for a pack.
    pub(crate) hashed_since: Option<Millis>,
    /// Bytes that are read, hashed or in a pack.
    pub(crate) held_bytes: u64,
    /// Chunks that are being read.
    pub(crate) reading: u32,
    /// Files that wait for a time.
    pub(crate) timers: BTreeSet<(Millis, FileKey)>,
    /// Files that go on although everything is paused.
    pub(crate) exempt: BTreeSet<FileKey>,
    /// Files that are paused by themselves.
    pub(crate) paused: BTreeSet<FileKey>,
}

/// The first files of a set that may go on.
pub(crate) fn candidates<'a>(
    set: &'a BTreeSet<FileKey>,
    exempt: &'a BTreeSet<FileKey>,
    all_paused: bool,
) -> Box<dyn Iterator<Item = FileKey> + 'a> {
    if all_paused {
        Box::new(exempt.iter().filter(|key| set.contains(key)).copied())
    } else {
        Box::new(set.iter().copied())
    }
}

impl Queue {
    /// Takes a file out of all sets that make it go on. Deletes and pauses stay.
    pub(crate) fn rest(&mut self, key: FileKey) {
        self.to_create.remove(&key);
        self.to_ask.remove(&key);
        self.to_check.remove(&key);
        self.ready.remove(&key);
    }

    /// A chunk was hashed and waits for a pack.
    pub(crate) fn push_hashed(&mut self, key: FileKey, index: u32, len: u64, now: Millis) {
        if self.hashed.insert((key, index)) {
            self.hashed_bytes = self.hashed_bytes.saturating_add(len);
            self.hashed_since.get_or_insert(now);
        }
    }

    /// A hashed chunk goes into a pack, or is not wanted any more.
    pub(crate) fn take_hashed(&mut self, key: FileKey, index: u32, len: u64) {
        if self.hashed.remove(&(key, index)) {
            self.hashed_bytes = self.hashed_bytes.saturating_sub(len);
        }
        if self.hashed.is_empty() {
            self.hashed_since = None;
        }
    }
}
