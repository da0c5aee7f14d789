//! The machine has died under a store that promised only the death of the process.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use hoist_protocol::{ByteRange, UploadId, UploadStatus};

use super::{
    faults::HookedDisk,
    support::{Bench, CHUNK, NOW, bytes, config, file, hash},
};
use crate::{
    CATALOG, Durability, ListQuery, Owner, Party, Store, StoreConfig,
    catalog::SqliteCatalog,
    disk::{Disk, RealDisk},
};

/// A start in this boot of the machine; dropping it is no clean end.
pub(super) async fn boot(folder: &Arc<tempfile::TempDir>, boot: &str) -> Bench {
    over(
        folder,
        boot,
        Arc::new(RealDisk::open(folder.path()).unwrap()),
    )
    .await
}

pub(super) async fn over(
    folder: &Arc<tempfile::TempDir>,
    boot: &str,
    disk: Arc<dyn Disk>,
) -> Bench {
    over_with(folder, boot, disk, Durability::Process).await
}

async fn over_with(
    folder: &Arc<tempfile::TempDir>,
    boot: &str,
    disk: Arc<dyn Disk>,
    durability: Durability,
) -> Bench {
    let config = StoreConfig {
        durability,
        ..config()
    };
    let catalog = SqliteCatalog::open(&folder.path().join(CATALOG), &config).await;
    let catalog = Box::new(catalog.unwrap());
    let store = Store::open_on(catalog, disk, None, config, boot.into(), NOW).await;
    Bench {
        store: store.unwrap(),
        party: Party::known(Owner::shared()),
        folder: Some(Arc::clone(folder)),
    }
}

