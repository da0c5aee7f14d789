//! The machine has died under a store that promised only the death of the process.

use std::{fs, path::PathBuf, sync::Arc};

use hoist_protocol::{UploadId, UploadStatus};

use super::support::{Bench, CHUNK, NOW, bytes, config, file, hash};
use crate::{
    CATALOG, Durability, Owner, Party, Store, StoreConfig, catalog::SqliteCatalog, disk::RealDisk,
};

async fn boot(folder: &Arc<tempfile::TempDir>, boot: &str) -> Bench {
    let config = StoreConfig {
        durability: Durability::Process,
        ..config()
    };
    let catalog = SqliteCatalog::open(&folder.path().join(CATALOG), &config).await;
    let disk = Arc::new(RealDisk::open(folder.path()).unwrap());
    let catalog = Box::new(catalog.unwrap());
    let store = Store::open_on(catalog, disk, None, config, boot.into(), NOW).await;
    Bench {
        store: store.unwrap(),
        party: Party::known(Owner::shared()),
        folder: Some(Arc::clone(folder)),
    }
}

fn incoming(folder: &tempfile::TempDir, id: UploadId) -> PathBuf {
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
