//! Any finite schedule of faults ends well: the rules that hold at every step, and at the end. One file, because the rules
//! are about the world that stands between them.

use std::collections::{BTreeMap, BTreeSet};

use hoist_protocol::{
    ByteRange, ChunkResult, ErrorCode, FileState, Limits, Millis, OnConflict, UploadId,
    UploadStatus, merge_checksums,
};
use proptest::prelude::*;

use super::{
    bench::{Bench, Fate, config},
    server::{checksum, error},
};
use crate::{Action, Event, Failure, FileKey, Notice, Picked, RequestId, progress::summed_again};

const CHUNK: u64 = 64 << 10;

/// What was chosen to go wrong: a byte for each choice, and when they are used up nothing does.
struct Chance {
    bytes: Vec<u8>,
    at: usize,
}

impl Chance {
    fn is_over(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn next(&mut self) -> usize {
        let byte = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        usize::from(byte)
    }
}

struct World {
    bench: Bench,
    chance: Chance,
    contents: BTreeMap<FileKey, u64>,
    shown: BTreeMap<FileKey, u64>,
    /// Rows whose truth may have fallen: the server lost them, or the person started over.
    may_fall: BTreeSet<FileKey>,
    /// Chunks that were sent, and of which nobody knows whether they arrived.
    unsure: BTreeSet<(UploadId, u32)>,
    flying: BTreeMap<RequestId, Vec<(UploadId, u32, u64)>>,
    added_bytes: u64,
    sent_bytes: u64,
    /// Bytes of packs that were not acknowledged.
    wasted_bytes: u64,
    /// Answers were not honest, or the server lost something, or files were started over.
    is_honest: bool,
    is_orderly: bool,
    most_packs: usize,
}

impl World {
    fn new(bytes: Vec<u8>, max_concurrent: u32, read_ahead: u64) -> Self {
        let mut config = config();
        // Whichever: no schedule depends on it.
        config.whole_files = bytes.len() % 2 == 1;
        config.max_concurrent = max_concurrent;
        config.read_ahead = read_ahead;
        config.on_conflict = OnConflict::Ask;
        Self {
            bench: Bench::new(config),
            chance: Chance { bytes, at: 0 },
            contents: BTreeMap::new(),
            shown: BTreeMap::new(),
            may_fall: BTreeSet::new(),
            unsure: BTreeSet::new(),
            flying: BTreeMap::new(),
            added_bytes: 0,
            sent_bytes: 0,
            wasted_bytes: 0,
            is_honest: true,
            is_orderly: true,
            most_packs: max_concurrent as usize,
        }
    }

    fn add(&mut self, name: usize, size: u64, content: u64) {
        let key = self.bench.next_key();
        self.contents.insert(key, content);
        self.added_bytes += size;
        let picked = Picked {
            name: format!("f{name}"),
            size,
            last_modified: Some(1),
            ..Picked::default()
        };
        self.bench.contents.push(super::bench::Content {
            id: content,
            is_readable: true,
            is_unchanged: true,
        });
        self.feed(Event::Added { key, file: picked });
    }

    /// Feeds one event, and looks at everything.
    fn feed(&mut self, event: Event) {
        let snapshot = self.bench.engine.snapshot();
        let dead: BTreeSet<FileKey> = snapshot
            .rows()
            .filter(|row| matches!(row.state, FileState::Cancelled))
            .map(|row| row.key)
            .collect();
        self.before(&event);
        let revives = matches!(event, Event::Retry(_));
        self.bench.handle(event);
        for action in std::mem::take(&mut self.bench.log) {
            self.look_at(&action);
            let touched: Vec<FileKey> = match &action {
                Action::SendPack { parts, .. } => parts.iter().map(|&(key, _)| key).collect(),
                Action::Hash { key, .. } | Action::Probe { key } => vec![*key],
                _ => Vec::new(),
            };
            assert!(
                revives || touched.iter().all(|key| !dead.contains(key)),
                "nothing is done for a cancelled file: {action:?}"
            );
        }
        self.look_around();
    }