pub(super) fn incoming(folder: &tempfile::TempDir, id: UploadId) -> PathBuf {
    let id = id.to_string();
    folder.path().join("incoming").join(&id[..2]).join(&id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checksums_whose_bytes_are_lost_are_not_believed_when_others_come() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let all = bytes(2 * CHUNK + 5, 3);
    let bench = boot(&folder, "first").await;
    let id = bench.needed(file("a", all.len() as u64)).await.id;
    bench.send(id, &all, 0).await.unwrap();
    drop(bench);
    fs::remove_file(incoming(&folder, id)).unwrap();
    let bench = boot(&folder, "second").await;
    assert_eq!(bench.received(id).await, []);
    bench.send(id, &all, 1).await.unwrap();
    drop(bench);
    let bench = boot(&folder, "second").await;
    assert_eq!(bench.received(id).await, [(CHUNK, 2 * CHUNK)]);
    for index in [0, 2] {
        bench.send(id, &all, index).await.unwrap();
    }
    assert!(bench.content(id).await == all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_were_about_to_be_published_and_are_torn_are_asked_for_again() {
    let all = bytes(900, 4);
    for is_torn in [true, false] {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let bench = boot(&folder, "first").await;
        let id = bench.needed(file("a", all.len() as u64)).await.id;
        drop(bench);
        // As a group of small files leaves them that had claimed its names.
        let catalog = rusqlite::Connection::open(folder.path().join(CATALOG)).unwrap();
        let claim = "UPDATE uploads SET state = 1, hash = ? WHERE id = ?";
        let sum = *blake3::hash(&all).as_bytes();
        let claimed = catalog.execute(claim, rusqlite::params![sum, id.as_bytes()]);
        assert_eq!(claimed.unwrap(), 1);
        catalog.close().unwrap();
        let place = incoming(&folder, id);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        let mut left = all.clone();
        if is_torn {
            left[512..].fill(0);
        }
        fs::write(&place, &left).unwrap();

        let bench = boot(&folder, "second").await;
        let there = folder.path().join("files/a");
        if is_torn {
            assert_eq!(bench.received(id).await, []);
            assert!(!there.exists());
            bench.send(id, &all, 0).await.unwrap();
        }
        match bench.status(id).await {
            UploadStatus::Finished { receipt } => {
                assert_eq!(receipt.hash.unwrap().to_string(), hash(&all));
            }
            other => panic!("{other:?}"),
        }
        assert!(fs::read(there).unwrap() == all);
    }
}

/// Opens of files, by path, since it was made.
type Opened = Arc<Mutex<Vec<String>>>;

/// As [`boot`], and whose files are opened is noted.
async fn boot_watched(folder: &Arc<tempfile::TempDir>, boot: &str) -> (Bench, Opened) {
    let opened = Opened::default();
    let seen = Arc::clone(&opened);
    let disk = HookedDisk::new(folder.path(), move |what, path| {
        if what == "open" {
            seen.lock().unwrap().push(path.to_owned());
        }
        Ok(())
    });
    (over(folder, boot, Arc::new(disk)).await, opened)
}

/// Some uploads with a chunk or a range each, unfinished, and their bytes.
async fn begin(bench: &Bench, all: &[u8]) -> Vec<UploadId> {
    let mut begun = Vec::new();
    for n in 0..20 {
        let id = bench
            .needed(file(&n.to_string(), all.len() as u64))
            .await
            .id;
        bench.send(id, all, 0).await.unwrap();
        begun.push(id);
    }
    begun
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_clean_stop_another_boot_checks_nothing() {
    for is_clean in [true, false] {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let all = bytes(2 * CHUNK, 5);
        let bench = boot(&folder, "first").await;
        let begun = begin(&bench, &all).await;
        if is_clean {
            bench.store.close().await.unwrap();
        }
        drop(bench);
        // What a check would see.
        let place = incoming(&folder, begun[7]);
        fs::write(&place, vec![0; 2 * CHUNK as usize]).unwrap();
        let bench = boot(&folder, "second").await;
        let expected = if is_clean { vec![(0, CHUNK)] } else { vec![] };
        assert_eq!(bench.received(begun[7]).await, expected);
        let shared = &bench.store.shared;
        let rows = shared.catalog.get(begun.clone()).await.unwrap();
        let suspect = rows.iter().filter(|row| shared.is_suspect(row)).count();
        assert_eq!(suspect, if is_clean { 0 } else { 19 });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_unclean_end_an_upload_is_checked_when_it_is_first_asked_for_and_not_before() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let all = bytes(2 * CHUNK, 6);
    let begun = begin(&boot(&folder, "first").await, &all).await;
    let (bench, opened) = boot_watched(&folder, "second").await;
    assert_eq!(*opened.lock().unwrap(), Vec::<String>::new(), "at start");
    // Neither a list nor the sweep look at them.
    let query = ListQuery::default();
    let list = bench.store.list(NOW, &bench.party, &query).await.unwrap();
    assert_eq!(list.uploads.len(), 20);
    bench.store.sweep(NOW).await.unwrap();
    assert_eq!(*opened.lock().unwrap(), Vec::<String>::new(), "in a list");
    assert_eq!(bench.received(begun[3]).await, [(0, CHUNK)]);
    let name = begun[3].to_string();
    let first = std::mem::take(&mut *opened.lock().unwrap());
    assert!(first.iter().all(|path| path.contains(&name)), "{first:?}");
    // Once: from here on it is known, also to the next start of this boot.
    drop(bench);
    let (bench, opened) = boot_watched(&folder, "second").await;
    fs::write(incoming(&folder, begun[3]), vec![0; 2 * CHUNK as usize]).unwrap();
    assert_eq!(bench.received(begun[3]).await, [(0, CHUNK)]);
    assert!(opened.lock().unwrap().len() < first.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ranges_that_were_recorded_before_they_were_synced_are_dropped_and_come_again() {
    let all = bytes(3000, 7);
    for durability in [Durability::Process, Durability::Power] {
        for (next, is_other) in [("second", true), ("first", false)] {
            let folder = Arc::new(tempfile::tempdir().unwrap());
            let real = || Arc::new(RealDisk::open(folder.path()).unwrap());
            let bench = over_with(&folder, "first", real(), durability).await;
            let id = bench.needed(file("a", 3000)).await.id;
            send_range(&bench, id, &all, 500..2000).await;
            drop(bench);
            let is_lost = is_other && durability == Durability::Process;
            if is_lost {
                // As a disk leaves it that had the length and not yet the bytes.
                fs::write(incoming(&folder, id), [0; 2000]).unwrap();
            }
            let bench = over_with(&folder, next, real(), durability).await;
            let expected = if is_lost { vec![] } else { vec![(500, 2000)] };
            assert_eq!(bench.received(id).await, expected, "{durability:?}, {next}");
            // Sent whole: what is there is compared, what was dropped is written.
            send_range(&bench, id, &all, 0..3000).await;
            assert!(bench.content(id).await == all);
            assert!(fs::read(folder.path().join("files/a")).unwrap() == all);
        }
    }
}

async fn send_range(bench: &Bench, id: UploadId, all: &[u8], range: std::ops::Range<usize>) {
    let part = ByteRange::new(range.start as u64, range.end as u64);
    let writer = bench.store.write_part(NOW, &bench.party, id, part).await;
    let mut writer = writer.unwrap();
    let bytes = Bytes::copy_from_slice(&all[range]);
    writer.write(NOW, bytes).await.unwrap();
    writer.finish(NOW).await.unwrap();
}
