//! Each operation of the disk, and then of the catalog, fails once, in turn, whatever is being done: the
//! code says what it was, the same once more works, and nothing is lost or left behind.

use std::sync::Arc;

use bytes::Bytes;
use hoist_protocol::{
    ByteRange, CreateAnswer, DeleteResult, ErrorCode, NewFile, PackChunk, UploadId, UploadStatus,
};
use rustix::io::Errno;

use super::{
    dying::{DyingCatalog, DyingDisk, Fuse},
    names::walk,
    support::{APP, Bench, CHUNK, NOW, bytes, chunk, file, hash, sender},
};
use crate::{
    EventKind,
    catalog::{Catalog, MemoryCatalog},
    disk::RealDisk,
};

/// What is done while something fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Chunks,
    /// Ranges, which have no checksums.
    Parts,
    /// Chunks of a file whose size the last one tells.
    Sizeless,
    /// Small files in one group.
    Together,
    /// A chunk of a file that is so large that room is made ahead.
    Large,
    Cancel,
    /// A finished file, whose grace ends.
    Delete,
    Rename,
    Read,
}

const ALL: [Work; 9] = [
    Work::Chunks,
    Work::Parts,
    Work::Sizeless,
    Work::Together,
    Work::Large,
    Work::Cancel,
    Work::Delete,
    Work::Rename,
    Work::Read,
];

const SIZE: u64 = 3 * CHUNK + 100;
const LARGE: u64 = 64 << 20;
/// More than one piece.
const LARGE_CHUNK: u64 = 1 << 20;

fn content(work: Work) -> Vec<u8> {
    match work {
        Work::Sizeless => bytes(2 * CHUNK, 5),
        Work::Large => bytes(LARGE_CHUNK, 6),
        Work::Together => bytes(700, 8),
        _ => bytes(SIZE, 7),
    }
}

fn new() -> NewFile {
    file("d/a.bin", SIZE)
}

fn small() -> Vec<NewFile> {
    ["d/a.bin", "d/b.bin", "c.bin"]
        .map(|name| file(name, 700))
        .into()
}

/// What is there before anything fails.
async fn prepare(work: Work, bench: &Bench) -> Option<UploadId> {
    let sizeless = NewFile {
        size: None,
        ..new()
    };
    let large = NewFile {
        chunk_size: Some(LARGE_CHUNK),
        ..file("large", LARGE)
    };
    match work {
        Work::Chunks | Work::Parts | Work::Together => None,
        Work::Sizeless => Some(bench.needed(sizeless).await.id),
        Work::Large => Some(bench.needed(large).await.id),
        Work::Cancel => {
            let id = bench.needed(new()).await.id;
            bench.send(id, &content(work), 1).await.unwrap();
            Some(id)
        }
        Work::Delete | Work::Rename | Work::Read => {
            Some(bench.upload(new(), &content(work)).await.id)
        }
    }
}

