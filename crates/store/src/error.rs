//! What can go wrong in the store.

use std::fmt;

use hoist_protocol::{ErrorCode, InvalidPath, grouped, in_binary_unit};

/// What can go wrong in the store. Knows the wire's codes, but no HTTP status.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The upload does not exist for this owner.
    #[error("there is no such upload")]
    NotFound,
    /// The upload was there; its time is over.
    #[error("the upload has expired")]
    Expired,
    /// The chunk is acknowledged with other bytes.
    #[error("this chunk was stored before with other bytes: the file has changed")]
    ChunkConflict,
    /// The bytes do not match their checksum, on the way in or before publishing.
    #[error("the bytes do not match their checksum")]
    ChecksumMismatch,
    /// Another sender writes this chunk now.
    #[error("another sender is writing this chunk")]
    InFlight {
        /// When to try again, in milliseconds.
        retry_after_ms: u64,
    },
    /// A newer attempt of the same sender took the chunk over, or the upload was deleted.
    #[error("this request was overtaken by a newer one")]
    Evicted,
    /// The body is shorter or longer than the chunk, or there is no such chunk.
    #[error("{0}")]
    InvalidChunk(&'static str),
    /// A field of the request contradicts itself or the store.
    #[error("{0}")]
    Invalid(&'static str),
    /// The file is larger or smaller than allowed.
    #[error("the file has {} bytes, and {} are allowed", grouped(*.size), Allowed(*.min, *.max))]
    FileSize {
        /// Its size in bytes.
        size: u64,
        /// Smallest allowed, in bytes.
        min: u64,
        /// Largest allowed, in bytes.
        max: u64,
    },
    /// More bytes come than can be taken: how many they would be, nobody knows.
    #[error("the file has more than {}", Limit(*.max))]
    TooLong {
        /// Where it ends at the latest: its size, the largest that is allowed, or where what follows has come.
        max: u64,
    },
    /// More unfinished uploads, files or ids than allowed.
    #[error("too many {what}: at most {max} are allowed")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many are allowed.
        max: u64,
    },
    /// Somebody with a token for one upload asked for more.
    #[error("this token is for one upload, and not for this")]
    OneUpload,
    /// A token does not let its bearer send so much.
    #[error("this token lets its bearer send the first {max} bytes only")]
    BeyondGrant {
        /// How many it does.
        max: u64,
    },
    /// Files of this type are not taken.
    #[error("files of this type are not taken here")]
    TypeNotAllowed,
    /// The name or path cannot be stored.
    #[error("{0}")]
    NameNotAllowed(#[from] InvalidPath),
    /// The disk is full, or all that is free is reserved.
    #[error("the server's disk is full")]
    StorageFull,
    /// The owner's share is used up.
    #[error("your share of the storage is used up")]
    QuotaExceeded,
    /// The store is closing or its writer is busy.
    #[error("the server is busy")]
    Unavailable,
    /// The folder was written by a newer version.
    #[error(
        "the data folder has schema version {found}; this program knows up to {known}. Use the newer program"
    )]
    NewerSchema {
        /// What the folder has.
        found: u32,
        /// What this program knows.
        known: u32,
    },
    /// Another process has the folder open.
    #[error("the data folder {folder} is in use by another server")]
    FolderInUse {
        /// Which.
        folder: String,
    },
    /// The operating system said no.
    #[error("{doing} failed")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The catalog said no.
    #[error("the catalog failed: {doing}")]
    Catalog {
        /// What was tried.
        doing: &'static str,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    /// The wire's code for this error.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound => ErrorCode::NotFound,
            Self::Expired => ErrorCode::Expired,
            Self::ChunkConflict => ErrorCode::ChunkConflict,
            Self::ChecksumMismatch => ErrorCode::ChecksumMismatch,
            Self::InFlight { .. } | Self::Evicted => ErrorCode::InFlight,
            Self::InvalidChunk(_) | Self::Invalid(_) => ErrorCode::InvalidRequest,
            Self::FileSize { .. } | Self::TooLong { .. } => ErrorCode::TooLarge,
            Self::TooMany { .. } => ErrorCode::TooMany,
            Self::OneUpload | Self::BeyondGrant { .. } => ErrorCode::Forbidden,
            Self::TypeNotAllowed => ErrorCode::TypeNotAllowed,
            Self::NameNotAllowed(_) => ErrorCode::NameNotAllowed,
            Self::StorageFull => ErrorCode::StorageFull,
            Self::QuotaExceeded => ErrorCode::QuotaExceeded,
            Self::Unavailable => ErrorCode::Unavailable,
            Self::NewerSchema { .. }
            | Self::FolderInUse { .. }
            | Self::Io { .. }
            | Self::Catalog { .. } => ErrorCode::Internal,
        }
    }
}

/// A limit: so many bytes, and what that is in the unit in which somebody has set it, if any.
struct Limit(u64);

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", grouped(self.0))?;
        match in_binary_unit(self.0) {
            Some((count @ ..10_000, unit)) => write!(f, " ({count} {unit})"),
            _ => Ok(()),
        }
    }
}

/// From the least to the most.
struct Allowed(u64, u64);

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self(0, max) => write!(f, "at most {}", Limit(max)),
            Self(min, max) => write!(f, "{} to {}", grouped(min), Limit(max)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_exact_and_can_be_compared() {
        for (size, min, max, words) in [
            (
                525_137_621,
                0,
                500 << 20,
                "the file has 525,137,621 bytes, and at most 524,288,000 bytes (500 MiB) are allowed",
            ),
            (
                4096,
                0,
                1000,
                "the file has 4,096 bytes, and at most 1,000 bytes are allowed",
            ),
            (
                2,
                3,
                50,
                "the file has 2 bytes, and 3 to 50 bytes are allowed",
            ),
            (
                1 << 40,
                0,
                10_000_000_000,
                "the file has 1,099,511,627,776 bytes, and at most 10,000,000,000 bytes are allowed",
            ),
        ] {
            assert_eq!(StoreError::FileSize { size, min, max }.to_string(), words);
        }
        let long = StoreError::TooLong { max: 64 << 10 };
        assert_eq!(
            long.to_string(),
            "the file has more than 65,536 bytes (64 KiB)"
        );
        assert_eq!(long.code(), ErrorCode::TooLarge);
    }
}
