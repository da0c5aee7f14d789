//! Nonsense, a million times: no panic, no growth without bound, sums that stay sums. One file: a way to make nonsense of each
//! message, and one loop that uses them all.

use std::collections::{BTreeMap, BTreeSet};

use hoist_protocol::{
    ByteRange, Checksum, ChecksumRun, ChunkResult, CreateAnswer, CreateResponse, DeleteResponse,
    DeleteResult, ErrorBody, ErrorCode, GoneUpload, Kind, Limits, Millis, Needed, OnConflict,
    PackResponse, Receipt, StatusResponse, Unfinished, UploadId, UploadStatus,
};

use super::bench::config;
use crate::{
    Action, Elsewhere, Engine, Event, Failure, FileKey, Picked, RequestId, Restrictions,
    progress::summed_again, rng::Rng,
};

struct Fuzzer {
    rng: Rng,
    engine: Engine,
    now: u64,
    keys: u32,
    requests: u64,
    reads: Vec<(FileKey, u32)>,
    /// Requests that were asked, so that some answers fit.
    asked: BTreeMap<RequestId, Action>,
    states: BTreeSet<&'static str>,
    from_callbacks: u64,
}

impl Fuzzer {
    fn up_to(&mut self, most: u64) -> u64 {
        self.rng.up_to(most)
    }

    fn one_of<T: Clone>(&mut self, things: &[T]) -> T {
        let at = self.up_to(things.len() as u64 - 1);
        things[usize::try_from(at).unwrap()].clone()
    }

    fn number(&mut self) -> u64 {
        let small = self.up_to(400_000);
        self.one_of(&[
            small,
            small % 5,
            0,
            1,
            65_536,
            1 << 20,
            u64::MAX,
            u64::MAX - 1,
        ])
    }

    fn key(&mut self) -> FileKey {
        let near = u64::from(self.keys).saturating_sub(self.rng.up_to(20));
        FileKey(u32::try_from(near).unwrap())
    }

    fn id(&mut self) -> UploadId {
        let n = self.up_to(30);
        UploadId::from_bytes(u128::from(n).to_be_bytes())
    }

    fn checksum(&mut self) -> Checksum {
        let n = self.up_to(1);
        Checksum::from_bytes([u8::try_from(n).unwrap(); 32])
    }

    fn request(&mut self) -> RequestId {
        let near = self.requests.saturating_sub(self.rng.up_to(8));
        RequestId(near)
    }

    fn error(&mut self) -> ErrorBody {
        let wait = self.number();
        ErrorBody {
            code: self.one_of(ErrorCode::ALL),
            message: "no".to_owned(),
            retry_after_ms: self.one_of(&[None, Some(wait)]),
        }
    }

    fn result<T>(&mut self, answer: impl FnOnce(&mut Self) -> T) -> Result<T, Failure> {
        let wait = self.number();
        match self.up_to(9) {
            0 => Err(Failure::NoAnswer),
            1 => Err(Failure::Refused(self.error())),
            2 => Err(Failure::Foreign {
                status: self.one_of(&[
                    0, 200, 301, 401, 403, 404, 408, 413, 425, 429, 500, 502, 503,
                ]),
                retry_after_ms: Some(wait),
            }),
            _ => Ok(answer(self)),
        }
    }

    fn receipt(&mut self) -> Receipt {
        let id = self.id();
        let hash = self.checksum();
        Receipt {
            id,
            name: "n".to_owned(),
            path: String::new(),
            kind: Kind::File,
            size: self.number(),
            hash: self.one_of(&[None, Some(hash)]),
            last_modified: None,
            media_type: None,
            stored_as: String::new(),
            finished: self.number(),
        }
    }

    fn ranges(&mut self) -> Vec<ByteRange> {
        (0..self.up_to(3))
            .map(|_| ByteRange::new(self.number(), self.number()))
            .collect()
    }

    fn chunk_size(&mut self) -> u64 {
        self.one_of(&[65_536, 65_536, 1 << 20, 1, 0, u64::MAX])
    }

