//! What the machine runs out of, for real: bytes and inodes of a small file system, and descriptors.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use hoist_protocol::{
    ChunkResult, CreateAnswer, CreateRequest, CreateResponse, ErrorClass, ErrorCode, NewFile,
    PackChunk, PackManifest, PackResponse, Sender, StatusRequest, StatusResponse, UploadId,
    UploadStatus,
};

use super::{
    cut::{Mount, run},
    load::{ask, post, post_on},
};
use crate::program::{Program, until};

const MIB: u64 = 1 << 20;

/// An ext4 of 48 MiB.
struct Small {
    mount: Option<Mount>,
    folder: tempfile::TempDir,
}

impl Small {
    fn new(options: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let (image, at) = (folder.path().join("image"), folder.path().join("at"));
        let name = image.to_str().unwrap();
        let mkfs = [&["-q", "-F", "-m", "0"], options, &[name]].concat();
        let made = run("truncate", &["--size", "48M", name])
            .and_then(|()| run("mkfs.ext4", &mkfs))
            .and_then(|()| Mount::new(&image, &at));
        match made {
            Ok(mount) => Some(Self {
                mount: Some(mount),
                folder,
            }),
            Err(why) => {
                let line = "SKIPPED: a small file system needs root, loop devices and ext4";
                let _ = writeln!(std::io::stderr(), "\n!!! {line}: {why}\n");
                None
            }
        }
    }

    fn at(&self) -> PathBuf {
        self.folder.path().join("at")
    }

    fn data(&self) -> PathBuf {
        self.at().join("data")
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        self.mount = None;
    }
}

fn bytes(size: u64, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(size).unwrap()];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_be_bytes());
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

fn create(addr: &str, name: &str, size: u64) -> CreateAnswer {
    let file = NewFile {
        name: name.to_owned(),
        size: Some(size),
        last_modified: Some(1),
        chunk_size: Some(MIB),
        ..NewFile::default()
    };
    let request = CreateRequest {
        sender: Sender::new("full").unwrap(),
        files: vec![file],
    };
    let answer: CreateResponse = ask(addr, "/hoist/uploads", &request).expect("it answers");
    answer.answers.into_iter().next().unwrap()
}

/// A pack of one chunk of a file.
fn pack(id: UploadId, all: &[u8], index: u32) -> Vec<u8> {
    let start = index as usize * (1 << 20);
    let part = &all[start..all.len().min(start + (1 << 20))];
    let chunk = PackChunk {
        upload: id,
        index,
        length: part.len() as u64,
        checksum: None,
        last: false,
    };
    let manifest = PackManifest {
        sender: Sender::new("full").unwrap(),
        attempt: 0,
        chunks: vec![chunk],
    };
    let manifest = serde_json::to_vec(&manifest).unwrap();
    let length = u32::try_from(manifest.len()).unwrap().to_be_bytes();
    [&length, manifest.as_slice(), part].concat()
}

/// Sends one chunk; `None` if the request as a whole was not answered 200.
fn send(addr: &str, id: UploadId, all: &[u8], index: u32) -> Option<PackResponse> {
    post(addr, "/hoist/packs", &pack(id, all, index))
}

fn received(addr: &str, id: UploadId) -> Vec<(u64, u64)> {
    let request = StatusRequest {
        ids: vec![id],
        checksums: None,
    };
    let answer: StatusResponse = ask(addr, "/hoist/uploads/status", &request).expect("it answers");
    match &answer.uploads[0] {
        UploadStatus::Unfinished(upload) => upload
            .received
            .iter()
            .map(|range| (range.start, range.end))
            .collect(),
        other => panic!("{other:?}"),
    }
}

/// Fills a file system to its last block, behind the server's back.
fn fill(at: &Path) -> PathBuf {
    let ballast = at.join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    for size in [1 << 20, 4096, 1] {
        let block = vec![1; size];
        while file.write_all(&block).is_ok() {}
    }
    let _ = file.sync_all();
    ballast
}

