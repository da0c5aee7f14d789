//! A client that sends many files over several connections, and writes down what was acknowledged.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use hoist_protocol::{
    ChunkResult, CreateAnswer, CreateRequest, CreateResponse, NewFile, PackChunk, PackManifest,
    PackResponse, Receipt, Sender, StatusRequest, StatusResponse, UploadId, UploadStatus,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::program::LONG;

pub(super) const CHUNK: u64 = 64 << 10;
/// Connections at a time.
const CONNECTIONS: u64 = 4;
/// Files that one call creates.
const BATCH: u64 = 6;

/// One file of the load, and what the server has said of it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    id: UploadId,
    number: u64,
    size: u64,
    acknowledged: BTreeSet<u32>,
    receipt: Option<Receipt>,
}

/// All of it; survives the server.
#[derive(Debug, Default)]
pub(super) struct Load {
    seed: u64,
    files: Mutex<BTreeMap<UploadId, Known>>,
    next: AtomicU64,
    acknowledged: AtomicU64,
}

/// Some numbers from one number, the same each time.
fn random(seed: u64, number: u64) -> [u64; 4] {
    let hash = blake3::hash(&[seed.to_be_bytes(), number.to_be_bytes()].concat());
    let part = |at: usize| u64::from_be_bytes(hash.as_bytes()[at..at + 8].try_into().unwrap());
    [part(0), part(8), part(16), part(24)]
}

impl Load {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<UploadId, Known>> {
        self.files.lock().unwrap()
    }

    /// How many chunks were acknowledged so far.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// What is known now.
    pub(super) fn known(&self) -> Vec<Known> {
        self.files().values().cloned().collect()
    }

    /// The files that are finished.
    pub(super) fn finished(&self) -> BTreeSet<String> {
        self.files()
            .values()
            .filter(|file| file.receipt.is_some())
            .map(|file| file.id.to_string())
            .collect()
    }

    /// What of it is not finished.
    fn unfinished(&self) -> Vec<Known> {
        let mut files = self.known();
        files.retain(|file| file.receipt.is_none());
        files
    }

    /// Forgets what a server has said that is no more.
    pub(super) fn go_back_to(&self, known: Vec<Known>) {
        *self.files() = known.into_iter().map(|file| (file.id, file)).collect();
    }

    /// All bytes of a file.
    pub(super) fn whole(&self, number: u64) -> Vec<u8> {
        self.bytes(number, 0, self.size(number))
    }

    /// Mostly small files, now and then one of some chunks.
    fn size(&self, number: u64) -> u64 {
        let [kind, size, ..] = random(self.seed, number);
        match kind % 5 {
            0 => CHUNK + size % (6 * CHUNK),
            _ => 1 + size % 40_000,
        }
    }

