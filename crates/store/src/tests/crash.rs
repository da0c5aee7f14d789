//! The process dies: at every step of the disk, and for real.

use std::{
    io,
    io::{BufRead as _, Write as _},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
};

use hoist_protocol::{ErrorCode, ListCounts, UploadId, UploadStatus};

use rustix::io::Errno;

use super::{
    names::walk,
    support::{Bench, CHUNK, NOW, bytes, config, file, hash},
};
use crate::{
    CATALOG, Event, EventKind, Owner, Party, Store, StoreError,
    catalog::{
        After, Answer, Catalog, Command, Mark, Outcome, Row, SqliteCatalog, TokenRow, Usage,
    },
    disk::{Disk, DiskFile, Open, RealDisk},
};

/// A disk that fails after so many changes: for good, as if the process had died there, or once,
/// as if there were no room for a moment.
#[derive(Debug)]
pub(super) struct DyingDisk {
    pub(super) real: RealDisk,
    pub(super) left: Arc<Fuse>,
}

#[derive(Debug)]
struct DyingFile(Arc<dyn DiskFile>, Arc<Fuse>);

#[derive(Debug)]
pub(super) struct Fuse {
    left: AtomicU64,
    once: Option<Errno>,
    gate: Option<Mutex<(Sender<()>, Receiver<()>)>>,
}

impl Fuse {
    pub(super) fn new(left: u64, once: Option<Errno>) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicU64::new(left),
            once,
            gate: None,
        })
    }

    /// One that fails nothing, but says when it has come to the step that [`Fuse::hold_at`] names,
    /// and then waits until it is told, or nobody is left to tell it.
    pub(super) fn gate() -> (Arc<Self>, Receiver<()>, Sender<()>) {
        let ((say, said), (tell, told)) = (channel(), channel());
        let fuse = Self {
            left: AtomicU64::new(u64::MAX),
            once: None,
            gate: Some(Mutex::new((say, told))),
        };
        (Arc::new(fuse), said, tell)
    }

    pub(super) fn hold_at(&self, steps: u64) {
        self.left.store(steps, Ordering::SeqCst);
    }

    pub(super) fn has_blown(&self) -> bool {
        let left = self.left.load(Ordering::SeqCst);
        left == 0 || left > u64::MAX / 2
    }
}

/// Something that counts steps, and fails from some step on.
pub(super) trait Step: std::fmt::Debug + Send + Sync {
    fn step(&self) -> io::Result<()>;
}

impl Step for Fuse {
    fn step(&self) -> io::Result<()> {
        step(self)
    }
}

fn step(fuse: &Fuse) -> io::Result<()> {
    let next = |left: u64| match (left, fuse.once) {
        (0, None) if fuse.gate.is_none() => None,
        // Wraps once, and then there is no end to it.
        (left, _) => Some(left.wrapping_sub(1)),
    };
    let before = fuse
        .left
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, next);
    if let (Ok(0), Some(gate)) = (before, &fuse.gate) {
        let gate = gate.lock().unwrap();
        let _ = gate.0.send(());
        let _ = gate.1.recv();
    }
    match (before, fuse.once) {
        (Err(_), _) => Err(io::Error::other("the process is dead")),
        (Ok(0), Some(errno)) => Err(errno.into()),
        (Ok(_), _) => Ok(()),
    }
}

impl Disk for DyingDisk {
    fn open(&self, path: &str, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        if how == Open::Create {
            step(&self.left)?;
        }
        Ok(Arc::new(DyingFile(
            self.real.open(path, how)?,
            Arc::clone(&self.left),
        )))
    }
    fn make_folder(&self, path: &str) -> io::Result<()> {
        step(&self.left)?;
        self.real.make_folder(path)
    }
    fn is_folder(&self, path: &str) -> io::Result<bool> {
        self.real.is_folder(path)
    }
    fn rename_noreplace(&self, from: &str, to: &str) -> io::Result<()> {
        step(&self.left)?;
        self.real.rename_noreplace(from, to)
    }
    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        step(&self.left)?;
        self.real.link(from, to)
    }
    fn remove(&self, path: &str) -> io::Result<()> {
        step(&self.left)?;
        self.real.remove(path)
    }
    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.real.list(path)
    }
    fn sync_folder(&self, path: &str) -> io::Result<()> {
        step(&self.left)?;
        self.real.sync_folder(path)
    }
    fn sync_all(&self) -> io::Result<()> {
        step(&self.left)?;
        self.real.sync_all()
    }
    fn is_same(&self, one: &str, other: &str) -> io::Result<bool> {
        self.real.is_same(one, other)
    }
    fn free(&self) -> io::Result<u64> {
        self.real.free()
    }
}

