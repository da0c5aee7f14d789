//! Small files that are sent together.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hoist_protocol::{CreateAnswer, ErrorCode, NewFile, PackChunk, Receipt, UploadId};

use super::{
    dying::{DyingCatalog, DyingDisk, Fuse},
    names::walk,
    support::{Bench, CHUNK, NOW, bytes, chunk, config, file, hash, sender},
};
use crate::{
    CATALOG, ChunkAnswer, EventKind, Party, StoreError, catalog::SqliteCatalog, disk::RealDisk,
};

fn names(count: usize) -> Vec<String> {
    (0..count)
        .map(|n| format!("folder {}/{n}.bin", n % 3))
        .collect()
}

fn content(n: usize) -> Vec<u8> {
    bytes(100 + n as u64 * 37, n as u64)
}

fn new(n: usize, name: &str) -> NewFile {
    file(name, content(n).len() as u64)
}

/// The first chunk of an upload, and its bytes.
fn first(id: UploadId, all: &[u8]) -> (PackChunk, Bytes) {
    let (chunk, bytes) = chunk(id, all, 0);
    (chunk, Bytes::copy_from_slice(bytes))
}

type Answers = Vec<Result<ChunkAnswer, StoreError>>;

async fn send(bench: &Bench, chunks: Vec<(PackChunk, Bytes)>) -> Answers {
    let store = &bench.store;
    store
        .write_small(NOW, &bench.party, &sender("page"), 0, chunks)
        .await
}

fn receipt(answer: &Result<ChunkAnswer, StoreError>) -> &Receipt {
    answer.as_ref().unwrap().receipt.as_ref().unwrap()
}

