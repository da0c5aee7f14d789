//! What a promise costs: how many syncs there are, and what is shared, begun early and left out.

use std::{
    io,
    sync::{Arc, Mutex, mpsc},
};

use bytes::Bytes;
use futures_util::future::join_all;
use hoist_protocol::{CreateAnswer, NewFile, PackChunk, UploadId};

use super::support::{BOOT, Bench, CHUNK, NOW, bytes, chunk, config, file, sender};
use crate::{
    Durability, Owner, Party, Store, StoreConfig,
    backend::{Backend as _, Unsynced},
    catalog::MemoryCatalog,
    disk::{Disk, DiskBackend, DiskFile, Open, RealDisk},
};

/// What was done, in order. A write and the beginning of its way to the disk have offset and length.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Done {
    Write(String, u64, u64),
    WriteBack(String, u64, u64),
    Sync(String),
    SyncFolder(String),
    SyncAll,
}

/// Called before a sync; may wait.
type Gate = Box<dyn FnOnce() + Send>;

#[derive(Debug)]
struct CountingDisk {
    real: RealDisk,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    done: Mutex<Vec<Done>>,
    gate: Mutex<Option<Gate>>,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}

impl Log {
    fn add(&self, done: Done) {
        let is_sync = !matches!(done, Done::Write(..) | Done::WriteBack(..));
        let gate = self.gate.lock().unwrap().take_if(|_| is_sync);
        if let Some(gate) = gate {
            gate();
        }
        self.done.lock().unwrap().push(done);
    }

    /// What was done since it was last asked.
    fn take(&self) -> Vec<Done> {
        std::mem::take(&mut self.done.lock().unwrap())
    }
}

/// Syncs of files, of folders and of everything.
fn syncs(done: &[Done]) -> (usize, usize, usize) {
    let count = |is_it: fn(&Done) -> bool| done.iter().filter(|one| is_it(one)).count();
    (
        count(|one| matches!(one, Done::Sync(_))),
        count(|one| matches!(one, Done::SyncFolder(_))),
        count(|one| *one == Done::SyncAll),
    )
}

#[derive(Debug)]
struct CountingFile {
    real: Arc<dyn DiskFile>,
    log: Arc<Log>,
    path: String,
}

impl Disk for CountingDisk {
    fn open(&self, path: &str, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(CountingFile {
            real: self.real.open(path, how)?,
            log: Arc::clone(&self.log),
            path: path.to_owned(),
        }))
    }
    fn make_folder(&self, path: &str) -> io::Result<()> {
        self.real.make_folder(path)
    }
    fn is_folder(&self, path: &str) -> io::Result<bool> {
        self.real.is_folder(path)
    }
    fn rename_noreplace(&self, from: &str, to: &str) -> io::Result<()> {
        self.real.rename_noreplace(from, to)
    }
    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        self.real.link(from, to)
    }
    fn remove(&self, path: &str) -> io::Result<()> {
        self.real.remove(path)
    }
    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.real.list(path)
    }
    fn sync_folder(&self, path: &str) -> io::Result<()> {
        self.log.add(Done::SyncFolder(path.to_owned()));
        self.real.sync_folder(path)
    }
    fn sync_all(&self) -> io::Result<()> {
        self.log.add(Done::SyncAll);
        Ok(())
    }
    fn is_same(&self, one: &str, other: &str) -> io::Result<bool> {
        self.real.is_same(one, other)
    }
    fn free(&self) -> io::Result<u64> {
        self.real.free()
    }
}

