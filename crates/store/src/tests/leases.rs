//! Who may write a chunk.

use std::{
    io,
    sync::{Arc, Mutex, mpsc},
};

use hoist_protocol::{Millis, UploadStatus};

use super::{
    conformance,
    support::{Bench, CHUNK, NOW, bytes, chunk, file, hash, sender},
};
use crate::{
    StoreError,
    disk::{Disk, DiskFile, Open, RealDisk},
    planted::Planted,
};

conformance! {
    async fn two_senders_do_not_write_one_chunk(bench: Bench) {
        let all = bytes(2 * CHUNK, 1);
        let id = bench.needed(file("a", 2 * CHUNK)).await.id;
        let (claim, part) = chunk(id, &all, 0);
        let mut first = bench.store.write_chunk(NOW, &bench.party, &sender("one"), 0, &claim).await.unwrap();
        first.write(NOW, bytes::Bytes::copy_from_slice(&part[..9])).await.unwrap();
        match bench.send_as("two", 9, &claim, part).await {
            Err(StoreError::InFlight { retry_after_ms }) => assert!(retry_after_ms > 0),
            other => panic!("{other:?}"),
        }
        assert!(bench.send(id, &all, 1).await.is_ok(), "another chunk is free");
        first.write(NOW, bytes::Bytes::copy_from_slice(&part[9..])).await.unwrap();
        assert!(first.finish(NOW).await.unwrap().receipt.is_some());
    }

    async fn a_sender_that_went_silent_loses_its_lease(bench: Bench) {
        let all = bytes(CHUNK, 2);
        let id = bench.needed(file("a", CHUNK)).await.id;
        let (claim, part) = chunk(id, &all, 0);
        let mut silent = bench.store.write_chunk(NOW, &bench.party, &sender("one"), 0, &claim).await.unwrap();
        let later = NOW.plus(10_000);
        let mut second = bench.store.write_chunk(later, &bench.party, &sender("two"), 0, &claim).await.unwrap();
        let bytes = bytes::Bytes::copy_from_slice(part);
        assert!(matches!(silent.write(later, bytes.clone()).await, Err(StoreError::Evicted)));
        second.write(later, bytes).await.unwrap();
        drop(silent);
        assert!(second.finish(later).await.unwrap().receipt.is_some());
    }

    async fn a_newer_attempt_or_the_same_again_takes_over_at_once_and_an_older_one_does_not(bench: Bench) {
        let all = bytes(CHUNK, 3);
        let id = bench.needed(file("a", CHUNK)).await.id;
        let (claim, part) = chunk(id, &all, 0);
        let old = bench.store.write_chunk(NOW, &bench.party, &sender("page"), 4, &claim).await.unwrap();
        let result = bench.send_as("page", 3, &claim, part).await;
        assert!(matches!(result, Err(StoreError::InFlight { .. })), "{result:?}");
        // The same: a browser has sent the request again by itself.
        let again = bench.store.write_chunk(NOW, &bench.party, &sender("page"), 4, &claim).await.unwrap();
        assert!(old.finish(NOW).await.is_err());
        assert!(bench.send_as("page", 5, &claim, part).await.unwrap().receipt.is_some());
        assert!(again.finish(NOW).await.is_err());
        assert!(bench.content(id).await == all);
    }

    async fn a_cancelled_upload_takes_no_more_bytes(bench: Bench) {
        let all = bytes(2 * CHUNK, 4);
        let id = bench.needed(file("a", 2 * CHUNK)).await.id;
        let (claim, part) = chunk(id, &all, 0);
        let mut writer = bench.store.write_chunk(NOW, &bench.party, &sender("page"), 0, &claim).await.unwrap();
        bench.store.delete(NOW, &bench.party, &[id]).await.unwrap();
        assert!(writer.write(NOW, bytes::Bytes::copy_from_slice(part)).await.is_err());
        assert!(matches!(bench.send(id, &all, 0).await, Err(StoreError::NotFound)));
    }
}

/// A disk whose next write of bytes waits until it is let go.
#[derive(Debug)]
struct SlowDisk {
    real: RealDisk,
    gate: Arc<Mutex<Option<Gate>>>,
}

type Gate = (mpsc::Sender<()>, mpsc::Receiver<()>);

#[derive(Debug)]
struct SlowFile(Arc<dyn DiskFile>, Arc<Mutex<Option<Gate>>>);

