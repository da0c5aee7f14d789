//! Comparing what the server has with the file, so that two files are never spliced, and all
//! other answers of the disk.
//!
//! Identity (path, size, time) is a hint. Before the first new chunk of a resumed upload one
//! acknowledged chunk is compared; before its last missing chunk, all that this page did not send
//! itself. Reading is far cheaper than sending.

use hoist_protocol::{Checksum, ChecksumsFrom, StatusRequest, UploadId, merge_checksums};

use crate::{
    Action, Engine, FileKey,
    file::File,
    queue::candidates,
    sorted::Sorted,
    transfer::{Need, Purpose, Transfer, Work},
    words,
};

/// Most checksums of one upload that are held to be compared.
pub(crate) const MOST_EXPECTED: usize = 4096;
/// Most uploads of one question for checksums.
const MOST_UPLOADS: u32 = 64;
/// How often a chunk may be unreadable while the file is readable.
const MOST_READ_FAILURES: u32 = 3;
/// Chunks that are read at the same time, at most.
const MOST_READING: u32 = 256;

/// What is known of the comparison.
#[derive(Debug, Default)]
pub(crate) struct Compare {
    /// Checksums by the server, to be compared.
    pub(crate) expected: Sorted<u32, Checksum>,
    /// Whether the next page of them is asked for.
    pub(crate) is_asked: bool,
    /// Chunks that were equal.
    pub(crate) passed: u32,
    /// Pages in a row without a checksum that is needed.
    pub(crate) empty_pages: u32,
}

impl Engine {
    /// Asks for checksums to compare. `true` if a request was sent.
    pub(crate) fn send_check(&mut self) -> bool {
        let all_paused = self.snapshot.all_paused;
        let mut from = None;
        let files: Vec<(FileKey, UploadId)> =
            candidates(&self.queue.to_check, &self.queue.exempt, all_paused)
                .filter_map(|key| {
                    let file = self.file(key)?;
                    let first = file.transfer.as_ref()?.first_unverified()?;
                    // One request asks from one chunk on; most are resumed from their start.
                    (*from.get_or_insert(first) == first).then_some((key, file.upload?))
                })
                .take(self.batch().min(usize::try_from(MOST_UPLOADS).unwrap_or(1)))
                .collect();
        let (Some(from), false) = (from, files.is_empty()) else {
            return false;
        };
        for &(key, _) in &files {
            self.queue.to_check.remove(&key);
            self.transfer(key, |transfer| transfer.compare.is_asked = true);
        }
        let many = u32::try_from(files.len()).unwrap_or(1).max(1);
        let most = u32::try_from(MOST_EXPECTED).unwrap_or(1);
        let body = StatusRequest {
            ids: files.iter().map(|&(_, id)| id).collect(),
            checksums: Some(ChecksumsFrom {
                from,
                count: (most / many).max(1),
            }),
        };
        self.ask(files, body);
        true
    }

    /// Begins to read chunks, in the order of the queue, as far as the budget goes.
    pub(crate) fn read_ahead(&mut self) {
        while self.queue.reading < MOST_READING {
            let all_paused = self.snapshot.all_paused;
            let first = candidates(&self.queue.ready, &self.queue.exempt, all_paused).next();
            let Some(key) = first else { return };
            let is_to_check = self.queue.to_check.contains(&key);
            let pick = self.read_transfer(key, |transfer| transfer.pick(is_to_check));
            let (index, purpose) = match pick {
                Some(crate::transfer::Pick::Read(index, purpose)) => (index, purpose),
                Some(crate::transfer::Pick::Checksums) => {
                    self.queue.to_check.insert(key);
                    continue;
                }
                Some(crate::transfer::Pick::Status) => {
                    self.transfer(key, |transfer| transfer.need = Need::Status);
                    self.queue.ready.remove(&key);
                    self.wake(key);
                    continue;
                }
                Some(crate::transfer::Pick::Nothing) | None => {
                    self.queue.ready.remove(&key);
                    continue;
                }
            };
            let Some((layout, len)) = self.read_transfer(key, |t| (t.layout, t.len(index))) else {
                return;
            };
            let held = self.queue.held_bytes;
            if held > 0 && held.saturating_add(len) > self.config.read_ahead {
                return;
            }
            self.transfer(key, |transfer| transfer.read(index, purpose));
            self.queue.held_bytes = held.saturating_add(len);
            self.queue.reading = self.queue.reading.saturating_add(1);
            self.queue.working.insert(key);
            self.act(Action::Hash {
                key,
                index,
                layout,
                keep: purpose == Purpose::Send,
            });
        }
    }

