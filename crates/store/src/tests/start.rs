//! A start does not depend on how much there is; what it leaves to the first sweep is done all the same.

use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::FutureExt as _;
use hoist_protocol::UploadId;

use super::{
    dying::{DyingCatalog, Step},
    faults::HookedDisk,
    names::walk,
    support::{Bench, CHUNK, NOW, bytes, config, file, hash},
};
use crate::{
    Durability, Owner, Party, Store, StoreConfig, StoreError,
    catalog::{Catalog, Command, MemoryCatalog},
    disk::RealDisk,
};

/// Rows that were asked for, and how often a catalog was.
#[derive(Debug, Default)]
struct Looks(AtomicU64);

impl Step for Looks {
    fn step(&self) -> std::io::Result<()> {
        Ok(())
    }
    fn look(&self) -> std::io::Result<()> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// A data folder and its catalog, which outlive their process.
struct Left {
    folder: Arc<tempfile::TempDir>,
    catalog: Arc<dyn Catalog>,
}

/// One start, and what it has done until now.
struct Started {
    bench: Bench,
    disk: Arc<Mutex<Vec<String>>>,
    catalog: Arc<Looks>,
}

impl Left {
    fn new() -> Self {
        Self {
            folder: Arc::new(tempfile::tempdir().unwrap()),
            catalog: Arc::<MemoryCatalog>::default(),
        }
    }

    async fn start(&self, boot: &str) -> Started {
        let (seen, looks) = (
            Arc::<Mutex<Vec<String>>>::default(),
            Arc::<Looks>::default(),
        );
        let noted = Arc::clone(&seen);
        let disk = HookedDisk::new(self.folder.path(), move |what, path| {
            noted.lock().unwrap().push(format!("{what} {path}"));
            Ok(())
        });
        let catalog = DyingCatalog(Arc::clone(&self.catalog), Arc::<Looks>::clone(&looks));
        let config = StoreConfig {
            durability: Durability::Process,
            ..config()
        };
        let (catalog, disk) = (Box::new(catalog), Arc::new(disk));
        let store = Store::open_on(catalog, disk, None, config, boot.into(), NOW).await;
        Started {
            bench: Bench {
                store: store.unwrap(),
                party: Party::known(Owner::shared()),
                folder: Some(Arc::clone(&self.folder)),
            },
            disk: seen,
            catalog: looks,
        }
    }

