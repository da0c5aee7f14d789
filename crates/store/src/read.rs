//! Questions: what has arrived, what there is, and the bytes of finished files.

use std::sync::Arc;

use bytes::Bytes;
use hoist_protocol::{
    Checksum, ChecksumRun, ChecksumsFrom, ErrorBody, ErrorClass, GoneUpload, Kind, ListResponse,
    Millis, Receipt, Unfinished, UploadId, UploadStatus,
};

use crate::{
    Party, Store, StoreError,
    active::Active,
    backend::Stored,
    catalog::{After, Row, RowState},
    disk::layout,
    load::Asked,
    store::Shared,
};

/// Checksums of one answer in all, so that a status of many large uploads stays small.
const MAX_CHECKSUMS: u32 = 16_384;

/// A page of the list that is wanted.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// [`ListResponse::next`] of the page before.
    pub after: Option<String>,
    /// At most how many rows; 0 for the default of 50, at most 1 000.
    pub limit: u32,
    /// Begins with the finished ones: those that wait for bytes come first otherwise.
    pub finished_only: bool,
}

/// A finished file, open for reading.
#[derive(Debug)]
pub struct FileReader {
    shared: Arc<Shared>,
    receipt: Receipt,
    file: Arc<dyn Stored>,
}

impl FileReader {
    /// Its receipt.
    #[must_use]
    pub const fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// Reads up to `length` bytes at `offset`; fewer only at the end of the file.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] if the disk fails.
    pub async fn read(&self, offset: u64, length: usize) -> Result<Bytes, StoreError> {
        let file = Arc::clone(&self.file);
        self.shared
            .run("reading a file", move || {
                let mut buffer = vec![0; length];
                let found = file.read_at(offset, &mut buffer)?;
                buffer.truncate(found);
                Ok(Bytes::from(buffer))
            })
            .await
    }
}

