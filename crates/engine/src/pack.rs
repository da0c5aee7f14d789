//! Packs: built from hashed chunks of one or many files, watched, and taken apart again.

use hoist_protocol::{Limits, Millis, PackChunk, PackManifest, UploadId};

use crate::{Action, Engine, FileKey, Notice, RequestId, request::Request, transfer::Work};

/// Upper bound of a manifest's bytes without chunks, and for each chunk.
const MANIFEST_BASE: u64 = 192;
const MANIFEST_CHUNK: u64 = 176;
/// A hashed chunk does not wait longer than this for others to share its pack.
pub(crate) const LONGEST_WAIT_MS: u64 = 250;
/// A pack may live for this many times its patience, however often the network says that it took
/// more of it: a proxy may take bytes and forward none (issue 2: the watchdog is on acknowledged
/// bytes).
const LONGEST_LIFE: u64 = 16;
/// With nothing under way a pack of this size goes out, however large it could become.
const ENOUGH_WHEN_IDLE: u64 = 1 << 20;
/// Packs do not become smaller than this only because little is left.
const LEAST_SHARE: u64 = 1 << 20;

/// One chunk in a pack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Carried {
    pub(crate) key: FileKey,
    /// The file may have another upload by the time the answer comes.
    pub(crate) upload: UploadId,
    pub(crate) index: u32,
    pub(crate) len: u64,
}

/// A pack that has no answer yet.
#[derive(Debug)]
pub(crate) struct Pack {
    pub(crate) request: RequestId,
    pub(crate) chunks: Vec<Carried>,
    pub(crate) bytes: u64,
    /// Bytes of it that the network says it took.
    pub(crate) sent: u64,
    /// How many chunks lie wholly in `sent`, and how many bytes of the next.
    cursor: (usize, u64),
    /// No progress and no answer for this long: it is given up.
    patience_ms: u64,
    /// Without an answer it is given up now, progress or not.
    ends_at: Millis,
}

impl Pack {
    /// The files, each once, in order.
    pub(crate) fn files(&self) -> Vec<(FileKey, UploadId)> {
        let mut files: Vec<_> = self.chunks.iter().map(|c| (c.key, c.upload)).collect();
        // They were taken in the order of the files.
        files.dedup();
        files
    }

    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.chunks.len()).unwrap_or(u32::MAX)
    }

    fn overhead(chunks: u64) -> u64 {
        MANIFEST_BASE.saturating_add(MANIFEST_CHUNK.saturating_mul(chunks))
    }

    /// Takes a claim of progress apart: so many more bytes for each file.
    fn progress(&mut self, sent: u64) -> Vec<(FileKey, UploadId, u64)> {
        let overhead = Self::overhead(u64::from(self.len()));
        let sent = sent.saturating_sub(overhead).min(self.bytes);
        let mut more = sent.saturating_sub(self.sent);
        self.sent = self.sent.max(sent);
        let mut gained: Vec<(FileKey, UploadId, u64)> = Vec::new();
        while more > 0 {
            let (at, done) = self.cursor;
            let Some(&Carried {
                key, upload, len, ..
            }) = self.chunks.get(at)
            else {
                break;
            };
            let part = len.saturating_sub(done).min(more);
            more = more.saturating_sub(part);
            self.cursor = if done.saturating_add(part) >= len {
                (at.saturating_add(1), 0)
            } else {
                (at, done.saturating_add(part))
            };
            match gained.last_mut() {
                Some((last, _, sum)) if *last == key => *sum = sum.saturating_add(part),
                _ => gained.push((key, upload, part)),
            }
        }
        gained
    }

    /// What was claimed for each chunk.
    pub(crate) fn claims(&self) -> impl Iterator<Item = (Carried, u64)> + '_ {
        let (whole, part) = self.cursor;
        self.chunks
            .iter()
            .enumerate()
            .map(move |(at, &chunk)| match at.cmp(&whole) {
                std::cmp::Ordering::Less => (chunk, chunk.len),
                std::cmp::Ordering::Equal => (chunk, part),
                std::cmp::Ordering::Greater => (chunk, 0),
            })
    }
}

/// How the hashed chunks of a file travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Travel {
    /// As they come.
    Pieces,
    /// All of them in one pack.
    Whole {
        /// Bytes of the file.
        size: u64,
        /// Its chunks.
        chunks: u64,
    },
    /// All in one pack, when the others are hashed too.
    Later,
}

impl Engine {
    /// Sends packs while there is room for a request and enough to send.
    pub(crate) fn send_packs(&mut self) {
        while self.requests.packs() < self.line.parallel(&self.config) && self.is_enough() {
            let chunks = self.choose();
            if chunks.is_empty() {
                return;
            }
            self.send_pack(chunks);
        }
    }

