//! A store on a bench: with a clock of ours, seeded bytes, and short words for long calls.

use std::sync::Arc;

use hoist_protocol::{
    ChunkLayout, CreateAnswer, MIN_CHUNK_SIZE, Millis, Needed, NewFile, PackChunk, Receipt, Sender,
    UploadId, UploadStatus, chunk_checksum,
};

use crate::{
    CATALOG, ChunkAnswer, Event, Owner, Party, Store, StoreConfig, StoreError,
    catalog::{Catalog, SqliteCatalog},
    disk::Disk,
};

pub(crate) const CHUNK: u64 = MIN_CHUNK_SIZE;
pub(crate) const BOOT: &str = "this boot";
/// Who is told of events in every test.
pub(crate) const APP: &str = "app";
pub(crate) const NOW: Millis = Millis(1_700_000_000_000);

#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) store: Store,
    pub(crate) party: Party,
    pub(crate) folder: Option<Arc<tempfile::TempDir>>,
}

pub(crate) fn config() -> StoreConfig {
    let mut config = StoreConfig {
        keep_free: 0,
        subscribers: vec![APP.into()],
        ..StoreConfig::default()
    };
    config.limits.chunk_size = CHUNK;
    config
}

/// Bytes that differ from chunk to chunk and from seed to seed.
pub(crate) fn bytes(size: u64, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2) | 1;
    (0..size)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .collect()
}

pub(crate) fn sender(name: &str) -> Sender {
    Sender::new(name).unwrap()
}

pub(crate) fn file(name: &str, size: u64) -> NewFile {
    let (path, name) = name.rsplit_once('/').unwrap_or(("", name));
    NewFile {
        path: path.into(),
        name: name.into(),
        size: Some(size),
        last_modified: Some(1000),
        ..NewFile::default()
    }
}

impl Bench {
    pub(crate) fn memory() -> Self {
        Self::memory_with(config())
    }

    pub(crate) fn memory_with(config: StoreConfig) -> Self {
        Self {
            store: Store::memory(config),
            party: Party::known(Owner::shared()),
            folder: None,
        }
    }

    pub(crate) async fn disk() -> Self {
        Self::disk_with(config()).await
    }

