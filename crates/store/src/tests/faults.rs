//! Single things that fail or take their time, and what they must not take with them.

use std::{
    io,
    sync::{Arc, Mutex, mpsc},
};

use hoist_protocol::{CreateAnswer, ErrorClass, UploadStatus};

use super::support::{Bench, CHUNK, NOW, config, file};
use crate::{
    CATALOG, ListQuery, StoreError, SweepReport,
    catalog::{Catalog, Command, MemoryCatalog, Outcome, SqliteCatalog},
    disk::{Disk, DiskFile, Open, RealDisk},
};

/// Called with the name of an operation and its path before it is done; may fail or wait.
type Hook = Box<dyn Fn(&str, &str) -> io::Result<()> + Send + Sync>;

/// A disk on which single operations fail or wait.
pub(super) struct HookedDisk {
    real: RealDisk,
    hook: Arc<Mutex<Option<Arc<Hook>>>>,
}

impl std::fmt::Debug for HookedDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HookedDisk").finish_non_exhaustive()
    }
}

impl HookedDisk {
    pub(super) fn new(
        folder: &std::path::Path,
        hook: impl Fn(&str, &str) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let hook: Hook = Box::new(hook);
        Self {
            real: RealDisk::open(folder).unwrap(),
            hook: Arc::new(Mutex::new(Some(Arc::new(hook)))),
        }
    }

    fn call(&self, operation: &str, path: &str) -> io::Result<()> {
        // Not called under the lock: it may wait, and others go on.
        let hook = self.hook.lock().unwrap().clone();
        hook.map_or(Ok(()), |hook| hook(operation, path))
    }
}

impl Disk for HookedDisk {
    fn open(&self, path: &str, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        self.call("open", path)?;
        self.real.open(path, how)
    }
    fn make_folder(&self, path: &str) -> io::Result<()> {
        self.call("make_folder", path)?;
        self.real.make_folder(path)
    }
    fn is_folder(&self, path: &str) -> io::Result<bool> {
        self.real.is_folder(path)
    }
    fn rename_noreplace(&self, from: &str, to: &str) -> io::Result<()> {
        self.call("rename", to)?;
        self.real.rename_noreplace(from, to)
    }
    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        self.call("link", to)?;
        self.real.link(from, to)
    }
    fn remove(&self, path: &str) -> io::Result<()> {
        self.call("remove", path)?;
        self.real.remove(path)
    }
    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.call("list", path)?;
        self.real.list(path)
    }
    fn sync_folder(&self, path: &str) -> io::Result<()> {
        self.call("sync", path)?;
        self.real.sync_folder(path)
    }
    fn is_same(&self, one: &str, other: &str) -> io::Result<bool> {
        self.real.is_same(one, other)
    }
    fn sync_all(&self) -> io::Result<()> {
        self.real.sync_all()
    }
    fn free(&self) -> io::Result<u64> {
        self.real.free()
    }
}

struct Hooked {
    bench: Bench,
    hook: Arc<Mutex<Option<Arc<Hook>>>>,
}

impl Hooked {
    /// Over both catalogs, one after the other.
    async fn both() -> [Self; 2] {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let sqlite = SqliteCatalog::open(&folder.path().join(CATALOG), &config()).await;
        let memory = Box::new(MemoryCatalog::default());
        [
            Self::over(&folder, Box::new(sqlite.unwrap())).await,
            Self::over(&Arc::new(tempfile::tempdir().unwrap()), memory).await,
        ]
    }

    async fn over(folder: &Arc<tempfile::TempDir>, catalog: Box<dyn Catalog>) -> Self {
        let hook = Arc::default();
        let disk = HookedDisk {
            real: RealDisk::open(folder.path()).unwrap(),
            hook: Arc::clone(&hook),
        };
        let bench = Bench::over_both(folder, catalog, Arc::new(disk)).await;
        let bench = bench.unwrap();
        Self { bench, hook }
    }