    fn bytes(&self, number: u64, start: u64, length: u64) -> Vec<u8> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[self.seed.to_be_bytes(), number.to_be_bytes()].concat());
        let mut reader = hasher.finalize_xof();
        reader.set_position(start);
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        reader.fill(&mut bytes);
        bytes
    }

    /// Sends over several connections until the server at this address is gone.
    pub(super) fn run(&self, addr: &str, attempt: u32) {
        // Asked before the first one begins: what that announces is its own.
        let unfinished = &self.unfinished();
        std::thread::scope(|scope| {
            for connection in 0..CONNECTIONS {
                scope.spawn(move || {
                    let sender = Sender::new(format!("lab-{connection}")).unwrap();
                    self.go_on(addr, &sender, attempt, connection, unfinished);
                    while self.send_new(addr, &sender, attempt).is_some() {}
                });
            }
        });
    }

    /// Sends what is missing of the files that are not finished, each by one connection.
    fn go_on(
        &self,
        addr: &str,
        sender: &Sender,
        attempt: u32,
        connection: u64,
        unfinished: &[Known],
    ) -> Option<()> {
        for files in unfinished.chunks(16) {
            let mine: Vec<_> = files
                .iter()
                .filter(|file| file.number % CONNECTIONS == connection)
                .collect();
            let chunks: Vec<_> = mine.iter().flat_map(|file| missing_chunks(file)).collect();
            self.send(addr, sender, attempt, &chunks)?;
        }
        Some(())
    }

    fn send_new(&self, addr: &str, sender: &Sender, attempt: u32) -> Option<()> {
        let first = self.next.fetch_add(BATCH, Ordering::SeqCst);
        let numbers: Vec<u64> = (first..first + BATCH).collect();
        let new = |number: &u64| NewFile {
            name: format!("{number}.bin"),
            path: format!("folder {}", number % 7),
            size: Some(self.size(*number)),
            last_modified: Some(1000),
            chunk_size: Some(CHUNK),
            ..NewFile::default()
        };
        let request = CreateRequest {
            sender: sender.clone(),
            files: numbers.iter().map(new).collect(),
        };
        let created: CreateResponse = ask(addr, "/hoist/uploads", &request)?;
        let mut chunks = Vec::new();
        for (number, answer) in numbers.into_iter().zip(created.answers) {
            let CreateAnswer::Needed(needed) = answer else {
                panic!("a new file is needed: {answer:?}");
            };
            let known = Known {
                id: needed.id,
                number,
                size: self.size(number),
                acknowledged: BTreeSet::new(),
                receipt: None,
            };
            chunks.extend(missing_chunks(&known));
            self.files().insert(needed.id, known);
        }
        // Some are left half sent, for the next server to go on with.
        let keep = chunks.len() - usize::try_from(random(self.seed, first)[2] % 3).unwrap();
        self.send(addr, sender, attempt, chunks.get(..keep)?)
    }

    fn send(
        &self,
        addr: &str,
        sender: &Sender,
        attempt: u32,
        chunks: &[(u64, PackChunk)],
    ) -> Option<()> {
        if chunks.is_empty() {
            return Some(());
        }
        let manifest = PackManifest {
            sender: sender.clone(),
            attempt,
            chunks: chunks.iter().map(|(_, chunk)| chunk.clone()).collect(),
        };
        let manifest = serde_json::to_vec(&manifest).unwrap();
        let mut body = u32::try_from(manifest.len())
            .unwrap()
            .to_be_bytes()
            .to_vec();
        body.extend(manifest);
        for (number, chunk) in chunks {
            body.extend(self.bytes(*number, u64::from(chunk.index) * CHUNK, chunk.length));
        }
        let answer: PackResponse = post(addr, "/hoist/packs", &body)?;
        let mut files = self.files();
        for ((_, chunk), result) in chunks.iter().zip(answer.results) {
            match result {
                ChunkResult::Acknowledged => {
                    files
                        .get_mut(&chunk.upload)
                        .unwrap()
                        .acknowledged
                        .insert(chunk.index);
                    self.acknowledged.fetch_add(1, Ordering::SeqCst);
                }
                ChunkResult::Refused(error) => panic!("a chunk was refused: {error:?}"),
            }
        }
        for receipt in answer.receipts {
            let known = files.get_mut(&receipt.id).unwrap();
            known.receipt = Some(receipt);
        }
        Some(())
    }

    /// Compares all that was acknowledged with what a server has: each chunk is there as it was sent, and
    /// each finished file lies on the disk with its bytes. How many chunks and files that were.
    pub(super) fn compare(&self, addr: &str, files: &Path, known: &[Known]) -> (usize, usize) {
        let (mut chunks, mut finished) = (0, 0);
        for some in known.chunks(500) {
            for (file, status) in some.iter().zip(statuses(addr, some)) {
                chunks += file.acknowledged.len();
                match status {
                    UploadStatus::Finished { receipt } => {
                        let found = std::fs::read(files.join(&receipt.stored_as)).unwrap();
                        assert!(
                            found == self.bytes(file.number, 0, file.size),
                            "{receipt:?} has other bytes"
                        );
                        assert_eq!(
                            receipt.hash.unwrap().as_bytes(),
                            blake3::hash(&found).as_bytes()
                        );
                        finished += 1;
                    }
                    UploadStatus::Unfinished(unfinished) => {
                        assert!(
                            file.receipt.is_none(),
                            "{file:?} was finished, and is {unfinished:?}"
                        );
                        let has = incoming(files, file.id);
                        for index in &file.acknowledged {
                            let start = u64::from(*index) * CHUNK;
                            let is_told = |range: &hoist_protocol::ByteRange| {
                                range.start <= start && start < range.end
                            };
                            assert!(
                                unfinished.received.iter().any(is_told),
                                "chunk {index} of {file:?} is lost: {unfinished:?}"
                            );
                            // What the server says is not what there is.
                            let length = CHUNK.min(file.size - start);
                            let bytes = self.bytes(file.number, start, length);
                            let at = usize::try_from(start).unwrap();
                            assert!(
                                has.get(at..at + bytes.len()) == Some(&bytes[..]),
                                "chunk {index} of {file:?} has other bytes"
                            );
                        }
                    }
                    UploadStatus::Gone(gone) => panic!("{file:?} is gone: {gone:?}"),
                }
            }
        }
        (chunks, finished)
    }

    /// Asks the server what there is, as a client does that goes on.
    pub(super) fn catch_up(&self, addr: &str) {
        let unfinished = self.unfinished();
        for some in unfinished.chunks(500) {
            for (file, status) in some.iter().zip(statuses(addr, some)) {
                let mut files = self.files();
                let known = files.get_mut(&file.id).unwrap();
                match status {
                    UploadStatus::Finished { receipt } => known.receipt = Some(receipt),
                    UploadStatus::Unfinished(unfinished) => {
                        let indices = unfinished
                            .received
                            .iter()
                            .flat_map(|range| range.start / CHUNK..range.end.div_ceil(CHUNK));
                        known.acknowledged =
                            indices.map(|index| u32::try_from(index).unwrap()).collect();
                    }
                    UploadStatus::Gone(gone) => panic!("{file:?} is gone: {gone:?}"),
                }
            }
        }
    }

    /// Sends all that is missing; everything is finished then.
    pub(super) fn finish(&self, addr: &str, attempt: u32) {
        for connection in 0..CONNECTIONS {
            let sender = Sender::new(format!("lab-{connection}")).unwrap();
            self.go_on(addr, &sender, attempt, connection, &self.unfinished())
                .expect("it answers");
        }
        let unfinished = self.unfinished();
        assert!(unfinished.is_empty(), "{unfinished:?}");
    }
}