    /// Wanted bytes of the next pack: what the line likes, but no more than an even share of what is
    /// not sent yet, or the last request is alone at the end, and a line that gives each connection a
    /// part of its rate stands idle for the others.
    fn pack_size(&self) -> u64 {
        let totals = &self.snapshot.totals;
        let unsent = self.snapshot.left.saturating_sub(totals.in_flight);
        let share = unsent / u64::from(self.line.parallel(&self.config));
        let size = self.line.pack_size(&self.config, &self.limits);
        size.min(share.max(LEAST_SHARE))
    }

    fn is_enough(&self) -> bool {
        let Some(since) = self.queue.hashed_since else {
            return false;
        };
        let size = self.pack_size();
        let wanted = if self.requests.packs() == 0 {
            size.min(ENOUGH_WHEN_IDLE)
        } else {
            size
        };
        self.queue.hashed_bytes >= wanted
            || self.queue.hashed.len() >= most_chunks(&self.limits)
            // Nothing is read: nothing more comes soon.
            || self.queue.reading == 0
            || self.now >= since.plus(LONGEST_WAIT_MS)
    }

    /// Chunks for the next pack, in the order of the queue.
    fn choose(&self) -> Vec<(FileKey, u32, u64)> {
        let target = self.pack_size();
        let most = self.line.most_at_once(&self.config).max(target);
        let mut limit = most_chunks(&self.limits);
        let mut bytes: u64 = 0;
        let mut chunks: Vec<(FileKey, u32, u64)> = Vec::new();
        let mut file: Option<(FileKey, Travel)> = None;
        for (key, index) in self.queue.hashed() {
            let travel = match file {
                Some((same, travel)) if same == key => travel,
                _ => self.travel(key),
            };
            let is_first = file
                .replace((key, travel))
                .is_none_or(|(last, _)| last != key);
            let Some((len, file_limit)) =
                self.read_transfer(key, |transfer| (transfer.len(index), transfer.pack_limit))
            else {
                continue;
            };
            let file_limit = usize::try_from(file_limit).unwrap_or(usize::MAX).max(1);
            if travel == Travel::Later || file_limit <= chunks.len() {
                // Not all of it is hashed; or it was in packs that failed: then it travels in a
                // smaller one, later.
                continue;
            }
            // All of a file that travels whole must fit, even if it makes the pack larger than wanted.
            let (more, count, room) = match travel {
                Travel::Whole { size, chunks } if is_first => (size, chunks, most),
                Travel::Whole { .. } => (0, 0, u64::MAX),
                Travel::Pieces | Travel::Later => (len, 1, target),
            };
            let count = u64::try_from(chunks.len())
                .unwrap_or(u64::MAX)
                .saturating_add(count);
            let body = bytes
                .saturating_add(more)
                .saturating_add(Pack::overhead(count));
            let is_full = bytes.saturating_add(more) > room
                || body > self.limits.pack_size
                || count > u64::try_from(limit.min(file_limit)).unwrap_or(u64::MAX);
            let is_enough = is_first && bytes >= target;
            if !chunks.is_empty() && (is_full || is_enough) {
                break;
            }
            chunks.push((key, index, len));
            bytes = bytes.saturating_add(more);
            limit = limit.min(file_limit);
            if chunks.len() >= limit {
                break;
            }
        }
        chunks
    }

    /// How the hashed chunks of a file travel.
    fn travel(&self, key: FileKey) -> Travel {
        let is_late = || {
            let since = self.queue.hashed_since;
            since.is_some_and(|since| self.now >= since.plus(LONGEST_WAIT_MS))
        };
        self.read_transfer(key, |transfer| {
            let size = transfer.layout.file_size();
            let chunks = u64::from(transfer.layout.count());
            let fits = size.saturating_add(Pack::overhead(chunks)) <= self.limits.pack_size
                && chunks <= u64::try_from(most_chunks(&self.limits)).unwrap_or(0)
                && size <= self.line.most_at_once(&self.config);
            if !self.config.whole_files
                || chunks < 2
                || !fits
                || transfer.pack_limit < u32::MAX
                || !transfer.is_untouched()
            {
                Travel::Pieces
            } else if transfer.is_all_ready() {
                Travel::Whole { size, chunks }
            } else if is_late() {
                Travel::Pieces
            } else {
                Travel::Later
            }
        })
        .unwrap_or(Travel::Pieces)
    }

