//! `GET /zip` and `GET /zip/{folder}`: all finished files, or those of a folder, in one archive.
//!
//! Nothing is compressed and nothing is kept: the archive is written while it is sent, one piece of
//! one file in memory at a time. Its length is known beforehand, so a browser shows how far it is
//! and tells a whole archive from a cut one.

mod format;

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    response::Response,
};
use bytes::Bytes;
use futures_util::stream;
use hoist_protocol::{ErrorCode, Kind, Receipt, UploadId, UploadStatus};
use hoist_store::{ListQuery, Party};
use http::{HeaderValue, header};
use tokio::sync::mpsc;
use tracing::Instrument as _;

use self::format::Entry;
use crate::{Access, ApiError, download::disposition, router::Core};

/// How much is read from the store at a time, in bytes.
const PIECE: usize = 256 << 10;
/// Most files in one archive: their names are held until it ends.
const MOST: usize = 100_000;

pub(crate) async fn all(
    State(core): State<Arc<Core>>,
    Extension(access): Extension<Access>,
) -> Result<Response, ApiError> {
    answer(core, access, "").await
}

pub(crate) async fn folder(
    State(core): State<Arc<Core>>,
    Extension(access): Extension<Access>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    // What is no UTF-8 is the name of no folder.
    let Path(folder) = path.map_err(|_| nothing())?;
    answer(core, access, folder.trim_matches('/')).await
}

fn nothing() -> ApiError {
    ApiError::new(
        ErrorCode::NotFound,
        "There are no finished files in this folder",
    )
}

async fn answer(core: Arc<Core>, access: Access, folder: &str) -> Result<Response, ApiError> {
    access.require(|rights| rights.read && rights.list)?;
    let entries = entries(&core, &access.party, folder).await?;
    if entries.is_empty() {
        return Err(nothing());
    }
    let name = match folder.rsplit('/').next() {
        Some(name) if !name.is_empty() => name,
        _ => "files",
    };
    let length = format::whole_length(&entries);
    let (send, receive) = mpsc::channel(1);
    let archive = Archive {
        core,
        party: access.party,
        send,
        written: 0,
    };
    tokio::spawn(archive.write(entries).in_current_span());
    let pieces = stream::unfold(receive, |mut receive| async {
        receive.recv().await.map(|piece| (piece, receive))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "application/zip"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "sandbox; default-src 'none'",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    let disposition = HeaderValue::from_str(&disposition(&format!("{name}.zip")));
    headers.insert(
        header::CONTENT_DISPOSITION,
        disposition.map_err(ApiError::internal)?,
    );
    Ok(response)
}

/// What goes in, by name: the folder itself is the first part of each.
async fn entries(core: &Core, party: &Party, folder: &str) -> Result<Vec<Entry>, ApiError> {
    let parent = folder.rfind('/').map_or(0, |slash| slash + 1);
    let mut entries = Vec::new();
    let mut query = ListQuery {
        after: None,
        limit: 1000,
        finished_only: true,
    };
    loop {
        let page = core.store.list(core.now(), party, &query).await?;
        for upload in page.uploads {
            let UploadStatus::Finished { receipt } = upload else {
                continue;
            };
            let is_inside = folder.is_empty()
                || receipt
                    .stored_as
                    .strip_prefix(folder)
                    .is_some_and(|rest| rest.starts_with('/'));
            if is_inside && entries.len() >= MOST {
                return Err(ApiError::new(
                    ErrorCode::TooMany,
                    format!(
                        "An archive holds at most {MOST} files; take one folder after the other"
                    ),
                ));
            }
            if is_inside {
                entries.push(entry(&receipt, parent));
            }
        }
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    entries.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    // A file that moved in the list between two pages of it is in both.
    entries.dedup_by(|one, other| one.name == other.name);
    Ok(entries)
}

fn entry(receipt: &Receipt, parent: usize) -> Entry {
    let is_folder = receipt.kind == Kind::Directory;
    let mut name = receipt
        .stored_as
        .get(parent..)
        .unwrap_or_default()
        .to_owned();
    if is_folder {
        name.push('/');
    }
    let finished = i64::try_from(receipt.finished).unwrap_or_default();
    Entry {
        id: receipt.id,
        name,
        size: if is_folder { 0 } else { receipt.size },
        seconds: receipt.last_modified.unwrap_or(finished).div_euclid(1000),
        is_folder,
    }
}

/// An archive that is being sent.
struct Archive {
    core: Arc<Core>,
    party: Party,
    send: mpsc::Sender<Result<Bytes, ApiError>>,
    written: u64,
}

/// Nobody reads any more.
struct Gone;

impl Archive {
    async fn write(mut self, entries: Vec<Entry>) {
        let Err(error) = self.all(&entries).await else {
            return;
        };
        // The head of the answer is gone already: the client sees a cut connection.
        if let Some(error) = error {
            tracing::error!(cause = ?error, "an archive broke off");
            let _ = self.send.send(Err(error)).await;
        }
    }

    /// Fails with `None` if nobody reads any more.
    async fn all(&mut self, entries: &[Entry]) -> Result<(), Option<ApiError>> {
        let mut known = Vec::with_capacity(entries.len());
        for entry in entries {
            let offset = self.written;
            self.put(format::local_header(entry)).await?;
            let crc = if entry.is_folder {
                0
            } else {
                let crc = self.content(entry.id, entry.size).await?;
                self.put(format::descriptor(crc, entry.size)).await?;
                crc
            };
            known.push((crc, offset));
        }
        let begin = self.written;
        for (entry, (crc, offset)) in entries.iter().zip(known) {
            self.put(format::central_header(entry, crc, offset)).await?;
        }
        let end = format::end(entries.len() as u64, begin, self.written - begin);
        self.put(end).await?;
        Ok(())
    }

    async fn content(&mut self, id: UploadId, size: u64) -> Result<u32, Option<ApiError>> {
        let opened = self.core.store.read(self.core.now(), &self.party, id).await;
        let file = opened.map_err(|error| Some(error.into()))?;
        let mut hasher = crc32fast::Hasher::new();
        let mut offset = 0;
        while offset < size {
            let length = usize::try_from(size - offset).map_or(PIECE, |left| left.min(PIECE));
            let read = file.read(offset, length).await;
            let bytes = read.map_err(|error| Some(error.into()))?;
            if bytes.is_empty() {
                return Err(Some(ApiError::internal(
                    "the file is shorter than its receipt says",
                )));
            }
            offset += bytes.len() as u64;
            hasher.update(&bytes);
            self.put(bytes).await?;
        }
        Ok(hasher.finalize())
    }

    async fn put(&mut self, bytes: impl Into<Bytes>) -> Result<(), Gone> {
        let bytes = bytes.into();
        self.written += bytes.len() as u64;
        self.send.send(Ok(bytes)).await.map_err(|_| Gone)
    }
}

impl From<Gone> for Option<ApiError> {
    fn from(_: Gone) -> Self {
        None
    }
}