    fn before(&mut self, event: &Event) {
        match event {
            Event::PackAnswered { request, result } => {
                let chunks = self.flying.remove(request).unwrap_or_default();
                for (at, (id, index, len)) in chunks.into_iter().enumerate() {
                    let is_acked = result.as_ref().is_ok_and(|response| {
                        matches!(response.results.get(at), Some(ChunkResult::Acknowledged))
                    });
                    if !is_acked {
                        self.unsure.insert((id, index));
                        self.wasted_bytes += len;
                    }
                }
            }
            Event::Status {
                result: Ok(response),
                ..
            } => {
                for status in &response.uploads {
                    let id = match status {
                        UploadStatus::Unfinished(upload) => upload.id,
                        UploadStatus::Finished { receipt } => receipt.id,
                        UploadStatus::Gone(gone) => gone.id,
                    };
                    self.unsure.retain(|&(unsure, _)| unsure != id);
                }
            }
            Event::Created {
                result: Ok(response),
                ..
            } => {
                for answer in &response.answers {
                    if let hoist_protocol::CreateAnswer::Needed(needed) = answer {
                        self.unsure.retain(|&(unsure, _)| unsure != needed.id);
                    }
                }
            }
            Event::Cancel(key) | Event::Retry(key) | Event::Delete(key) => {
                self.may_fall.insert(*key);
                self.is_orderly = false;
            }
            _ => {}
        }
    }

    fn look_at(&mut self, action: &Action) {
        match action {
            Action::SendPack {
                request, manifest, ..
            } => {
                let mut chunks = Vec::new();
                for chunk in &manifest.chunks {
                    let id = (chunk.upload, chunk.index);
                    assert!(
                        !self.unsure.contains(&id),
                        "a chunk in doubt is not sent before the status is known"
                    );
                    assert!(
                        !self
                            .flying
                            .values()
                            .flatten()
                            .any(|&(upload, index, _)| (upload, index) == id)
                            || !self.is_orderly
                            || !self.is_honest,
                        "a chunk is in one pack at a time"
                    );
                    chunks.push((chunk.upload, chunk.index, chunk.length));
                    self.sent_bytes += chunk.length;
                }
                self.flying.insert(*request, chunks);
                assert!(self.flying.len() <= self.most_packs, "at most N packs");
            }
            Action::Abort { request } => {
                for (id, index, len) in self.flying.remove(request).unwrap_or_default() {
                    self.unsure.insert((id, index));
                    self.wasted_bytes += len;
                }
            }
            Action::Notify(Notice::Error { words, .. }) => assert!(!words.is_empty()),
            Action::Notify(Notice::Retry(key)) if !self.is_honest => {
                self.may_fall.insert(*key);
            }
            _ => {}
        }
    }

    fn look_around(&mut self) {
        let engine = &self.bench.engine;
        let snapshot = engine.snapshot();
        assert_eq!(
            snapshot.totals,
            summed_again(snapshot),
            "kept sums are sums"
        );
        assert!(snapshot.totals.shown <= snapshot.totals.bytes);
        let controls = self
            .bench
            .pending
            .values()
            .filter(|action| !matches!(action, Action::SendPack { .. }))
            .count();
        assert!(controls <= 2, "two small calls at most");
        assert!(
            engine.deadline().is_none_or(|at| at > self.bench.now),
            "a deadline lies ahead"
        );
        assert!(
            engine.queue.held_bytes <= engine.config.read_ahead.max(CHUNK),
            "the budget holds: {}",
            engine.queue.held_bytes
        );
        let mut sum = 0;
        let (mut gone, totals) = ([0; 5], snapshot.totals);
        for row in snapshot.rows() {
            if row.is_from_this_visit {
                gone[0] += u32::from(row.state == FileState::Cancelling);
                gone[1] += u32::from(row.state == FileState::Cancelled);
                gone[2] += u32::from(matches!(row.state, FileState::Deleting(_)));
                gone[3] += u32::from(row.state == FileState::Deleted);
                gone[4] += u32::from(row.offers.restore);
            }
            assert!(row.acknowledged <= row.size);
            assert!(
                row.shown <= row.acknowledged + row.in_flight,
                "shown exceeds the truth by more than what is in flight: {row:?}"
            );
            let before = self.shown.insert(row.key, row.shown).unwrap_or(0);
            assert!(
                row.shown >= before || self.may_fall.contains(&row.key),
                "what is shown goes back from {before}: {row:?}"
            );
            if !matches!(
                row.state,
                FileState::Cancelled
                    | FileState::Cancelling
                    | FileState::Deleting(_)
                    | FileState::Deleted
            ) && row.is_from_this_visit
            {
                sum += row.shown;
            }
            if self.is_honest
                && let Some(upload) = row.upload.and_then(|id| self.bench.server.uploads.get(&id))
            {
                assert!(row.acknowledged <= upload.bytes(), "no more than the truth");
            }
        }
        assert_eq!(sum, totals.shown, "rows sum to the total");
        let may_go_on = snapshot.all_paused && snapshot.held.is_none();
        assert_eq!(
            snapshot.some_go_on,
            may_go_on && snapshot.rows().any(|row| row.offers.pause),
            "what goes on although all is paused"
        );
        let counted = [
            totals.cancelling,
            totals.cancelled,
            totals.deleting,
            totals.deleted,
            totals.restorable,
        ];
        assert_eq!(gone, counted, "what is gone is counted");
    }

