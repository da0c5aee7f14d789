//! An engine on a bench: a driver that runs its actions against the model server, one at a time.

use std::collections::{BTreeMap, VecDeque};

use hoist_protocol::{Checksum, Millis, Sender, UploadId};

use super::server::{Server, checksum};
use crate::{Action, Engine, EngineConfig, Event, Failure, FileKey, Notice, Picked};

/// What becomes of a request.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    /// The server does it and the answer arrives.
    Answered,
    /// The server does it and the answer is lost.
    AnswerLost,
    /// The server takes the first so many chunks of a pack, then the line breaks.
    CutAfter(usize),
    /// It never arrives.
    Lost,
    /// The bytes of chunk *n* of a pack are damaged on the way.
    Damaged(usize),
    /// Somebody answers with a failure, and nothing is done.
    Failed(Failure),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Content {
    pub(super) id: u64,
    pub(super) is_readable: bool,
    pub(super) is_unchanged: bool,
}

pub(super) struct Bench {
    pub(super) engine: Engine,
    pub(super) now: Millis,
    pub(super) server: Server,
    pub(super) contents: Vec<Content>,
    pub(super) pending: BTreeMap<u64, Action>,
    pub(super) reads: VecDeque<Action>,
    /// Actions in the order they were taken, without reads.
    pub(super) log: Vec<Action>,
    pub(super) notices: Vec<Notice>,
}

pub(super) fn config() -> EngineConfig {
    EngineConfig::new(Sender::new("page").unwrap())
}

impl Bench {
    pub(super) fn new(config: EngineConfig) -> Self {
        Self {
            engine: Engine::new(config, 1),
            now: Millis(1_000_000),
            server: Server::new(),
            contents: Vec::new(),
            pending: BTreeMap::new(),
            reads: VecDeque::new(),
            log: Vec::new(),
            notices: Vec::new(),
        }
    }

    pub(super) fn next_key(&self) -> FileKey {
        FileKey(u32::try_from(self.contents.len()).unwrap())
    }

    pub(super) fn add(&mut self, file: Picked, content: u64) -> FileKey {
        let key = self.next_key();
        self.contents.push(Content {
            id: content,
            is_readable: true,
            is_unchanged: true,
        });
        self.handle(Event::Added { key, file });
        key
    }

    pub(super) fn handle(&mut self, event: Event) {
        self.server.now = self.now.0;
        self.engine.handle(self.now, event);
        while let Some(action) = self.engine.next_action() {
            self.take(action);
        }
    }

    fn take(&mut self, action: Action) {
        match &action {
            Action::Create { request, .. }
            | Action::Status { request, .. }
            | Action::SendPack { request, .. }
            | Action::Delete { request, .. }
            | Action::Restore { request, .. } => {
                self.pending.insert(request.0, action.clone());
            }
            Action::Abort { request } => {
                // An abort comes too late for a server that has the request already.
                self.pending.remove(&request.0);
            }
            Action::Hash { .. } | Action::Probe { .. } => self.reads.push_back(action.clone()),
            Action::Forget { key, index } => {
                let (key, index) = (*key, *index);
                self.reads.retain(|read| {
                    !matches!(read, Action::Hash { key: k, index: i, .. }
                        if *k == key && index.is_none_or(|index| index == *i))
                });
            }
            Action::Notify(notice) => self.notices.push(notice.clone()),
        }
        self.log.push(action);
    }

    pub(super) fn content(&self, key: FileKey) -> Content {
        self.contents[key.0 as usize]
    }

    /// What the disk answers to a read or a probe.
    pub(super) fn read(&self, read: &Action) -> Event {
        match *read {
            Action::Hash { key, index, .. } => {
                let content = self.content(key);
                Event::Hashed {
                    key,
                    index,
                    checksum: (content.is_readable && content.is_unchanged)
                        .then(|| checksum(content.id, index)),
                }
            }
            Action::Probe { key } => {
                let content = self.content(key);
                Event::Probed {
                    key,
                    unchanged: content.is_readable.then_some(content.is_unchanged),
                }
            }
            _ => Event::Tick,
        }
    }

