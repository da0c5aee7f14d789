//! Whose uploads they are.

use std::fmt;

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
        }
    }

    /// Somebody who is not.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            owner: Owner::anonymous(),
            quota: None,
            finds_earlier: false,
        }
    }
}