    fn status(&mut self) -> UploadStatus {
        match self.up_to(4) {
            0 => UploadStatus::Finished {
                receipt: self.receipt(),
            },
            1 => UploadStatus::Gone(GoneUpload {
                id: self.id(),
                error: self.error(),
            }),
            _ => {
                let size = self.number();
                UploadStatus::Unfinished(Unfinished {
                    id: self.id(),
                    name: format!("f{}", self.up_to(9)),
                    path: String::new(),
                    size: self.one_of(&[None, Some(size)]),
                    last_modified: None,
                    media_type: None,
                    chunk_size: self.chunk_size(),
                    received: self.ranges(),
                    expires: 0,
                    checksums: (0..self.up_to(2))
                        .map(|_| ChecksumRun {
                            from: u32::try_from(self.number() & 0xffff_ffff).unwrap(),
                            values: (0..self.up_to(4)).map(|_| self.checksum()).collect(),
                        })
                        .collect(),
                })
            }
        }
    }

    fn create_answer(&mut self) -> CreateAnswer {
        match self.up_to(9) {
            0 => CreateAnswer::Present {
                receipt: self.receipt(),
            },
            1 => CreateAnswer::Conflict {
                existing: self.receipt(),
            },
            2 => CreateAnswer::Refused(self.error()),
            _ => CreateAnswer::Needed(Needed {
                id: self.id(),
                chunk_size: self.chunk_size(),
                received: self.ranges(),
                expires: 0,
            }),
        }
    }

    fn chunk_result(&mut self) -> ChunkResult {
        if self.up_to(5) == 0 {
            ChunkResult::Refused(self.error())
        } else {
            ChunkResult::Acknowledged
        }
    }

    fn delete_result(&mut self) -> DeleteResult {
        match self.up_to(4) {
            0 => DeleteResult::Deleting {
                until: self.number(),
            },
            1 => DeleteResult::Restored {
                receipt: self.receipt(),
            },
            2 => DeleteResult::Refused(self.error()),
            _ => DeleteResult::Deleted,
        }
    }

    fn person(&mut self) -> Event {
        let key = self.key();
        match self.up_to(19) {
            0 => Event::Pause(key),
            1 | 2 => Event::Resume(key),
            3 => Event::PauseAll,
            4 => Event::ResumeAll,
            5 => Event::TryNow,
            6 => Event::Cancel(key),
            7 => Event::Delete(key),
            8 => Event::Restore(key),
            17 => Event::RestoreAll,
            18 => Event::Elsewhere(match self.up_to(3) {
                0 | 1 => Elsewhere::Deleted {
                    upload: self.id(),
                    until: (self.up_to(1) > 0).then(|| self.number()),
                },
                2 => Elsewhere::Restored(self.receipt()),
                _ => Elsewhere::Renamed(self.receipt()),
            }),
            9 => Event::Retry(key),
            10 => Event::RetryAll,
            11 => Event::Resolve {
                key,
                choice: self.one_of(&[None, Some(OnConflict::KeepBoth), Some(OnConflict::Ask)]),
            },
            12 | 13 => Event::Remove(key),
            14 => Event::SignedIn,
            15 => Event::Start,
            16 => Event::Network {
                online: self.up_to(3) > 0,
            },
            _ if self.up_to(200) == 0 => Event::CancelAll,
            _ => Event::Tick,
        }
    }

    /// An answer that fits its request, more or less.
    fn fitting(&mut self) -> Option<Event> {
        let waiting: Vec<RequestId> = self.asked.keys().copied().collect();
        let last = waiting.len().checked_sub(1)?;
        let at = usize::try_from(self.up_to(last as u64)).unwrap();
        let action = self.asked.remove(&waiting[at])?;
        let many = |fuzzer: &mut Self, right: usize| match fuzzer.up_to(30) {
            0 => right + 1,
            1 => right.saturating_sub(1),
            _ => right,
        };
        Some(match action {
            Action::Create { request, body } => Event::Created {
                request,
                result: self.result(|fuzzer| CreateResponse {
                    answers: (0..many(fuzzer, body.files.len()))
                        .map(|_| fuzzer.create_answer())
                        .collect(),
                }),
            },
            Action::Status { request, body } => Event::Status {
                request,
                result: self.result(|fuzzer| StatusResponse {
                    uploads: body.ids.iter().map(|&id| fuzzer.status_of(id)).collect(),
                }),
            },
            Action::SendPack {
                request, manifest, ..
            } => Event::PackAnswered {
                request,
                result: self.result(|fuzzer| PackResponse {
                    results: (0..many(fuzzer, manifest.chunks.len()))
                        .map(|_| fuzzer.chunk_result())
                        .collect(),
                    receipts: manifest
                        .chunks
                        .iter()
                        .filter(|chunk| chunk.index % 3 == 0)
                        .map(|chunk| fuzzer.receipt_of(chunk.upload))
                        .collect(),
                }),
            },
            Action::Delete { request, body } | Action::Restore { request, body } => {
                Event::Deleted {
                    request,
                    result: self.result(|fuzzer| DeleteResponse {
                        results: (0..many(fuzzer, body.ids.len()))
                            .map(|_| fuzzer.delete_result())
                            .collect(),
                    }),
                }
            }
            _ => return None,
        })
    }

