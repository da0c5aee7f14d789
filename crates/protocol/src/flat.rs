//! How the enums with a tag are read: all fields side by side, and then the tag decides.
//!
//! What serde derives for them keeps the whole value in memory until it has met the tag, with code
//! for each type once more for that; in a browser's wasm it was a twentieth of all.

use std::fmt;

use serde::Deserialize;

use crate::{
    ByteRange, ChecksumRun, ChunkResult, CreateAnswer, DeleteResult, ErrorBody, ErrorCode,
    GoneUpload, Needed, Receipt, Unfinished, UploadId, UploadStatus,
};

/// A field that this tag must have is not there, or the tag is another one's.
#[derive(Debug)]
pub(crate) struct Missing;

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field is missing for this tag")
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tag {
    Needed,
    Present,
    Conflict,
    Refused,
    Unfinished,
    Finished,
    Gone,
    Acknowledged,
    Deleted,
    Deleting,
    Restored,
}

fn error(
    code: Option<ErrorCode>,
    message: Option<String>,
    retry_after_ms: Option<u64>,
) -> Result<ErrorBody, Missing> {
    Ok(ErrorBody {
        code: code.ok_or(Missing)?,
        message: message.ok_or(Missing)?,
        retry_after_ms,
    })
}

/// [`CreateAnswer`].
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    answer: Tag,
    id: Option<UploadId>,
    chunk_size: Option<u64>,
    received: Option<Vec<ByteRange>>,
    expires: Option<u64>,
    receipt: Option<Receipt>,
    existing: Option<Receipt>,
    code: Option<ErrorCode>,
    message: Option<String>,
    #[serde(rename = "retry_after_ms")]
    retry_after_ms: Option<u64>,
}

impl TryFrom<Answer> for CreateAnswer {
    type Error = Missing;

    fn try_from(flat: Answer) -> Result<Self, Missing> {
        Ok(match flat.answer {
            Tag::Needed => Self::Needed(Needed {
                id: flat.id.ok_or(Missing)?,
                chunk_size: flat.chunk_size.ok_or(Missing)?,
                received: flat.received.ok_or(Missing)?,
                expires: flat.expires.ok_or(Missing)?,
            }),
            Tag::Present => Self::Present {
                receipt: flat.receipt.ok_or(Missing)?,
            },
            Tag::Conflict => Self::Conflict {
                existing: flat.existing.ok_or(Missing)?,
            },
            Tag::Refused => Self::Refused(error(flat.code, flat.message, flat.retry_after_ms)?),
            _ => return Err(Missing),
        })
    }
}

/// [`UploadStatus`].
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    status: Tag,
    id: Option<UploadId>,
    name: Option<String>,
    #[serde(default)]
    path: String,
    size: Option<u64>,
    last_modified: Option<i64>,
    #[serde(rename = "type")]
    media_type: Option<String>,
    chunk_size: Option<u64>,
    received: Option<Vec<ByteRange>>,
    expires: Option<u64>,
    #[serde(default)]
    checksums: Vec<ChecksumRun>,
    receipt: Option<Receipt>,
    code: Option<ErrorCode>,
    message: Option<String>,
    #[serde(rename = "retry_after_ms")]
    retry_after_ms: Option<u64>,
}

impl TryFrom<Status> for UploadStatus {
    type Error = Missing;

    fn try_from(flat: Status) -> Result<Self, Missing> {
        Ok(match flat.status {
            Tag::Unfinished => Self::Unfinished(Unfinished {
                id: flat.id.ok_or(Missing)?,
                name: flat.name.ok_or(Missing)?,
                path: flat.path,
                size: flat.size,
                last_modified: flat.last_modified,
                media_type: flat.media_type,
                chunk_size: flat.chunk_size.ok_or(Missing)?,
                received: flat.received.ok_or(Missing)?,
                expires: flat.expires.ok_or(Missing)?,
                checksums: flat.checksums,
            }),
            Tag::Finished => Self::Finished {
                receipt: flat.receipt.ok_or(Missing)?,
            },
            Tag::Gone => Self::Gone(GoneUpload {
                id: flat.id.ok_or(Missing)?,
                error: error(flat.code, flat.message, flat.retry_after_ms)?,
            }),
            _ => return Err(Missing),
        })
    }
}

/// [`ChunkResult`] and [`DeleteResult`].
#[derive(Deserialize)]
pub(crate) struct Outcome {
    result: Tag,
    until: Option<u64>,
    receipt: Option<Receipt>,
    code: Option<ErrorCode>,
    message: Option<String>,
    retry_after_ms: Option<u64>,
}

impl TryFrom<Outcome> for ChunkResult {
    type Error = Missing;

    fn try_from(flat: Outcome) -> Result<Self, Missing> {
        Ok(match flat.result {
            Tag::Acknowledged => Self::Acknowledged,
            Tag::Refused => Self::Refused(error(flat.code, flat.message, flat.retry_after_ms)?),
            _ => return Err(Missing),
        })
    }
}

impl TryFrom<Outcome> for DeleteResult {
    type Error = Missing;

    fn try_from(flat: Outcome) -> Result<Self, Missing> {
        Ok(match flat.result {
            Tag::Deleted => Self::Deleted,
            Tag::Deleting => Self::Deleting {
                until: flat.until.ok_or(Missing)?,
            },
            Tag::Restored => Self::Restored {
                receipt: flat.receipt.ok_or(Missing)?,
            },
            Tag::Refused => Self::Refused(error(flat.code, flat.message, flat.retry_after_ms)?),
            _ => return Err(Missing),
        })
    }
}