fn published(data: &Path) -> usize {
    fs::read_dir(data.join("files")).map_or(0, |files| files.count())
}

#[test]
fn a_disk_that_fills_up_in_the_middle_loses_nothing_and_the_upload_goes_on_when_there_is_room() {
    for durability in ["power", "process"] {
        let Some(small) = Small::new(&[]) else { return };
        let program = Program::start(&small.data(), &["--durability", durability]);
        let addr = &program.addr;
        // More than there is: said before a byte is sent.
        let CreateAnswer::Refused(body) = create(addr, "large", 100 * MIB) else {
            panic!("there is no room")
        };
        assert_eq!(body.code, ErrorCode::StorageFull);
        let other = match create(addr, "other.bin", 100) {
            CreateAnswer::Needed(needed) => needed.id,
            answer => panic!("{answer:?}"),
        };
        let sent = send(addr, other, &bytes(100, 2), 0).expect("it answers");
        assert_eq!(sent.receipts.len(), 1);
        let delete = || {
            program
                .ask("DELETE", &format!("/hoist/uploads/{other}"), "", b"")
                .body
        };
        let all = bytes(16 * MIB, 1);
        let CreateAnswer::Needed(needed) = create(addr, "a.bin", 16 * MIB) else {
            panic!("there is room")
        };
        let id = needed.id;
        let acknowledged = |answer: Option<PackResponse>| {
            matches!(
                &answer.expect("it answers").results[..],
                [ChunkResult::Acknowledged]
            )
        };
        for index in 0..6 {
            assert!(acknowledged(send(addr, id, &all, index)), "{index}");
        }
        let ballast = fill(&small.at());
        let (mut refused, mut more) = (0, 0);
        for index in 6..16 {
            let answer = send(addr, id, &all, index).expect("it answers");
            match &answer.results[..] {
                [ChunkResult::Acknowledged] => more += 1,
                [ChunkResult::Refused(body)] => {
                    assert_eq!(body.code, ErrorCode::StorageFull, "{body:?}");
                    refused += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(
            refused > 0,
            "{durability}: it was full, and {more} more were taken"
        );
        let has = received(addr, id);
        let sum: u64 = has.iter().map(|(start, end)| end - start).sum();
        assert_eq!(
            sum,
            (6 + more) * MIB,
            "{durability}: what was acknowledged is there, and nothing else: {has:?}"
        );
        assert_eq!(published(&small.data()), 1);
        // Also where the catalog is the first to need room. It has some in its log at first.
        let full = (0..2000)
            .map(|_| delete())
            .find(|answer| answer.contains("storage_full"));
        assert!(full.is_some(), "{durability}: the catalog needs no room");
        fs::remove_file(ballast).unwrap();
        // And it gets over that.
        assert!(delete().contains("deleting"), "{durability}");
        let mut receipt = None;
        for index in 0..16 {
            let answer = send(addr, id, &all, index).expect("it answers");
            assert!(
                matches!(&answer.results[..], [ChunkResult::Acknowledged]),
                "{durability} {index}: {answer:?}"
            );
            receipt = receipt.or(answer.receipts.into_iter().next());
        }
        let hash = receipt.unwrap().hash.unwrap().to_string();
        assert_eq!(hash, blake3::hash(&all).to_hex().as_str());
        assert!(fs::read(small.data().join("files/a.bin")).unwrap() == all);
    }
    println!("full: bytes of a disk ran out in mid-upload, twice, and came back");
}

#[test]
fn a_disk_without_inodes_refuses_new_files_keeps_the_old_ones_and_goes_on_when_there_are_some() {
    let Some(small) = Small::new(&["-N", "128"]) else {
        return;
    };
    let program = Program::start(&small.data(), &[]);
    let addr = &program.addr;
    // What somebody else has there.
    let ballast = small.at().join("ballast");
    fs::create_dir(&ballast).unwrap();
    for n in 0..40 {
        fs::write(ballast.join(n.to_string()), "x").unwrap();
    }
    let mut receipts = Vec::new();
    let stuck = (0..200).find_map(|n| {
        let name = format!("{n}.bin");
        let all = bytes(100, n);
        let id = match create(addr, &name, 100) {
            CreateAnswer::Needed(needed) => needed.id,
            CreateAnswer::Refused(body) => {
                panic!("no file is made before its first byte: {body:?}")
            }
            other => panic!("{other:?}"),
        };
        let answer = send(addr, id, &all, 0).expect("it answers");
        match &answer.results[..] {
            [ChunkResult::Acknowledged] if answer.receipts.len() == 1 => {
                receipts.push((name, all));
                None
            }
            [ChunkResult::Refused(body)] => {
                assert_eq!(body.code, ErrorCode::StorageFull, "{body:?}");
                Some((id, name, all))
            }
            other => panic!("{other:?}"),
        }
    });
    let (id, name, all) = stuck.expect("there are no more inodes");
    assert!(receipts.len() > 10, "{}", receipts.len());
    fs::remove_dir_all(&ballast).unwrap();
    let answer = send(addr, id, &all, 0).expect("it answers");
    assert_eq!(answer.receipts.len(), 1, "{answer:?}");
    receipts.push((name, all));
    assert_eq!(published(&small.data()), receipts.len());
    for (name, all) in receipts {
        assert!(
            fs::read(small.data().join("files").join(&name)).unwrap() == all,
            "{name}"
        );
    }
    println!("full: inodes of a disk ran out, and came back");
}

#[test]
fn without_descriptors_requests_wait_or_are_told_to_and_all_is_well_when_there_are_some() {
    let data = tempfile::tempdir().unwrap();
    let hoist = Program::path();
    let flags = [
        "--nofile=72:72",
        hoist.to_str().unwrap(),
        "--durability",
        "process",
    ];
    let program = Program::start_program(Path::new("prlimit"), data.path(), &flags, &[]);
    let addr = program.addr.clone();
    let all = bytes(8 * MIB, 1);
    let CreateAnswer::Needed(needed) = create(&addr, "a.bin", 8 * MIB) else {
        panic!("it is new")
    };
    let id = needed.id;
    let mut refused = 0;
    let open = || {
        fs::read_dir(format!("/proc/{}/fd", program.pid()))
            .unwrap()
            .count()
    };
    // What is open when nobody is connected: those before are closed while it answers.
    let settled = || {
        let asked = (0..300).map(|_| {
            program.ask("GET", "/healthz", "", b"");
            open()
        });
        asked.min().unwrap()
    };
    for round in 0..20 {
        // One that is accepted, and others that say nothing and take what is left, but for a few.
        let base = settled();
        let stream = program.connect();
        until("it was accepted", || open() > base);
        let most = 72 - round % 4;
        let idle: Vec<_> = (base + 1..most).map(|_| program.connect()).collect();
        until("they were accepted", || open() >= most);
        let index = u32::try_from(round).unwrap() % 8;
        let pack = pack(id, &all, index);
        let answer: PackResponse =
            post_on(stream, &addr, "/hoist/packs", &pack).expect("it answers");
        drop(idle);
        match &answer.results[..] {
            [ChunkResult::Acknowledged] => {}
            [ChunkResult::Refused(body)] => {
                assert_eq!(body.code.class(), ErrorClass::Wait, "{body:?}");
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    let mut receipt = None;
    for index in 0..8 {
        let answer = send(&addr, id, &all, index).expect("it answers");
        assert!(
            matches!(&answer.results[..], [ChunkResult::Acknowledged]),
            "{answer:?}"
        );
        receipt = receipt.or(answer.receipts.into_iter().next());
    }
    let hash = receipt.unwrap().hash.unwrap().to_string();
    assert_eq!(hash, blake3::hash(&all).to_hex().as_str());
    assert!(refused > 0, "they never ran out");
    println!("full: descriptors ran out 20 times; {refused} chunks were told to wait");
}