/// What lies there of an upload that is not finished, beside the folder of those that are.
fn incoming(files: &Path, id: UploadId) -> Vec<u8> {
    let name = id.to_string();
    let folder = files.parent().unwrap().join("incoming").join(&name[..2]);
    std::fs::read(folder.join(name)).unwrap_or_default()
}

/// The chunks of a file that are missing, with the bytes of each.
fn missing_chunks(file: &Known) -> Vec<(u64, PackChunk)> {
    let count = u32::try_from(file.size.div_ceil(CHUNK)).unwrap();
    let missing = (0..count)
        .rev()
        .filter(|index| !file.acknowledged.contains(index));
    let chunk = |index: u32| PackChunk {
        upload: file.id,
        index,
        length: CHUNK.min(file.size - u64::from(index) * CHUNK),
        checksum: None,
        last: false,
    };
    missing.map(|index| (file.number, chunk(index))).collect()
}

/// How the server says that these stand, in their order.
fn statuses(addr: &str, files: &[Known]) -> Vec<UploadStatus> {
    let request = StatusRequest {
        ids: files.iter().map(|file| file.id).collect(),
        checksums: None,
    };
    let answer: Option<StatusResponse> = ask(addr, "/hoist/uploads/status", &request);
    answer.expect("it answers").uploads
}

pub(super) fn ask<T: DeserializeOwned>(
    addr: &str,
    path: &str,
    request: &impl Serialize,
) -> Option<T> {
    post(addr, path, &serde_json::to_vec(request).unwrap())
}

/// One request; `None` if the server is gone or stops.
pub(super) fn post<T: DeserializeOwned>(addr: &str, path: &str, body: &[u8]) -> Option<T> {
    post_on(TcpStream::connect(addr).ok()?, addr, path, body)
}

/// The same on a connection that is there.
pub(super) fn post_on<T: DeserializeOwned>(
    mut stream: TcpStream,
    addr: &str,
    path: &str,
    body: &[u8],
) -> Option<T> {
    stream.set_read_timeout(Some(LONG)).ok()?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let split = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = answer.split_at(split + 4);
    if !head.starts_with(b"HTTP/1.1 200") {
        return None;
    }
    serde_json::from_slice(body).ok()
}