impl Store {
    /// How uploads stand, one status per id, in order; with checksums of acknowledged chunks if
    /// asked. The server may send fewer checksums than asked. What fails for one id is that id's
    /// answer.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooMany`] for a longer list than [`hoist_protocol::Limits::batch`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use hoist_protocol::{ByteRange, CreateAnswer, DeleteResult, Millis, NewFile, UploadStatus};
    /// # use hoist_store::{ListQuery, Owner, Party, Store, StoreConfig};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let store = Store::memory(StoreConfig::default());
    /// # let (now, party) = (Millis(0), Party::known(Owner::shared()));
    /// # let file = NewFile { name: "a.txt".into(), size: Some(5), ..NewFile::default() };
    /// # let created = store.create(now, &party, &[file.clone()]).await?;
    /// # let Some(CreateAnswer::Needed(needed)) = created.first() else { panic!() };
    /// # let id = needed.id;
    /// let status = store.status(now, &party, &[id], None).await?;
    /// let Some(UploadStatus::Unfinished(upload)) = status.first() else { panic!("no byte has come") };
    /// assert!(upload.received.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn status(
        &self,
        now: Millis,
        party: &Party,
        ids: &[UploadId],
        checksums: Option<ChecksumsFrom>,
    ) -> Result<Vec<UploadStatus>, StoreError> {
        let max = u64::from(self.shared.config.limits.batch);
        if ids.len() as u64 > max {
            return Err(StoreError::TooMany {
                what: "ids in one call",
                max,
            });
        }
        self.shared.check_open()?;
        let mut left = MAX_CHECKSUMS;
        let mut statuses = Vec::with_capacity(ids.len());
        for id in ids {
            let status = match self.shared.ask(now, party, *id).await {
                Ok(Asked::Finished(row)) => Ok(UploadStatus::Finished {
                    receipt: row.receipt(),
                }),
                Ok(Asked::Active(active, row)) => {
                    self.shared
                        .unfinished(&active, row, checksums, &mut left)
                        .await
                }
                Err(error) => Err(error),
            };
            statuses.push(status.unwrap_or_else(|error| {
                if error.code().class() == ErrorClass::Wait {
                    tracing::warn!(%id, error = &error as &dyn std::error::Error, "the status of an upload could not be told");
                }
                gone(*id, error.body())
            }));
        }
        Ok(statuses)
    }

    /// A page of this owner's uploads: unfinished first, newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] if `after` is not what a page before said.
    ///
    /// # Examples
    ///
    /// ```
    /// # use hoist_protocol::{ByteRange, CreateAnswer, DeleteResult, Millis, NewFile, UploadStatus};
    /// # use hoist_store::{ListQuery, Owner, Party, Store, StoreConfig};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let store = Store::memory(StoreConfig::default());
    /// # let (now, party) = (Millis(0), Party::known(Owner::shared()));
    /// # let file = NewFile { name: "a.txt".into(), size: Some(5), ..NewFile::default() };
    /// # let created = store.create(now, &party, &[file.clone()]).await?;
    /// # let Some(CreateAnswer::Needed(needed)) = created.first() else { panic!() };
    /// # let id = needed.id;
    /// # let mut part = store.write_part(now, &party, id, ByteRange::new(0, 5)).await?;
    /// # part.write(now, "hello".into()).await?;
    /// # part.finish(now).await?;
    /// let page = store.list(now, &party, &ListQuery { limit: 10, ..ListQuery::default() }).await?;
    /// assert_eq!((page.counts.finished, page.counts.finished_bytes, page.next), (1, 5, None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn list(
        &self,
        now: Millis,
        party: &Party,
        query: &ListQuery,
    ) -> Result<ListResponse, StoreError> {
        party.check_whole()?;
        let limit = if query.limit == 0 {
            50
        } else {
            query.limit.min(1000)
        };
        let after = query.after.as_deref().map(parse_after).transpose()?;
        let after = if query.finished_only {
            after
                .filter(|after| after.finished)
                .or(Some(After::UNFINISHED))
        } else {
            after
        };
        let rows = self
            .shared
            .catalog
            .list(party.owner.clone(), after, limit + 1)
            .await?;
        let mut page = ListResponse {
            counts: self.shared.catalog.counts(party.owner.clone()).await?,
            ..Default::default()
        };
        let has_more = rows.len() > limit as usize;
        for row in rows.into_iter().take(limit as usize) {
            let next = write_after(&row);
            let id = row.id;
            let asked = if self.shared.is_suspect(&row) {
                // Not checked for a list: that could take minutes.
                Err(StoreError::Unavailable)
            } else {
                self.shared.ask_once(now, id, &party.owner).await
            };
            match asked {
                Ok(Some(Asked::Finished(row))) => page.uploads.push(UploadStatus::Finished {
                    receipt: row.receipt(),
                }),
                Ok(Some(Asked::Active(active, row))) => {
                    page.uploads
                        .push(self.shared.unfinished(&active, row, None, &mut 0).await?);
                }
                // Finished, expired or gone between the two looks: the next list has it right.
                Ok(None) | Err(StoreError::NotFound | StoreError::Expired) => {}
                // It is counted, so it is listed: as one that waits, as far as we know it.
                Err(error) => {
                    tracing::warn!(%id, error = &error as &dyn std::error::Error, "an upload could not be looked at yet");
                    let active = self
                        .shared
                        .remembered(id)
                        .unwrap_or_else(|| Arc::new(Active::new(id, row.chunk_size, row.size)));
                    page.uploads
                        .push(self.shared.unfinished(&active, row, None, &mut 0).await?);
                }
            }
            page.next = has_more.then_some(next);
        }
        Ok(page)
    }

    /// Opens a finished file.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`] if there is none of this owner, it is a folder, or it lies no more
    /// where it was put.
    ///
    /// # Examples
    ///
    /// ```
    /// # use hoist_protocol::{ByteRange, CreateAnswer, DeleteResult, Millis, NewFile, UploadStatus};
    /// # use hoist_store::{ListQuery, Owner, Party, Store, StoreConfig};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let store = Store::memory(StoreConfig::default());
    /// # let (now, party) = (Millis(0), Party::known(Owner::shared()));
    /// # let file = NewFile { name: "a.txt".into(), size: Some(5), ..NewFile::default() };
    /// # let created = store.create(now, &party, &[file.clone()]).await?;
    /// # let Some(CreateAnswer::Needed(needed)) = created.first() else { panic!() };
    /// # let id = needed.id;
    /// # let mut part = store.write_part(now, &party, id, ByteRange::new(0, 5)).await?;
    /// # part.write(now, "hello".into()).await?;
    /// # part.finish(now).await?;
    /// let file = store.read(now, &party, id).await?;
    /// assert_eq!(file.read(1, 3).await?, "ell");
    /// assert_eq!(file.read(3, 100).await?, "lo", "fewer bytes only at the end");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn read(
        &self,
        _now: Millis,
        party: &Party,
        id: UploadId,
    ) -> Result<FileReader, StoreError> {
        self.shared.check_open()?;
        let row = self.shared.row(party, id).await?;
        if row.state != RowState::Finished || row.kind == Kind::Directory {
            return Err(StoreError::NotFound);
        }
        let file = self.shared.open_file(&row).await?;
        Ok(FileReader {
            shared: Arc::clone(&self.shared),
            receipt: row.receipt(),
            file,
        })
    }
}

