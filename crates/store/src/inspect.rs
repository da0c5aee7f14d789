//! Looking at a data folder without changing it, beside a server or without one.

use std::{io, path::Path, sync::Arc};

use hoist_protocol::{Kind, Millis, UploadId};

use crate::{
    CATALOG, Durability, Owner, StoreError,
    backend::Backend,
    catalog::{CatalogLook, Row, RowState},
    disk::{Disk, DiskBackend, RealDisk, layout},
    store::{io_error, joined},
};

/// Rows and names that are looked at in one go.
const AT_ONCE: u32 = 500;
/// Bytes read at once.
const READ: usize = 1 << 20;

/// Something that is not as the catalog says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// A finished file has other bytes than it had when it was published.
    Changed {
        /// Where it lies, below the data folder.
        place: String,
    },
    /// A finished file is not there.
    Missing {
        /// Where it should lie, below the data folder.
        place: String,
    },
    /// A file lies among the finished ones that the catalog does not know. Nobody removes it.
    Unknown {
        /// Where it lies, below the data folder.
        place: String,
    },
}

/// What [`Inspector::verify`] has looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Finished files.
    pub files: u64,
    /// Bytes that were read and hashed.
    pub bytes: u64,
    /// How many [`Finding::Changed`] and [`Finding::Missing`] there were: files that cannot be had back.
    pub damaged: u64,
    /// How many [`Finding::Unknown`] there were.
    pub unknown: u64,
}

/// Something that the next sweep removes, or the first one after the next start.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Leftover {
    /// An unfinished upload to which nobody has sent for long.
    Expired {
        /// Which.
        id: UploadId,
        /// Its name as picked.
        name: String,
    },
    /// A deleted file whose grace is over.
    Deleted {
        /// Where it lies, below the data folder.
        place: String,
    },
    /// Bytes that belong to no upload.
    Orphan {
        /// The id of the upload that is no more.
        id: UploadId,
    },
}

/// Looks at a data folder. Changes nothing; a server may work there at the same time.
#[derive(Debug)]
pub struct Inspector {
    catalog: CatalogLook,
    disk: Arc<RealDisk>,
    backend: Arc<DiskBackend>,
}

impl Inspector {
    /// Opens a data folder that is there.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`], [`StoreError::Catalog`] if it cannot be read.
    pub async fn open(folder: &Path) -> Result<Self, StoreError> {
        let disk = RealDisk::open(folder).map_err(io_error("opening the data folder"))?;
        let disk = Arc::new(disk);
        Ok(Self {
            catalog: CatalogLook::open(&folder.join(CATALOG)).await?,
            backend: Arc::new(DiskBackend::new(
                Arc::clone(&disk) as Arc<dyn Disk>,
                Durability::Process,
            )),
            disk,
        })
    }

    /// Reads every finished file, compares it with its receipt, and looks for files that have none.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if something cannot be read; what is damaged is a finding.
    pub async fn verify(&self, mut found: impl FnMut(Finding)) -> Result<Verified, StoreError> {
        let mut all = Verified::default();
        let mut after = UploadId::from_bytes([0; 16]);
        loop {
            let rows = self.catalog.finished(after, AT_ONCE).await?;
            for row in rows.iter().filter(|row| row.kind == Kind::File) {
                let finding = self.look_at(row).await?;
                all.files += 1;
                all.bytes += row.size.unwrap_or(0);
                // Deleted or renamed while it was looked at?
                if let Some(finding) = finding
                    && self.catalog.get(vec![row.id]).await?.first() == Some(row)
                {
                    all.damaged += 1;
                    found(finding);
                }
            }
            match rows.last() {
                Some(last) if rows.len() == AT_ONCE as usize => after = last.id,
                _ => break,
            }
        }
        all.unknown = self.look_for_unknown(&mut found).await?;
        Ok(all)
    }

