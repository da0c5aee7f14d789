//! Uploads in work: loaded into memory when they are asked for, and their bytes opened.

use std::{collections::BTreeSet, io, sync::Arc};

use hoist_protocol::{ByteRange, ChunkSet, Millis, UploadId};
use tokio::sync::{Mutex, MutexGuard};

use crate::{
    Owner, Party, StoreError,
    active::{Active, Busy},
    backend::Incoming,
    catalog::{Row, RowState},
    store::Shared,
};

/// Uploads are loaded under one of these locks, so that no two tasks load the same at once.
const LOADERS: usize = 64;
/// How often something is tried again that changed while it was looked at.
pub(crate) const TRIES: u32 = 3;

/// An upload that somebody asked for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// It waits for bytes.
    Active(Arc<Active>, Row),
    /// It is a file.
    Finished(Row),
}

/// What is held while an upload is loaded or removed.
#[derive(Debug)]
pub(crate) struct Loaders([Mutex<()>; LOADERS]);

impl Default for Loaders {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

/// Which of them.
fn loader_of(id: UploadId) -> usize {
    usize::from(id.as_bytes()[0]) % LOADERS
}

impl Shared {
    /// Held while an upload is loaded or removed, so that no two tasks do so with the same at once.
    pub(crate) async fn loading(&self, id: UploadId) -> Option<MutexGuard<'_, ()>> {
        match self.loaders.0.get(loader_of(id)) {
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
            if let Some(loader) = self.loaders.0.get(loader) {
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
