//! Packs: built from hashed chunks of one or many files, watched, and taken apart again.

use hoist_protocol::{
    ChunkResult, ErrorBody, ErrorCode, Limits, Millis, PackChunk, PackManifest, PackResponse,
    PauseReason, UploadId,
};

use crate::{
    Action, Engine, Failure, FileKey, Notice, RequestId,
    file::File,
    request::Request,
    retry::{Verdict, classify, classify_body, is_about_content},
    transfer::{Need, Work},
    words,
};

/// Upper bound of a manifest's bytes without chunks, and for each chunk.
const MANIFEST_BASE: u64 = 192;
const MANIFEST_CHUNK: u64 = 176;
/// A hashed chunk does not wait longer than this for others to share its pack.
pub(crate) const LONGEST_WAIT_MS: u64 = 250;
/// With nothing under way a pack of this size goes out, however large it could become.
const ENOUGH_WHEN_IDLE: u64 = 1 << 20;
/// Packs without an answer after which a file waits alone.
const MANY_STRIKES: u32 = 3;

/// One chunk in a pack.
#[derive(Clone, Copy, Debug)]
struct Carried {
    key: FileKey,
    /// The file may have another upload by the time the answer comes.
    upload: UploadId,
    index: u32,
    len: u64,
}

/// A pack that has no answer yet.
#[derive(Debug)]
pub(crate) struct Pack {
    request: RequestId,
    chunks: Vec<Carried>,
    bytes: u64,
    /// Bytes of it that the network says it took.
    sent: u64,
    /// How many chunks lie wholly in `sent`, and how many bytes of the next.
    cursor: (usize, u64),
    /// No progress and no answer for this long: it is given up.
    patience_ms: u64,
}

impl Pack {
    /// The files, each once, in order.
    fn files(&self) -> Vec<(FileKey, UploadId)> {
        let mut files: Vec<_> = self.chunks.iter().map(|c| (c.key, c.upload)).collect();
        files.sort_unstable();
        files.dedup();
        files
    }