impl DiskFile for CountingFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let length = bytes.len() as u64;
        self.log.add(Done::Write(self.path.clone(), offset, length));
        self.real.write_at(offset, bytes)
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.real.read_at(offset, buffer)
    }
    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        self.real.allocate(offset, length)
    }
    fn len(&self) -> io::Result<u64> {
        self.real.len()
    }
    fn truncate(&self, length: u64) -> io::Result<()> {
        self.real.truncate(length)
    }
    fn begin_write_back(&self, offset: u64, length: u64) {
        self.log
            .add(Done::WriteBack(self.path.clone(), offset, length));
        self.real.begin_write_back(offset, length);
    }
    fn sync(&self) -> io::Result<()> {
        self.log.add(Done::Sync(self.path.clone()));
        self.real.sync()
    }
    fn set_modified(&self, time: i64) -> io::Result<()> {
        self.real.set_modified(time)
    }
}

async fn counting(durability: Durability) -> (Bench, Arc<Log>) {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let log = Arc::<Log>::default();
    let disk = CountingDisk {
        real: RealDisk::open(folder.path()).unwrap(),
        log: Arc::clone(&log),
    };
    let config = StoreConfig {
        durability,
        ..config()
    };
    let catalog = Box::<MemoryCatalog>::default();
    let store = Store::open_on(catalog, Arc::new(disk), None, config, BOOT.into(), NOW).await;
    let bench = Bench {
        store: store.unwrap(),
        party: Party::known(Owner::shared()),
        folder: Some(folder),
    };
    (bench, log)
}