    pub(crate) async fn disk_with(config: StoreConfig) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let store = Store::open(folder.path(), config, NOW).await.unwrap();
        Self {
            store,
            party: Party::known(Owner::shared()),
            folder: Some(folder),
        }
    }

    /// A store on this folder over this disk, without the folder's lock.
    pub(crate) async fn over(
        folder: &Arc<tempfile::TempDir>,
        disk: Arc<dyn Disk>,
    ) -> Result<Self, StoreError> {
        let catalog = SqliteCatalog::open(&folder.path().join(CATALOG), &config()).await?;
        Self::over_both(folder, Box::new(catalog), disk).await
    }

    /// A store over this catalog, too.
    pub(crate) async fn over_both(
        folder: &Arc<tempfile::TempDir>,
        catalog: Box<dyn Catalog>,
        disk: Arc<dyn Disk>,
    ) -> Result<Self, StoreError> {
        let store = Store::open_on(catalog, disk, None, config(), BOOT.into(), NOW).await?;
        Ok(Self {
            store,
            party: Party::known(Owner::shared()),
            folder: Some(Arc::clone(folder)),
        })
    }

    /// Does something wrong from here on.
    pub(crate) fn plant(&mut self, planted: Option<crate::planted::Planted>) {
        let shared = Arc::get_mut(&mut self.store.shared).expect("nobody else has it yet");
        shared.config.planted = planted;
    }

    /// Somebody else on the same store.
    pub(crate) fn other(&self, owner: &str) -> Self {
        let party = Party::known(Owner::new(owner).unwrap());
        Self {
            store: self.store.clone(),
            party,
            folder: self.folder.clone(),
        }
    }

    /// How many transactions the catalog has made.
    pub(crate) fn transactions(&self) -> u64 {
        self.store.shared.catalog.transactions()
    }

    /// The same folder after its process ended.
    pub(crate) async fn reopened(self) -> Self {
        let folder = self.folder.unwrap();
        self.store.close().await.unwrap();
        drop(self.store);
        let disk = crate::disk::RealDisk::open(folder.path()).unwrap();
        let bench = Self::over(&folder, Arc::new(disk)).await.unwrap();
        Self {
            party: self.party,
            ..bench
        }
    }

    pub(crate) async fn create(&self, file: NewFile) -> CreateAnswer {
        self.store
            .create(NOW, &self.party, &[file])
            .await
            .unwrap()
            .pop()
            .unwrap()
    }

    pub(crate) async fn needed(&self, file: NewFile) -> Needed {
        match self.create(file).await {
            CreateAnswer::Needed(needed) => needed,
            other => panic!("needed, not {other:?}"),
        }
    }

    pub(crate) async fn present(&self, file: NewFile) -> Receipt {
        match self.create(file).await {
            CreateAnswer::Present { receipt } => receipt,
            other => panic!("present, not {other:?}"),
        }
    }

    /// Sends one chunk of a file whose bytes are all here.
    pub(crate) async fn send(
        &self,
        id: UploadId,
        all: &[u8],
        index: u32,
    ) -> Result<ChunkAnswer, StoreError> {
        let (chunk, bytes) = chunk(id, all, index);
        self.send_as("page", 0, &chunk, bytes).await
    }

    pub(crate) async fn send_as(
        &self,
        name: &str,
        attempt: u32,
        chunk: &PackChunk,
        bytes: &[u8],
    ) -> Result<ChunkAnswer, StoreError> {
        let mut writer = self
            .store
            .write_chunk(NOW, &self.party, &sender(name), attempt, chunk)
            .await?;
        for piece in bytes.chunks(10_000) {
            writer
                .write(NOW, bytes::Bytes::copy_from_slice(piece))
                .await?;
        }
        writer.finish(NOW).await
    }

    /// Creates a file and sends it whole.
    pub(crate) async fn upload(&self, file: NewFile, all: &[u8]) -> Receipt {
        let needed = self.needed(file).await;
        let mut receipt = None;
        for index in 0..(all.len() as u64).div_ceil(needed.chunk_size) as u32 {
            receipt = self.send(needed.id, all, index).await.unwrap().receipt;
        }
        receipt.expect("the last chunk completes the file")
    }

    pub(crate) async fn status(&self, id: UploadId) -> UploadStatus {
        self.store
            .status(NOW, &self.party, &[id], None)
            .await
            .unwrap()
            .pop()
            .unwrap()
    }

    /// The acknowledged ranges of an unfinished upload.
    pub(crate) async fn received(&self, id: UploadId) -> Vec<(u64, u64)> {
        match self.status(id).await {
            UploadStatus::Unfinished(unfinished) => {
                unfinished.received.into_iter().map(Into::into).collect()
            }
            other => panic!("unfinished, not {other:?}"),
        }
    }

    /// What the app is told next.
    pub(crate) async fn events(&self) -> Vec<Event> {
        self.store.events(APP, 1000).await.unwrap()
    }

    pub(crate) async fn content(&self, id: UploadId) -> Vec<u8> {
        let reader = self.store.read(NOW, &self.party, id).await.unwrap();
        reader
            .read(0, reader.receipt().size as usize + 1)
            .await
            .unwrap()
            .to_vec()
    }
}

pub(crate) fn chunk(id: UploadId, all: &[u8], index: u32) -> (PackChunk, &[u8]) {
    let layout = ChunkLayout::new(all.len() as u64, CHUNK).unwrap();
    let range = layout.range(index).unwrap();
    let bytes = &all[range.start as usize..range.end as usize];
    let checksum = chunk_checksum(layout, index, bytes).unwrap();
    (
        PackChunk {
            upload: id,
            index,
            length: range.len(),
            checksum: Some(checksum),
            last: false,
        },
        bytes,
    )
}

pub(crate) fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}
