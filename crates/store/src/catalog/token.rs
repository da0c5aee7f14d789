//! What is kept of a token.

use hoist_protocol::UploadId;

/// Tokens of one upload at one time.
pub(crate) const MOST: usize = 100;

/// A token, known by its hash: who reads the catalog cannot use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenRow {
    pub(crate) hash: [u8; 32],
    pub(crate) upload: UploadId,
    /// Sum of [`Self::SEND`], [`Self::READ`] and [`Self::DELETE`].
    pub(crate) rights: u8,
    /// Where in the upload what is sent must end.
    pub(crate) bytes: Option<u64>,
    pub(crate) expires: u64,
}

impl TokenRow {
    pub(crate) const SEND: u8 = 1;
    pub(crate) const READ: u8 = 2;
    pub(crate) const DELETE: u8 = 4;
}
