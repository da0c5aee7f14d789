//! What all parts of a store share: catalog, backend, the uploads in work.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use hoist_protocol::{Millis, UploadId};
use tokio::task::{JoinError, JoinHandle};

use crate::{
    Change, Party, StoreConfig, StoreError,
    active::{Active, merge},
    backend::{Backend, Incoming},
    catalog::{Catalog, Command, Outcome, Row, RowState},
};
use hoist_protocol::{ByteRange, ChunkSet};

/// Uploads kept in memory at most while nobody works on them.
const IDLE_UPLOADS: usize = 1024;
/// How often an upload in work is noted in the catalog, in milliseconds.
const TOUCH_MS: u64 = 60_000;
/// Uploads are loaded under one of these locks, so that no two tasks load the same at once.
const LOADERS: usize = 64;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) catalog: Box<dyn Catalog>,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) config: StoreConfig,
    pub(crate) changes: tokio::sync::broadcast::Sender<Change>,
    /// The lock of the folder, held as long as the store lives.
    pub(crate) _lock: Option<std::fs::File>,
    active: Mutex<HashMap<UploadId, Arc<Active>>>,
    loaders: Vec<tokio::sync::Mutex<()>>,
    received: AtomicU64,
    is_closed: AtomicBool,
}

/// An upload that somebody asked for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// It waits for bytes.
    Active(Arc<Active>, Row),
    /// It is a file.
    Finished(Row),
}

pub(crate) fn io_error(doing: &'static str) -> impl FnOnce(io::Error) -> StoreError {
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::StorageFull,
        _ => StoreError::Io { doing, source },
    }
}

/// A task of ours ended early only if the runtime is going away.
pub(crate) fn joined<T>(result: Result<T, JoinError>) -> Result<T, StoreError> {
    result.map_err(|_| StoreError::Unavailable)
}