/// Does it, or says why not; done again it goes on.
async fn act(work: Work, bench: &Bench, id: Option<UploadId>) -> Result<(), ErrorCode> {
    let (store, party, all) = (&bench.store, &bench.party, content(work));
    let created = |answer: CreateAnswer| match answer {
        CreateAnswer::Needed(needed) => Ok(Some(needed)),
        CreateAnswer::Present { .. } => Ok(None),
        CreateAnswer::Refused(body) => Err(body.code),
        other @ CreateAnswer::Conflict { .. } => panic!("{other:?}"),
    };
    match (work, id) {
        (Work::Chunks | Work::Parts, _) => {
            let answers = store.create(NOW, party, &[new()]).await;
            let answer = answers.map_err(|e| e.code())?.pop().unwrap();
            let Some(needed) = created(answer)? else {
                return Ok(());
            };
            if work == Work::Parts {
                for (start, end) in [(CHUNK, SIZE), (0, 900), (900, CHUNK)] {
                    let part = ByteRange::new(start, end);
                    let writer = store.write_part(NOW, party, needed.id, part).await;
                    let mut writer = writer.map_err(|e| e.code())?;
                    let bytes = Bytes::copy_from_slice(&all[start as usize..end as usize]);
                    writer.write(NOW, bytes).await.map_err(|e| e.code())?;
                    writer.finish(NOW).await.map_err(|e| e.code())?;
                }
                return Ok(());
            }
            for index in [2, 0, 3, 1] {
                let sent = bench.send(needed.id, &all, index).await;
                sent.map_err(|e| e.code())?;
            }
            Ok(())
        }
        (Work::Together, _) => {
            let answers = store.create(NOW, party, &small()).await;
            let mut chunks = Vec::new();
            for answer in answers.map_err(|e| e.code())? {
                if let Some(needed) = created(answer)? {
                    let (chunk, bytes) = chunk(needed.id, &all, 0);
                    chunks.push((chunk, Bytes::copy_from_slice(bytes)));
                }
            }
            let page = sender("page");
            let sent = store.write_small(NOW, party, &page, 0, chunks);
            let refused = sent.await.into_iter().find_map(Result::err);
            refused.map_or(Ok(()), |error| Err(error.code()))
        }
        (Work::Sizeless | Work::Large, Some(upload)) => {
            let length = if work == Work::Large {
                LARGE_CHUNK
            } else {
                CHUNK
            };
            let count = all.len() as u64 / length;
            for index in 0..count {
                let claim = PackChunk {
                    upload,
                    index: index as u32,
                    length,
                    checksum: None,
                    last: work == Work::Sizeless && index + 1 == count,
                };
                let start = (index * length) as usize;
                let part = &all[start..start + length as usize];
                let sent = bench.send_as("page", 0, &claim, part).await;
                sent.map_err(|e| e.code())?;
            }
            Ok(())
        }
        (Work::Cancel | Work::Delete, Some(id)) => {
            let deleted = store.delete(NOW, party, &[id]).await;
            match deleted.map_err(|e| e.code())?.pop().unwrap() {
                DeleteResult::Refused(body) if body.code != ErrorCode::NotFound => {
                    return Err(body.code);
                }
                _ => {}
            }
            let swept = store.sweep(NOW.plus(30_000)).await;
            swept.map(drop).map_err(|e| e.code())
        }
        (Work::Rename, Some(id)) => {
            let renamed = store.rename(NOW, party, id, "b.bin").await;
            renamed.map(drop).map_err(|e| e.code())
        }
        (Work::Read, Some(id)) => {
            let reader = store.read(NOW, party, id).await.map_err(|e| e.code())?;
            let read = reader.read(0, SIZE as usize).await.map_err(|e| e.code())?;
            assert!(read == all);
            Ok(())
        }
        other => panic!("{other:?}"),
    }
}

/// Everything is as if nothing had failed.
async fn check(work: Work, bench: &Bench, id: Option<UploadId>, step: &str) {
    let all = content(work);
    let files = bench.folder.as_ref().unwrap().path().join("files");
    let (there, told): (&[&str], &[EventKind]) = match work {
        Work::Chunks | Work::Parts | Work::Sizeless | Work::Read => {
            (&["d/a.bin"], &[EventKind::Finished])
        }
        Work::Together => (&["c.bin", "d/a.bin", "d/b.bin"], &[EventKind::Finished; 3]),
        Work::Rename => (&["d/b.bin"], &[EventKind::Finished, EventKind::Renamed]),
        Work::Delete => (&[], &[EventKind::Finished, EventKind::Deleted]),
        Work::Large | Work::Cancel => (&[], &[]),
    };
    let mut found = walk(&files);
    found.sort();
    let expected: Vec<_> = there
        .iter()
        .map(|name| files.join(name).display().to_string())
        .collect();
    assert_eq!(found, expected, "{step}");
    for place in found {
        let is_it = std::fs::read(&place).unwrap() == all;
        assert!(is_it, "{step}: {place}");
    }
    let mut said = Vec::new();
    loop {
        // Of each upload the oldest at a time.
        let events = bench.events().await;
        if events.is_empty() {
            break;
        }
        for event in events {
            said.push(event.kind);
            bench.store.delivered(&event).await.unwrap();
        }
    }
    assert_eq!(said, told, "{step}");
    let Some(id) = id else { return };
    match (work, bench.status(id).await) {
        (Work::Large, UploadStatus::Unfinished(upload)) => {
            assert_eq!(upload.received, [ByteRange::new(0, LARGE_CHUNK)], "{step}");
            bench.store.delete(NOW, &bench.party, &[id]).await.unwrap();
        }
        (Work::Cancel | Work::Delete, UploadStatus::Gone(_)) => {}
        (Work::Sizeless | Work::Rename | Work::Read, UploadStatus::Finished { receipt }) => {
            let proved = receipt.hash.unwrap().to_string();
            assert_eq!(proved, hash(&all), "{step}");
        }
        other => panic!("{step}: {other:?}"),
    }
}