    fn key(&mut self) -> FileKey {
        let many = self.bench.contents.len().max(1);
        FileKey(u32::try_from(self.chance.next() % many).unwrap())
    }

    fn person(&mut self) {
        let key = self.key();
        let event = match self.chance.next() % 24 {
            0 | 1 => Event::Pause(key),
            2 | 3 => Event::Resume(key),
            4 => Event::PauseAll,
            5 => Event::ResumeAll,
            6 => Event::TryNow,
            7 => Event::Cancel(key),
            8 => Event::Retry(key),
            9 => Event::Delete(key),
            10 if self.chance.next().is_multiple_of(2) => Event::RestoreAll,
            10 => Event::Restore(key),
            11 => Event::Network { online: false },
            12 | 13 => Event::Network { online: true },
            14 => Event::SignedIn,
            15 => Event::Remove(key),
            16 => Event::Resolve {
                key,
                choice: Some(OnConflict::KeepBoth),
            },
            17 => {
                let size = self.chance.next() as u64 % 6 * CHUNK / 2;
                let name = self.chance.next() % 6;
                return self.add(name, size, 1);
            }
            18 => {
                self.bench.contents[key.0 as usize].is_readable = false;
                return;
            }
            19 => {
                self.bench.contents[key.0 as usize].is_unchanged = false;
                return;
            }
            20 => return self.another_page(),
            21 => {
                // The server loses an upload.
                let ids: Vec<_> = self.bench.server.uploads.keys().copied().collect();
                if let Some(id) = ids.get(self.chance.next() % ids.len().max(1))
                    && self.bench.server.uploads[id].receipt.is_none()
                {
                    self.bench.server.uploads.remove(id);
                    self.is_orderly = false;
                    self.is_honest = false;
                    self.may_fall = self.contents.keys().copied().collect();
                }
                return;
            }
            _ => Event::Tick,
        };
        self.feed(event);
    }

    /// Another page sends a chunk of one of the uploads: of the same file, or of another.
    fn another_page(&mut self) {
        let ids: Vec<_> = self.bench.server.uploads.keys().copied().collect();
        let Some(&id) = ids.get(self.chance.next() % ids.len().max(1)) else {
            return;
        };
        let pick = self.chance.next();
        let upload = self.bench.server.uploads.get_mut(&id).unwrap();
        // All but the last chunk: who completes a file has compared it.
        let index = u32::try_from(pick).unwrap() % upload.layout.count().max(1);
        let left = upload.layout.count() as usize - upload.chunks.len();
        if upload.receipt.is_none() && left > 1 && !upload.chunks.contains_key(&index) {
            let content = if pick > 200 { 99 } else { 1 };
            upload.chunks.insert(index, checksum(content, index));
        }
    }

    fn fate(&mut self) -> Fate {
        let wait = [None, Some(100), Some(5000), Some(u64::MAX)][self.chance.next() % 4];
        match self.chance.next() % 20 {
            1 => Fate::AnswerLost,
            2 => Fate::Lost,
            3 | 4 => Fate::CutAfter(self.chance.next() % 4),
            5 | 6 => Fate::Damaged(self.chance.next()),
            7 | 8 => {
                let status = [408, 413, 425, 429, 500, 502, 503, 504, 403, 404, 200, 0];
                Fate::Failed(Failure::Foreign {
                    status: status[self.chance.next() % status.len()],
                    retry_after_ms: wait,
                })
            }
            9 | 10 => {
                let code = ErrorCode::ALL[self.chance.next() % ErrorCode::ALL.len()];
                Fate::Failed(Failure::Refused(error(code, wait)))
            }
            _ => Fate::Answered,
        }
    }