impl Shared {
    pub(crate) fn new(
        catalog: Box<dyn Catalog>,
        backend: Arc<dyn Backend>,
        config: StoreConfig,
        lock: Option<std::fs::File>,
    ) -> Self {
        Self {
            catalog,
            backend,
            config,
            changes: tokio::sync::broadcast::channel(1024).0,
            _lock: lock,
            active: Mutex::default(),
            loaders: (0..LOADERS)
                .map(|_| tokio::sync::Mutex::default())
                .collect(),
            received: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Starts file work: on a thread of its own if the backend blocks, here and now if not.
    pub(crate) fn start<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        if self.backend.blocks() {
            tokio::task::spawn_blocking(work)
        } else {
            let done = work();
            tokio::spawn(std::future::ready(done))
        }
    }

    /// Does file work and waits for it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.backend.blocks() {
            joined(tokio::task::spawn_blocking(work).await)?.map_err(io_error(doing))
        } else {
            work().map_err(io_error(doing))
        }
    }

    pub(crate) fn count_received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(crate) fn check_open(&self) -> Result<(), StoreError> {
        if self.is_closed.load(Ordering::Acquire) {
            Err(StoreError::Unavailable)
        } else {
            Ok(())
        }
    }

    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        self.is_closed.store(true, Ordering::Release);
        let active: Vec<_> = self
            .active
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain()
            .map(|(_, active)| active)
            .collect();
        for active in active {
            active.end().await;
        }
        self.catalog.close().await?;
        let backend = Arc::clone(&self.backend);
        self.run("syncing the disk", move || backend.sync()).await
    }

    /// Whether an upload is in work now.
    pub(crate) fn is_leased(&self, id: UploadId) -> bool {
        self.active
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .is_some_and(|active| active.is_leased())
    }

    pub(crate) fn remembered(&self, id: UploadId) -> Option<Arc<Active>> {
        self.active
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .map(Arc::clone)
    }

    /// Takes an upload out of those in work; nobody finds it any more.
    pub(crate) fn forget(&self, id: UploadId) {
        self.active
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
    }

    fn remember(&self, active: &Arc<Active>) {
        let mut all = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= IDLE_UPLOADS {
            // Those that only this map holds: what they know is on the disk.
            all.retain(|_, other| Arc::strong_count(other) > 1);
        }
        all.insert(active.id, Arc::clone(active));
    }

    /// The row of an upload of this party.
    pub(crate) async fn row(&self, party: &Party, id: UploadId) -> Result<Row, StoreError> {
        let row = self.catalog.get(vec![id]).await?.pop();
        row.filter(|row| row.owner == party.owner && row.state != RowState::Hidden)
            .ok_or(StoreError::NotFound)
    }

    /// An upload of this party, ready for work.
    ///
    /// A file that is being published is waited for; one that was whole but not published when
    /// the process died is published now.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        now: Millis,
        party: &Party,
        id: UploadId,
    ) -> Result<Asked, StoreError> {
        self.check_open()?;
        for _ in 0..2 {
            let row = self.row(party, id).await?;
            if let Some(asked) = self.ask_row(now, row).await? {
                return Ok(asked);
            }
        }
        Err(StoreError::Unavailable)
    }

    /// As [`Self::ask`], for a row that was just read; `None` if it has to be read again.
    pub(crate) async fn ask_row(
        self: &Arc<Self>,
        now: Millis,
        row: Row,
    ) -> Result<Option<Asked>, StoreError> {
        match row.state {
            RowState::Finished => return Ok(Some(Asked::Finished(row))),
            RowState::Hidden => return Err(StoreError::NotFound),
            RowState::Unfinished if row.expires <= now.0 => return Err(StoreError::Expired),
            RowState::Unfinished | RowState::Publishing => {}
        }
        let active = self.load(&row).await?;
        if row.state == RowState::Publishing || active.lock().is_whole(active.chunk_size) {
            return match self.publish_if_whole(&active, now).await? {
                Some(_) => Ok(None),
                None if active.lock().has_ended => Ok(None),
                None => Ok(Some(Asked::Active(active, row))),
            };
        }
        Ok(Some(Asked::Active(active, row)))
    }

    async fn load(&self, row: &Row) -> Result<Arc<Active>, StoreError> {
        if let Some(active) = self.remembered(row.id) {
            return Ok(active);
        }
        let loader = usize::from(row.id.as_bytes()[0]) % LOADERS;
        let _loading = match self.loaders.get(loader) {
            Some(loader) => Some(loader.lock().await),
            None => None,
        };
        if let Some(active) = self.remembered(row.id) {
            return Ok(active);
        }
        let active = Arc::new(Active::new(row.id, row.chunk_size, row.size));
        let (backend, id) = (Arc::clone(&self.backend), row.id);
        let loaded = self.run("reading what has arrived", move || {
            let Some(incoming) = backend.incoming(id)? else {
                return Ok(None);
            };
            let set = read_set(&*incoming)?;
            let ranges = incoming
                .ranges()?
                .into_iter()
                .map(ByteRange::from)
                .collect();
            // The descriptor is not kept: ten thousand idle uploads would need as many.
            Ok(Some((set, ranges)))
        });
        if let Some((set, ranges)) = loaded.await? {
            let mut inner = active.lock();
            inner.set = set;
            inner.ranges = merge(ranges);
        }
        self.remember(&active);
        Ok(active)
    }

    /// The bytes of an upload, made if there are none; shared by all who write it now.
    pub(crate) async fn bytes(
        &self,
        active: &Arc<Active>,
    ) -> Result<Arc<dyn Incoming>, StoreError> {
        if let Some(incoming) = active
            .lock()
            .incoming
            .as_ref()
            .and_then(std::sync::Weak::upgrade)
        {
            return Ok(incoming);
        }
        let (backend, id) = (Arc::clone(&self.backend), active.id);
        let incoming = self
            .run("opening an upload", move || backend.begin(id))
            .await?;
        active.lock().incoming = Some(Arc::downgrade(&incoming));
        Ok(incoming)
    }

    /// Notes in the catalog, now and then, that bytes have come.
    pub(crate) async fn touch(&self, active: &Active, now: Millis) -> Result<(), StoreError> {
        let received = {
            let mut inner = active.lock();
            // A file that is whole is published at once, and that is note enough.
            if inner.is_whole(active.chunk_size)
                || inner.touched.is_some_and(|last| now.since(last) < TOUCH_MS)
            {
                return Ok(());
            }
            inner.touched = Some(now);
            inner
                .received(active.chunk_size)
                .iter()
                .map(|range| range.len())
                .sum()
        };
        let expires = now.plus(self.config.unfinished_ttl_ms).0;
        self.catalog
            .apply(Command::Touch {
                id: active.id,
                expires,
                received,
            })
            .await?;
        Ok(())
    }

    /// Fixes the size of an upload that was created without.
    pub(crate) async fn set_size_of(&self, active: &Active, size: u64) -> Result<(), StoreError> {
        match active.lock().size {
            Some(known) if known == size => return Ok(()),
            Some(_) => {
                return Err(StoreError::Invalid(
                    "the size of this upload is known, and it is another",
                ));
            }
            None => {}
        }
        self.check_size(size)?;
        if let Outcome::NotDone = self
            .catalog
            .apply(Command::SetSize {
                id: active.id,
                size,
            })
            .await?
        {
            return Err(StoreError::NotFound);
        }
        active.lock().size = Some(size);
        Ok(())
    }

    pub(crate) fn check_size(&self, size: u64) -> Result<(), StoreError> {
        let (min, max) = (
            self.config.limits.min_file_size,
            self.config.limits.file_size,
        );
        if (min..=max).contains(&size) {
            Ok(())
        } else {
            Err(StoreError::FileSize { size, min, max })
        }
    }
}

/// Which chunks have a checksum, read in pieces.
fn read_set(incoming: &dyn Incoming) -> io::Result<ChunkSet> {
    let mut set = ChunkSet::new();
    let mut buffer = vec![0; 64 << 10];
    let mut index = 0;
    loop {
        let length = incoming.read_sums(index, &mut buffer)?;
        for sum in buffer.get(..length).unwrap_or_default().chunks_exact(32) {
            if sum.iter().any(|byte| *byte != 0) {
                set.insert(index);
            }
            index += 1;
        }
        if length < buffer.len() {
            return Ok(set);
        }
    }
}