    /// Answers reads until there is none.
    pub(super) fn read_all(&mut self) {
        while let Some(read) = self.reads.pop_front() {
            let event = self.read(&read);
            self.handle(event);
        }
    }

    pub(super) fn arrived(&self, parts: &[(FileKey, hoist_protocol::ByteRange)]) -> Vec<Checksum> {
        parts
            .iter()
            .map(|&(key, range)| {
                let index = u32::try_from(range.start / self.server.chunk_size).unwrap();
                checksum(self.content(key).id, index)
            })
            .collect()
    }

    /// Ends a request. The answer, if one arrives.
    #[expect(clippy::needless_pass_by_value, reason = "a fate is used up")]
    pub(super) fn outcome(&mut self, request: u64, fate: Fate) -> Option<Event> {
        self.server.now = self.now.0;
        let action = self.pending.remove(&request)?;
        let is_answered = matches!(fate, Fate::Answered | Fate::Damaged(_));
        let failure = match &fate {
            Fate::Failed(failure) => failure.clone(),
            _ => Failure::NoAnswer,
        };
        let is_done = matches!(
            fate,
            Fate::Answered | Fate::AnswerLost | Fate::Damaged(_) | Fate::CutAfter(_)
        );
        macro_rules! result {
            ($answer:expr) => {{
                let answer = is_done.then(|| $answer);
                match answer {
                    Some(answer) if is_answered => Ok(answer),
                    _ => Err(failure),
                }
            }};
        }
        Some(match action {
            Action::Create { request, body } => Event::Created {
                request,
                result: result!(self.server.create(&body)),
            },
            Action::Status { request, body } => Event::Status {
                request,
                result: result!(self.server.status(&body)),
            },
            Action::Delete { request, body } => Event::Deleted {
                request,
                result: result!(self.server.delete(&body)),
            },
            Action::Restore { request, body } => Event::Deleted {
                request,
                result: result!(self.server.restore(&body)),
            },
            Action::SendPack {
                request,
                manifest,
                parts,
            } => {
                let mut arrived = self.arrived(&parts);
                if let Fate::Damaged(at) = fate {
                    let at = at % arrived.len().max(1);
                    arrived[at] = checksum(u64::MAX, u32::MAX);
                }
                let whole = match fate {
                    Fate::CutAfter(whole) => whole,
                    _ => usize::MAX,
                };
                Event::PackAnswered {
                    request,
                    result: result!(self.server.pack(&manifest, &arrived, whole)),
                }
            }
            _ => return None,
        })
    }

    pub(super) fn end(&mut self, request: u64, fate: Fate) {
        if let Some(event) = self.outcome(request, fate) {
            self.handle(event);
        }
    }

    /// Moves the clock to the next deadline within `ms`, or to the end of it.
    pub(super) fn wait(&mut self, ms: u64) {
        let end = self.now.plus(ms);
        loop {
            match self.engine.deadline() {
                Some(at) if at <= end => {
                    assert!(at > self.now, "a deadline lies ahead");
                    self.now = at;
                    self.handle(Event::Tick);
                }
                _ => break,
            }
            self.read_all();
        }
        self.now = end;
        self.handle(Event::Tick);
    }

    /// Lets everything go well until nothing is left to do.
    pub(super) fn run(&mut self) {
        for _ in 0..100_000 {
            self.read_all();
            if let Some((&request, _)) = self.pending.first_key_value() {
                self.now = self.now.plus(10);
                self.end(request, Fate::Answered);
            } else if let Some(at) = self.engine.deadline() {
                assert!(at > self.now, "a deadline lies ahead");
                self.now = at;
                self.handle(Event::Tick);
            } else {
                return;
            }
        }
        panic!(
            "no end: {:?}",
            self.log.iter().rev().take(20).collect::<Vec<_>>()
        );
    }

    pub(super) fn upload_of(&self, key: FileKey) -> Option<UploadId> {
        self.engine.snapshot().row(key)?.upload
    }
}
