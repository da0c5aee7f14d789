//! One call for the whole list: which files are needed, which are there, which are not taken.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use hoist_protocol::{
    ChunkLayout, CreateAnswer, ErrorBody, Kind, Millis, Needed, NewFile, OnConflict, RelativePath,
    UploadId,
};

use crate::{
    Change, Party, Store, StoreError,
    active::Active,
    catalog::{Command, Creation, Found, Outcome, Row, RowState},
    disk::layout,
    store::{Asked, Shared},
};

/// Empty files and folders that are published at once by one create.
const PUBLISH_AT_ONCE: usize = 64;

/// Room that the files of one create may still take.
#[derive(Debug)]
struct Room {
    storage: u64,
    quota: Option<u64>,
    unfinished: u64,
}

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
        self.shared.check_open()?;
        let max = u64::from(self.shared.config.limits.batch);
        if files.len() as u64 > max {
            return Err(StoreError::TooMany {
                what: "files in one call",
                max,
            });
        }
        let mut room = self.shared.room(now, party).await?;
        let mut answers: Vec<Result<Option<CreateAnswer>, StoreError>> =
            Vec::with_capacity(files.len());
        let mut creations = Vec::new();
        for file in files {
            answers.push(
                self.shared
                    .creation(now, party, file, &mut room)
                    .map(|creation| {
                        creations.push(creation);
                        None
                    }),
            );
        }
        let mut wanted = creations
            .iter()
            .map(|creation| creation.row.clone())
            .collect::<Vec<_>>()
            .into_iter();
        let Outcome::Created(found) = self
            .shared
            .catalog
            .apply(Command::Create(creations))
            .await?
        else {
            return Err(StoreError::Unavailable);
        };
        let found = stream::iter(found.into_iter().zip(&mut wanted))
            .map(|(found, row)| self.shared.answer(now, found, row))
            .buffered(PUBLISH_AT_ONCE)
            .collect::<Vec<_>>()
            .await;
        let mut found = found.into_iter();
        Ok(answers
            .into_iter()
            .map(|answer| match answer {
                Ok(Some(answer)) => Ok(answer),
                Ok(None) => found.next().unwrap_or(Err(StoreError::Unavailable)),
                Err(error) => Err(error),
            })
            .map(|answer| answer.unwrap_or_else(|error| CreateAnswer::Refused(error.body())))
            .collect())
    }
}

impl Shared {
    async fn room(&self, now: Millis, party: &Party) -> Result<Room, StoreError> {
        let since = now.0.saturating_sub(self.config.reservation_ttl_ms);
        let own = self.catalog.usage(Some(party.owner.clone()), since).await?;
        let all = self.catalog.usage(None, since).await?;
        let backend = Arc::clone(&self.backend);
        let free = self
            .run("asking for free space", move || backend.free())
            .await?;
        let used = own.finished_bytes.saturating_add(own.unfinished_bytes);
        Ok(Room {
            storage: free
                .saturating_sub(self.config.keep_free)
                .saturating_sub(all.missing_bytes),
            quota: party.quota.map(|quota| quota.saturating_sub(used)),
            unfinished: self.config.limits.unfinished.saturating_sub(own.unfinished),
        })
    }

    fn creation(
        &self,
        now: Millis,
        party: &Party,
        file: &NewFile,
        room: &mut Room,
    ) -> Result<Creation, StoreError> {
        let limits = &self.config.limits;
        let path = RelativePath::new(&file.path, &file.name)?;
        let is_folder = file.kind == Kind::Directory;
        let size = if is_folder { Some(0) } else { file.size };
        if !is_folder {
            if let Some(size) = size {
                self.check_size(size)?;
            }
            if !limits.takes_type(&file.name, file.media_type.as_deref()) {
                return Err(StoreError::TypeNotAllowed);
            }
        }
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
        // An earlier upload of this file costs nothing new; but to know, the catalog must be asked,
        // and a full disk may as well say so first.
        let bytes = size.unwrap_or(0);
        room.quota = match room.quota {
            Some(left) => Some(left.checked_sub(bytes).ok_or(StoreError::QuotaExceeded)?),
            None => None,
        };
        room.storage = room
            .storage
            .checked_sub(bytes)
            .ok_or(StoreError::StorageFull)?;
        if bytes > 0 || size.is_none() {
            let max = limits.unfinished;
            room.unfinished = room.unfinished.checked_sub(1).ok_or(StoreError::TooMany {
                what: "unfinished uploads",
                max,
            })?;
        }
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| StoreError::Unavailable)?;
        let stored_as = layout::spelled(&path);
        Ok(Creation {
            finds_earlier: party.finds_earlier && (is_folder || file.last_modified.is_some()),
            asks: file.on_conflict == OnConflict::Ask,
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
            },
        })
    }

    async fn answer(
        self: &Arc<Self>,
        now: Millis,
        found: Found,
        row: Row,
    ) -> Result<CreateAnswer, StoreError> {
        match found {
            Found::Added => self.begin(now, row).await,
            Found::Conflict(existing) => Ok(CreateAnswer::Conflict {
                existing: existing.receipt(),
            }),
            Found::Earlier(earlier) => match self.earlier(now, earlier).await? {
                Some(answer) => Ok(answer),
                // What was found has gone in the meantime: a new one, once.
                None => {
                    let creation = Creation {
                        row: row.clone(),
                        finds_earlier: false,
                        asks: false,
                    };
                    self.catalog.apply(Command::Create(vec![creation])).await?;
                    self.begin(now, row).await
                }
            },
        }
    }

    async fn begin(self: &Arc<Self>, now: Millis, row: Row) -> Result<CreateAnswer, StoreError> {
        let _ = self.changes.send(Change::Created {
            owner: row.owner.clone(),
            id: row.id,
        });
        if row.size == Some(0) {
            let active = Arc::new(Active::new(row.id, row.chunk_size, row.size));
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
    async fn earlier(
        self: &Arc<Self>,
        now: Millis,
        row: Row,
    ) -> Result<Option<CreateAnswer>, StoreError> {
        let id = row.id;
        for _ in 0..2 {
            let Some(row) = self.catalog.get(vec![id]).await?.pop() else {
                return Ok(None);
            };
            match self.ask_row(now, row).await {
                Ok(Some(Asked::Finished(row))) => {
                    if self.is_there(&row).await? {
                        return Ok(Some(CreateAnswer::Present {
                            receipt: row.receipt(),
                        }));
                    }
                    // Somebody removed or changed it by hand: what we know of it is no longer true.
                    self.catalog.apply(Command::Remove { id }).await?;
                    return Ok(None);
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
        let (backend, place, size) = (
            Arc::clone(&self.backend),
            layout::place(&row.owner, &row.stored_as),
            row.size,
        );
        let kind = row.kind;
        self.run("looking for a file", move || match kind {
            Kind::Directory => backend.make_folder(&place),
            Kind::File => match backend.open(&place)? {
                Some(file) => Ok(Some(file.len()?) == size),
                None => Ok(false),
            },
        })
        .await
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
