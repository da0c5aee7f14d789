//! The process dies: at every step of the disk, and for real.

use std::{
    io,
    io::{BufRead as _, Write as _},
    sync::Arc,
};

use hoist_protocol::UploadStatus;

use super::{
    dying::{DyingCatalog, DyingDisk, Fuse},
    names::walk,
    support::{Bench, CHUNK, NOW, bytes, config, file, hash},
};
use crate::{CATALOG, EventKind, Owner, Party, Store, catalog::SqliteCatalog, disk::RealDisk};

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
        // What the dead one left beside is gone after the next sweep.
        bench.store.sweep(NOW).await.unwrap();
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