fn code(answer: &Result<ChunkAnswer, StoreError>) -> Option<ErrorCode> {
    answer.as_ref().err().map(StoreError::code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_files_are_two_transactions_and_leave_nothing_beside_them() {
    for bench in [Bench::memory(), Bench::disk().await] {
        let names = names(40);
        let all: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(n, name)| new(n, name))
            .collect();
        let answers = bench.store.create(NOW, &bench.party, &all).await.unwrap();
        let ids: Vec<_> = answers
            .iter()
            .map(|answer| match answer {
                CreateAnswer::Needed(needed) => needed.id,
                other => panic!("{other:?}"),
            })
            .collect();
        let before = bench.transactions();
        let chunks = ids
            .iter()
            .enumerate()
            .map(|(n, id)| first(*id, &content(n)));
        let sent = send(&bench, chunks.collect()).await;
        if let Some(folder) = &bench.folder {
            assert_eq!(bench.transactions() - before, 2);
            let incoming = walk(&folder.path().join("incoming"));
            assert_eq!(incoming, Vec::<String>::new());
        }
        for (n, sent) in sent.iter().enumerate() {
            let receipt = receipt(sent);
            assert!(sent.as_ref().unwrap().is_new);
            assert_eq!((receipt.id, &receipt.stored_as), (ids[n], &names[n]));
            assert_eq!(receipt.hash.unwrap().to_string(), hash(&content(n)));
            assert!(bench.content(ids[n]).await == content(n));
        }
        let figures = bench.store.figures(NOW).await.unwrap();
        let sum: u64 = (0..40).map(|n| content(n).len() as u64).sum();
        assert_eq!(
            (
                figures.received_bytes,
                figures.acknowledged_bytes,
                figures.repeated_bytes
            ),
            (sum, sum, 0)
        );
        // Sent once more they are compared, and nothing is stored.
        let chunks = ids
            .iter()
            .enumerate()
            .map(|(n, id)| first(*id, &content(n)));
        let again = send(&bench, chunks.collect()).await;
        for (sent, again) in sent.iter().zip(&again) {
            assert!(!again.as_ref().unwrap().is_new);
            assert_eq!(receipt(sent), receipt(again));
        }
        assert_eq!(bench.store.figures(NOW).await.unwrap().repeated_bytes, sum);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_one_is_no_matter_of_the_others() {
    for bench in [Bench::memory(), Bench::disk().await] {
        let small = |n| content(n);
        let one = bench.needed(new(1, "same")).await.id;
        let two = bench.needed(new(2, "same")).await.id;
        let bad = bench.needed(new(3, "bad")).await.id;
        let short = bench.needed(new(4, "short")).await.id;
        let large = bytes(CHUNK + 9, 5);
        let large_id = bench.needed(file("large", CHUNK + 9)).await.id;
        let done = bench.upload(new(6, "done"), &small(6)).await;
        let gone = bench.needed(new(7, "gone")).await.id;
        bench
            .store
            .delete(NOW, &bench.party, &[gone])
            .await
            .unwrap();
        let in_file = bench.needed(new(9, "done/inner")).await.id;
        let others = bench.other("other");
        let theirs = others.needed(new(8, "theirs")).await.id;
        let mut torn = first(bad, &small(3));
        torn.1 = Bytes::from(vec![7; torn.1.len()]);
        let mut cut = first(short, &small(4));
        cut.1.truncate(5);
        let sent = send(
            &bench,
            vec![
                first(one, &small(1)),
                torn,
                first(two, &small(2)),
                first(one, &small(1)),
                cut,
                first(large_id, &large),
                first(done.id, &small(6)),
                first(done.id, &vec![1; small(6).len()]),
                first(gone, &small(7)),
                first(theirs, &small(8)),
                first(in_file, &small(9)),
            ],
        )
        .await;
        let codes: Vec<_> = sent.iter().map(code).collect();
        assert_eq!(
            codes,
            [
                None,
                Some(ErrorCode::ChecksumMismatch),
                None,
                None,
                Some(ErrorCode::InvalidRequest),
                None,
                None,
                Some(ErrorCode::ChunkConflict),
                Some(ErrorCode::NotFound),
                Some(ErrorCode::NotFound),
                None,
            ]
        );
        assert_eq!(receipt(&sent[0]).stored_as, "same");
        assert_eq!(receipt(&sent[2]).stored_as, "same (2)");
        assert_eq!(receipt(&sent[3]), receipt(&sent[0]));
        assert_eq!(sent[5].as_ref().unwrap().receipt, None);
        assert_eq!(receipt(&sent[6]), &done);
        assert_eq!(receipt(&sent[10]).stored_as, "done (2)/inner");
        assert!(bench.content(two).await == small(2));
        assert_eq!(bench.received(bad).await, []);
        assert_eq!(bench.received(short).await, []);
        assert_eq!(bench.received(large_id).await, [(0, CHUNK)]);
        assert_eq!(others.received(theirs).await, []);
        // And what was refused arrives.
        let sent = send(&bench, vec![first(bad, &small(3)), first(short, &small(4))]).await;
        assert_eq!((receipt(&sent[0]).id, receipt(&sent[1]).id), (bad, short));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_send_the_same_at_once_have_one_file() {
    for bench in [Bench::memory(), Bench::disk().await] {
        for n in 0..20 {
            let id = bench.needed(new(n, &format!("{n}.bin"))).await.id;
            let chunk = || vec![first(id, &content(n))];
            let (one, other) = tokio::join!(send(&bench, chunk()), send(&bench, chunk()));
            assert_eq!(receipt(&one[0]), receipt(&other[0]));
            let new = [&one, &other].map(|sent| sent[0].as_ref().unwrap().is_new);
            assert!(new[0] != new[1], "{new:?}");
        }
        assert_eq!(bench.events().await.len(), 20);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_while_it_is_written_it_is_gone_or_a_file_that_can_be_restored() {
    for step in 0..12 {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let (fuse, at, go_on) = Fuse::gate();
        let real = RealDisk::open(folder.path()).unwrap();
        let disk = DyingDisk {
            real,
            left: Arc::clone(&fuse),
        };
        let bench = Bench::over(&folder, Arc::new(disk)).await.unwrap();
        let id = bench.needed(new(1, "d/one")).await.id;
        fuse.hold_at(step);
        let party: Party = bench.party.clone();
        let store = bench.store.clone();
        let sent = tokio::spawn(async move {
            let chunks = vec![first(id, &content(1))];
            store
                .write_small(NOW, &party, &sender("page"), 0, chunks)
                .await
        });
        // It comes to this step, or is done before.
        let has_held = tokio::task::spawn_blocking(move || {
            loop {
                if at.recv_timeout(Duration::from_millis(10)).is_ok() {
                    return (true, sent);
                }
                if sent.is_finished() {
                    return (false, sent);
                }
            }
        });
        let (has_held, sent) = has_held.await.unwrap();
        let (store, party) = (bench.store.clone(), bench.party.clone());
        let deleted = tokio::spawn(async move { store.delete(NOW, &party, &[id]).await });
        drop(go_on);
        let sent = sent.await.unwrap().pop().unwrap();
        let deleted = deleted.await.unwrap().unwrap().pop().unwrap();
        match (&sent, deleted) {
            // It was a file by then.
            (Ok(_), hoist_protocol::DeleteResult::Deleting { .. }) => {
                let restored = bench.store.restore(NOW, &bench.party, &[id]).await;
                assert_eq!(restored.unwrap().len(), 1);
                assert!(bench.content(id).await == content(1));
            }
            (
                Err(StoreError::NotFound | StoreError::Evicted),
                hoist_protocol::DeleteResult::Deleted,
            ) => assert_eq!(walk(&folder.path().join("files")), Vec::<String>::new()),
            other => panic!("step {step}: {other:?}"),
        }
        if !has_held {
            break;
        }
    }
}

/// Creates and sends three files; those that were answered well.
async fn work(bench: &Bench) -> Vec<(usize, UploadId)> {
    let names = names(3);
    let all: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(n, name)| new(n, name))
        .collect();
    let created = bench.store.create(NOW, &bench.party, &all).await;
    let mut chunks = Vec::new();
    for (n, answer) in created.unwrap_or_default().into_iter().enumerate() {
        match answer {
            CreateAnswer::Needed(needed) => chunks.push((n, first(needed.id, &content(n)))),
            CreateAnswer::Present { receipt } => {
                assert_eq!(receipt.hash.unwrap().to_string(), hash(&content(n)));
            }
            other => panic!("{other:?}"),
        }
    }
    let (order, chunks): (Vec<_>, Vec<_>) = chunks.into_iter().unzip();
    let ids: Vec<_> = chunks.iter().map(|(chunk, _)| chunk.upload).collect();
    let sent = send(bench, chunks).await;
    let with = order.into_iter().zip(ids).zip(sent);
    with.filter_map(|(file, sent)| sent.is_ok().then_some(file))
        .collect()
}

/// All three are there, whole, and nothing else is.
async fn check(bench: &Bench, step: u64) {
    let folder = bench.folder.as_ref().unwrap();
    let files = folder.path().join("files");
    for (n, name) in names(3).iter().enumerate() {
        let found = std::fs::read(files.join(name)).unwrap();
        assert!(found == content(n), "step {step}: {name}");
    }
    assert_eq!(walk(&files).len(), 3, "step {step}");
    let told: Vec<_> = bench
        .events()
        .await
        .iter()
        .map(|event| event.kind)
        .collect();
    assert_eq!(told, [EventKind::Finished; 3], "step {step}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_step_is_the_last_what_was_answered_is_a_file_and_the_rest_arrives() {
    let mut step = 0;
    loop {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let left = Fuse::new(step, None);
        let real = RealDisk::open(folder.path()).unwrap();
        let catalog = SqliteCatalog::open(&folder.path().join(CATALOG), &config()).await;
        let catalog = DyingCatalog(Arc::new(catalog.unwrap()), Arc::<Fuse>::clone(&left));
        let disk = DyingDisk {
            real,
            left: Arc::clone(&left),
        };
        let dying = Bench::over_both(&folder, Box::new(catalog), Arc::new(disk)).await;
        let answered = match &dying {
            Ok(dying) => work(dying).await,
            Err(_) => Vec::new(),
        };
        let is_dead = left.has_blown();
        drop(dying);
        let real = || Arc::new(RealDisk::open(folder.path()).unwrap());
        let bench = Bench::over(&folder, real()).await.unwrap();
        for (n, id) in answered {
            assert!(bench.content(id).await == content(n), "step {step}: {n}");
        }
        work(&bench).await;
        check(&bench, step).await;
        bench.store.sweep(NOW).await.unwrap();
        let left_over = walk(&folder.path().join("incoming"));
        assert_eq!(left_over, Vec::<String>::new(), "step {step}");
        if !is_dead {
            break;
        }
        step += 1;
    }
    assert!(
        step >= 12,
        "three files are at least so many steps, and {step} were cut"
    );
}
