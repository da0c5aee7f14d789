//! Whose uploads they are.

use std::fmt;

use hoist_protocol::UploadId;

use crate::StoreError;

/// Whose an upload is: 1 to 64 of `a–z 0–9 _ -`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(String);

impl Owner {
    /// Checks and takes a name; `None` if it is empty, too long, or has another character.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_' || c == b'-';
        ((1..=64).contains(&name.len()) && name.bytes().all(plain)).then(|| Self(name.to_owned()))
    }

    /// The one owner of a store that everybody shares; its files lie under their own names.
    #[must_use]
    pub fn shared() -> Self {
        Self("shared".to_owned())
    }

    /// Those without a name: what they create is reached by its unguessable id only.
    #[must_use]
    pub fn anonymous() -> Self {
        Self("anonymous".to_owned())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who asks the store: an owner, and what the store must know of their rights.
///
/// ```
/// use hoist_store::{Owner, Party};
///
/// let anna = Owner::new("user-anna").expect("a name that a folder can have");
/// assert_eq!(Owner::new("../anna"), None);
/// let party = Party { quota: Some(10 << 30), ..Party::known(anna) };
/// assert!(party.finds_earlier && !Party::anonymous().finds_earlier);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// Whose uploads are touched; all others' are *not found*.
    pub owner: Owner,
    /// How many bytes the owner may have in all, finished and reserved; `None` for
    /// [`crate::StoreConfig::quota`].
    pub quota: Option<u64>,
    /// Whether earlier uploads may be found by path, size and time; `false` for anonymous ones,
    /// who are not one person.
    pub finds_earlier: bool,
    /// The one upload that may be touched, if it is not all of the owner's; see [`crate::Bearer`].
    pub scope: Option<Scope>,
}

/// The part of an owner's uploads that somebody with a token may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The upload.
    pub upload: UploadId,
    /// Where in it, in bytes from its beginning, what is sent must end; `None` for anywhere.
    pub bytes: Option<u64>,
}

impl Party {
    /// Somebody who is known: finds what they sent earlier, without a quota of
    /// their own.
    #[must_use]
    pub const fn known(owner: Owner) -> Self {
        Self {
            owner,
            quota: None,
            finds_earlier: true,
            scope: None,
        }
    }

    /// Somebody who is not.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            owner: Owner::anonymous(),
            quota: None,
            finds_earlier: false,
            scope: None,
        }
    }

    /// Whether this upload may be touched, if it is the owner's.
    pub(crate) fn reaches(&self, id: UploadId) -> bool {
        self.scope.is_none_or(|scope| scope.upload == id)
    }

    /// Lets those pass who may touch all of the owner's uploads.
    pub(crate) const fn check_whole(&self) -> Result<(), StoreError> {
        match self.scope {
            None => Ok(()),
            Some(_) => Err(StoreError::OneUpload),
        }
    }

    /// Lets those pass who may send bytes up to `end`.
    pub(crate) fn check_end(&self, end: u64) -> Result<(), StoreError> {
        match self.scope.and_then(|scope| scope.bytes) {
            Some(max) if end > max => Err(StoreError::BeyondGrant { max }),
            _ => Ok(()),
        }
    }
}