    fn incoming(&self, id: UploadId) -> std::path::PathBuf {
        super::reboot::incoming(&self.folder, id)
    }
}

impl Started {
    /// Operations of the disk and looks into the catalog since the last time.
    fn costs(&self) -> (Vec<String>, u64) {
        let disk = std::mem::take(&mut *self.disk.lock().unwrap());
        (disk, self.catalog.0.swap(0, Ordering::Relaxed))
    }
}

/// So many uploads of which a chunk is there.
async fn begin(bench: &Bench, count: u64) -> Vec<UploadId> {
    let all = bytes(2 * CHUNK, 1);
    let mut begun = Vec::new();
    for n in 0..count {
        let id = bench.needed(file(&n.to_string(), 2 * CHUNK)).await.id;
        bench.send(id, &all, 0).await.unwrap();
        begun.push(id);
    }
    begun
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_costs_the_same_however_many_uploads_are_unfinished_and_however_it_ended() {
    for (is_clean, next) in [(true, "second"), (false, "first"), (false, "second")] {
        let mut costs = Vec::new();
        for count in [0, 300] {
            let left = Left::new();
            let started = left.start("first").await;
            begin(&started.bench, count).await;
            if is_clean {
                started.bench.store.close().await.unwrap();
            }
            drop(started);
            let started = left.start(next).await;
            let (disk, looks) = started.costs();
            assert_eq!(disk, Vec::<String>::new(), "nothing is listed or opened");
            costs.push(looks);
            // The sweep looks at all of them, in parts: each is a list of one folder of 256, and its rows.
            started.bench.store.sweep(NOW).await.unwrap();
            let (disk, looks) = started.costs();
            let folders = disk.len() as u64 - 1;
            assert!(
                disk.iter().all(|what| what.starts_with("list incoming")),
                "{disk:?}"
            );
            assert!(folders <= 256 && (count == 0 || folders > 100), "{folders}");
            assert!(looks <= folders + 2, "{looks} looks for {folders} folders");
            // Once for each start.
            started.bench.store.sweep(NOW).await.unwrap();
            assert_eq!(started.costs().0, Vec::<String>::new());
        }
        assert_eq!(costs[0], costs[1], "{is_clean}, {next}");
        assert!(costs[0] <= 3, "{costs:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_without_a_row_and_rows_without_bytes_are_both_put_in_order() {
    let left = Left::new();
    let started = left.start("first").await;
    let all = bytes(2 * CHUNK, 1);
    let begun = begin(&started.bench, 4).await;
    let done = started.bench.upload(file("done", 3), b"abc").await.id;
    drop(started);
    // No row any more; no bytes any more; and side files of one that was published.
    let forgotten = Command::Remove { id: begun[0] };
    left.catalog.apply(forgotten).await.unwrap();
    fs::remove_file(left.incoming(begun[1])).unwrap();
    let beside = left.incoming(done).with_extension("sums");
    fs::create_dir_all(beside.parent().unwrap()).unwrap();
    fs::write(&beside, [7; 32]).unwrap();

    let bench = left.start("second").await.bench;
    bench.store.sweep(NOW).await.unwrap();
    let mut found = walk(&left.folder.path().join("incoming"));
    found.sort();
    let mut expected = Vec::new();
    for id in [begun[1], begun[2], begun[3]] {
        let place = left.incoming(id);
        expected.push(place.with_extension("sums").display().to_string());
        if id != begun[1] {
            expected.push(place.display().to_string());
        }
    }
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(bench.received(begun[1]).await, []);
    for id in [begun[2], begun[3]] {
        assert_eq!(bench.received(id).await, [(0, CHUNK)]);
    }
    for index in [0, 1] {
        bench.send(begun[1], &all, index).await.unwrap();
    }
    assert!(bench.content(begun[1]).await == all);
    assert_eq!(bench.content(done).await, b"abc");
}

/// What may come before the first sweep, of a file whose name was lost.
#[derive(Clone, Copy, Debug)]
enum First {
    Sweep,
    Read,
    Create,
    ReadAndSweep,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_lost_its_name_has_it_again_whoever_is_first() {
    for first in [
        First::Sweep,
        First::Read,
        First::Create,
        First::ReadAndSweep,
    ] {
        let left = Left::new();
        let started = left.start("first").await;
        let all = bytes(CHUNK, 9);
        let id = started.bench.upload(file("d/a", CHUNK), &all).await.id;
        drop(started);
        // As a machine leaves it that died before the new name was on the disk.
        let (there, place) = (left.folder.path().join("files/d/a"), left.incoming(id));
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::hard_link(&there, &place).unwrap();
        fs::remove_file(&there).unwrap();
        let bench = left.start("second").await.bench;
        match first {
            First::Sweep => drop(bench.store.sweep(NOW).await.unwrap()),
            First::Read => assert!(bench.content(id).await == all),
            First::Create => assert_eq!(bench.present(file("d/a", CHUNK)).await.id, id),
            First::ReadAndSweep => {
                let (read, swept) = tokio::join!(bench.content(id), bench.store.sweep(NOW));
                assert!(read == all);
                swept.unwrap();
            }
        }
        assert!(fs::read(&there).unwrap() == all, "{first:?}");
        bench.store.sweep(NOW).await.unwrap();
        assert!(!place.exists());
        let receipt = bench.present(file("d/a", CHUNK)).await;
        assert_eq!(
            (receipt.id, receipt.hash.unwrap().to_string()),
            (id, hash(&all))
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_misses_a_file_whose_bytes_are_of_no_use_removes_them() {
    for first in [First::Sweep, First::Read, First::Create] {
        let left = Left::new();
        let started = left.start("first").await;
        let all = bytes(CHUNK, 9);
        let id = started.bench.upload(file("d/a", CHUNK), &all).await.id;
        drop(started);
        let (there, place) = (left.folder.path().join("files/d/a"), left.incoming(id));
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, bytes(CHUNK, 10)).unwrap();
        fs::remove_file(&there).unwrap();
        let bench = left.start("second").await.bench;
        match first {
            First::Read => {
                let read = bench.store.read(NOW, &bench.party, id).await;
                assert!(matches!(read, Err(StoreError::NotFound)), "{read:?}");
            }
            First::Create => assert_ne!(bench.needed(file("d/a", CHUNK)).await.id, id),
            _ => drop(bench.store.sweep(NOW).await.unwrap()),
        }
        assert!(!place.exists(), "{first:?}");
    }
}

/// Takes a file back as soon as somebody has looked and not yet looked again.
#[derive(Debug)]
struct TakesBack {
    catalog: Arc<dyn Catalog>,
    id: UploadId,
    looks: AtomicU64,
}

impl Step for TakesBack {
    fn step(&self) -> std::io::Result<()> {
        Ok(())
    }
    fn look(&self) -> std::io::Result<()> {
        let (id, now) = (self.id, NOW.0);
        if self.looks.fetch_add(1, Ordering::Relaxed) == 1 {
            let taken_back = self.catalog.apply(Command::Unhide { id, now });
            taken_back.now_or_never().unwrap().unwrap();
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_taken_back_while_the_sweep_looks_keeps_its_bytes() {
    let left = Left::new();
    let bench = left.start("first").await.bench;
    let all = bytes(CHUNK, 9);
    let id = bench.upload(file("a", CHUNK), &all).await.id;
    bench.store.delete(NOW, &bench.party, &[id]).await.unwrap();
    drop(bench);
    let (there, place) = (left.folder.path().join("files/a"), left.incoming(id));
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::copy(&there, &place).unwrap();
    fs::remove_file(&there).unwrap();
    let takes_back = Arc::new(TakesBack {
        catalog: Arc::clone(&left.catalog),
        id,
        // Not before the sweep comes.
        looks: AtomicU64::new(u64::MAX / 2),
    });
    let step = Arc::<TakesBack>::clone(&takes_back);
    let catalog = Box::new(DyingCatalog(Arc::clone(&left.catalog), step));
    let disk = Arc::new(RealDisk::open(left.folder.path()).unwrap());
    let bench = Bench::over_both(&left.folder, catalog, disk).await.unwrap();
    takes_back.looks.store(0, Ordering::Relaxed);
    bench.store.sweep(NOW).await.unwrap();
    assert!(takes_back.looks.load(Ordering::Relaxed) >= 2);
    bench.store.restore(NOW, &bench.party, &[id]).await.unwrap();
    assert!(bench.content(id).await == all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_removed_stops_nothing_else_and_is_tried_again_less_and_less_often() {
    let left = Left::new();
    let started = left.start("first").await;
    let begun = begin(&started.bench, 3).await;
    drop(started);
    for id in &begun {
        left.catalog
            .apply(Command::Remove { id: *id })
            .await
            .unwrap();
    }
    // A folder that is not empty cannot be removed as a file.
    let stuck = left.incoming(begun[1]);
    fs::remove_file(&stuck).unwrap();
    fs::create_dir_all(stuck.join("in it")).unwrap();
    let started = left.start("second").await;
    let bench = &started.bench;
    let over = bench.upload(file("over", 4), b"over").await.id;
    let deleted = bench.store.delete(NOW, &bench.party, &[over]).await;
    deleted.unwrap();
    started.costs();
    let tries = || {
        let (disk, _) = started.costs();
        let of = |what: &str| disk.iter().filter(|one| one.starts_with(what)).count();
        (of("list"), of("remove incoming"))
    };
    bench.store.sweep(NOW).await.unwrap();
    for id in [begun[0], begun[2]] {
        assert!(!left.incoming(id).exists());
    }
    assert!(stuck.exists());
    tries();
    // The sweeper comes every fifteen seconds. It tells what else it has removed.
    const EVERY: u64 = 15_000;
    const HOUR: u64 = 3_600_000;
    let mut tried = Vec::new();
    for at in (EVERY..=24 * HOUR).step_by(EVERY as usize) {
        let report = bench.store.sweep(NOW.plus(at)).await.unwrap();
        assert_eq!(report.deleted, u64::from(at == 30_000));
        match tries() {
            (0, 0) => {}
            // The one folder of it.
            (1, 1) => tried.push(at / 60_000),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(tried[..7], [1, 3, 7, 15, 31, 63, 123]);
    assert_eq!(tried.len(), 28);
    fs::remove_dir(stuck.join("in it")).unwrap();
    bench.store.sweep(NOW.plus(25 * HOUR)).await.unwrap();
    assert!(!stuck.exists());
    tries();
    bench.store.sweep(NOW.plus(48 * HOUR)).await.unwrap();
    assert_eq!(tries(), (0, 0));
}
