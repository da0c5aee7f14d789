//! Sends as the page does: one create for a thousand files, then packs with checksums.

use std::io;

use hoist_protocol::{ChunkLayout, chunk_checksum};
use serde_json::{Value, json};

use crate::{http::Connection, on_connections, source::Source};

/// Files of one create call, the server's own limit.
const BATCH: usize = 1000;

/// How files are sent.
#[derive(Clone, Debug)]
pub struct Plan {
    /// `host:port`.
    pub addr: String,
    /// Connections at once.
    pub connections: usize,
    /// Bytes of a chunk.
    pub chunk_size: u64,
    /// Most bytes of a pack.
    pub pack_size: usize,
    /// Most chunks of a pack.
    pub pack_chunks: usize,
    /// Whether chunks carry their BLAKE3, which is computed before the clock starts.
    pub checksums: bool,
}

/// What it took, in seconds.
#[derive(Debug)]
pub struct Took {
    /// All creates.
    pub creates: f64,
    /// All packs.
    pub packs: f64,
    /// How many packs there were.
    pub requests: usize,
}

/// One chunk: file, index, where it lies in the file, checksum.
struct Chunk {
    file: usize,
    index: usize,
    start: usize,
    length: usize,
    checksum: Option<String>,
}

/// Creates and sends everything.
///
/// # Errors
///
/// If the server refuses anything.
pub fn send(plan: &Plan, source: &Source) -> io::Result<Took> {
    let chunks = cut(plan, source)?;
    let mut packs: Vec<Vec<&Chunk>> = Vec::new();
    let mut size = 0;
    for chunk in &chunks {
        size += chunk.length;
        match packs.last_mut() {
            Some(pack) if size <= plan.pack_size && pack.len() < plan.pack_chunks => {
                pack.push(chunk);
            }
            _ => {
                size = chunk.length;
                packs.push(vec![chunk]);
            }
        }
    }
    let begun = std::time::Instant::now();
    let ids = create(plan, source)?;
    let creates = begun.elapsed().as_secs_f64();
    let packs_took = on_connections(
        plan.connections,
        packs.len(),
        || Connection::open(&plan.addr),
        |connection, number| {
            let pack = &packs[number];
            let told: Vec<Value> = pack.iter().map(|chunk| tell(&ids, chunk)).collect();
            let manifest = json!({ "sender": "bench", "attempt": 0, "chunks": told }).to_string();
            let length = u32::try_from(manifest.len()).map_err(io::Error::other)?;
            let length = length.to_be_bytes();
            let mut body = vec![&length[..], manifest.as_bytes()];
            body.extend(
                pack.iter()
                    .map(|chunk| &source.file(chunk.file)[chunk.start..][..chunk.length]),
            );
            // Small chunks would be a system call each.
            let joined;
            if pack.len() > 64 {
                joined = body.concat();
                body = vec![&joined];
            }
            let answer = connection.request(("POST", "/hoist/packs"), "", &body, &[200])?;
            let answer: Value = serde_json::from_slice(&answer.body)?;
            let results = answer["results"].as_array().map_or(&[][..], Vec::as_slice);
            let is_kept = |result: &&Value| result["result"] == "acknowledged";
            if results.iter().filter(is_kept).count() == pack.len() {
                Ok(())
            } else {
                Err(io::Error::other(format!("refused: {answer}")))
            }
        },
    )?;
    Ok(Took {
        creates,
        packs: packs_took,
        requests: packs.len(),
    })
}

fn cut(plan: &Plan, source: &Source) -> io::Result<Vec<Chunk>> {
    let layout = ChunkLayout::new(source.size() as u64, plan.chunk_size);
    let layout = layout.map_err(io::Error::other)?;
    let chunk_size = usize::try_from(plan.chunk_size).map_err(io::Error::other)?;
    let mut chunks = Vec::new();
    for file in 0..source.count() {
        for (index, bytes) in source.file(file).chunks(chunk_size).enumerate() {
            let place = u32::try_from(index).map_err(io::Error::other)?;
            let checksum = plan
                .checksums
                .then(|| chunk_checksum(layout, place, bytes).map_err(io::Error::other));
            chunks.push(Chunk {
                file,
                index,
                start: index * chunk_size,
                length: bytes.len(),
                checksum: checksum.transpose()?.map(|checksum| checksum.to_string()),
            });
        }
    }
    Ok(chunks)
}

/// Creates all files, and returns their ids. Any answer but `needed` is an error unless `present` is wanted.
fn create(plan: &Plan, source: &Source) -> io::Result<Vec<String>> {
    let mut connection = Connection::open(&plan.addr)?;
    let mut ids = Vec::new();
    for body in creates(source.count(), source.size(), plan.chunk_size, 1) {
        let sent = [body.as_bytes()];
        let answer = connection.request(("POST", "/hoist/uploads"), "", &sent, &[200])?;
        let answer: Value = serde_json::from_slice(&answer.body)?;
        for file in answer["answers"].as_array().map_or(&[][..], Vec::as_slice) {
            let id = file["id"].as_str().filter(|_| file["answer"] == "needed");
            let id = id.ok_or_else(|| io::Error::other(format!("not needed: {file}")))?;
            ids.push(id.to_owned());
        }
    }
    Ok(ids)
}

/// The bodies of the create calls for so many files, last modified at `time`.
#[must_use]
pub fn creates(files: usize, size: usize, chunk_size: u64, time: usize) -> Vec<String> {
    let file = |number| {
        let (path, name) = Source::name(number);
        json!({ "name": name, "path": path, "size": size, "lastModified": time, "chunkSize": chunk_size })
    };
    let batch = |from| {
        let files: Vec<Value> = (from..files.min(from + BATCH)).map(file).collect();
        json!({ "sender": "bench", "files": files }).to_string()
    };
    (0..files).step_by(BATCH).map(batch).collect()
}

fn tell(ids: &[String], chunk: &Chunk) -> Value {
    let mut told =
        json!({ "upload": ids[chunk.file], "index": chunk.index, "length": chunk.length });
    if let Some(checksum) = &chunk.checksum {
        told["checksum"] = json!(checksum);
    }
    told
}