/// Creates and sends so many small files of one folder in one group; what was done to the disk for it.
async fn group(bench: &Bench, log: &Log, count: usize) -> Vec<Done> {
    let files: Vec<_> = (0..count)
        .map(|n| file(&format!("{count}/{n}"), 900))
        .collect();
    let created = bench.store.create(NOW, &bench.party, &files).await.unwrap();
    let all = bytes(900, 1);
    let chunks = created.into_iter().map(|answer| match answer {
        CreateAnswer::Needed(needed) => {
            let (chunk, bytes) = chunk(needed.id, &all, 0);
            (chunk, Bytes::copy_from_slice(bytes))
        }
        other => panic!("{other:?}"),
    });
    log.take();
    let (store, page) = (&bench.store, sender("page"));
    let sent = store.write_small(NOW, &bench.party, &page, 0, chunks.collect());
    assert!(
        sent.await
            .iter()
            .all(|one| one.as_ref().unwrap().receipt.is_some())
    );
    log.take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_small_files_cost_one_sync_of_everything_and_one_round_for_their_names() {
    let (bench, log) = counting(Durability::Power).await;
    let done = group(&bench, &log, 40).await;
    // The folder of the files, the one above, and the root.
    assert_eq!(syncs(&done), (0, 3, 1), "{done:?}");
    let at = |is_it: &dyn Fn(&Done) -> bool| done.iter().position(is_it).unwrap();
    let last_write = done
        .iter()
        .rposition(|one| matches!(one, Done::Write(..)))
        .unwrap();
    assert!(last_write < at(&|one| *one == Done::SyncAll));
    assert_eq!(bench.store.figures(NOW).await.unwrap().syncs, 2);
    let (bench, log) = counting(Durability::Process).await;
    assert_eq!(syncs(&group(&bench, &log, 40).await), (0, 0, 0));
}

#[test]
fn from_sixteen_files_or_folders_on_everything_is_synced_at_once_and_each_only_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::<Log>::default();
    let disk = CountingDisk {
        real: RealDisk::open(folder.path()).unwrap(),
        log: Arc::clone(&log),
    };
    let backend = DiskBackend::new(Arc::new(disk), Durability::Power);
    let files: Vec<_> = (0..16)
        .map(|n| {
            let file = backend.begin(UploadId::from_bytes([n; 16])).unwrap();
            file.unsynced()
                .into_iter()
                .find(|one| matches!(one, Unsynced::File(..)))
                .unwrap()
        })
        .collect();
    let folders: Vec<_> = (0..16)
        .map(|n| Unsynced::Folder(format!("incoming/{n:02x}")))
        .collect();
    for (what, few) in [(&files, (15, 0, 0)), (&folders, (0, 15, 0))] {
        // Who shares a folder, or a file, does not pay for it again.
        backend
            .make_durable(&[&what[..15], &what[..15]].concat())
            .unwrap();
        assert_eq!(syncs(&log.take()), few);
        backend.make_durable(what).unwrap();
        assert_eq!(syncs(&log.take()), (0, 0, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_chunks_at_a_time_share_two_rounds() {
    let (bench, log) = counting(Durability::Power).await;
    let all = bytes(9 * CHUNK, 2);
    let id = bench.needed(file("a", 9 * CHUNK)).await.id;
    log.take();
    // The first round stands still until all the others wait for the next.
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let gate: Gate = Box::new(move || {
        let _ = may_go_on.recv();
    });
    *log.gate.lock().unwrap() = Some(gate);
    let shared = Arc::clone(&bench.store.shared);
    let watch = async move {
        while shared.syncer.waits() < 7 {
            tokio::task::yield_now().await;
        }
        drop(go_on);
    };
    let send = |index| {
        let (bench, all) = (&bench, &all);
        async move { bench.send(id, all, index).await.unwrap() }
    };
    let (_, sent) = tokio::join!(watch, join_all((0..8).map(send)));
    assert_eq!(sent.len(), 8);
    let done = log.take();
    let of = |end: &str| {
        let is_it = |one: &&Done| matches!(one, Done::Sync(path) if path.ends_with(end));
        done.iter().filter(is_it).count()
    };
    let name = id.to_string();
    assert_eq!((of(&name), of(".sums")), (2, 2), "{done:?}");
    assert_eq!(syncs(&done).2, 0);
    assert_eq!(bench.store.figures(NOW).await.unwrap().syncs, 2);
    assert_eq!(bench.received(id).await, [(0, 8 * CHUNK)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_begins_with_what_has_come_while_more_comes() {
    const LONG: u64 = 2 << 20;
    for durability in [Durability::Power, Durability::Process] {
        let (bench, log) = counting(durability).await;
        let new = NewFile {
            chunk_size: Some(LONG),
            ..file("a", 2 * LONG)
        };
        let id = bench.needed(new).await.id;
        let claim = PackChunk {
            upload: id,
            index: 0,
            length: LONG,
            checksum: None,
            last: false,
        };
        let all = bytes(LONG, 3);
        bench.send_as("page", 0, &claim, &all).await.unwrap();
        let done = log.take();
        let is_begun = |one: &Done| matches!(one, Done::WriteBack(..));
        if durability == Durability::Process {
            assert!(!done.iter().any(is_begun), "nobody waits for it");
            continue;
        }
        let begun: Vec<_> = done
            .iter()
            .filter_map(|one| match one {
                Done::WriteBack(_, offset, length) => Some((*offset, offset + length)),
                _ => None,
            })
            .collect();
        // One after the other, all but the last piece.
        assert_eq!(begun[0].0, 0);
        assert!(
            begun.windows(2).all(|two| two[0].1 == two[1].0),
            "{begun:?}"
        );
        assert!(
            begun.len() >= 3 && begun.last().unwrap().1 >= LONG - (512 << 10),
            "{begun:?}"
        );
        let last = done.iter().rposition(is_begun).unwrap();
        let sync = done
            .iter()
            .position(|one| matches!(one, Done::Sync(_)))
            .unwrap();
        assert!(last < sync, "{done:?}");
        // Each is written before the disk is told to begin with it.
        for (at, one) in done.iter().enumerate() {
            if let Done::WriteBack(path, offset, length) = one {
                let is_it = |one: &&Done| matches!(one, Done::Write(to, from, _) if to == path && (*offset..offset + length).contains(from));
                let written: u64 = done[..at]
                    .iter()
                    .filter(is_it)
                    .map(|one| match one {
                        Done::Write(_, _, length) => *length,
                        _ => 0,
                    })
                    .sum();
                assert_eq!(written, *length);
            }
        }
    }
}
