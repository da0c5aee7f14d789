//! The messages of the native protocol, version 1. `PROTOCOL.md` explains them with examples.
//!
//! All are JSON objects. Unknown fields are ignored on both sides. Sizes and offsets are bytes,
//! times are milliseconds since the Unix epoch.

use serde::{Deserialize, Serialize};

use crate::{ByteRange, Checksum, ErrorBody, Sender, UploadId};

/// Whether something is a file or a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A file.
    #[default]
    File,
    /// A folder without anything in it; published by create.
    Directory,
}

/// What to do if another file has this path already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// Both stay: the new one is published under the next free `name (2).ext`.
    #[default]
    KeepBoth,
    /// Nothing is created; the answer is `conflict`, and the client asks the person.
    Ask,
}

/// One file of a create.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewFile {
    /// Its name, without a folder.
    pub name: String,
    /// The folder it lies in, `a/b`; empty or absent for a file picked alone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Its size; absent if it is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// When it was last modified; absent if not known, and then nothing earlier is ever found for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<i64>,
    /// Its media type, as the client believes it to be.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// File or folder.
    #[serde(default)]
    pub kind: Kind,
    /// The chunk size the client wishes for; the answer says which it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk_size: Option<u64>,
    /// What to do if another file has this path.
    #[serde(default)]
    pub on_conflict: OnConflict,
}

/// `POST /uploads`: one call for the whole list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateRequest {
    /// Who sends.
    pub sender: Sender,
    /// The files, at most [`crate::Limits::batch`].
    pub files: Vec<NewFile>,
}

/// The answer to [`CreateRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateResponse {
    /// One answer per file, in the order asked.
    pub answers: Vec<CreateAnswer>,
}

/// The answer to one file of a create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "answer",
    rename_all = "snake_case",
    try_from = "crate::flat::Answer"
)]
pub enum CreateAnswer {
    /// Bytes are needed: all, or those an earlier upload of this file has not received.
    Needed(Needed),
    /// The unmodified file is there (or, for a folder or 0 bytes, is there now).
    Present {
        /// Its receipt.
        receipt: Receipt,
    },
    /// Another file has this path, and the client wanted to be asked.
    Conflict {
        /// That file's receipt.
        existing: Receipt,
    },
    /// This file is not taken.
    Refused(ErrorBody),
}

/// An upload that waits for bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Needed {
    /// The upload.
    pub id: UploadId,
    /// Size of its chunks; it never changes.
    pub chunk_size: u64,
    /// What is acknowledged, merged and in order.
    pub received: Vec<ByteRange>,
    /// When the upload is removed if nothing arrives, by the server's clock.
    pub expires: u64,
}

/// What the server recorded of a finished file: the proof that it is equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The upload it came from.
    pub id: UploadId,
    /// Its name as picked.
    pub name: String,
    /// Its folder as picked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// File or folder.
    #[serde(default)]
    pub kind: Kind,
    /// Its size.
    pub size: u64,
    /// Its BLAKE3 hash, as `b3sum` prints it; absent for a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Checksum>,
    /// When the picked file was last modified, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<i64>,
    /// Its media type, as the client said.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Where it lies below the folder of this owner's files; differs from `path/name` after a
    /// conflict, or if a disk could not hold the name.
    pub stored_as: String,
    /// When it was finished, by the server's clock.
    pub finished: u64,
}

/// What `POST /form` answers to a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormResponse {
    /// Of each of its files, in their order.
    pub receipts: Vec<Receipt>,
}

/// `POST /uploads/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusRequest {
    /// The uploads, at most [`crate::Limits::batch`].
    pub ids: Vec<UploadId>,
    /// Whether the checksums of acknowledged chunks are wanted, and from which chunk on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksums: Option<ChecksumsFrom>,
}

/// Which checksums a status asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChecksumsFrom {
    /// The first chunk of each upload.
    pub from: u32,
    /// At most how many acknowledged chunks of each upload; the server may send fewer.
    pub count: u32,
}

/// The answer to [`StatusRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusResponse {
    /// One status per id, in the order asked.
    pub uploads: Vec<UploadStatus>,
}

