//! Tokens: who has one may do what it says with one upload, without being its owner.

use std::fmt;

use hoist_protocol::{Millis, UploadId};

use crate::{
    Party, Scope, Store, StoreError,
    catalog::{Command, Outcome, TokenRow},
};

/// What every token begins with, so that it is recognised: in a header, and where it leaks.
const PREFIX: &str = "hoist_";

/// What the bearer of a token may do with its one upload. Asking how it stands is always among it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Send chunks.
    pub send: bool,
    /// Read the finished file.
    pub read: bool,
    /// Cancel or delete it, and take that back.
    pub delete: bool,
    /// Where, in bytes from the beginning of the file, what is sent must end; so also how large an
    /// upload of unknown size can become. `None`: at its size.
    pub bytes: Option<u64>,
    /// From when on it is worth nothing.
    pub expires: Millis,
}

/// Somebody with a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// The one upload.
    pub upload: UploadId,
    /// In whose name: that of the upload's owner, and nothing but this upload.
    pub party: Party,
    /// What may be done.
    pub grant: Grant,
}

/// A token: `hoist_` and 64 hexadecimal digits, 256 random bits. The store keeps its hash only.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    fn random() -> Result<Self, StoreError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|_| StoreError::Unavailable)?;
        let digits = blake3::Hash::from_bytes(bytes).to_hex();
        Ok(Self(format!("{PREFIX}{digits}")))
    }

    /// Reads a token; `None` if it is none of ours, whatever it is.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        let is_digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        (digits.len() == 64 && digits.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    /// The token itself, to be handed to whoever it is for.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    fn hash(&self) -> [u8; 32] {
        // Not keyed and not slow: there is nothing to guess in 256 random bits.
        *blake3::hash(self.0.as_bytes()).as_bytes()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Store {
    /// Makes a token for one upload or file of this party.
    ///
    /// It ends with its upload. What it lets do is done in the name of the upload's owner.
    ///
    /// # Errors
    ///
    /// - [`StoreError::NotFound`] if the party has no such upload.
    /// - [`StoreError::OneUpload`] if the party has a token itself.
    /// - [`StoreError::Invalid`] if it would have expired already.
    /// - [`StoreError::TooMany`] if the upload has a hundred.
    ///
    /// # Examples
    ///
    /// ```
    /// # use hoist_protocol::{CreateAnswer, Millis, NewFile};
    /// # use hoist_store::{Grant, Owner, Party, Store, StoreConfig};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let store = Store::memory(StoreConfig::default());
    /// # let (now, party) = (Millis(0), Party::known(Owner::shared()));
    /// # let file = NewFile { name: "a.txt".into(), size: Some(5), ..NewFile::default() };
    /// # let created = store.create(now, &party, &[file.clone()]).await?;
    /// # let Some(CreateAnswer::Needed(needed)) = created.first() else { panic!() };
    /// # let id = needed.id;
    /// let expires = now.plus(3_600_000);
    /// let grant = Grant { send: true, read: false, delete: false, bytes: None, expires };
    /// let token = store.issue_token(now, &party, id, grant).await?;
    /// let bearer = store.bearer(now, &token).await?.expect("it was just made");
    /// assert_eq!((bearer.upload, bearer.grant), (id, grant));
    /// assert!(store.bearer(expires, &token).await?.is_none(), "it has expired");
    /// assert_eq!(store.revoke_tokens(&party, id, None).await?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn issue_token(
        &self,
        now: Millis,
        party: &Party,
        upload: UploadId,
        grant: Grant,
    ) -> Result<Token, StoreError> {
        self.shared.check_open()?;
        party.check_whole()?;
        self.shared.row(party, upload).await?;
        if grant.expires <= now {
            return Err(StoreError::Invalid("the token would have expired already"));
        }
        let token = Token::random()?;
        let right = |is_given: bool, right: u8| if is_given { right } else { 0 };
        let row = TokenRow {
            hash: token.hash(),
            upload,
            rights: right(grant.send, TokenRow::SEND)
                | right(grant.read, TokenRow::READ)
                | right(grant.delete, TokenRow::DELETE),
            bytes: grant.bytes,
            expires: grant.expires.0,
        };
        let add = Command::AddToken {
            token: row,
            now: now.0,
        };
        match self.shared.catalog.apply(add).await? {
            Outcome::Done => Ok(token),
            _ => Err(StoreError::TooMany {
                what: "tokens of one upload",
                max: crate::catalog::TOKENS as u64,
            }),
        }
    }

    /// Who a token lets in; `None` if it was never made, has expired, was revoked, or its upload is
    /// gone.
    ///
    /// # Errors
    ///
    /// [`StoreError::Catalog`] if the catalog cannot be read.
    pub async fn bearer(&self, now: Millis, token: &Token) -> Result<Option<Bearer>, StoreError> {
        self.shared.check_open()?;
        let found = self.shared.catalog.token(token.hash()).await?;
        Ok(found
            .filter(|(token, _)| token.expires > now.0)
            .map(|(token, row)| Bearer {
                upload: token.upload,
                party: Party {
                    finds_earlier: false,
                    scope: Some(Scope {
                        upload: token.upload,
                        bytes: token.bytes,
                    }),
                    ..Party::known(row.owner)
                },
                grant: Grant {
                    send: token.rights & TokenRow::SEND != 0,
                    read: token.rights & TokenRow::READ != 0,
                    delete: token.rights & TokenRow::DELETE != 0,
                    bytes: token.bytes,
                    expires: Millis(token.expires),
                },
            }))
    }

    /// Revokes one token of an upload of this party, or all; says how many there were.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`] if the party has no such upload.
    pub async fn revoke_tokens(
        &self,
        party: &Party,
        upload: UploadId,
        token: Option<&Token>,
    ) -> Result<u64, StoreError> {
        self.shared.check_open()?;
        party.check_whole()?;
        self.shared.row(party, upload).await?;
        let hash = token.map(Token::hash);
        let revoke = Command::RemoveTokens { upload, hash };
        match self.shared.catalog.apply(revoke).await? {
            Outcome::Removed(count) => Ok(count),
            _ => Ok(0),
        }
    }
}
