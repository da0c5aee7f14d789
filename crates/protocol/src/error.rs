//! Error codes: what went wrong, for a program, and what a client may do about it.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident $text:literal $status:literal $class:ident;)*) => {
        /// What went wrong, as a stable word for a program.
        ///
        /// *The code decides, not the status*: the status is for proxies and logs. Codes are only ever
        /// added; a client that meets an unknown one goes by the status.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorCode {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// The HTTP status it travels with when it is the answer to a whole request.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status),* }
            }

            /// What a client does about it.
            #[must_use]
            pub const fn class(self) -> ErrorClass {
                match self { $(Self::$variant => ErrorClass::$class),* }
            }
        }
    };
}

codes! {
    /// The request is malformed or contradicts itself.
    InvalidRequest "invalid_request" 400 Refused;
    /// This visitor may not do this.
    Forbidden "forbidden" 403 Refused;
    /// The file or the request is larger than the server takes.
    TooLarge "too_large" 413 Refused;
    /// More files, chunks or ids than the server takes.
    TooMany "too_many" 413 Refused;
    /// The server does not take files of this type.
    TypeNotAllowed "type_not_allowed" 415 Refused;
    /// The name or the path cannot be stored.
    NameNotAllowed "name_not_allowed" 422 Refused;
    /// The server does not do this.
    NotSupported "not_supported" 501 Refused;
    /// The visitor has to sign in.
    Unauthorized "unauthorized" 401 SignIn;
    /// The visitor's cookie is not known; their uploads are safe, but not theirs to touch now.
    VisitorUnknown "visitor_unknown" 401 SignIn;
    /// There is no such upload for this visitor.
    NotFound "not_found" 404 Gone;
    /// The upload was there, and its time is over.
    Expired "expired" 410 Gone;
    /// The chunk is acknowledged with other bytes than these.
    ChunkConflict "chunk_conflict" 409 Resync;
    /// The bytes do not match their checksum.
    ChecksumMismatch "checksum_mismatch" 422 Resync;
    /// Somebody else is writing this chunk right now.
    InFlight "in_flight" 409 Wait;
    /// Too many requests.
    RateLimited "rate_limited" 429 Wait;
    /// Something broke on the server.
    Internal "internal" 500 Wait;
    /// The server is starting, stopping or busy.
    Unavailable "unavailable" 503 Wait;
    /// The disk is full.
    StorageFull "storage_full" 507 Full;
    /// This visitor's share of the disk is used up.
    QuotaExceeded "quota_exceeded" 507 Full;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a client does about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// Shows the server's words, and never asks again.
    Refused,
    /// Pauses everything and asks the person, once, to sign in.
    SignIn,
    /// Creates the upload anew, once.
    Gone,
    /// Asks for the status and goes on from the truth.
    Resync,
    /// Tries again later.
    Wait,
    /// Pauses with the reason, and tries again slowly.
    Full,
}

/// The body of every answer that is an error, and of every refusal inside an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// For a program.
    pub code: ErrorCode,
    /// For a person, in plain words.
    pub message: String,
    /// How long to wait before the next try, in milliseconds; always there for the class *wait*.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_on_the_wire_is_the_one_in_the_table() {
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
            assert!((400..600).contains(&code.status()));
        }
        assert_eq!(ErrorCode::ALL.len(), 19);
    }
}
