//! A page that sends to a server that takes everything at once: what is left is the engine's own work.

use std::collections::{BTreeMap, VecDeque};

use hoist_engine::{Action, Engine, EngineConfig, Event, FileKey, Picked};
use hoist_protocol::{
    ChunkLayout, ChunkResult, CreateAnswer, CreateRequest, CreateResponse, Kind, Millis, Needed,
    NewFile, PackManifest, PackResponse, Receipt, UploadId,
};

use crate::inputs::{checksum, id, sender};

/// An engine and what it has been told so far.
#[derive(Debug)]
pub struct Page {
    engine: Engine,
    now: Millis,
    server: Server,
    reads: VecDeque<Event>,
    requests: VecDeque<Action>,
    packs: usize,
}

/// A server without bytes.
#[derive(Debug)]
struct Server {
    chunk_size: u64,
    uploads: Vec<Upload>,
    /// Which upload an id names. Not by hash: that would cost another number of steps each time.
    ids: BTreeMap<UploadId, usize>,
}

#[derive(Debug)]
struct Upload {
    file: NewFile,
    /// Chunks that are to come.
    left: u32,
}

impl Page {
    /// A page without files, whose server cuts them to chunks of this size.
    #[must_use]
    pub fn new(chunk_size: u64) -> Self {
        Self {
            engine: Engine::new(EngineConfig::new(sender()), 1),
            now: Millis(1_700_000_000_000),
            server: Server {
                chunk_size,
                uploads: Vec::new(),
                ids: BTreeMap::new(),
            },
            reads: VecDeque::new(),
            requests: VecDeque::new(),
            packs: 0,
        }
    }

    /// Adds files, and takes what the engine says to it, as a driver does.
    pub fn add(&mut self, files: Vec<Picked>) {
        for (key, file) in (0..).map(FileKey).zip(files) {
            self.handle(Event::Added { key, file });
        }
    }

    /// Sends all of it; says how many packs that took.
    ///
    /// # Panics
    ///
    /// If the engine stops before everything is stored.
    pub fn send(&mut self) -> usize {
        loop {
            if let Some(event) = self.reads.pop_front() {
                self.handle(event);
            } else if let Some(action) = self.requests.pop_front() {
                self.now = self.now.plus(10);
                if let Some(answer) = self.answer(action) {
                    self.handle(answer);
                }
            } else if let Some(at) = self.engine.deadline() {
                self.now = at;
                self.handle(Event::Tick);
            } else {
                break;
            }
        }
        let totals = self.engine.snapshot().totals;
        assert_eq!(totals.finished, totals.files, "all of it is sent");
        self.packs
    }

    fn handle(&mut self, event: Event) {
        self.engine.handle(self.now, event);
        while let Some(action) = self.engine.next_action() {
            match action {
                Action::Hash { key, index, .. } => self.reads.push_back(Event::Hashed {
                    key,
                    index,
                    checksum: Some(checksum(index)),
                }),
                Action::Create { .. } | Action::SendPack { .. } => self.requests.push_back(action),
                // Nothing fails here, so nothing else is asked.
                _ => {}
            }
        }
    }

    fn answer(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Create { request, body } => Some(Event::Created {
                request,
                result: Ok(self.server.create(body)),
            }),
            Action::SendPack {
                request, manifest, ..
            } => {
                self.packs += 1;
                Some(Event::PackAnswered {
                    request,
                    result: Ok(self.server.pack(&manifest)),
                })
            }
            _ => None,
        }
    }
}

impl Server {
    fn create(&mut self, body: CreateRequest) -> CreateResponse {
        let answers = body.files.into_iter().map(|file| self.add(file)).collect();
        CreateResponse { answers }
    }

    #[expect(clippy::expect_used, reason = "a defect of the measurement")]
    fn add(&mut self, file: NewFile) -> CreateAnswer {
        let number = self.uploads.len();
        let id = id(u32::try_from(number).expect("few files"));
        let size = file.size.expect("a page knows it");
        let layout = ChunkLayout::new(size, self.chunk_size).expect("not too large");
        self.ids.insert(id, number);
        let left = layout.count();
        self.uploads.push(Upload { file, left });
        CreateAnswer::Needed(Needed {
            id,
            chunk_size: self.chunk_size,
            received: Vec::new(),
            expires: 0,
        })
    }

    fn pack(&mut self, manifest: &PackManifest) -> PackResponse {
        let mut response = PackResponse::default();
        for chunk in &manifest.chunks {
            let upload = &mut self.uploads[self.ids[&chunk.upload]];
            upload.left -= 1;
            response.results.push(ChunkResult::Acknowledged);
            if upload.left == 0 {
                response.receipts.push(Receipt {
                    id: chunk.upload,
                    name: upload.file.name.clone(),
                    path: upload.file.path.clone(),
                    kind: Kind::File,
                    size: upload.file.size.unwrap_or(0),
                    hash: chunk.checksum,
                    last_modified: upload.file.last_modified,
                    media_type: None,
                    stored_as: upload.file.name.clone(),
                    finished: 0,
                });
            }
        }
        response
    }
}