    fn len(&self) -> u32 {
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
    fn claims(&self) -> impl Iterator<Item = (Carried, u64)> + '_ {
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

    fn is_enough(&self) -> bool {
        let Some(since) = self.queue.hashed_since else {
            return false;
        };
        let size = self.line.pack_size(&self.config, &self.limits);
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
        let size = self.line.pack_size(&self.config, &self.limits);
        let most = most_chunks(&self.limits);
        let mut limit = most;
        let mut bytes: u64 = 0;
        let mut chunks: Vec<(FileKey, u32, u64)> = Vec::new();
        for &(key, index) in &self.queue.hashed {
            let Some((len, file_limit)) =
                self.read_transfer(key, |transfer| (transfer.len(index), transfer.pack_limit))
            else {
                continue;
            };
            let file_limit = usize::try_from(file_limit).unwrap_or(usize::MAX).max(1);
            if file_limit <= chunks.len() {
                // It was in packs that failed: it travels in a smaller one, later.
                continue;
            }
            let count = u64::try_from(chunks.len()).unwrap_or(u64::MAX);
            let body = bytes
                .saturating_add(len)
                .saturating_add(Pack::overhead(count.saturating_add(1)));
            let is_full = bytes.saturating_add(len) > size || body > self.limits.pack_size;
            if !chunks.is_empty() && is_full {
                break;
            }
            chunks.push((key, index, len));
            bytes = bytes.saturating_add(len);
            limit = limit.min(file_limit);
            if chunks.len() >= limit {
                break;
            }
        }
        chunks
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
        if pack.sent > before {
            *expires = now.plus(pack.patience_ms);
        }
        for (key, upload, part) in gained {
            if self.is_sending(key, upload) {
                self.transfer(key, |transfer| {
                    transfer.sent = transfer.sent.saturating_add(part);
                });
            }
        }
    }

    /// Takes a pack apart: its chunks are in no pack any more. Those that were just acknowledged
    /// are not missing; the others can be picked again once the status is known.
    fn end_pack(&mut self, pack: &Pack) {
        self.queue.held_bytes = self.queue.held_bytes.saturating_sub(pack.bytes);
        for &Carried { key, index, .. } in &pack.chunks {
            let work = self.read_transfer(key, |transfer| transfer.work(index));
            if work == Some(Some(Work::Flying(pack.request))) {
                self.end_work(key, index);
            }
        }
        for (key, upload) in pack.files() {
            if self.is_sending(key, upload) {
                self.transfer(key, |transfer| {
                    transfer.running = transfer.running.saturating_sub(1);
                });
            }
        }
        for (chunk, claimed) in pack.claims() {
            if claimed > 0 && self.is_sending(chunk.key, chunk.upload) {
                self.transfer(chunk.key, |transfer| {
                    transfer.sent = transfer.sent.saturating_sub(claimed);
                });
            }
        }
    }

    /// Whether this upload is still the file's, and waits for bytes.
    fn is_sending(&self, key: FileKey, upload: UploadId) -> bool {
        self.file(key)
            .is_some_and(|file| file.is_active() && file.upload == Some(upload))
    }

    pub(crate) fn on_pack(&mut self, request: RequestId, result: Result<PackResponse, Failure>) {
        let is_pack = |request: &Request| matches!(request, Request::Pack(_));
        let Some(running) = self.requests.end(request, is_pack) else {
            return;
        };
        let Request::Pack(pack) = running.request else {
            return;
        };
        let response = match result {
            Ok(response) => response,
            Err(failure) => return self.pack_failed(&pack, &failure, false),
        };
        let took = self.now.since(running.sent_at);
        let mut acknowledged: u64 = 0;
        let mut refused = Vec::new();
        let mut results = response.results.into_iter();
        for &chunk in &pack.chunks {
            match results.next() {
                Some(ChunkResult::Acknowledged) => {
                    acknowledged = acknowledged.saturating_add(chunk.len);
                    self.acknowledge(chunk);
                }
                Some(ChunkResult::Refused(error)) => refused.push((chunk, Some(error))),
                None => refused.push((chunk, None)),
            }
        }
        self.end_pack(&pack);
        for receipt in response.receipts {
            if let Some(&key) = self.uploads.get(&receipt.id) {
                self.finish(key, receipt);
            }
        }
        if acknowledged > 0 {
            self.bytes.end();
        }
        if acknowledged == pack.bytes {
            self.line
                .succeed(self.now, acknowledged, took, &self.config);
        }
        let is_short = refused.iter().any(|(_, error)| error.is_none());
        if is_short {
            self.bytes_failed(0);
        }
        for (chunk, error) in refused {
            self.on_chunk_refused(chunk, error.as_ref());
        }
        for (key, _) in pack.files() {
            self.wake(key);
        }
    }

    fn acknowledge(&mut self, chunk: Carried) {
        let Carried {
            key,
            upload,
            index,
            len,
        } = chunk;
        if !self.is_sending(key, upload) {
            return;
        }
        let is_news = self.snapshot.update(key, |file| {
            file.failures = 0;
            file.is_recreated = false;
            file.is_stalled = false;
            let transfer = file.transfer.as_deref_mut()?;
            transfer.mismatches = 0;
            transfer.refusals = 0;
            transfer.read_failures = 0;
            transfer.strikes = 0;
            transfer.pack_limit = u32::MAX;
            Some(transfer.acknowledge(index))
        });
        if is_news == Some(Some(true)) {
            self.rate.acknowledged(len);
            self.notify(Notice::Chunk { key, index });
        }
    }

    /// Something of this file is in doubt: the status is asked before another byte travels.
    fn doubt(&mut self, key: FileKey) {
        if !self.file(key).is_some_and(File::is_active) {
            return;
        }
        self.queue.rest(key);
        self.drop_work(key);
        self.transfer(key, |transfer| {
            if transfer.need == Need::Nothing {
                transfer.need = Need::Status;
            }
        });
        self.wake(key);
    }

    fn bytes_failed(&mut self, after_ms: u64) {
        self.bytes
            .fail(self.now, self.config.retry, &mut self.rng, after_ms);
    }

    fn on_chunk_refused(&mut self, chunk: Carried, error: Option<&ErrorBody>) {
        let key = chunk.key;
        if !self.is_sending(key, chunk.upload) {
            return;
        }
        if self.read_transfer(key, crate::transfer::Transfer::is_comparing_whole) == Some(true) {
            return;
        }
        self.doubt(key);
        match error.map(classify_body) {
            None | Some(Verdict::Smaller { .. } | Verdict::Probe) => {}
            Some(Verdict::GiveUp { code, words }) => self.fail(key, code, words),
            Some(Verdict::Recreate) => self.recreate(key),
            Some(Verdict::Pause { reason, after_ms }) => self.hold(reason, after_ms),
            Some(Verdict::Retry { after_ms }) => {
                // Several chunks of one file are one failure of the file.
                if self.file(key).is_some_and(|file| file.timer.is_none()) {
                    self.rest_for(key, after_ms);
                    self.notify(Notice::Retry(key));
                }
            }
            Some(Verdict::Resync) => {
                let mismatches = self.transfer(key, |transfer| {
                    transfer.mismatches = transfer.mismatches.saturating_add(1);
                    transfer.mismatches
                });
                if mismatches.is_none_or(|n| n > self.config.retry.mismatches) {
                    self.fail(
                        key,
                        error.map(|error| error.code),
                        words::DAMAGED.to_owned(),
                    );
                } else {
                    self.notify(Notice::Retry(key));
                }
            }
        }
    }

    /// A whole pack has no good answer.
    pub(crate) fn pack_failed(&mut self, pack: &Pack, failure: &Failure, is_stalled: bool) {
        self.end_pack(pack);
        let keys: Vec<FileKey> = pack
            .files()
            .into_iter()
            .filter(|&(key, upload)| self.is_sending(key, upload))
            .map(|(key, _)| key)
            .collect();
        let verdict = classify(failure);
        match verdict {
            Verdict::Probe => {
                self.attempt = self.attempt.saturating_add(1);
                self.line.fail();
                self.bytes_failed(0);
                self.strike(pack, &keys, is_stalled);
                return;
            }
            Verdict::Retry { after_ms } => {
                self.attempt = self.attempt.saturating_add(1);
                self.bytes_failed(after_ms);
            }
            Verdict::Resync | Verdict::Recreate => self.bytes_failed(0),
            Verdict::Pause { reason, after_ms } => self.hold(reason, after_ms),
            Verdict::Smaller { status } => {
                self.attempt = self.attempt.saturating_add(1);
                self.line.fail();
                self.bytes_failed(0);
                if status == 413 {
                    self.line.refuse(pack.bytes);
                }
                self.shrink(pack, &keys, status);
            }
            Verdict::GiveUp { code, words } => {
                let is_alone = keys.len() < 2;
                let is_size = matches!(code, Some(ErrorCode::TooLarge | ErrorCode::TooMany));
                if is_size && pack.len() > 1 {
                    self.line.refuse(pack.bytes);
                }
                if is_about_content(failure) && (!is_alone || (is_size && pack.len() > 1)) {
                    self.limit_packs(&keys, pack.len() / 4);
                } else {
                    for &key in &keys {
                        self.fail(key, code, words.clone());
                    }
                }
            }
        }
        for key in keys {
            if self.file(key).is_some_and(File::is_active) {
                self.doubt(key);
                self.notify(Notice::Retry(key));
            }
        }
    }

    /// No answer: perhaps the line, perhaps one file. Each is looked at, and travels with fewer
    /// others next time, so that the culprit fails alone.
    fn strike(&mut self, pack: &Pack, keys: &[FileKey], is_stalled: bool) {
        self.limit_packs(keys, pack.len() / 4);
        for &key in keys {
            let strikes = self.snapshot.update(key, |file| {
                file.is_stalled = is_stalled;
                let transfer = file.transfer.as_deref_mut()?;
                transfer.strikes = transfer.strikes.saturating_add(1);
                Some(transfer.strikes)
            });
            let is_suspect = keys.len() == 1
                && strikes
                    .flatten()
                    .is_some_and(|strikes| strikes > MANY_STRIKES);
            self.probe(key);
            if is_suspect {
                self.rest_for(key, 0);
            }
            self.notify(Notice::Retry(key));
        }
    }

    fn limit_packs(&mut self, keys: &[FileKey], most: u32) {
        for &key in keys {
            self.transfer(key, |transfer| {
                transfer.pack_limit = transfer.pack_limit.min(most.max(1));
            });
        }
    }

    /// A proxy refuses: halve the pack, down to one chunk, then say so.
    fn shrink(&mut self, pack: &Pack, keys: &[FileKey], status: u16) {
        if pack.len() > 1 {
            return self.limit_packs(keys, pack.len() / 2);
        }
        // A gateway that has lost its server says 502 too; so it is believed only after some
        // tries, with a status in between that did pass.
        let most = if status == 413 {
            1
        } else {
            self.config.retry.proxy_refusals
        };
        for &key in keys {
            let refusals = self.transfer(key, |transfer| {
                transfer.refusals = transfer.refusals.saturating_add(1);
                transfer.refusals
            });
            if refusals.is_none_or(|refusals| refusals > most) {
                self.fail(key, None, words::of_proxy(status, pack.bytes));
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
        let waiting: Vec<FileKey> = self.queue.timers.iter().map(|&(_, key)| key).collect();
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

fn most_chunks(limits: &Limits) -> usize {
    let by_manifest = limits.manifest_size.saturating_sub(MANIFEST_BASE) / MANIFEST_CHUNK;
    usize::try_from(by_manifest.min(u64::from(limits.pack_chunks)).max(1)).unwrap_or(1)
}
