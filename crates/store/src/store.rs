//! What all parts of a store share: catalog, backend, the uploads in work.

use std::{
    collections::{BTreeSet, HashMap},
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use hoist_protocol::{ByteRange, ChunkSet, Millis, UploadId};
use tokio::{
    sync::MutexGuard,
    task::{JoinError, JoinHandle},
};

use crate::{
    Change, Owner, Party, StoreConfig, StoreError,
    active::{Active, Busy},
    backend::{Backend, Incoming},
    catalog::{Catalog, Command, Left, Outcome, Room, Row, RowState},
    durable::Syncer,
    figures::{Counters, add},
    recover::Leftovers,
};

/// Uploads kept in memory at most while nobody works on them.
const IDLE_UPLOADS: usize = 1024;
/// How often an upload in work is noted in the catalog, in milliseconds.
const TOUCH_MS: u64 = 60_000;
/// Uploads are loaded under one of these locks, so that no two tasks load the same at once.
const LOADERS: usize = 64;
/// How often something is tried again that changed while it was looked at.
pub(crate) const TRIES: u32 = 3;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) catalog: Box<dyn Catalog>,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) config: StoreConfig,
    pub(crate) syncer: Syncer,
    /// How often the machine has died under this folder.
    pub(crate) epoch: u64,
    pub(crate) changes: tokio::sync::broadcast::Sender<Change>,
    /// Changes when there are new events.
    pub(crate) news: tokio::sync::watch::Sender<()>,
    /// The lock of the folder, held as long as the store lives.
    pub(crate) _lock: Option<std::fs::File>,
    active: Mutex<HashMap<UploadId, Arc<Active>>>,
    loaders: Vec<tokio::sync::Mutex<()>>,
    /// Chunks that are being written.
    pub(crate) writers: AtomicUsize,
    pub(crate) counters: Counters,
    is_closed: AtomicBool,
    /// What an earlier process left and nobody has looked at; see [`Self::reconcile`].
    pub(crate) leftovers: tokio::sync::Mutex<Leftovers>,
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