    fn receipt_of(&mut self, id: UploadId) -> Receipt {
        let size = self
            .engine
            .uploads
            .get(&id)
            .and_then(|&key| Some(self.engine.file(key)?.size));
        let receipt = self.receipt();
        Receipt {
            id,
            size: size.unwrap_or(receipt.size),
            ..receipt
        }
    }

    fn status_of(&mut self, id: UploadId) -> UploadStatus {
        match self.status() {
            UploadStatus::Unfinished(upload) => UploadStatus::Unfinished(Unfinished {
                id,
                chunk_size: if self.up_to(9) > 0 {
                    65_536
                } else {
                    upload.chunk_size
                },
                ..upload
            }),
            UploadStatus::Finished { .. } => UploadStatus::Finished {
                receipt: self.receipt_of(id),
            },
            UploadStatus::Gone(gone) => UploadStatus::Gone(GoneUpload { id, ..gone }),
        }
    }

    fn event(&mut self) -> Event {
        if self.up_to(2) == 0
            && let Some(event) = self.fitting()
        {
            return event;
        }
        match self.up_to(30) {
            0 | 1 => {
                let key = FileKey(self.keys);
                let size = self.number();
                Event::Added {
                    key,
                    file: Picked {
                        name: format!("f{}", self.up_to(400)),
                        path: self.one_of(&[String::new(), "a".to_owned(), "..".to_owned()]),
                        size: self.one_of(&[size, size % 700_000]),
                        last_modified: self.one_of(&[None, Some(1), Some(i64::MIN)]),
                        media_type: self.one_of(&[None, Some("image/png".to_owned())]),
                        is_directory: self.up_to(20) == 0,
                    },
                }
            }
            2 => Event::Added {
                key: FileKey(self.one_of(&[0, u32::MAX])),
                file: Picked::default(),
            },
            3 if self.up_to(30) == 0 => {
                let many = u32::try_from(self.up_to(3)).unwrap();
                Event::Listed {
                    keys: (self.keys..self.keys + many).map(FileKey).collect(),
                    uploads: (0..self.up_to(3)).map(|_| self.status()).collect(),
                }
            }
            4 if self.up_to(100) == 0 => Event::Limits(Limits {
                batch: u32::try_from(self.number() & 0xffff).unwrap(),
                pack_size: self.number(),
                pack_chunks: u32::try_from(self.number() & 0xffff).unwrap(),
                manifest_size: self.number(),
                unfinished: self.number(),
                ..Limits::default()
            }),
            5..=7 => Event::Created {
                request: self.request(),
                result: self.result(|fuzzer| CreateResponse {
                    answers: (0..fuzzer.up_to(30))
                        .map(|_| fuzzer.create_answer())
                        .collect(),
                }),
            },
            8..=10 => Event::Status {
                request: self.request(),
                result: self.result(|fuzzer| StatusResponse {
                    uploads: (0..fuzzer.up_to(9)).map(|_| fuzzer.status()).collect(),
                }),
            },
            11..=14 => Event::PackAnswered {
                request: self.request(),
                result: self.result(|fuzzer| PackResponse {
                    results: (0..fuzzer.up_to(60))
                        .map(|_| fuzzer.chunk_result())
                        .collect(),
                    receipts: (0..fuzzer.up_to(3)).map(|_| fuzzer.receipt()).collect(),
                }),
            },
            15 => Event::PackProgress {
                request: self.request(),
                sent: self.number(),
            },
            16 => Event::Deleted {
                request: self.request(),
                result: self.result(|fuzzer| DeleteResponse {
                    results: (0..fuzzer.up_to(5))
                        .map(|_| fuzzer.delete_result())
                        .collect(),
                }),
            },
            17..=23 => {
                let (key, index) = self.reads.pop().unwrap_or((self.key(), 0));
                let checksum = self.checksum();
                Event::Hashed {
                    key,
                    index,
                    checksum: (self.up_to(30) > 0).then_some(checksum),
                }
            }
            24 => Event::Probed {
                key: self.key(),
                unchanged: self.one_of(&[None, Some(true), Some(true), Some(false)]),
            },
            25..=27 => Event::Tick,
            _ => self.person(),
        }
    }