impl DiskFile for DyingFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = step(&self.1) {
            // The last write is torn in the middle, unless it lies within one sector: a checksum of
            // 32 bytes at a multiple of 32 does, and no kernel and no disk splits that.
            if bytes.len() > 512 {
                let _ = self.0.write_at(offset, &bytes[..bytes.len() / 2]);
            }
            return Err(error);
        }
        self.0.write_at(offset, bytes)
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buffer)
    }
    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        self.0.allocate(offset, length)
    }
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn truncate(&self, length: u64) -> io::Result<()> {
        step(&self.1)?;
        self.0.truncate(length)
    }
    fn sync(&self) -> io::Result<()> {
        step(&self.1)?;
        self.0.sync()
    }
    fn set_modified(&self, time: i64) -> io::Result<()> {
        step(&self.1)?;
        self.0.set_modified(time)
    }
}

/// The catalog of the same process: its changes are steps, too, and end with those of the disk.
#[derive(Debug)]
pub(super) struct DyingCatalog(pub(super) Arc<dyn Catalog>, pub(super) Arc<dyn Step>);

impl Catalog for DyingCatalog {
    fn apply(&self, command: Command) -> Answer<'_, Outcome> {
        match self.1.step() {
            Ok(()) => self.0.apply(command),
            Err(_) => Box::pin(async { Err(StoreError::Unavailable) }),
        }
    }
    fn get(&self, ids: Vec<UploadId>) -> Answer<'_, Vec<Row>> {
        self.0.get(ids)
    }
    fn earlier(&self, row: Row) -> Answer<'_, Option<Row>> {
        self.0.earlier(row)
    }
    fn list(&self, owner: Owner, after: Option<After>, limit: u32) -> Answer<'_, Vec<Row>> {
        self.0.list(owner, after, limit)
    }
    fn counts(&self, owner: Owner) -> Answer<'_, ListCounts> {
        self.0.counts(owner)
    }
    fn usage(&self, owner: Option<Owner>, since: u64) -> Answer<'_, Usage> {
        self.0.usage(owner, since)
    }
    fn expired(&self, now: u64, skip: u32, limit: u32) -> Answer<'_, Vec<Row>> {
        self.0.expired(now, skip, limit)
    }
    fn taken(&self, owner: Owner, but: UploadId, keys: Vec<String>) -> Answer<'_, Vec<String>> {
        self.0.taken(owner, but, keys)
    }
    fn publishing(&self) -> Answer<'_, Vec<Row>> {
        self.0.publishing()
    }
    fn transactions(&self) -> u64 {
        self.0.transactions()
    }
    fn old_names(&self) -> Answer<'_, Vec<(UploadId, String)>> {
        self.0.old_names()
    }
    fn events(&self, subscriber: String, limit: u32) -> Answer<'_, Vec<Event>> {
        self.0.events(subscriber, limit)
    }
    fn token(&self, hash: [u8; 32]) -> Answer<'_, Option<(TokenRow, Row)>> {
        self.0.token(hash)
    }
    fn mark(&self) -> Answer<'_, Mark> {
        self.0.mark()
    }
    fn close(&self) -> Answer<'_, ()> {
        self.0.close()
    }
}

