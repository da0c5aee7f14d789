//! One file that is larger than the disk, and what the server holds of it in memory.
//!
//! The disk of a lab cannot hold 100 GB. So the test punches holes where bytes were acknowledged: the
//! file keeps its length, the server does not notice, since nothing that was acknowledged is read
//! again, and the hash in the receipt is merged from the checksums of what arrived.

use std::{path::PathBuf, process::Command};

use hoist_protocol::{
    ChunkResult, CreateAnswer, CreateRequest, CreateResponse, NewFile, PackChunk, PackManifest,
    PackResponse, Sender,
};

use super::{
    load::{ask, post},
    rounds,
};
use crate::program::Program;

const CHUNK: u64 = 16 << 20;
/// Where a hole is punched next, when so much has come.
const HOLE: u64 = 1 << 30;

/// The one large file below a folder.
fn largest(folder: PathBuf) -> Option<PathBuf> {
    let mut found: Option<(u64, PathBuf)> = None;
    let mut folders = vec![folder];
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(at).unwrap() {
            let entry = entry.unwrap();
            let data = entry.metadata().unwrap();
            if data.is_dir() {
                folders.push(entry.path());
            } else if found.as_ref().is_none_or(|(size, _)| data.len() > *size) {
                found = Some((data.len(), entry.path()));
            }
        }
    }
    found.map(|(_, path)| path)
}

#[test]
fn one_huge_file_takes_no_more_memory_than_a_small_one() {
    let mib = rounds("HOIST_LAB_HUGE_MIB", 320);
    let size = mib << 20;
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(data.path(), &["--durability", "process"]);
    let block: Vec<u8> = (0..=250).cycle().take(1 << 24).collect();
    let sender = Sender::new("huge").unwrap();
    let file = NewFile {
        name: "huge".into(),
        // Not told: else the room for all of it would have to be there.
        size: None,
        chunk_size: Some(CHUNK),
        ..NewFile::default()
    };
    let request = CreateRequest {
        sender: sender.clone(),
        files: vec![file],
    };
    let idle = program.resident();
    let created: CreateResponse = ask(&program.addr, "/hoist/uploads", &request).unwrap();
    let CreateAnswer::Needed(needed) = &created.answers[0] else {
        panic!("it is new")
    };
    assert_eq!(needed.chunk_size, CHUNK);
    let count = u32::try_from(size / CHUNK).unwrap();
    let mut hasher = blake3::Hasher::new();
    let (mut punched, mut receipt) = (0, None);
    for index in 0..count {
        let chunk = PackChunk {
            upload: needed.id,
            index,
            length: CHUNK,
            checksum: None,
            last: index + 1 == count,
        };
        let manifest = PackManifest {
            sender: sender.clone(),
            attempt: 0,
            chunks: vec![chunk],
        };
        let manifest = serde_json::to_vec(&manifest).unwrap();
        let length = u32::try_from(manifest.len()).unwrap().to_be_bytes();
        let body = [&length, manifest.as_slice(), &block].concat();
        let sent: PackResponse = post(&program.addr, "/hoist/packs", &body).expect("it answers");
        assert_eq!(sent.results, [ChunkResult::Acknowledged]);
        receipt = sent.receipts.into_iter().next();
        hasher.update(&block);
        let has = u64::from(index + 1) * CHUNK;
        if has - punched >= HOLE && index + 1 < count {
            let path = largest(data.path().join("incoming")).unwrap();
            let (offset, length) = (punched.to_string(), (has - punched).to_string());
            let done = Command::new("fallocate")
                .args(["--punch-hole", "--offset", &offset, "--length", &length])
                .arg(path)
                .status();
            assert!(done.unwrap().success());
            punched = has;
        }
    }
    let receipt = receipt.expect("it is whole");
    assert_eq!(receipt.size, size);
    assert_eq!(
        receipt.hash.unwrap().to_string(),
        hasher.finalize().to_hex().as_str()
    );
    // Also between and within the requests: the most that there ever was.
    let more = program.most_resident().saturating_sub(idle);
    println!(
        "huge: one file of {mib} MiB takes at most {more} bytes of memory more than {idle} without any"
    );
    assert!(more < 64 << 20, "{more}");
}