    fn feed(&mut self, event: Event) {
        match &event {
            Event::Added { key, .. } if key.0 == self.keys => self.keys += 1,
            Event::Listed { keys, .. } => self.keys += u32::try_from(keys.len()).unwrap(),
            _ => {}
        }
        self.engine.handle(Millis(self.now), event);
        let mut depth = 0;
        while let Some(action) = self.engine.next_action() {
            match action.clone() {
                Action::Create { request, .. }
                | Action::Status { request, .. }
                | Action::SendPack { request, .. }
                | Action::Delete { request, .. }
                | Action::Restore { request, .. } => {
                    self.requests = request.0;
                    self.asked.insert(request, action);
                }
                Action::Abort { request } => {
                    self.asked.remove(&request);
                }
                Action::Hash { key, index, .. } => self.reads.push((key, index)),
                // The host page does something in its callback, before the other actions.
                Action::Notify(_) if depth < 3 && self.rng.up_to(3) == 0 => {
                    depth += 1;
                    let event = self.person();
                    self.from_callbacks += 1;
                    self.engine.handle(Millis(self.now), event);
                }
                _ => {}
            }
        }
        if self.reads.len() > 500 {
            self.reads.drain(..400);
        }
    }
}

fn fuzz(seed: u64, steps: u64) -> Fuzzer {
    let mut config = config();
    if seed % 2 == 1 {
        config.restrictions = Restrictions {
            max_file_size: Some(1 << 20),
            max_files: Some(200),
            accept: vec![".nothing".to_owned(), "image/*".to_owned()],
            ..Restrictions::default()
        };
        config.read_ahead = 0;
        config.max_concurrent = 0;
        config.auto_start = false;
        config.chunk_size = Some(3);
    }
    let mut fuzzer = Fuzzer {
        rng: Rng::new(seed),
        engine: Engine::new(config, seed),
        now: 0,
        keys: 0,
        requests: 0,
        reads: Vec::new(),
        asked: BTreeMap::new(),
        states: BTreeSet::new(),
        from_callbacks: 0,
    };
    for step in 0..steps {
        let ahead = match fuzzer.up_to(20) {
            0 => fuzzer.up_to(20_000),
            _ => fuzzer.up_to(50),
        };
        fuzzer.now = fuzzer.now.saturating_add(ahead);
        let event = fuzzer.event();
        fuzzer.feed(event);
        if step % 64 == 0 {
            let snapshot = fuzzer.engine.snapshot();
            assert_eq!(
                snapshot.totals,
                summed_again(snapshot),
                "seed {seed} step {step}"
            );
            for row in snapshot.rows() {
                fuzzer.states.insert(row.state.name());
                assert!(
                    row.shown <= row.acknowledged.saturating_add(row.in_flight),
                    "seed {seed} step {step}: {row:?}"
                );
            }
            if let Some(at) = fuzzer.engine.deadline() {
                assert!(at > Millis(fuzzer.now), "seed {seed} step {step}");
            }
        }
        assert!(fuzzer.engine.requests.packs() <= 4);
        assert!(fuzzer.engine.requests.controls() <= 2);
    }
    fuzzer
}

#[test]
fn a_million_random_events_do_no_harm() {
    let mut from_callbacks = 0;
    let mut states = BTreeSet::new();
    for seed in 0..100 {
        let fuzzer = fuzz(seed, 10_000);
        from_callbacks += fuzzer.from_callbacks;
        states.extend(fuzzer.states.iter().copied());
        let engine = &fuzzer.engine;
        // What is kept besides the rows is bounded by what the rows can use.
        let files = engine.snapshot.files.len();
        assert!(engine.queue.timers().count() <= files && engine.queue.ready.len() <= files);
        assert!(engine.queue.again.iter().map(Vec::len).sum::<usize>() <= files);
        assert!(engine.uploads.len() <= 40, "{}", engine.uploads.len());
        assert!(engine.queue.hashed.len() <= 20_000);
    }
    assert_eq!(states.len(), 15, "all states were reached: {states:?}");
    assert!(
        from_callbacks > 10_000,
        "{from_callbacks} came from callbacks"
    );
}
