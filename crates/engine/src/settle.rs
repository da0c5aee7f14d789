//! What comes of a pack: acknowledgements, refusals of chunks, and no good answer at all.

use hoist_protocol::{ChunkResult, ErrorBody, ErrorCode, PackResponse, UploadId};

use crate::{
    Engine, Failure, FileKey, Notice, RequestId,
    file::File,
    pack::{Carried, Pack},
    request::Request,
    retry::{Verdict, classify, classify_body, is_about_content},
    transfer::{Need, Transfer, Work},
    words,
};

/// Packs without an answer after which a file waits alone.
const MANY_STRIKES: u32 = 3;

impl Engine {
    /// Takes a pack apart: its chunks are in no pack any more. Those that were just acknowledged
    /// are not missing; the others can be picked again once the status is known.
    pub(crate) fn end_pack(&mut self, pack: &Pack) {
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
    pub(crate) fn is_sending(&self, key: FileKey, upload: UploadId) -> bool {
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
        // What the network has not told of.
        self.rate.add(acknowledged.saturating_sub(pack.sent));
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
            key, upload, index, ..
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
            self.notify(Notice::Chunk { key, index });
        }
    }

    /// Something of this file is in doubt: the status is asked before another byte travels.
    pub(crate) fn doubt(&mut self, key: FileKey) {
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
        if self.read_transfer(key, Transfer::is_comparing_whole) == Some(true) {
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
                self.line.fail(&self.config);
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
                self.line.fail(&self.config);
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
        if status == 413 {
            self.cut_smaller();
        }
        // A gateway that has lost its server says 502 too; so it is believed only after some
        // tries, with a status in between that did pass.
        let most = if status == 413 {
            1
        } else {
            self.config.retry.proxy_refusals
        };
        for &key in keys {
            if !self.file(key).is_some_and(File::is_active) {
                continue; // cut smaller
            }
            let refusals = self.transfer(key, |transfer| {
                transfer.refusals = transfer.refusals.saturating_add(1);
                transfer.refusals
            });
            if refusals.is_none_or(|refusals| refusals > most) {
                self.fail(key, None, words::of_proxy(status, pack.bytes));
            }
        }
    }
    /// Files whose chunks a proxy would refuse, and of which nothing is there yet, begin anew with
    /// smaller ones: all at once, so that not each of them has to be refused.
    fn cut_smaller(&mut self) {
        let limits = &self.limits;
        let wish = self.line.chunk_size(limits.chunk_size);
        let wish = wish.max(limits.min_chunk_size);
        let keys: Vec<FileKey> = self.uploads.values().copied().collect();
        for key in keys {
            let is_too_large = self.read_transfer(key, |transfer| {
                transfer.acked_bytes() == 0
                    && transfer.layout.chunk_size() > wish
                    && transfer.layout.file_size() > wish
            });
            if is_too_large != Some(true) {
                continue;
            }
            self.let_go(key);
            self.snapshot.update(key, |file| {
                file.end_transfer();
                file.begin_anew();
            });
            self.queue.to_delete.insert(key);
        }
    }
}