/// How one upload stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "status",
    rename_all = "snake_case",
    try_from = "crate::flat::Status"
)]
pub enum UploadStatus {
    /// It waits for bytes.
    Unfinished(Unfinished),
    /// It is published.
    Finished {
        /// Its receipt.
        receipt: Receipt,
    },
    /// There is none, for this visitor: `not_found` or `expired`.
    Gone(GoneUpload),
}

/// An upload that is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoneUpload {
    /// The id that was asked.
    pub id: UploadId,
    /// Why.
    #[serde(flatten)]
    pub error: ErrorBody,
}

/// An upload that waits for bytes, as a status and as a row of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unfinished {
    /// The upload.
    pub id: UploadId,
    /// Its name as picked.
    pub name: String,
    /// Its folder as picked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Its size, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// When the picked file was last modified, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<i64>,
    /// Its media type, as the client said.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Size of its chunks.
    pub chunk_size: u64,
    /// What is acknowledged, merged and in order.
    pub received: Vec<ByteRange>,
    /// When the upload is removed if nothing arrives, by the server's clock.
    pub expires: u64,
    /// Checksums of acknowledged chunks, if the status asked for them: runs of neighbours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checksums: Vec<ChecksumRun>,
}

/// Checksums of neighbouring acknowledged chunks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChecksumRun {
    /// The first chunk.
    pub from: u32,
    /// One checksum per chunk.
    pub values: Vec<Checksum>,
}

/// The manifest at the start of a pack's body, after its own length as `u32` big-endian; the bytes
/// of the chunks follow back to back, in the order of `chunks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackManifest {
    /// Who sends.
    pub sender: Sender,
    /// How often this sender has had to send again; a higher one takes over a chunk at once.
    pub attempt: u32,
    /// The chunks, at most [`crate::Limits::pack_chunks`].
    pub chunks: Vec<PackChunk>,
}

/// One chunk of a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackChunk {
    /// The upload it belongs to.
    pub upload: UploadId,
    /// Which chunk.
    pub index: u32,
    /// How many bytes follow for it.
    pub length: u64,
    /// Its checksum, so that damage on the way is found; the server takes it anyway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
    /// For an upload of unknown size: this chunk is the last, and thereby tells the size. Its
    /// length may be 0.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub last: bool,
}

/// The answer to a pack that was read to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackResponse {
    /// One result per chunk, in the order of the manifest.
    pub results: Vec<ChunkResult>,
    /// A receipt for each upload of the pack that is finished now, whoever finished it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receipts: Vec<Receipt>,
}

/// What became of one chunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "result",
    rename_all = "snake_case",
    try_from = "crate::flat::Outcome"
)]
pub enum ChunkResult {
    /// It is acknowledged: stored now, or found equal to what was stored before.
    Acknowledged,
    /// It is not.
    Refused(ErrorBody),
}

/// `POST /uploads/delete` and `POST /uploads/restore`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteRequest {
    /// The uploads, at most [`crate::Limits::batch`].
    pub ids: Vec<UploadId>,
}

/// The answer to [`DeleteRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteResponse {
    /// One result per id, in the order asked.
    pub results: Vec<DeleteResult>,
}

/// What became of one delete or restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "result",
    rename_all = "snake_case",
    try_from = "crate::flat::Outcome"
)]
pub enum DeleteResult {
    /// It is not there any more; also said of what never was, or was never this visitor's.
    Deleted,
    /// It is hidden, and removed at this time of the server's clock unless restored.
    Deleting {
        /// When.
        until: u64,
    },
    /// It is there again.
    Restored {
        /// Its receipt.
        receipt: Receipt,
    },
    /// It could not be done now.
    Refused(ErrorBody),
}

/// `GET /uploads`: a page of this visitor's uploads, unfinished first, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListResponse {
    /// The rows.
    pub uploads: Vec<UploadStatus>,
    /// What to ask as `after` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many there are in all.
    pub counts: ListCounts,
}

/// How many uploads a visitor has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListCounts {
    /// Unfinished ones.
    pub unfinished: u64,
    /// Finished ones.
    pub finished: u64,
    /// Bytes of the finished ones.
    pub finished_bytes: u64,
}