    /// One thing happens.
    fn step(&mut self) {
        if self.chance.next() % 8 == 1 {
            return self.person();
        }
        if !self.bench.reads.is_empty() && self.chance.next() % 3 != 1 {
            let at = self.chance.next() % self.bench.reads.len();
            let read = self.bench.reads.remove(at).unwrap();
            let mut event = self.bench.read(&read);
            if let Event::Hashed { checksum, .. } = &mut event
                && self.chance.next() % 40 == 1
            {
                *checksum = None;
            }
            return self.feed(event);
        }
        let waiting: Vec<u64> = self.bench.pending.keys().copied().collect();
        if !waiting.is_empty() && self.chance.next() % 4 != 1 {
            let request = waiting[self.chance.next() % waiting.len()];
            if self.chance.next() % 5 == 1 {
                let sent = self.chance.next() as u64 * 4000;
                let request = RequestId(request);
                return self.feed(Event::PackProgress { request, sent });
            }
            self.bench.now = self.bench.now.plus(self.chance.next() as u64 * 10);
            let fate = self.fate();
            if let Some(event) = self.bench.outcome(request, fate) {
                let event = self.twist(event);
                self.feed(event);
            }
            return;
        }
        if let Some(at) = self.bench.engine.deadline() {
            self.bench.now = at;
            return self.feed(Event::Tick);
        }
        if let Some(read) = self.bench.reads.pop_front() {
            let event = self.bench.read(&read);
            self.feed(event);
        }
    }

    /// A dishonest or broken server: too few answers, too many, of other things.
    fn twist(&mut self, mut event: Event) -> Event {
        if self.chance.next() % 24 != 1 {
            return event;
        }
        self.is_honest = false;
        self.may_fall = (0..self.bench.contents.len())
            .map(|n| FileKey(u32::try_from(n).unwrap()))
            .collect();
        let how = self.chance.next();
        match &mut event {
            Event::Created {
                result: Ok(response),
                ..
            } => match how % 4 {
                0 => {
                    response.answers.pop();
                }
                1 => response.answers.extend(response.answers.clone()),
                2 => response.answers.reverse(),
                _ => {
                    for answer in &mut response.answers {
                        if let hoist_protocol::CreateAnswer::Needed(needed) = answer {
                            needed.chunk_size = 3;
                        }
                    }
                }
            },
            Event::Status {
                result: Ok(response),
                ..
            } => match how % 4 {
                0 => {
                    response.uploads.pop();
                }
                1 => response.uploads.reverse(),
                _ => {
                    for status in &mut response.uploads {
                        if let UploadStatus::Unfinished(upload) = status {
                            upload.received = vec![
                                ByteRange::new(0, u64::MAX),
                                ByteRange::new(5, 1),
                                ByteRange::new(0, CHUNK),
                            ];
                            if how > 128 {
                                upload.received.remove(0);
                            }
                        }
                    }
                }
            },
            Event::PackAnswered {
                result: Ok(response),
                ..
            } => match how % 4 {
                0 => {
                    response.results.pop();
                }
                1 => response.receipts.clear(),
                2 => response.results.fill(ChunkResult::Acknowledged),
                _ => {
                    for receipt in &mut response.receipts {
                        receipt.size += 1;
                    }
                }
            },
            Event::Deleted {
                result: Ok(response),
                ..
            } => response.results.clear(),
            _ => {}
        }
        event
    }