/// Which of the [`LOADERS`] is held while this upload is loaded or removed.
fn loader_of(id: UploadId) -> usize {
    usize::from(id.as_bytes()[0]) % LOADERS
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
            syncer: Syncer::default(),
            epoch: 0,
            changes: tokio::sync::broadcast::channel(1024).0,
            news: tokio::sync::watch::channel(()).0,
            _lock: lock,
            active: Mutex::default(),
            loaders: (0..LOADERS)
                .map(|_| tokio::sync::Mutex::default())
                .collect(),
            writers: AtomicUsize::new(0),
            counters: Counters::default(),
            is_closed: AtomicBool::new(false),
            leftovers: tokio::sync::Mutex::default(),
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

    /// Writes bytes: on a thread of its own only if that may wait for a device.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.backend.writes_wait() {
            self.run(doing, work).await
        } else {
            work().map_err(io_error(doing))
        }
    }

    /// One line in the log: what became of an upload or file. Names and contents are its owner's affair.
    pub(crate) fn log(row: &Row, what: &'static str) {
        let bytes = row.size.unwrap_or(row.received);
        tracing::info!(id = %row.id, owner = %row.owner, bytes, "{what}");
    }

    /// Tells whoever watches.
    pub(crate) fn tell(&self, change: Change) {
        // Nobody watches: nobody is told.
        let _ = self.changes.send(change);
    }

    pub(crate) fn count_received(&self, bytes: u64) {
        add(&self.counters.received, bytes);
    }

    pub(crate) fn received(&self) -> u64 {
        self.counters.received.load(Ordering::Relaxed)
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
        self.news.send_replace(());
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
        let backend = Arc::clone(&self.backend);
        self.run("syncing the disk", move || backend.sync()).await?;
        self.catalog.apply(Command::Stop).await?;
        self.catalog.close().await
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

    pub(crate) fn remember(&self, active: &Arc<Active>) {
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
            .filter(|row| party.reaches(row.id))
            .ok_or(StoreError::NotFound)
    }

    /// Reservations made before this and without a byte do not count any more.
    pub(crate) fn since(&self, now: Millis) -> u64 {
        now.0.saturating_sub(self.config.reservation_ttl_ms)
    }

    /// How many bytes this party may have in all.
    pub(crate) fn quota(&self, party: &Party) -> Option<u64> {
        party.quota.or(self.config.quota)
    }

    /// Bytes that the disk has free, above what always stays free.
    pub(crate) async fn free(&self) -> Result<u64, StoreError> {
        let backend = Arc::clone(&self.backend);
        let free = self.run("asking for free space", move || backend.free());
        Ok(free.await?.saturating_sub(self.config.keep_free))
    }

    /// What this party may still take.
    pub(crate) async fn room(&self, now: Millis, party: &Party) -> Result<Room, StoreError> {
        Ok(Room {
            owner: party.owner.clone(),
            free: self.free().await?,
            quota: self.quota(party),
            files: self.config.files,
            unfinished: self.config.limits.unfinished,
            since: self.since(now),
        })
    }

    /// Makes room for an upload: see [`Command::Reserve`].
    pub(crate) async fn reserve(
        &self,
        now: Millis,
        party: &Party,
        id: UploadId,
        received: u64,
    ) -> Result<(), StoreError> {
        let room = self.room(now, party).await?;
        let command = Command::Reserve { id, received, room };
        match self.catalog.apply(command).await? {
            Outcome::Done => Ok(()),
            Outcome::NoRoom(reason) => Err(self.no_room(reason)),
            _ => Err(StoreError::NotFound),
        }
    }

    /// Makes room again, before its first byte, for an upload whose reservation has lapsed.
    pub(crate) async fn reserve_again(
        &self,
        now: Millis,
        party: &Party,
        row: &Row,
    ) -> Result<(), StoreError> {
        if row.size.is_some() && row.received == 0 && row.created <= self.since(now) {
            self.reserve(now, party, row.id, 1).await
        } else {
            Ok(())
        }
    }

    /// How many bytes an upload without a size may still grow; nothing is reserved for it.
    pub(crate) async fn growth(&self, now: Millis, party: &Party) -> Result<Left, StoreError> {
        let room = self.room(now, party).await?;
        let own = self
            .catalog
            .usage(Some(party.owner.clone()), room.since)
            .await?;
        Ok(room.left(own, self.catalog.usage(None, room.since).await?))
    }

    /// Held while an upload is loaded or removed, so that no two tasks do so with the same at once.
    pub(crate) async fn loading(&self, id: UploadId) -> Option<MutexGuard<'_, ()>> {
        match self.loaders.get(loader_of(id)) {
            Some(loader) => Some(loader.lock().await),
            None => None,
        }
    }

    /// As [`Self::loading`], of many at a time.
    pub(crate) async fn loading_all(
        &self,
        ids: impl Iterator<Item = UploadId>,
    ) -> Vec<MutexGuard<'_, ()>> {
        let wanted: BTreeSet<usize> = ids.map(loader_of).collect();
        let mut held = Vec::with_capacity(wanted.len());
        // In one order, whoever comes: else two could wait for each other.
        for loader in wanted {
            if let Some(loader) = self.loaders.get(loader) {
                held.push(loader.lock().await);
            }
        }
        held
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
        if !party.reaches(id) {
            return Err(StoreError::NotFound);
        }
        for _ in 0..TRIES {
            if let Some(asked) = self.ask_once(now, id, &party.owner).await? {
                return Ok(asked);
            }
        }
        Err(StoreError::Unavailable)
    }

    /// As [`Self::ask`]; `None` if it changed meanwhile and has to be asked again.
    pub(crate) async fn ask_once(
        self: &Arc<Self>,
        now: Millis,
        id: UploadId,
        owner: &Owner,
    ) -> Result<Option<Asked>, StoreError> {
        let loading = self.loading(id).await;
        // The look comes before the row: an upload leaves memory only after the catalog says that
        // it is finished or gone. So what is in neither is not loaded again as if it were unfinished.
        let remembered = self.remembered(id);
        let row = self.catalog.get(vec![id]).await?.pop();
        let row = row
            .filter(|row| row.owner == *owner)
            .ok_or(StoreError::NotFound)?;
        match row.state {
            RowState::Finished => return Ok(Some(Asked::Finished(row))),
            RowState::Hidden => return Err(StoreError::NotFound),
            RowState::Unfinished if row.expires <= now.0 => return Err(StoreError::Expired),
            RowState::Unfinished | RowState::Publishing => {}
        }
        if self.is_suspect(&row) {
            drop(loading);
            self.check(id).await?;
            return Ok(None);
        }
        let active = match remembered {
            Some(active) => active,
            None => self.load(&row).await?,
        };
        drop(loading);
        let is_whole = active.lock().is_whole(active.chunk_size);
        if is_whole {
            return match self.publish_if_whole(&active, now).await? {
                Some(_) => Ok(None),
                None if active.lock().has_ended => Ok(None),
                None => Ok(Some(Asked::Active(active, row))),
            };
        }
        Ok(Some(Asked::Active(active, row)))
    }

    /// Reads what has arrived of an upload that is not in memory; under [`Self::loading`].
    async fn load(&self, row: &Row) -> Result<Arc<Active>, StoreError> {
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
        let loaded = loaded.await?;
        {
            let mut inner = active.lock();
            inner.is_claimed = row.state == RowState::Publishing;
            if let Some((set, ranges)) = loaded {
                inner.restore(active.chunk_size, set, ranges);
            }
        }
        self.remember(&active);
        Ok(active)
    }

    /// An upload that was just created: nothing of it has arrived, unless somebody was quicker.
    pub(crate) async fn enter(&self, row: &Row) -> Arc<Active> {
        let _loading = self.loading(row.id).await;
        self.remembered(row.id).unwrap_or_else(|| {
            let active = Arc::new(Active::new(row.id, row.chunk_size, row.size));
            self.remember(&active);
            active
        })
    }

    /// The bytes of an upload, made if there are none; shared by all who write it now.
    ///
    /// `busy` is what keeps the upload from being removed while they are made.
    pub(crate) async fn bytes(
        &self,
        active: &Arc<Active>,
        busy: Busy,
    ) -> Result<Arc<dyn Incoming>, StoreError> {
        if let Some(incoming) = active.lock().opened() {
            return Ok(incoming);
        }
        let (backend, id) = (Arc::clone(&self.backend), active.id);
        let incoming = self
            .run("opening an upload", move || {
                let _busy = busy;
                backend.begin(id)
            })
            .await?;
        active.lock().incoming = Some(Arc::downgrade(&incoming));
        Ok(incoming)
    }

    /// The bytes of an upload that has some.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`] if it was published or removed meanwhile.
    pub(crate) async fn bytes_there(
        &self,
        active: &Arc<Active>,
    ) -> Result<Arc<dyn Incoming>, StoreError> {
        if let Some(incoming) = active.lock().opened() {
            return Ok(incoming);
        }
        let (backend, id) = (Arc::clone(&self.backend), active.id);
        self.run("opening an upload", move || backend.incoming(id))
            .await?
            .ok_or(StoreError::NotFound)
    }

    /// Notes in the catalog, now and then, that bytes have come.
    pub(crate) async fn touch(&self, active: &Active, now: Millis) -> Result<(), StoreError> {
        let received = {
            let mut inner = active.lock();
            // A file that is whole is published at once, and that is note enough.
            // One without a size is noted each time: what has come is all that its quota counts.
            let often = TOUCH_MS.min(self.config.unfinished_ttl_ms / 4);
            if inner.is_whole(active.chunk_size)
                || inner.size.is_some() && inner.touched.is_some_and(|last| now.since(last) < often)
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
        {
            let inner = active.lock();
            match inner.size {
                Some(known) if known == size => return Ok(()),
                Some(_) => {
                    return Err(StoreError::Invalid(
                        "the size of this upload is known, and it is another",
                    ));
                }
                None => inner.check_end(active.chunk_size, size)?,
            }
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
        active.lock().fix_size(active.chunk_size, size);
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
pub(crate) fn read_set(incoming: &dyn Incoming) -> io::Result<ChunkSet> {
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
