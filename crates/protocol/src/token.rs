//! What travels of tokens: the right to one upload, for somebody who is not its owner.

use serde::{Deserialize, Serialize};

/// `POST /uploads/{id}/tokens`: asks for a token for this upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRequest {
    /// What its bearer may do. Asking how the upload stands is always among it.
    pub may: Vec<TokenRight>,
    /// Where in the file, in bytes from its beginning, what is sent must end; anywhere, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// How long it is good for, in milliseconds.
    pub lifetime: u64,
}

/// What the bearer of a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenRight {
    /// Send chunks.
    Send,
    /// Read the finished file.
    Read,
    /// Cancel or delete, and take that back.
    Delete,
}

/// The answer to [`TokenRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenResponse {
    /// The token, which the server does not know any more: for `Authorization: Bearer …`.
    pub token: String,
    /// From when on it is worth nothing, by the server's clock.
    pub expires: u64,
}

/// `POST /uploads/{id}/tokens/revoke`: ends tokens of this upload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokeRequest {
    /// The one to end; all of the upload's, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// The answer to [`RevokeRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokeResponse {
    /// How many there were.
    pub revoked: u64,
}
