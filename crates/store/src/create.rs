//! One call for the whole list: which files are needed, which are there, which are not taken.

use std::{io, sync::Arc};

use futures_util::{StreamExt as _, stream};
use hoist_protocol::{
    ChunkLayout, CreateAnswer, ErrorBody, Kind, Millis, Needed, NewFile, OnConflict, RelativePath,
    UploadId,
};

use crate::{
    Change, Party, Store, StoreError,
    backend::Backend,
    catalog::{Command, Creation, Found, NoRoom, Outcome, Room, Row, RowState},
    disk::layout,
    load::{Asked, TRIES},
    store::Shared,
};

/// Empty files and folders that are published at once by one create.
const PUBLISH_AT_ONCE: usize = 64;

impl Store {
    /// Creates up to [`hoist_protocol::Limits::batch`] uploads in one transaction; one answer per
    /// file, in order.
    ///
    /// A file that this owner has sent before, unmodified, is *present*; one that was begun goes
    /// on. Both are found by path, size and time of modification, and only if the time is known.
    /// The same file twice is one upload. Folders and files of 0 bytes are published here.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooMany`] for a longer list. What is wrong with one file is that file's answer.
    pub async fn create(
        &self,
        now: Millis,
        party: &Party,
        files: &[NewFile],
    ) -> Result<Vec<CreateAnswer>, StoreError> {
        party.check_whole()?;
        self.shared.check_open()?;
        let max = u64::from(self.shared.config.limits.batch);
        if files.len() as u64 > max {
            return Err(StoreError::TooMany {
                what: "files in one call",
                max,
            });
        }
        let room = self.shared.room(now, party).await?;
        // Of each file its refusal, or nothing if the catalog is asked.
        let mut refused = Vec::with_capacity(files.len());
        let mut creations = Vec::new();
        for file in files {
            match self.shared.creation(now, party, file) {
                Ok(creation) => {
                    creations.push(creation);
                    refused.push(None);
                }
                Err(error) => refused.push(Some(error)),
            }
        }
        let found = self.shared.add(creations.clone(), room.clone()).await?;
        let there = self.shared.are_there(&found).await?;
        let answers = stream::iter(found.into_iter().zip(there).zip(creations))
            .map(|((found, there), creation)| {
                self.shared.answer(now, found, there, creation, &room)
            })
            .buffered(PUBLISH_AT_ONCE)
            .collect::<Vec<_>>()
            .await;
        let mut answers = answers.into_iter();
        Ok(refused
            .into_iter()
            .map(|refused| match refused {
                Some(error) => Err(error),
                None => answers.next().unwrap_or(Err(StoreError::Unavailable)),
            })
            .map(|answer| answer.unwrap_or_else(|error| CreateAnswer::Refused(error.body())))
            .collect())
    }
}

impl Shared {
    /// Adds uploads, or finds what is there, in one transaction.
    async fn add(&self, creations: Vec<Creation>, room: Room) -> Result<Vec<Found>, StoreError> {
        match self
            .catalog
            .apply(Command::Create { creations, room })
            .await?
        {
            Outcome::Created(found) => Ok(found),
            _ => Err(StoreError::Unavailable),
        }
    }

    fn creation(&self, now: Millis, party: &Party, file: &NewFile) -> Result<Creation, StoreError> {
        let path = RelativePath::new(&file.path, &file.name)?;
        if file.kind == Kind::File {
            if let Some(size) = file.size {
                self.check_size(size)?;
            }
            let limits = &self.config.limits;
            if !limits.takes_type(&file.name, file.media_type.as_deref()) {
                return Err(StoreError::TypeNotAllowed);
            }
        }
        self.unchecked(now, party, file, &path)
    }