/// Sends all chunks of a file until the disk dies; returns those that were acknowledged.
async fn send_until_dead(bench: &Bench, all: &[u8]) -> Vec<u32> {
    let Ok(answers) = bench
        .store
        .create(NOW, &bench.party, &[file("d/a.bin", all.len() as u64)])
        .await
    else {
        return Vec::new();
    };
    let Some(hoist_protocol::CreateAnswer::Needed(needed)) = answers.first() else {
        return Vec::new();
    };
    let mut acknowledged = Vec::new();
    for index in [2, 0, 3, 1] {
        if bench.send(needed.id, all, index).await.is_ok() {
            acknowledged.push(index);
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_step_is_the_last_no_acknowledged_chunk_is_lost_and_the_upload_goes_on() {
    cut_at_every_step(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_somebody_took_while_the_server_was_down_is_not_replaced() {
    cut_at_every_step(true).await;
}

/// Cuts one upload at each of its steps in turn; `intrudes` puts a file by hand where it was to lie,
/// if it does not lie there yet.
async fn cut_at_every_step(intrudes: bool) {
    let all = bytes(3 * CHUNK + 100, 1);
    let (mut died, mut steps) = (0, 0);
    loop {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let left = Fuse::new(steps, None);
        let real = RealDisk::open(folder.path()).unwrap();
        let catalog = SqliteCatalog::open(&folder.path().join(CATALOG), &config()).await;
        let catalog = DyingCatalog(Arc::new(catalog.unwrap()), Arc::<Fuse>::clone(&left));
        let disk = DyingDisk {
            real,
            left: Arc::clone(&left),
        };
        let dying = Bench::over_both(&folder, Box::new(catalog), Arc::new(disk)).await;
        let acknowledged = match &dying {
            Ok(dying) => send_until_dead(dying, &all).await,
            Err(_) => Vec::new(),
        };
        let is_dead = left.has_blown();
        drop(dying);
        let (mut place, mut files) = (folder.path().join("files/d/a.bin"), 1);
        if intrudes && !place.exists() {
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(&place, "by hand").unwrap();
            (place, files) = (folder.path().join("files/d/a (2).bin"), 2);
        }

        let bench = Bench::over(&folder, Arc::new(RealDisk::open(folder.path()).unwrap()))
            .await
            .unwrap();
        match bench.create(file("d/a.bin", all.len() as u64)).await {
            hoist_protocol::CreateAnswer::Present { receipt } => {
                assert_eq!(receipt.hash.unwrap().to_string(), hash(&all));
                assert!(
                    bench.content(receipt.id).await == all,
                    "died at step {steps}"
                );
            }
            hoist_protocol::CreateAnswer::Needed(needed) => {
                let has = |index: u32| {
                    let start = u64::from(index) * CHUNK;
                    needed
                        .received
                        .iter()
                        .any(|range| range.start <= start && start < range.end)
                };
                assert!(
                    acknowledged.iter().all(|index| has(*index)),
                    "died at step {steps}: a chunk was lost"
                );
                let mut receipt = None;
                for index in (0..4).filter(|index| !has(*index)) {
                    receipt = bench.send(needed.id, &all, index).await.unwrap().receipt;
                }
                assert_eq!(
                    receipt.unwrap().hash.unwrap().to_string(),
                    hash(&all),
                    "died at step {steps}"
                );
            }
            other => panic!("died at step {steps}: {other:?}"),
        }
        let found = walk(&folder.path().join("files")).len();
        assert_eq!(found, files, "died at step {steps}");
        assert!(
            std::fs::read(&place).unwrap() == all,
            "died at step {steps}"
        );
        if files == 2 {
            let first = folder.path().join("files/d/a.bin");
            assert_eq!(std::fs::read(first).unwrap(), b"by hand");
        }
        // Whoever is told of files is told of this one, once.
        let told = bench.events().await;
        let told: Vec<_> = told.iter().map(|event| event.kind).collect();
        assert_eq!(told, [EventKind::Finished], "died at step {steps}");
        // What the dead one left beside is gone after the next start.
        drop(bench);
        let _again = Bench::over(&folder, Arc::new(RealDisk::open(folder.path()).unwrap()))
            .await
            .unwrap();
        let left_over = walk(&folder.path().join("incoming"));
        assert_eq!(left_over, Vec::<String>::new(), "died at step {steps}");
        if !is_dead {
            break;
        }
        died += 1;
        steps += 1;
    }
    assert!(
        died >= 16,
        "an upload is at least so many steps, and {died} were cut"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_without_room_for_a_moment_at_any_step_costs_nothing_acknowledged() {
    for errno in [Errno::NOSPC, Errno::DQUOT] {
        fail_each_step_once(errno, ErrorCode::StorageFull).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_for_a_moment_at_any_step_costs_nothing_acknowledged() {
    // Damaged, remounted for reading only, or no descriptor left.
    for errno in [Errno::IO, Errno::ROFS, Errno::MFILE] {
        fail_each_step_once(errno, ErrorCode::Internal).await;
    }
}

/// Fails each operation of one upload in turn, once; a write has put half of its bytes there by then.
/// The client is told what it was, sends again, and the file is whole.
async fn fail_each_step_once(errno: Errno, code: ErrorCode) {
    let all = bytes(3 * CHUNK + 100, 7);
    let (mut steps, mut failed) = (0, 0);
    loop {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let left = Fuse::new(steps, Some(errno));
        let real = RealDisk::open(folder.path()).unwrap();
        let disk = DyingDisk {
            real,
            left: Arc::clone(&left),
        };
        let bench = Bench::over(&folder, Arc::new(disk)).await.unwrap();
        let id = bench.needed(file("d/a.bin", all.len() as u64)).await.id;
        let (mut receipt, mut refused) = (None, 0);
        for index in [2, 0, 3, 1] {
            receipt = loop {
                match bench.send(id, &all, index).await {
                    Ok(answer) => break answer.receipt,
                    Err(error) => assert_eq!(error.code(), code, "step {steps}: {error:?}"),
                }
                refused += 1;
                assert_eq!(refused, 1, "step {steps}");
            };
        }
        failed += refused;
        assert_eq!(receipt.unwrap().hash.unwrap().to_string(), hash(&all));
        assert!(std::fs::read(folder.path().join("files/d/a.bin")).unwrap() == all);
        assert_eq!(walk(&folder.path().join("files")).len(), 1, "step {steps}");
        // What the failed step left behind does not outlive the next start.
        drop(bench);
        let real = Arc::new(RealDisk::open(folder.path()).unwrap());
        let _again = Bench::over(&folder, real).await.unwrap();
        let left_over = walk(&folder.path().join("incoming"));
        assert_eq!(left_over, Vec::<String>::new(), "step {steps}");
        if !left.has_blown() {
            break;
        }
        steps += 1;
    }
    assert!(failed >= 12, "only {failed} of {steps} steps were missed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_only_chunk_of_an_upload_without_a_size_has_the_right_hash_after_a_restart() {
    let all = bytes(CHUNK, 8);
    let bench = Bench::disk().await;
    let new = hoist_protocol::NewFile {
        size: None,
        ..file("a", 0)
    };
    let id = bench.needed(new).await.id;
    let claim = hoist_protocol::PackChunk {
        upload: id,
        index: 0,
        length: CHUNK,
        checksum: None,
        last: false,
    };
    bench.send_as("page", 0, &claim, &all).await.unwrap();
    // The process dies when the size is noted and nothing else.
    let size = crate::catalog::Command::SetSize { id, size: CHUNK };
    bench.store.shared.catalog.apply(size).await.unwrap();
    let bench = bench.reopened().await;
    match bench.status(id).await {
        UploadStatus::Finished { receipt } => {
            assert_eq!(receipt.hash.unwrap().to_string(), hash(&all));
        }
        other => panic!("{other:?}"),
    }
}

/// Run as a child by the test below: sends chunk after chunk and says which are acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_is_killed() {
    let Ok(folder) = std::env::var("HOIST_TEST_CHILD_FOLDER") else {
        return;
    };
    let store = Store::open(folder.as_ref(), config(), NOW).await.unwrap();
    let bench = Bench {
        store,
        party: Party::known(Owner::shared()),
        folder: None,
    };
    let all = bytes(4000 * CHUNK / 10, 2);
    let needed = bench.needed(file("big.bin", all.len() as u64)).await;
    let count = (all.len() as u64).div_ceil(CHUNK) as u32;
    for index in 0..count {
        bench.send(needed.id, &all, index).await.unwrap();
        // Not println!: the test harness would keep it.
        writeln!(io::stdout().lock(), "\nacknowledged {index}").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_no_acknowledged_chunk() {
    let all = bytes(4000 * CHUNK / 10, 2);
    for enough in [1, 17, 60] {
        let folder = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "tests::crash::child_that_is_killed",
                "--nocapture",
                "--test-threads=1",
            ])
            .env("HOIST_TEST_CHILD_FOLDER", folder.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let lines = io::BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = Vec::new();
        for line in lines.map_while(Result::ok) {
            acknowledged.extend(
                line.strip_prefix("acknowledged ")
                    .and_then(|index| index.parse::<u32>().ok()),
            );
            if acknowledged.len() == enough {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(acknowledged.len() >= enough);

        let store = Store::open(folder.path(), config(), NOW).await.unwrap();
        let bench = Bench {
            store,
            party: Party::known(Owner::shared()),
            folder: None,
        };
        let needed = bench.needed(file("big.bin", all.len() as u64)).await;
        let received = match bench.status(needed.id).await {
            UploadStatus::Unfinished(upload) => upload.received,
            other => panic!("{other:?}"),
        };
        let has = |index: u32| {
            received
                .iter()
                .any(|r| r.start <= u64::from(index) * CHUNK && u64::from(index) * CHUNK < r.end)
        };
        assert!(acknowledged.iter().all(|index| has(*index)));
        let mut receipt = None;
        for index in (0..400).filter(|index| !has(*index)) {
            receipt = bench
                .send(needed.id, &all, index)
                .await
                .unwrap()
                .receipt
                .or(receipt);
        }
        assert_eq!(receipt.unwrap().hash.unwrap().to_string(), hash(&all));
    }
}