impl Disk for SlowDisk {
    fn open(&self, path: &str, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(SlowFile(
            self.real.open(path, how)?,
            Arc::clone(&self.gate),
        )))
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
        self.real.sync_folder(path)
    }
    fn sync_all(&self) -> io::Result<()> {
        self.real.sync_all()
    }
    fn is_same(&self, one: &str, other: &str) -> io::Result<bool> {
        self.real.is_same(one, other)
    }
    fn free(&self) -> io::Result<u64> {
        self.real.free()
    }
}

impl DiskFile for SlowFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let gate = self.1.lock().unwrap().take();
        if let Some((reached, go_on)) = gate {
            reached.send(()).unwrap();
            go_on.recv().unwrap();
        }
        self.0.write_at(offset, bytes)
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buffer)
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        self.0.allocate(offset, length)
    }
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.truncate(length)
    }
    fn set_modified(&self, time: i64) -> io::Result<()> {
        self.0.set_modified(time)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_passes_on_only_when_the_old_write_has_returned() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let gate = Arc::default();
    let disk = SlowDisk {
        real: RealDisk::open(folder.path()).unwrap(),
        gate: Arc::clone(&gate),
    };
    let bench = Bench::over(&folder, Arc::new(disk)).await.unwrap();
    let all = bytes(CHUNK, 5);
    let id = bench.needed(file("a", CHUNK)).await.id;
    let (claim, part) = chunk(id, &all, 0);
    let (claim, part) = (claim, part.to_vec());

    let (reached_send, reached) = mpsc::channel();
    let (go_on, go_on_recv) = mpsc::channel();
    *gate.lock().unwrap() = Some((reached_send, go_on_recv));
    // The old write has other bytes and no checksum: were it to land late, the file would be wrong.
    let mut old_claim = claim.clone();
    old_claim.checksum = None;
    let mut old = bench
        .store
        .write_chunk(NOW, &bench.party, &sender("page"), 0, &old_claim)
        .await
        .unwrap();
    old.write(NOW, bytes(CHUNK, 99).into()).await.unwrap();
    let old = tokio::spawn(old.finish(NOW));
    tokio::task::spawn_blocking(move || reached.recv().unwrap())
        .await
        .unwrap();
    // The client is gone, the system call is not.
    old.abort();

    let (store, party) = (bench.store.clone(), bench.party.clone());
    let new = tokio::spawn(async move {
        let mut writer = store
            .write_chunk(NOW, &party, &sender("page"), 1, &claim)
            .await?;
        writer.write(NOW, part.into()).await?;
        writer.finish(NOW).await
    });
    let active = bench.store.shared.remembered(id).unwrap();
    loop {
        match active.lease_of(0) {
            Some((1, true)) => break,
            Some((1, false)) => tokio::task::yield_now().await,
            other => panic!("the lease passed on while the old write ran: {other:?}"),
        }
    }
    go_on.send(()).unwrap();
    // The old write was whole, so it may count; then the new bytes differ and are refused. What
    // must never be is a file that is neither.
    match new.await.unwrap() {
        Ok(answer) => assert_eq!(
            answer.receipt.unwrap().hash.unwrap().to_string(),
            hash(&all)
        ),
        Err(error) => assert!(matches!(error, StoreError::ChunkConflict), "{error:?}"),
    }
    // The old one may still be publishing; a status waits for that.
    assert!(matches!(
        bench.status(id).await,
        UploadStatus::Finished { .. }
    ));
    let content = bench.content(id).await;
    let reader = bench.store.read(Millis(0), &bench.party, id).await.unwrap();
    assert_eq!(reader.receipt().hash.unwrap().to_string(), hash(&content));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_piece_of_a_torn_chunk_does_not_land_in_the_one_sent_again() {
    assert_eq!(torn(None).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lab_sees_a_write_that_outlives_its_lease() {
    let seen = torn(Some(Planted::WriteAfterLease)).await;
    assert_eq!(seen, Err("the file has other bytes"));
}

/// A piece of a chunk is on its way to the disk when its client is gone and sends the chunk again.
async fn torn(planted: Option<Planted>) -> Result<(), &'static str> {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let gate = Arc::default();
    let disk = SlowDisk {
        real: RealDisk::open(folder.path()).unwrap(),
        gate: Arc::clone(&gate),
    };
    let mut bench = Bench::over(&folder, Arc::new(disk)).await.unwrap();
    bench.plant(planted);
    // A chunk of several pieces, of which the first is on its way when the client goes.
    let all = bytes(1 << 20, 7);
    let new = hoist_protocol::NewFile {
        chunk_size: Some(1 << 20),
        ..file("a", 1 << 20)
    };
    let id = bench.needed(new).await.id;
    let claim = hoist_protocol::PackChunk {
        upload: id,
        index: 0,
        length: 1 << 20,
        checksum: None,
        last: false,
    };
    let (reached_send, reached) = mpsc::channel();
    let (go_on, go_on_recv) = mpsc::channel();
    *gate.lock().unwrap() = Some((reached_send, go_on_recv));
    let mut old = bench
        .store
        .write_chunk(NOW, &bench.party, &sender("page"), 0, &claim)
        .await
        .unwrap();
    let piece = crate::share::PIECE as u64;
    old.write(NOW, bytes(piece + 1000, 99).into())
        .await
        .unwrap();
    tokio::task::spawn_blocking(move || reached.recv().unwrap())
        .await
        .unwrap();
    drop(old);

    let (store, party, part) = (bench.store.clone(), bench.party.clone(), all.clone());
    let new = tokio::spawn(async move {
        let mut writer = store
            .write_chunk(NOW, &party, &sender("page"), 1, &claim)
            .await?;
        writer.write(NOW, part.into()).await?;
        writer.finish(NOW).await
    });
    let active = bench.store.shared.remembered(id).unwrap();
    // Until the new one waits for the old write, or, if something is wrong, does not.
    while !new.is_finished() && active.lease_of(0) != Some((1, true)) {
        tokio::task::yield_now().await;
    }
    let opened = bench.store.read(NOW, &bench.party, id).await.ok();
    go_on.send(()).unwrap();
    let receipt = new.await.unwrap().unwrap().receipt.unwrap();
    assert_eq!(receipt.hash.unwrap().to_string(), hash(&all));
    if opened.is_some() {
        // It was whole too early: until what was on its way has landed.
        while bench.content(id).await == all {
            tokio::task::yield_now().await;
        }
    }
    if bench.content(id).await == all {
        Ok(())
    } else {
        Err("the file has other bytes")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_upload_leaves_nothing_even_if_a_write_was_running() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let gate = Arc::default();
    let disk = SlowDisk {
        real: RealDisk::open(folder.path()).unwrap(),
        gate: Arc::clone(&gate),
    };
    let bench = Bench::over(&folder, Arc::new(disk)).await.unwrap();
    let all = bytes(2 * CHUNK, 6);
    let id = bench.needed(file("a", 2 * CHUNK)).await.id;
    let (claim, part) = chunk(id, &all, 0);
    // One that has a lease and no bytes yet.
    let idle = bench
        .store
        .write_chunk(NOW, &bench.party, &sender("page"), 0, &chunk(id, &all, 1).0)
        .await
        .unwrap();
    let (reached_send, reached) = mpsc::channel();
    let (go_on, go_on_recv) = mpsc::channel();
    *gate.lock().unwrap() = Some((reached_send, go_on_recv));
    let mut writer = bench
        .store
        .write_chunk(NOW, &bench.party, &sender("page"), 0, &claim)
        .await
        .unwrap();
    writer
        .write(NOW, bytes::Bytes::copy_from_slice(part))
        .await
        .unwrap();
    let running = tokio::spawn(writer.finish(NOW));
    tokio::task::spawn_blocking(move || reached.recv().unwrap())
        .await
        .unwrap();

    let (store, party) = (bench.store.clone(), bench.party.clone());
    let deleted = tokio::spawn(async move { store.delete(NOW, &party, &[id]).await });
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert!(!deleted.is_finished(), "the write that runs is waited for");
    go_on.send(()).unwrap();
    deleted.await.unwrap().unwrap();
    let _ = running.await.unwrap();
    assert!(idle.finish(NOW).await.is_err());
    assert!(matches!(
        bench.send(id, &all, 0).await,
        Err(StoreError::NotFound)
    ));
    assert_eq!(
        super::names::walk(&folder.path().join("incoming")),
        Vec::<String>::new()
    );
}
