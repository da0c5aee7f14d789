//! Cancelling at every moment of an upload: nothing of it stays, and nothing else is touched.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use futures_util::future::{FutureExt as _, poll_immediate};
use hoist_protocol::{DeleteResult, ErrorCode, Millis, UploadId, UploadStatus};

use super::{
    dying::{DyingCatalog, DyingDisk, Fuse},
    names::walk,
    support::{Bench, CHUNK, NOW, bytes, config, file, hash},
};
use crate::{
    CATALOG, ListQuery,
    catalog::{RowState, SqliteCatalog},
    disk::RealDisk,
};

/// How often a client asks again before it would be stuck.
const TRIES: u32 = 1000;

/// What lies in the data folder without the catalog, and what the catalog says.
#[derive(Debug, PartialEq)]
struct Everything {
    bytes: BTreeMap<String, u64>,
    rows: Vec<UploadStatus>,
}

async fn everything(bench: &Bench, folder: &Path) -> Everything {
    let bytes = walk(folder)
        .into_iter()
        .filter(|path| !path.contains(CATALOG))
        .map(|path| (path.clone(), std::fs::metadata(path).unwrap().len()))
        .collect();
    let list = bench
        .store
        .list(NOW, &bench.party, &ListQuery::default())
        .await
        .unwrap();
    let counts = (list.counts.unfinished, list.counts.finished);
    assert_eq!(counts.0 + counts.1, list.uploads.len() as u64);
    Everything {
        bytes,
        rows: list.uploads,
    }
}

/// Deletes as a client does: again until it is confirmed; then the grace passes.
async fn cancelled(bench: &Bench, id: UploadId) -> bool {
    for _ in 0..TRIES {
        let results = bench.store.delete(NOW, &bench.party, &[id]).await.unwrap();
        match &results[..] {
            [DeleteResult::Deleted] => return false,
            [DeleteResult::Deleting { until }] => {
                bench.store.sweep(Millis(*until)).await.unwrap();
                return true;
            }
            [DeleteResult::Refused(body)] if body.code == ErrorCode::InFlight => {}
            other => panic!("{other:?}"),
        }
        tokio::task::yield_now().await;
    }
    panic!("the delete is never confirmed")
}

/// Sends a file's chunks and a neighbour's in turn; what happens to the first must be that it is
/// gone. Whether the first was whole.
async fn send_both(
    bench: &Bench,
    victim: UploadId,
    all: &[u8],
    next: UploadId,
    other: &[u8],
) -> bool {
    let (mut is_gone, mut is_whole) = (false, false);
    for index in 0..4 {
        // A writer that was overtaken asks again, and learns that there is nothing to write to.
        for _ in 0..TRIES {
            if is_gone {
                break;
            }
            match bench.send(victim, all, index).await {
                Ok(answer) => {
                    is_whole |= answer.receipt.is_some();
                    break;
                }
                Err(error) if error.code() == ErrorCode::InFlight => {
                    tokio::task::yield_now().await;
                }
                Err(error) => {
                    assert_eq!(error.code(), ErrorCode::NotFound, "{error:?}");
                    is_gone = true;
                }
            }
        }
        if index < 2 {
            bench.send(next, other, index).await.unwrap();
        }
    }
    is_whole
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whenever_a_file_is_cancelled_bytes_and_rows_are_as_before_and_its_neighbour_arrives() {
    let (all, other) = (bytes(3 * CHUNK + 100, 1), bytes(CHUNK + 5, 2));
    let (mut moments, mut cut, mut publishing, mut finished) = (0, 0, 0, 0);
    'steps: for step in 0.. {
        // How far the delete gets while the writer stands still.
        for polls in [0, 1, 20] {
            let folder = Arc::new(tempfile::tempdir().unwrap());
            let (fuse, held, go_on) = Fuse::gate();
            let catalog = SqliteCatalog::open(&folder.path().join(CATALOG), &config()).await;
            let catalog = DyingCatalog(Arc::new(catalog.unwrap()), Arc::<Fuse>::clone(&fuse));
            let disk = DyingDisk {
                real: RealDisk::open(folder.path()).unwrap(),
                left: Arc::clone(&fuse),
            };
            let bench = Bench::over_both(&folder, Box::new(catalog), Arc::new(disk))
                .await
                .unwrap();
            let kept = bench
                .upload(file("d/kept.bin", CHUNK), &bytes(CHUNK, 3))
                .await;
            let begun = bench.needed(file("d/begun.bin", 2 * CHUNK)).await.id;
            bench.send(begun, &bytes(2 * CHUNK, 4), 1).await.unwrap();
            let before = everything(&bench, folder.path()).await;

            let victim = bench.needed(file("d/a.bin", all.len() as u64)).await.id;
            let next = bench.needed(file("d/b.bin", other.len() as u64)).await.id;
            fuse.hold_at(step);
            let writer = Bench {
                store: bench.store.clone(),
                party: bench.party.clone(),
                folder: None,
            };
            let (first, second) = (all.clone(), other.clone());
            let sending = tokio::spawn(async move {
                let whole = send_both(&writer, victim, &first, next, &second).await;
                // Nothing holds it any more.
                drop(writer);
                whole
            });
            // It holds there, or it has ended.
            let mut sending = sending.fuse();
            let is_held = loop {
                if held.try_recv().is_ok() {
                    break true;
                }
                if let Some(ended) = poll_immediate(&mut sending).await {
                    assert!(ended.unwrap(), "nobody has cancelled it");
                    break false;
                }
                tokio::task::yield_now().await;
            };
            if !is_held {
                break 'steps;
            }
            let row = bench.store.shared.catalog.get(vec![victim]).await.unwrap();
            publishing += u32::from(row[0].state == RowState::Publishing);
            let mut cancelling = Box::pin(cancelled(&bench, victim));
            let mut was_finished = None;
            for _ in 0..polls {
                was_finished = was_finished.or(poll_immediate(&mut cancelling).await);
                if was_finished.is_some() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            go_on.send(()).unwrap();
            let was_finished = match was_finished {
                Some(was_finished) => was_finished,
                None => cancelling.await,
            };
            cut += u32::from(!sending.await.unwrap());
            finished += u32::from(was_finished);
            moments += 1;

            let at = format!("step {step}, {polls} polls");
            let list = bench.status(next).await;
            let UploadStatus::Finished { receipt } = list else {
                panic!("{at}: {list:?}")
            };
            assert_eq!(receipt.hash.unwrap().to_string(), hash(&other), "{at}");
            assert!(bench.content(kept.id).await == bytes(CHUNK, 3), "{at}");
            // Once more: it is not there, and nothing has come after it.
            assert!(!cancelled(&bench, victim).await, "{at}");
            assert!(cancelled(&bench, next).await, "{at}");
            assert_eq!(everything(&bench, folder.path()).await, before, "{at}");
        }
    }
    println!(
        "{moments} moments: {cut} in the middle, {publishing} between verify and publish, {finished} finished"
    );
    assert!(moments >= 100, "{moments}");
    assert!(
        cut > 10 && publishing >= 3 && finished > 0,
        "{cut} {publishing} {finished}"
    );
}
