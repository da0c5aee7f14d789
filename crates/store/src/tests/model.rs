//! The store against a model of a page: whatever is done to it in whatever order, it says what the
//! model says, and every finished file is whole.

use std::collections::BTreeSet;

use hoist_protocol::{CreateAnswer, DeleteResult, Millis, NewFile, UploadId, UploadStatus};
use proptest::prelude::*;

use super::support::{Bench, CHUNK, NOW, bytes, chunk, file, hash, sender};
use crate::{ListQuery, StoreError};

#[derive(Clone, Debug)]
enum Step {
    /// One of a few files is dropped on the page.
    Create(u8),
    /// A chunk of one of those that were created is sent, maybe damaged.
    Send(prop::sample::Index, prop::sample::Index, bool),
    Delete(prop::sample::Index),
    Restore(prop::sample::Index),
    Rename(prop::sample::Index, u8),
    Wait(u16),
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    let any = any::<prop::sample::Index>;
    prop_oneof![
        4 => (0..8u8).prop_map(Step::Create),
        12 => (any(), any(), prop::bool::weighted(0.2)).prop_map(|(a, b, c)| Step::Send(a, b, c)),
        2 => any().prop_map(Step::Delete),
        2 => any().prop_map(Step::Restore),
        1 => (any(), 0..4u8).prop_map(|(a, b)| Step::Rename(a, b)),
        2 => (0..20_000u16).prop_map(Step::Wait),
        1 => Just(Step::Sweep),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Unfinished,
    Finished,
    Hidden(u64),
    Gone,
}

#[derive(Debug)]
struct Upload {
    id: UploadId,
    new: NewFile,
    all: Vec<u8>,
    sent: BTreeSet<u32>,
    state: State,
}

impl Upload {
    fn count(&self) -> u32 {
        self.all.len().div_ceil(CHUNK as usize) as u32
    }

    fn received(&self) -> u64 {
        let length = |index: &u32| (self.all.len() as u64 - u64::from(*index) * CHUNK).min(CHUNK);
        self.sent.iter().map(length).sum()
    }
}

/// Eight files: two names that differ in case, two times, two sizes.
fn drawn(n: u8) -> (NewFile, Vec<u8>) {
    let size = if n & 4 == 0 { 100 } else { 2 * CHUNK + 7 };
    let name = if n & 1 == 0 { "d/a.bin" } else { "d/A.bin" };
    let new = NewFile {
        last_modified: Some(i64::from(n & 2)),
        ..file(name, size)
    };
    (new, bytes(size, u64::from(n)))
}

struct Page {
    bench: Bench,
    now: Millis,
    uploads: Vec<Upload>,
}

impl Page {
    async fn take(&mut self, step: Step) {
        if let Step::Create(n) = step {
            return self.create(n).await;
        }
        let pick = |index: prop::sample::Index| {
            (!self.uploads.is_empty()).then(|| index.index(self.uploads.len()))
        };
        match step {
            Step::Send(which, index, is_damaged) => {
                if let Some(which) = pick(which) {
                    self.send(which, index, is_damaged).await;
                }
            }
            Step::Delete(which) => {
                if let Some(which) = pick(which) {
                    self.delete(which).await;
                }
            }
            Step::Restore(which) => {
                if let Some(which) = pick(which) {
                    self.restore(which).await;
                }
            }
            Step::Rename(which, n) => {
                if let Some(which) = pick(which) {
                    self.rename(which, &format!("r{n}")).await;
                }
            }
            Step::Wait(ms) => self.now = self.now.plus(u64::from(ms)),
            Step::Sweep => self.sweep().await,
            Step::Create(_) => {}
        }
    }

    async fn create(&mut self, n: u8) {
        let (new, all) = drawn(n);
        let files = [new.clone()];
        let store = &self.bench.store;
        let answers = store.create(self.now, &self.bench.party, &files).await;
        // There may be several: one that was deleted, sent again, and taken back.
        let known = |state: State| {
            let same = |upload: &&Upload| upload.new == new && upload.state == state;
            self.uploads.iter().filter(same).collect::<Vec<_>>()
        };
        let (finished, unfinished) = (known(State::Finished), known(State::Unfinished));
        match (answers.unwrap().pop().unwrap(), unfinished.first()) {
            (CreateAnswer::Present { receipt }, _) => {
                assert!(finished.iter().any(|known| known.id == receipt.id));
            }
            (answer, _) if !finished.is_empty() => panic!("{answer:?}"),
            (CreateAnswer::Needed(needed), Some(known)) => {
                assert_eq!(
                    needed.id, known.id,
                    "an unfinished one is never there twice"
                );
                let sum: u64 = needed.received.iter().map(|range| range.len()).sum();
                assert_eq!(sum, known.received());
            }
            (CreateAnswer::Needed(needed), None) => {
                assert_eq!(needed.received, []);
                self.uploads.push(Upload {
                    id: needed.id,
                    new,
                    all,
                    sent: BTreeSet::new(),
                    state: State::Unfinished,
                });
            }
            other => panic!("{other:?}"),
        }
    }