/// Fails each step of one work in turn; how often it was told.
async fn fail_each_step_once(
    work: Work,
    errno: Errno,
    in_catalog: bool,
    codes: &[ErrorCode],
) -> u32 {
    let (mut steps, mut told) = (0, 0);
    loop {
        let step = format!("{work:?}, {errno:?}, in the catalog: {in_catalog}, step {steps}");
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let catalog: Arc<dyn Catalog> = Arc::new(MemoryCatalog::new(&[APP.into()]));
        let fuses = [(); 2].map(|()| Fuse::new(u64::MAX, Some(errno)));
        let start = || {
            let disk = DyingDisk {
                real: RealDisk::open(folder.path()).unwrap(),
                left: Arc::clone(&fuses[0]),
            };
            let step = Arc::<Fuse>::clone(&fuses[1]);
            let catalog = Box::new(DyingCatalog(Arc::clone(&catalog), step));
            Bench::over_both(&folder, catalog, Arc::new(disk))
        };
        let bench = start().await.unwrap();
        let id = prepare(work, &bench).await;
        let fuse = &fuses[usize::from(in_catalog)];
        fuse.hold_at(steps);
        let mut refused = 0;
        while let Err(code) = act(work, &bench, id).await {
            assert!(codes.contains(&code), "{step}: {code:?}");
            refused += 1;
            assert_eq!(refused, 1, "{step}: once is once");
            if work == Work::Rename {
                let files = walk(&folder.path().join("files"));
                assert_eq!(files.len(), 1, "{step}: {files:?}");
            }
        }
        told += refused;
        let is_over = !fuse.has_blown();
        // What the failed step left behind goes at the latest after the next start.
        fuse.hold_at(u64::MAX);
        drop(bench);
        let bench = start().await.unwrap();
        check(work, &bench, id, &step).await;
        bench.store.sweep(NOW).await.unwrap();
        let incoming = walk(&folder.path().join("incoming"));
        assert_eq!(incoming, Vec::<String>::new(), "{step}");
        if is_over {
            return told;
        }
        steps += 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_without_room_for_a_moment_at_any_step_says_so_and_costs_nothing() {
    for work in ALL {
        let told = fail_each_step_once(work, Errno::NOSPC, false, &[ErrorCode::StorageFull]).await;
        assert!(told >= least(work), "{work:?}: {told}");
    }
    fail_each_step_once(Work::Chunks, Errno::DQUOT, false, &[ErrorCode::StorageFull]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_for_a_moment_at_any_step_says_so_and_costs_nothing() {
    for work in ALL {
        let codes: &[ErrorCode] = match work {
            // What fails a whole group is no fault of any one of them.
            Work::Together => &[ErrorCode::Internal, ErrorCode::Unavailable],
            _ => &[ErrorCode::Internal],
        };
        let told = fail_each_step_once(work, Errno::IO, false, codes).await;
        assert!(told >= least(work), "{work:?}: {told}");
    }
    // Remounted for reading only, or no descriptor left.
    for errno in [Errno::ROFS, Errno::MFILE] {
        fail_each_step_once(Work::Chunks, errno, false, &[ErrorCode::Internal]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalog_that_fails_for_a_moment_at_any_step_says_so_and_costs_nothing() {
    for work in ALL {
        // Its writer is busy or has no room; what cannot be read is for the log.
        let full = [ErrorCode::StorageFull, ErrorCode::Internal];
        let busy = [ErrorCode::Unavailable, ErrorCode::Internal];
        for (errno, codes) in [(Errno::NOSPC, full), (Errno::IO, busy)] {
            let told = fail_each_step_once(work, errno, true, &codes).await;
            let least = if work == Work::Read { 1 } else { 2 };
            assert!(told >= least, "{work:?}: {told}");
        }
    }
}

/// So many operations of the disk there are at least whose failure must be told.
const fn least(work: Work) -> u32 {
    match work {
        Work::Chunks => 16,
        Work::Parts => 14,
        Work::Sizeless => 10,
        Work::Together => 8,
        Work::Large => 7,
        Work::Cancel => 2,
        Work::Delete => 3,
        Work::Rename => 4,
        Work::Read => 2,
    }
}