    /// The row that a file would have, and what is looked for instead, whatever is allowed.
    pub(crate) fn unchecked(
        &self,
        now: Millis,
        party: &Party,
        file: &NewFile,
        path: &RelativePath,
    ) -> Result<Creation, StoreError> {
        let limits = &self.config.limits;
        let is_folder = file.kind == Kind::Directory;
        let size = if is_folder { Some(0) } else { file.size };
        let wish = file
            .chunk_size
            .unwrap_or(limits.chunk_size)
            .clamp(limits.min_chunk_size, limits.max_chunk_size);
        let (min, max) = (limits.min_file_size, limits.file_size);
        let chunk_size =
            ChunkLayout::nearest_chunk_size(size, wish).ok_or(StoreError::FileSize {
                size: size.unwrap_or(0),
                min,
                max,
            })?;
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| StoreError::Unavailable)?;
        let stored_as = layout::spelled(path);
        Ok(Creation {
            finds_earlier: party.finds_earlier && (is_folder || file.last_modified.is_some()),
            // Who may not find an earlier file may not be told of one either: it may be another's.
            asks: party.finds_earlier && file.on_conflict == OnConflict::Ask,
            row: Row {
                id: UploadId::from_bytes(random),
                owner: party.owner.clone(),
                name: file.name.clone(),
                folder: file.path.clone(),
                kind: file.kind,
                size,
                last_modified: file.last_modified.filter(|_| !is_folder),
                media_type: file.media_type.clone(),
                chunk_size,
                state: RowState::Unfinished,
                created: now.0,
                expires: now.plus(self.config.unfinished_ttl_ms).0,
                received: 0,
                finished: 0,
                hash: None,
                path_key: layout::key(&stored_as),
                stored_as,
                epoch: self.epoch,
            },
        })
    }

    async fn answer(
        self: &Arc<Self>,
        now: Millis,
        mut found: Found,
        mut there: Option<bool>,
        mut creation: Creation,
        room: &Room,
    ) -> Result<CreateAnswer, StoreError> {
        for tried in 1..=TRIES {
            match found {
                Found::Added => return self.begin(now, creation.row).await,
                Found::Conflict(existing) => {
                    return Ok(CreateAnswer::Conflict {
                        existing: existing.receipt(),
                    });
                }
                Found::NoRoom(reason) => return Err(self.no_room(reason)),
                Found::Earlier(earlier) => {
                    if let Some(answer) = self.earlier(now, &earlier, there.take()).await? {
                        return Ok(answer);
                    }
                }
            }
            // What was found has gone in the meantime: asked again, at last for a new one.
            creation.finds_earlier &= tried + 1 < TRIES;
            found = self
                .add(vec![creation.clone()], room.clone())
                .await?
                .pop()
                .ok_or(StoreError::Unavailable)?;
        }
        Err(StoreError::Unavailable)
    }

    pub(crate) fn no_room(&self, reason: NoRoom) -> StoreError {
        match reason {
            NoRoom::Storage => StoreError::StorageFull,
            NoRoom::Quota => StoreError::QuotaExceeded,
            NoRoom::Files => StoreError::TooMany {
                what: "files",
                max: self.config.files.unwrap_or_default(),
            },
            NoRoom::Unfinished => StoreError::TooMany {
                what: "unfinished uploads",
                max: self.config.limits.unfinished,
            },
        }
    }

    async fn begin(self: &Arc<Self>, now: Millis, row: Row) -> Result<CreateAnswer, StoreError> {
        Self::log(&row, "upload created");
        self.tell(Change::Created {
            owner: row.owner.clone(),
            id: row.id,
        });
        if row.size == Some(0) {
            let active = self.enter(&row).await;
            let receipt = self
                .publish_if_whole(&active, now)
                .await?
                .ok_or(StoreError::Unavailable)?;
            return Ok(CreateAnswer::Present { receipt });
        }
        Ok(CreateAnswer::Needed(Needed {
            id: row.id,
            chunk_size: row.chunk_size,
            received: Vec::new(),
            expires: row.expires,
        }))
    }

    /// The answer for a file that was sent or begun before; `None` if there is nothing of it after all.
    ///
    /// `there`: what [`Self::are_there`] has found a moment ago.
    pub(crate) async fn earlier(
        self: &Arc<Self>,
        now: Millis,
        earlier: &Row,
        there: Option<bool>,
    ) -> Result<Option<CreateAnswer>, StoreError> {
        if there == Some(true) {
            let receipt = earlier.receipt();
            return Ok(Some(CreateAnswer::Present { receipt }));
        }
        let id = earlier.id;
        for _ in 0..TRIES {
            match self.ask_once(now, id, &earlier.owner).await {
                Ok(Some(Asked::Finished(row))) => {
                    let mut is_there = self.is_there(&row).await?;
                    if !is_there {
                        let put = self.put_in_order(id).await;
                        is_there = self.is_there(&row).await?;
                        // What stays beside a file that is there does not matter now.
                        if !is_there {
                            put?;
                        }
                    }
                    if is_there {
                        return Ok(Some(CreateAnswer::Present {
                            receipt: row.receipt(),
                        }));
                    }
                    // Somebody removed or changed it by hand: what we know of it is no longer true.
                    let from = row.stored_as;
                    if let Outcome::Done = self.catalog.apply(Command::Lost { id, from }).await? {
                        return Ok(None);
                    }
                    // Renamed or deleted while we looked: it is asked again where it is now.
                }
                Ok(Some(Asked::Active(active, row))) => {
                    return Ok(Some(CreateAnswer::Needed(Needed {
                        id,
                        chunk_size: row.chunk_size,
                        received: active.lock().received(active.chunk_size),
                        expires: row.expires,
                    })));
                }
                Ok(None) => {}
                Err(StoreError::Expired) => {
                    self.remove_unfinished(id).await?;
                    return Ok(None);
                }
                Err(StoreError::NotFound) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Whether a finished file lies where it was put, with its size.
    async fn is_there(&self, row: &Row) -> Result<bool, StoreError> {
        if row.kind == Kind::Directory {
            return self.put_in_place(row).await;
        }
        let (backend, row) = (Arc::clone(&self.backend), row.clone());
        let look = move || lies(&*backend, &row);
        self.run("looking for a file", look).await
    }

    /// Of each finished file that was found whether it lies there; all in one trip to the disk, for ten
    /// thousand one by one would take a second.
    async fn are_there(&self, found: &[Found]) -> Result<Vec<Option<bool>>, StoreError> {
        let rows: Vec<_> = found
            .iter()
            .map(|found| match found {
                Found::Earlier(row)
                    if row.state == RowState::Finished && row.kind == Kind::File =>
                {
                    Some(row.clone())
                }
                _ => None,
            })
            .collect();
        if rows.iter().all(Option::is_none) {
            return Ok(vec![None; rows.len()]);
        }
        let backend = Arc::clone(&self.backend);
        let look = move || {
            rows.iter()
                .map(|row| row.as_ref().map(|row| lies(&*backend, row)).transpose())
                .collect()
        };
        self.run("looking for files", look).await
    }
}

fn lies(backend: &dyn Backend, row: &Row) -> io::Result<bool> {
    match backend.open(&layout::place(&row.owner, &row.stored_as))? {
        Some(file) => Ok(Some(file.len()?) == row.size),
        None => Ok(false),
    }
}

impl StoreError {
    /// This error as it travels inside an answer: the code, and words for a person.
    ///
    /// Words of the operating system stay in the log.
    #[must_use]
    pub fn body(&self) -> ErrorBody {
        let retry_after_ms = match self {
            Self::InFlight { retry_after_ms } => Some(*retry_after_ms),
            Self::Evicted => Some(200),
            Self::Unavailable => Some(1000),
            Self::Io { .. } | Self::Catalog { .. } => Some(2000),
            _ => None,
        };
        let message = match self {
            Self::Io { .. } | Self::Catalog { .. } => "something broke on the server".to_owned(),
            other => other.to_string(),
        };
        ErrorBody {
            code: self.code(),
            message,
            retry_after_ms,
        }
    }
}