    /// The faults are over: everything is lifted, and all must end.
    fn finish(&mut self) {
        self.feed(Event::Network { online: true });
        self.feed(Event::SignedIn);
        self.feed(Event::ResumeAll);
        for n in 0..200_000 {
            let is_conflict = |key: &FileKey| {
                let row = self.bench.engine.snapshot().row(*key);
                row.is_some_and(|row| row.state == FileState::Conflict)
            };
            let keys = self.contents.keys().copied();
            if let Some(key) = keys.clone().find(is_conflict) {
                self.feed(Event::Resolve { key, choice: None });
            }
            let is_quiet = self.bench.reads.is_empty()
                && self.bench.pending.is_empty()
                && self.bench.engine.deadline().is_none();
            if is_quiet {
                break;
            }
            self.step();
            assert!(n < 199_999, "it ends: {:?}", self.bench.engine);
        }
        let engine = &self.bench.engine;
        assert_eq!(
            engine.queue.held_bytes, 0,
            "all of the budget is given back"
        );
        assert_eq!(engine.queue.reading, 0);
        assert!(engine.queue.hashed.is_empty() && engine.queue.working.is_empty());
        let unsettled: Vec<_> = engine
            .snapshot()
            .files
            .iter()
            .enumerate()
            .filter(|(_, file)| file.is_unsettled())
            .collect();
        assert!(unsettled.is_empty(), "{unsettled:?} {:?}", engine.queue);
        for row in engine.snapshot().rows() {
            assert!(row.state.is_settled(), "{row:?}");
            if let (FileState::Done(receipt), true) = (&row.state, self.is_honest)
                && row.size > 0
            {
                let upload = &self.bench.server.uploads[&receipt.id];
                let count = upload.layout.count();
                let content = self.contents[&row.key];
                let sums = (0..count).map(|index| checksum(content, index));
                let hash = merge_checksums(upload.layout, sums).unwrap();
                assert_eq!(
                    upload.receipt.as_ref().unwrap().hash,
                    Some(hash),
                    "done means equal: {row:?}"
                );
            }
        }
        if self.is_honest && self.is_orderly {
            let sizes = self.added_bytes;
            assert!(
                self.sent_bytes <= sizes + self.wasted_bytes,
                "{} sent of {sizes}, {} wasted",
                self.sent_bytes,
                self.wasted_bytes
            );
        }
    }
}

fn run(bytes: Vec<u8>, sizes: &[(u64, u8)], max_concurrent: u32, read_ahead: u64) -> World {
    let mut world = World::new(bytes, max_concurrent, read_ahead);
    world.feed(Event::Limits(Limits {
        batch: 3,
        pack_chunks: 5,
        ..Limits::default()
    }));
    for (name, &(size, earlier)) in sizes.iter().enumerate() {
        if earlier > 0 && size > CHUNK {
            // A part of it is there, of the same file or of another.
            let content = if earlier == 2 { 7 } else { 1 };
            let file = hoist_protocol::NewFile {
                name: format!("f{name}"),
                size: Some(size),
                last_modified: Some(1),
                ..hoist_protocol::NewFile::default()
            };
            let request = hoist_protocol::CreateRequest {
                sender: world.bench.engine.config.sender.clone(),
                files: vec![file],
            };
            world.bench.server.create(&request);
            let upload = world.bench.server.uploads.values_mut().last().unwrap();
            for index in 0..upload.layout.count() / 2 {
                upload.chunks.insert(index, checksum(content, index));
            }
        }
        world.add(name, size, 1);
    }
    while !world.chance.is_over() {
        world.step();
    }
    world.finish();
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, max_shrink_iters: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_finite_schedule_of_faults_ends_with_a_reason_for_each_file(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        sizes in prop::collection::vec((0..6 * CHUNK, 0..3u8), 1..9),
        max_concurrent in 1..5u32,
        read_ahead in prop_oneof![Just(0), Just(CHUNK * 3), Just(CHUNK * 100)],
    ) {
        run(bytes, &sizes, max_concurrent, read_ahead);
    }
}

#[test]
fn without_faults_each_byte_is_sent_once_and_shown_grows_to_the_end() {
    let sizes: Vec<(u64, u8)> = (0..40).map(|n| (n * 20_001, 0)).collect();
    let world = run(Vec::new(), &sizes, 4, 100 * CHUNK);
    let total: u64 = sizes.iter().map(|&(size, _)| size).sum();
    assert_eq!(world.sent_bytes, total);
    assert_eq!(world.bench.server.received_bytes, total);
    let totals = world.bench.engine.snapshot().totals;
    assert_eq!((totals.finished, totals.shown), (40, total));
}

#[test]
fn a_clock_that_jumps_back_or_to_the_end_stops_nothing() {
    let mut bench = Bench::new(config());
    bench.add(
        Picked {
            name: "a".to_owned(),
            size: CHUNK,
            ..Picked::default()
        },
        1,
    );
    bench.now = Millis(0);
    bench.handle(Event::Tick);
    bench.now = Millis(u64::MAX);
    bench.handle(Event::Tick);
    let request = *bench.pending.first_key_value().unwrap().0;
    bench.end(request, Fate::Answered);
    bench.read_all();
    bench.run();
    assert_eq!(bench.engine.snapshot().totals.finished, 1);
}

#[test]
fn failing_again_and_again_is_said_until_something_succeeds() {
    let mut bench = Bench::new(config());
    bench.add(
        Picked {
            name: "a".to_owned(),
            size: CHUNK,
            ..Picked::default()
        },
        1,
    );
    let mut said = Vec::new();
    for fate in [Fate::Lost, Fate::Lost, Fate::Lost, Fate::Answered] {
        bench.wait(20_000);
        said.push(bench.engine.snapshot().is_failing);
        let request = *bench.pending.first_key_value().unwrap().0;
        bench.end(request, fate);
    }
    said.push(bench.engine.snapshot().is_failing);
    // One failure is not worth a word; and a request under way does not make it unsaid.
    assert_eq!(said, [false, false, true, true, false]);
}