    fn set(&self, hook: impl Fn(&str, &str) -> io::Result<()> + Send + Sync + 'static) {
        *self.hook.lock().unwrap() = Some(Arc::new(Box::new(hook)));
    }

    /// From here on this operation fails for paths with this end.
    fn fail(&self, operation: &'static str, end: &'static str) {
        self.set(move |what, path| {
            if what == operation && path.ends_with(end) {
                Err(io::Error::other("broken here"))
            } else {
                Ok(())
            }
        });
    }

    fn heal(&self) {
        *self.hook.lock().unwrap() = None;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_upload_that_cannot_be_published_hides_no_other() {
    for hooked in Hooked::both().await {
        let bench = &hooked.bench;
        hooked.fail("rename", "/stuck");
        let stuck = bench.needed(file("stuck", 5)).await.id;
        let sent = bench.send(stuck, b"stuck", 0).await;
        assert!(matches!(sent, Err(StoreError::Io { .. })), "{sent:?}");
        let done = bench.upload(file("done", 4), b"done").await.id;
        let begun = bench.needed(file("begun", 2 * CHUNK)).await.id;

        let ids = [done, stuck, begun];
        let all = bench.store.status(NOW, &bench.party, &ids, None).await;
        match all.unwrap().as_slice() {
            [
                UploadStatus::Finished { receipt },
                UploadStatus::Gone(gone),
                UploadStatus::Unfinished(unfinished),
            ] => {
                assert_eq!((receipt.id, gone.id, unfinished.id), (done, stuck, begun));
                assert_eq!(gone.error.code.class(), ErrorClass::Wait);
            }
            other => panic!("{other:?}"),
        }
        // The list has a row for each that it counts, also for the one that is stuck.
        let query = ListQuery::default();
        let list = bench.store.list(NOW, &bench.party, &query).await.unwrap();
        assert_eq!((list.counts.unfinished, list.counts.finished), (2, 1));
        let unfinished = |id| {
            let is_it = |upload: &&UploadStatus| matches!(upload, UploadStatus::Unfinished(upload) if upload.id == id);
            list.uploads.iter().filter(is_it).count()
        };
        assert_eq!((unfinished(stuck), unfinished(begun)), (1, 1));
        assert_eq!(list.uploads.len(), 3);

        hooked.heal();
        match bench.status(stuck).await {
            UploadStatus::Finished { receipt } => assert_eq!(receipt.stored_as, "stuck"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_file_that_cannot_be_removed_does_not_stop_the_sweep() {
    for hooked in Hooked::both().await {
        let bench = &hooked.bench;
        // More of them than one look of the sweeper takes, and one of the others behind them.
        let stuck: Vec<_> = (0..crate::delete::SWEEP + 1)
            .map(|n| file(&format!("d/{n}.stuck"), 0))
            .collect();
        for stuck in stuck.chunks(400) {
            let made = bench.store.create(NOW, &bench.party, stuck).await.unwrap();
            let ids: Vec<_> = made
                .iter()
                .map(|answer| match answer {
                    CreateAnswer::Present { receipt } => receipt.id,
                    other => panic!("{other:?}"),
                })
                .collect();
            bench.store.delete(NOW, &bench.party, &ids).await.unwrap();
        }
        let later = NOW.plus(1);
        let good = bench.upload(file("good", 4), b"good").await.id;
        bench
            .store
            .delete(later, &bench.party, &[good])
            .await
            .unwrap();
        hooked.fail("remove", ".stuck");
        let over = later.plus(30_000);
        for _ in 0..2 {
            let swept = bench.store.sweep(over).await;
            assert!(matches!(swept, Err(StoreError::Io { .. })), "{swept:?}");
            let place = bench.folder.as_ref().unwrap().path().join("files/good");
            assert!(!place.exists(), "it comes after all that fail");
        }
        hooked.heal();
        let deleted = u64::from(crate::delete::SWEEP) + 1;
        let report = SweepReport {
            expired: 0,
            deleted,
        };
        assert_eq!(bench.store.sweep(over).await.unwrap(), report);
        assert_eq!(
            bench.store.sweep(over).await.unwrap(),
            SweepReport::default()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_renamed_while_somebody_looks_for_it_is_not_forgotten() {
    for hooked in Hooked::both().await {
        let bench = &hooked.bench;
        let receipt = bench.upload(file("a", 5), b"hello").await;
        let (reached, has_reached) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let gate = Mutex::new(Some((reached, may_go_on)));
        hooked.set(move |what, path| {
            if what == "open"
                && path == "files/a"
                && let Some((reached, may_go_on)) = gate.lock().unwrap().take()
            {
                reached.send(()).unwrap();
                may_go_on.recv().unwrap();
            }
            Ok(())
        });
        let (store, party) = (bench.store.clone(), bench.party.clone());
        let again = tokio::spawn(async move { store.create(NOW, &party, &[file("a", 5)]).await });
        tokio::task::spawn_blocking(move || has_reached.recv().unwrap())
            .await
            .unwrap();
        bench
            .store
            .rename(NOW, &bench.party, receipt.id, "b")
            .await
            .unwrap();
        go_on.send(()).unwrap();
        again.await.unwrap().unwrap();
        assert_eq!(bench.content(receipt.id).await, b"hello");
        match bench.status(receipt.id).await {
            UploadStatus::Finished { receipt } => assert_eq!(receipt.stored_as, "b"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_to_be_lost_is_forgotten_only_where_it_lies_and_is_seen() {
    for hooked in Hooked::both().await {
        let bench = &hooked.bench;
        let catalog = &bench.store.shared.catalog;
        let id = bench.upload(file("a", 5), b"hello").await.id;
        let lost = |from: &str| Command::Lost {
            id,
            from: from.into(),
        };
        let not_done = catalog.apply(lost("b")).await.unwrap();
        assert!(matches!(not_done, Outcome::NotDone));
        bench.store.delete(NOW, &bench.party, &[id]).await.unwrap();
        let not_done = catalog.apply(lost("a")).await.unwrap();
        assert!(matches!(not_done, Outcome::NotDone));
        bench.store.restore(NOW, &bench.party, &[id]).await.unwrap();
        assert_eq!(bench.content(id).await, b"hello");
        let done = catalog.apply(lost("a")).await.unwrap();
        assert!(matches!(done, Outcome::Done));
        assert!(matches!(bench.status(id).await, UploadStatus::Gone(_)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rename_that_fails_leaves_the_file_a_name_whoever_has_taken_its_old_one() {
    for (has_links, intrudes) in [(true, false), (true, true), (false, false), (false, true)] {
        for hooked in Hooked::both().await {
            let bench = &hooked.bench;
            let id = bench.upload(file("a", 5), b"hello").await.id;
            let files = bench.folder.as_ref().unwrap().path().join("files");
            let at = files.join("a");
            hooked.set(move |what, path| match what {
                "link" if !has_links => Err(io::ErrorKind::Unsupported.into()),
                // It has its new name, which cannot be made durable.
                "sync" if path == "files" => {
                    if intrudes {
                        let _ = std::fs::remove_file(&at);
                        std::fs::write(&at, "by hand")?;
                    }
                    Err(io::Error::other("broken here"))
                }
                _ => Ok(()),
            });
            let renamed = bench.store.rename(NOW, &bench.party, id, "b").await;
            assert!(matches!(renamed, Err(StoreError::Io { .. })), "{renamed:?}");
            let content = |name: &str| std::fs::read(files.join(name)).ok();
            let left = if intrudes {
                (Some(b"by hand".to_vec()), Some(b"hello".to_vec()))
            } else {
                (Some(b"hello".to_vec()), None)
            };
            let found = (content("a"), content("b"));
            assert_eq!(found, left, "links: {has_links}, intrudes: {intrudes}");
        }
    }
}