fn gone(id: UploadId, error: ErrorBody) -> UploadStatus {
    UploadStatus::Gone(GoneUpload { id, error })
}

/// Where a page ends, as text that only we read.
fn write_after(row: &Row) -> String {
    let part = if row.state == RowState::Finished {
        'f'
    } else {
        'u'
    };
    format!("{part}{}-{}", row.list_time(), row.id)
}

pub(crate) fn parse_after(text: &str) -> Result<After, StoreError> {
    let bad = || StoreError::Invalid("this is not where a page of the list ended");
    let (time, id) = text.split_once('-').ok_or_else(bad)?;
    let (finished, time) = match time.split_at_checked(1) {
        Some(("f", time)) => (true, time),
        Some(("u", time)) => (false, time),
        _ => return Err(bad()),
    };
    let after = After {
        finished,
        time: time.parse().map_err(|_| bad())?,
        id: id.parse().map_err(|_| bad())?,
    };
    // `parse` would take `+5` and `05`.
    let is_ours = after.time.to_string() == time;
    is_ours.then_some(after).ok_or_else(bad)
}

impl Shared {
    pub(crate) async fn open_file(&self, row: &Row) -> Result<Arc<dyn Stored>, StoreError> {
        let place = layout::place(&row.owner, &row.stored_as);
        let open = || {
            let (backend, place) = (Arc::clone(&self.backend), place.clone());
            self.run("opening a file", move || backend.open(&place))
        };
        if let Some(file) = open().await? {
            return Ok(file);
        }
        let put = self.put_in_order(row.id).await;
        let file = open().await?;
        // What stays beside a file that is there does not matter now.
        file.ok_or_else(|| put.err().unwrap_or(StoreError::NotFound))
    }

    async fn unfinished(
        &self,
        active: &Active,
        row: Row,
        checksums: Option<ChecksumsFrom>,
        left: &mut u32,
    ) -> Result<UploadStatus, StoreError> {
        let (received, size, wanted) = {
            let inner = active.lock();
            let mut wanted = Vec::new();
            if let Some(asked) = checksums {
                let mut count = asked.count.min(*left);
                for (start, end) in inner.set.ranges() {
                    let start = start.max(asked.from);
                    let end = end.min(start.saturating_add(count));
                    if start < end {
                        wanted.push((start, end));
                        count -= end - start;
                    }
                }
                *left -= wanted.iter().map(|(start, end)| end - start).sum::<u32>();
            }
            (inner.received(active.chunk_size), inner.size, wanted)
        };
        let checksums = if wanted.is_empty() {
            Vec::new()
        } else {
            let (backend, id) = (Arc::clone(&self.backend), row.id);
            self.run("reading checksums", move || {
                let Some(incoming) = backend.incoming(id)? else {
                    return Ok(Vec::new());
                };
                let mut runs = Vec::with_capacity(wanted.len());
                for (from, end) in wanted {
                    let mut sums = vec![0; (end - from) as usize * 32];
                    let length = incoming.read_sums(from, &mut sums)?;
                    let values = sums.get(..length).unwrap_or_default().chunks_exact(32);
                    let values = values
                        .filter_map(|sum| sum.try_into().ok().map(Checksum::from_bytes))
                        .collect();
                    runs.push(ChecksumRun { from, values });
                }
                Ok(runs)
            })
            .await?
        };
        Ok(UploadStatus::Unfinished(Unfinished {
            id: row.id,
            name: row.name,
            path: row.folder,
            size,
            last_modified: row.last_modified,
            media_type: row.media_type,
            chunk_size: row.chunk_size,
            received,
            expires: row.expires,
            checksums,
        }))
    }
}