    fn send_pack(&mut self, chunks: Vec<(FileKey, u32, u64)>) {
        let bytes = chunks
            .iter()
            .map(|&(.., len)| len)
            .fold(0u64, u64::saturating_add);
        let patience_ms = self
            .line
            .expected_ms(bytes)
            .map_or(self.config.stall_ms.saturating_mul(2), |ms| {
                ms.saturating_mul(4)
            })
            .clamp(self.config.stall_ms, self.config.stall_ms.saturating_mul(8));
        self.line.begin(self.now, self.requests.packs() == 0);
        let request = self.requests.peek();
        let mut manifest = PackManifest {
            sender: self.config.sender.clone(),
            attempt: self.attempt,
            chunks: Vec::with_capacity(chunks.len()),
        };
        let mut parts = Vec::with_capacity(chunks.len());
        let mut last = None;
        let mut carried = Vec::with_capacity(chunks.len());
        for (key, index, len) in chunks {
            self.queue.take_hashed(key, index, len);
            let is_first_of_file = last.replace(key) != Some(key);
            let handed = self.snapshot.update(key, |file| {
                let upload = file.upload?;
                let transfer = file.transfer.as_deref_mut()?;
                let Some(Work::Ready(checksum)) = transfer.work(index) else {
                    return None;
                };
                transfer.hand(index, request);
                if is_first_of_file {
                    transfer.running = transfer.running.saturating_add(1);
                }
                file.is_stalled = false;
                let is_first_byte = !std::mem::replace(&mut file.is_begun, true);
                let range = transfer.layout.range(index)?;
                Some((upload, checksum, range, is_first_byte))
            });
            let Some(Some((upload, checksum, range, is_first_byte))) = handed else {
                continue;
            };
            if is_first_byte {
                self.notify(Notice::Started(key));
            }
            carried.push(Carried {
                key,
                upload,
                index,
                len,
            });
            manifest.chunks.push(PackChunk {
                upload,
                index,
                length: range.len(),
                checksum: Some(checksum),
                last: false,
            });
            parts.push((key, range));
        }
        self.queue.hashed_since = (!self.queue.hashed.is_empty()).then_some(self.now);
        let pack = Pack {
            request,
            chunks: carried,
            bytes,
            sent: 0,
            cursor: (0, 0),
            patience_ms,
            ends_at: self.now.plus(patience_ms.saturating_mul(LONGEST_LIFE)),
        };
        let expires = self.now.plus(patience_ms);
        self.requests
            .start(self.now, expires, Request::Pack(Box::new(pack)));
        self.act(Action::SendPack {
            request,
            manifest,
            parts,
        });
    }

    pub(crate) fn on_progress(&mut self, request: RequestId, sent: u64) {
        let now = self.now;
        let Some((pack, expires)) = self.requests.pack_mut(request) else {
            return;
        };
        let before = pack.sent;
        let gained = pack.progress(sent);
        let taken = pack.sent.saturating_sub(before);
        if taken > 0 {
            *expires = now.plus(pack.patience_ms).min(pack.ends_at);
        }
        self.rate.add(taken);
        for (key, upload, part) in gained {
            if self.is_sending(key, upload) {
                self.transfer(key, |transfer| {
                    transfer.sent = transfer.sent.saturating_add(part);
                });
            }
        }
    }

    /// Aborts packs of which no chunk is wanted any more.
    pub(crate) fn abort_unwanted_packs(&mut self) {
        if !std::mem::take(&mut self.recheck_packs) {
            return;
        }
        let all_paused = self.snapshot.all_paused;
        let is_wanted = |request: RequestId, chunk: &Carried| {
            self.file(chunk.key).is_some_and(|file| {
                file.is_active()
                    && !file.is_held_by_person(all_paused)
                    && !self.holds.is_offline
                    && file
                        .transfer
                        .as_ref()
                        .is_some_and(|t| t.work(chunk.index) == Some(Work::Flying(request)))
            })
        };
        let unwanted: Vec<RequestId> = self
            .requests
            .all_packs()
            .filter(|&(id, pack)| !pack.chunks.iter().any(|chunk| is_wanted(id, chunk)))
            .map(|(id, _)| id)
            .collect();
        for request in unwanted {
            self.act(Action::Abort { request });
            let Some(running) = self.requests.end(request, |_| true) else {
                continue;
            };
            if let Request::Pack(pack) = running.request {
                self.attempt = self.attempt.saturating_add(1);
                self.end_pack(&pack);
                for (key, upload) in pack.files() {
                    if self.is_sending(key, upload) {
                        self.doubt(key);
                    }
                }
            }
        }
    }
}

fn most_chunks(limits: &Limits) -> usize {
    let by_manifest = limits.manifest_size.saturating_sub(MANIFEST_BASE) / MANIFEST_CHUNK;
    usize::try_from(by_manifest.min(u64::from(limits.pack_chunks)).max(1)).unwrap_or(1)
}