    pub(crate) fn on_hashed(&mut self, key: FileKey, index: u32, checksum: Option<Checksum>) {
        if !self.file(key).is_some_and(File::is_active) {
            return;
        }
        let work = self.read_transfer(key, |transfer| transfer.work(index));
        let Some(Some(Work::Reading(purpose))) = work else {
            return;
        };
        let Some(checksum) = checksum else {
            return self.on_unreadable_chunk(key);
        };
        if purpose == Purpose::Send {
            let len = self.read_transfer(key, |transfer| transfer.len(index));
            self.transfer(key, |transfer| transfer.ready(index, checksum));
            self.queue.reading = self.queue.reading.saturating_sub(1);
            self.queue
                .push_hashed(key, index, len.unwrap_or(0), self.now);
            return;
        }
        self.end_work(key, index);
        if purpose == Purpose::Whole {
            return self.on_whole_chunk(key, index, checksum);
        }
        let expected = self
            .transfer(key, |transfer| transfer.compare.expected.remove(index))
            .flatten();
        match expected {
            Some(expected) if expected == checksum => {
                self.transfer(key, |transfer| transfer.verify(index));
                self.wake(key);
            }
            Some(_) => self.file_changed(key),
            None => self.wake(key),
        }
    }

    fn on_unreadable_chunk(&mut self, key: FileKey) {
        let failures = self.transfer(key, |transfer| {
            transfer.read_failures = transfer.read_failures.saturating_add(1);
            transfer.read_failures
        });
        if failures.is_none_or(|failures| failures > MOST_READ_FAILURES) {
            return self.fail(key, None, words::UNREADABLE.to_owned());
        }
        self.probe(key);
    }

    /// Finds out whether a file can still be read, before anything else happens to it.
    pub(crate) fn probe(&mut self, key: FileKey) {
        let is_news = self.transfer(key, |transfer| {
            std::mem::replace(&mut transfer.need, Need::Probe) != Need::Probe
        });
        self.queue.rest(key);
        self.drop_work(key);
        if is_news == Some(true) {
            self.act(Action::Probe { key });
        }
    }

    pub(crate) fn on_probed(&mut self, key: FileKey, unchanged: Option<bool>) {
        if !self.file(key).is_some_and(File::is_active)
            || self.read_transfer(key, |transfer| transfer.need) != Some(Need::Probe)
        {
            return;
        }
        match unchanged {
            None => self.fail(key, None, words::UNREADABLE.to_owned()),
            Some(false) => self.file_changed(key),
            Some(true) => {
                // A comparison of the whole needs no status: nothing is in doubt but the disk.
                self.transfer(key, |transfer| {
                    transfer.need = if transfer.is_comparing_whole() {
                        Need::Nothing
                    } else {
                        Need::Status
                    };
                });
                self.wake(key);
            }
        }
    }

    fn on_whole_chunk(&mut self, key: FileKey, index: u32, checksum: Checksum) {
        let all = self.transfer(key, |transfer| {
            let all = transfer.whole_chunk(index, checksum)?;
            Some((transfer.layout, all))
        });
        let Some(Some((layout, (receipt, sums)))) = all else {
            return self.wake(key);
        };
        if merge_checksums(layout, sums).ok() == receipt.hash {
            self.settle_finished(key, receipt, false);
        } else {
            // Somebody published another file under this one's identity; it is theirs.
            self.snapshot.update(key, |file| file.upload = None);
            self.uploads.remove(&receipt.id);
            self.file_changed(key);
        }
    }

    /// Ends the work on one chunk, and gives its share of the budget back.
    pub(crate) fn end_work(&mut self, key: FileKey, index: u32) {
        let ended = self
            .transfer(key, |transfer| {
                Some((transfer.end_work(index)?, transfer.len(index)))
            })
            .flatten();
        if let Some((work, len)) = ended {
            self.give_back(key, index, work, len);
        }
    }

    fn give_back(&mut self, key: FileKey, index: u32, work: Work, len: u64) {
        match work {
            Work::Reading(_) => self.queue.reading = self.queue.reading.saturating_sub(1),
            Work::Ready(_) => self.queue.take_hashed(key, index, len),
            // The pack gives it back when it ends.
            Work::Flying(_) => return,
        }
        self.queue.held_bytes = self.queue.held_bytes.saturating_sub(len);
    }

    /// Ends all reading of a file, and lets its bytes go.
    pub(crate) fn drop_work(&mut self, key: FileKey) {
        if !self.queue.working.remove(&key) {
            return;
        }
        let dropped = self.transfer(key, |transfer| {
            let dropped = transfer.drop_work();
            dropped
                .into_iter()
                .map(|(index, work)| (index, work, transfer.len(index)))
                .collect::<Vec<_>>()
        });
        let dropped = dropped.unwrap_or_default();
        if dropped.is_empty() {
            return;
        }
        for (index, work, len) in dropped {
            self.give_back(key, index, work, len);
        }
        self.act(Action::Forget { key, index: None });
    }

    /// Lets go of chunks that need not be sent or compared any more.
    pub(crate) fn drop_superfluous(&mut self, key: FileKey) {
        let indexes = self
            .read_transfer(key, Transfer::superfluous)
            .unwrap_or_default();
        for index in indexes {
            self.end_work(key, index);
            self.act(Action::Forget {
                key,
                index: Some(index),
            });
        }
    }
}