    async fn send(&mut self, which: usize, index: prop::sample::Index, is_damaged: bool) {
        let (bench, now) = (&self.bench, self.now);
        let upload = &mut self.uploads[which];
        let index = index.index(upload.count() as usize) as u32;
        let (mut claim, part) = chunk(upload.id, &upload.all, index);
        let mut part = part.to_vec();
        if is_damaged {
            part[0] ^= 1;
            // Without a checksum only what is there can tell; so it is left out only then.
            if upload.sent.contains(&index) {
                claim.checksum = None;
            }
        }
        let sent = async {
            let store = &bench.store;
            let (party, page) = (&bench.party, sender("page"));
            let mut writer = store.write_chunk(now, party, &page, 0, &claim).await?;
            writer.write(now, part.into()).await?;
            writer.finish(now).await
        };
        match (sent.await, upload.state) {
            (Err(StoreError::NotFound), State::Hidden(_) | State::Gone) => {}
            (Err(StoreError::ChunkConflict), State::Finished) => assert!(is_damaged),
            (Err(StoreError::ChunkConflict), State::Unfinished) => {
                assert!(is_damaged && upload.sent.contains(&index));
            }
            (Err(StoreError::ChecksumMismatch), State::Unfinished) => {
                assert!(is_damaged && !upload.sent.contains(&index));
            }
            (Ok(answer), State::Unfinished) => {
                assert!(!is_damaged);
                assert_eq!(answer.is_new, upload.sent.insert(index));
                let is_whole = upload.sent.len() as u32 == upload.count();
                assert_eq!(answer.receipt.is_some(), is_whole);
                if is_whole {
                    upload.state = State::Finished;
                }
            }
            (Ok(answer), State::Finished) => {
                assert!(!is_damaged && !answer.is_new && answer.receipt.is_some());
            }
            other => panic!("{other:?}"),
        }
    }

    async fn delete(&mut self, which: usize) {
        let upload = &mut self.uploads[which];
        let ids = [upload.id];
        let deleted = self.bench.store.delete(self.now, &self.bench.party, &ids);
        let result = deleted.await.unwrap().pop().unwrap();
        let until = self.now.0 + 30_000;
        upload.state = match upload.state {
            State::Finished => State::Hidden(until),
            State::Hidden(until) => State::Hidden(until),
            State::Unfinished | State::Gone => State::Gone,
        };
        let expected = match upload.state {
            State::Hidden(until) if until > self.now.0 => DeleteResult::Deleting { until },
            _ => DeleteResult::Deleted,
        };
        assert_eq!(result, expected);
    }

    async fn restore(&mut self, which: usize) {
        let upload = &mut self.uploads[which];
        let ids = [upload.id];
        let restored = self.bench.store.restore(self.now, &self.bench.party, &ids);
        let result = restored.await.unwrap().pop().unwrap();
        let is_restored = matches!(result, DeleteResult::Restored { .. });
        match upload.state {
            State::Hidden(until) if until > self.now.0 => {
                assert!(is_restored);
                upload.state = State::Finished;
            }
            State::Finished => assert!(is_restored),
            _ => assert!(matches!(result, DeleteResult::Refused(_))),
        }
    }

    async fn rename(&mut self, which: usize, name: &str) {
        let upload = &mut self.uploads[which];
        let store = &self.bench.store;
        let renamed = store.rename(self.now, &self.bench.party, upload.id, name);
        match (renamed.await, upload.state) {
            (Ok(receipt), State::Finished) => {
                assert_eq!(receipt.name, name);
                upload.new.name = name.into();
            }
            (Err(StoreError::NotFound), state) => assert_ne!(state, State::Finished),
            other => panic!("{other:?}"),
        }
    }

    async fn sweep(&mut self) {
        let report = self.bench.store.sweep(self.now).await.unwrap();
        let mut deleted = 0;
        for upload in &mut self.uploads {
            if matches!(upload.state, State::Hidden(until) if until <= self.now.0) {
                upload.state = State::Gone;
                deleted += 1;
            }
        }
        assert_eq!((report.expired, report.deleted), (0, deleted));
    }

    /// Everything that can be asked says what the model says.
    async fn check(&self) {
        let mut places = BTreeSet::new();
        for upload in &self.uploads {
            let ids = [upload.id];
            let store = &self.bench.store;
            let status = store.status(self.now, &self.bench.party, &ids, None).await;
            match (status.unwrap().pop().unwrap(), upload.state) {
                (UploadStatus::Unfinished(status), State::Unfinished) => {
                    let sum: u64 = status.received.iter().map(|range| range.len()).sum();
                    assert_eq!(sum, upload.received());
                }
                (UploadStatus::Finished { receipt }, State::Finished) => {
                    assert_eq!(receipt.hash.unwrap().to_string(), hash(&upload.all));
                    assert!(self.bench.content(upload.id).await == upload.all);
                    let place = receipt.stored_as.to_lowercase();
                    assert!(places.insert(place), "two files lie at one place");
                }
                (UploadStatus::Gone(_), State::Hidden(_) | State::Gone) => {}
                other => panic!("{other:?}"),
            }
        }
        let count = |state| self.uploads.iter().filter(|u| u.state == state).count() as u64;
        let (store, party) = (&self.bench.store, &self.bench.party);
        let list = store.list(self.now, party, &ListQuery::default()).await;
        let counts = list.unwrap().counts;
        assert_eq!(
            (counts.unfinished, counts.finished),
            (count(State::Unfinished), count(State::Finished))
        );
    }
}

/// Does all steps; after each one everything is compared.
async fn run(bench: Bench, steps: Vec<Step>) {
    let mut page = Page {
        bench,
        now: NOW,
        uploads: Vec::new(),
    };
    for step in steps {
        page.take(step).await;
        page.check().await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn memory_does_what_the_model_does(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(Bench::memory(), steps));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_disk_does_what_the_model_does(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async { run(Bench::disk().await, steps).await });
    }
}