    async fn look_at(&self, row: &Row) -> Result<Option<Finding>, StoreError> {
        let place = layout::place(&row.owner, &row.stored_as);
        let (backend, at, size, hash) =
            (Arc::clone(&self.backend), place.clone(), row.size, row.hash);
        let is_equal = blocking("reading a file", move || {
            let Some(file) = backend.open(&at)? else {
                return Ok(None);
            };
            if Some(file.len()?) != size {
                return Ok(Some(false));
            }
            let mut hasher = blake3::Hasher::new();
            let (mut buffer, mut offset) = (vec![0; READ], 0);
            loop {
                let length = file.read_at(offset, &mut buffer)?;
                hasher.update(buffer.get(..length).unwrap_or_default());
                offset += length as u64;
                if length < READ {
                    break;
                }
            }
            let found = hasher.finalize();
            Ok(Some(
                hash.is_none_or(|hash| hash.as_bytes() == found.as_bytes()),
            ))
        });
        Ok(match is_equal.await? {
            Some(true) => None,
            Some(false) => Some(Finding::Changed { place }),
            None => Some(Finding::Missing { place }),
        })
    }

    /// Walks over the folders of all owners.
    async fn look_for_unknown(&self, found: &mut impl FnMut(Finding)) -> Result<u64, StoreError> {
        let mut owners = vec![Owner::shared()];
        let names = self.list("visitors").await?;
        owners.extend(names.iter().filter_map(|name| Owner::new(name)));
        let mut count = 0;
        for owner in owners {
            let mut folders = vec![String::new()];
            while let Some(folder) = folders.pop() {
                let below = |name: &String| {
                    if folder.is_empty() {
                        name.clone()
                    } else {
                        format!("{folder}/{name}")
                    }
                };
                let at = if folder.is_empty() {
                    layout::owner_folder(&owner)
                } else {
                    layout::place(&owner, &folder)
                };
                let paths: Vec<_> = self.list(&at).await?.iter().map(below).collect();
                for paths in paths.chunks(AT_ONCE as usize) {
                    let keys = paths.iter().map(|path| layout::key(path)).collect();
                    let known = self.catalog.taken(owner.clone(), keys).await?;
                    for path in paths {
                        let place = layout::place(&owner, path);
                        if self.is_folder(&place).await? {
                            folders.push(path.clone());
                        } else if !known.contains(&layout::key(path)) {
                            count += 1;
                            found(Finding::Unknown { place });
                        }
                    }
                }
            }
        }
        Ok(count)
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let (disk, folder) = (Arc::clone(&self.disk), folder.to_owned());
        blocking("listing a folder", move || match disk.list(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            listed => listed,
        })
        .await
    }

    async fn is_folder(&self, place: &str) -> Result<bool, StoreError> {
        let (disk, place) = (Arc::clone(&self.disk), place.to_owned());
        blocking("looking at a name", move || disk.is_folder(&place)).await
    }

    /// What the next start and its first sweep, at this time, would remove.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if something cannot be read.
    pub async fn leftovers(
        &self,
        now: Millis,
        mut found: impl FnMut(Leftover),
    ) -> Result<(), StoreError> {
        let mut seen = 0;
        loop {
            let rows = self.catalog.expired(now.0, seen, AT_ONCE).await?;
            for row in &rows {
                found(if row.state == RowState::Hidden {
                    let place = layout::place(&row.owner, &row.stored_as);
                    Leftover::Deleted { place }
                } else {
                    let (id, name) = (row.id, row.name.clone());
                    Leftover::Expired { id, name }
                });
            }
            seen += AT_ONCE;
            if rows.len() < AT_ONCE as usize {
                break;
            }
        }
        let backend = Arc::clone(&self.backend);
        let parts = blocking("listing uploads", move || backend.parts()).await?;
        for part in parts {
            let backend = Arc::clone(&self.backend);
            let ids = blocking("listing uploads", move || backend.list(&part)).await?;
            for ids in ids.chunks(AT_ONCE as usize) {
                let known = self.catalog.get(ids.to_vec()).await?;
                let is_known = |id: &&UploadId| !known.iter().any(|row| row.id == **id);
                for id in ids.iter().filter(is_known) {
                    found(Leftover::Orphan { id: *id });
                }
            }
        }
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(
    doing: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    joined(tokio::task::spawn_blocking(work).await)?.map_err(io_error(doing))
}
