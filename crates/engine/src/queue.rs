//! Who is next: files by what they wait for, in the order they were added.

use std::collections::VecDeque;

use hoist_protocol::Millis;

use crate::{
    FileKey,
    sorted::{Keys, Pairs},
};

/// Sets of keys. A file is in a set only while it can go on there, so that taking the first is
/// enough and a file that is stuck stands in nobody's way.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// To be created.
    pub(crate) to_create: Keys,
    /// When the oldest of them came, as long as none was sent since.
    pub(crate) waiting_since: Option<Millis>,
    /// Creates that failed, to be repeated as they were.
    pub(crate) again: VecDeque<Vec<FileKey>>,
    /// Their status is needed.
    pub(crate) to_ask: Keys,
    /// The checksums of what the server has are needed.
    pub(crate) to_check: Keys,
    /// To be deleted on the server.
    pub(crate) to_delete: Keys,
    pub(crate) to_restore: Keys,
    /// They may have chunks to read.
    pub(crate) ready: Keys,
    /// They have chunks that are read, hashed or in a pack.
    pub(crate) working: Keys,
    /// Chunks that are hashed and can go into a pack.
    pub(crate) hashed: Pairs,
    pub(crate) hashed_bytes: u64,
    /// Since when chunks wait for a pack.
    pub(crate) hashed_since: Option<Millis>,
    /// Bytes that are read, hashed or in a pack.
    pub(crate) held_bytes: u64,
    /// Chunks that are being read.
    pub(crate) reading: u32,
    /// Files that wait for a time.
    timers: Pairs,
    /// Files that go on although everything is paused.
    pub(crate) exempt: Keys,
    /// Files that are paused by themselves.
    pub(crate) paused: Keys,
}

/// The first files of a set that may go on.
pub(crate) fn candidates<'a>(
    set: &'a Keys,
    exempt: &'a Keys,
    all_paused: bool,
) -> Box<dyn Iterator<Item = FileKey> + 'a> {
    if all_paused {
        Box::new(exempt.iter().filter(|key| set.contains(key)))
    } else {
        Box::new(set.iter())
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
        if self.hashed.insert(key.0.into(), index) {
            self.hashed_bytes = self.hashed_bytes.saturating_add(len);
            self.hashed_since.get_or_insert(now);
        }
    }

    /// A hashed chunk goes into a pack, or is not wanted any more.
    pub(crate) fn take_hashed(&mut self, key: FileKey, index: u32, len: u64) {
        if self.hashed.remove(key.0.into(), index) {
            self.hashed_bytes = self.hashed_bytes.saturating_sub(len);
        }
        if self.hashed.is_empty() {
            self.hashed_since = None;
        }
    }

    /// Chunks that are hashed and can go into a pack, by file.
    pub(crate) fn hashed(&self) -> impl Iterator<Item = (FileKey, u32)> + '_ {
        let key = |key| u32::try_from(key).ok().map(FileKey);
        self.hashed
            .iter()
            .filter_map(move |(file, index)| Some((key(file)?, index)))
    }

    /// A file waits until `at`.
    pub(crate) fn set_timer(&mut self, at: Millis, key: FileKey) {
        self.timers.insert(at.0, key.0);
    }

    /// A file does not wait until `at` any more.
    pub(crate) fn clear_timer(&mut self, at: Millis, key: FileKey) {
        self.timers.remove(at.0, key.0);
    }

    /// Files that wait for a time, the first one first.
    pub(crate) fn timers(&self) -> impl Iterator<Item = (Millis, FileKey)> + '_ {
        self.timers
            .iter()
            .map(|(at, key)| (Millis(at), FileKey(key)))
    }

    /// The one that waits for the least time.
    pub(crate) fn first_timer(&self) -> Option<(Millis, FileKey)> {
        self.timers().next()
    }
}
