//! In whose name a request of the dialect acts.
//!
//! Its calls name a file by name, size and time, which anybody can guess. So they look only among
//! what one visitor has sent. A client without a cookie is nobody, and has nothing to look among; it
//! may bring a secret of its own in the address, and then it is who has that secret.

use hoist_protocol::ErrorCode;
use hoist_store::{Owner, Party};

use crate::{Access, ApiError};

/// Shortest secret: 128 random bits in base64url.
const SHORTEST: usize = 22;
/// Longest secret.
const LONGEST: usize = 128;

/// Among whose files a request looks.
#[derive(Debug)]
pub(super) enum Scope {
    /// Those of one visitor.
    Own(Party),
    /// Nobody's.
    Nobody(Party),
}

impl Scope {
    /// Of somebody who is known the secret is not looked at: they need none.
    pub(super) fn new(access: &Access, secret: Option<&str>) -> Result<Self, ApiError> {
        let party = &access.party;
        if party.finds_earlier {
            return Ok(Self::Own(party.clone()));
        }
        let Some(secret) = secret else {
            return Ok(Self::Nobody(party.clone()));
        };
        let owner = owner(secret).ok_or_else(|| {
            ApiError::new(
                ErrorCode::InvalidRequest,
                format!(
                    "The secret at the end of the address must be {SHORTEST} to {LONGEST} random \
                     letters, digits, - and _"
                ),
            )
        })?;
        Ok(Self::Own(Party {
            owner,
            quota: party.quota,
            finds_earlier: true,
            scope: party.scope,
        }))
    }

    /// The visitor, if there is one.
    pub(super) fn party(&self) -> Result<&Party, ApiError> {
        match self {
            Self::Own(party) => Ok(party),
            Self::Nobody(_) => Err(ApiError::new(
                ErrorCode::Forbidden,
                "Without a cookie the server cannot tell your files from others'. Keep the cookie of \
                 its page, or add a long random secret to the address, as in /server.php/SECRET; \
                 without either a file is sent whole, in one request",
            )),
        }
    }
}

/// Who has a secret. What lies in the data folder is not the secret itself.
fn owner(secret: &str) -> Option<Owner> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !(SHORTEST..=LONGEST).contains(&secret.len()) || !secret.bytes().all(plain) {
        return None;
    }
    let hash = blake3::hash(secret.as_bytes()).to_hex();
    Owner::new(&format!("classic-{}", hash.get(..32)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_and_not_to_be_read_off_its_owner() {
        let secret = "0123456789abcdefABCD_-";
        let made = owner(secret).unwrap();
        assert!(made.as_str().starts_with("classic-"));
        assert!(!made.as_str().contains(secret));
        assert_ne!(owner("0123456789abcdefABCD_0"), Some(made));
        let long = "a".repeat(LONGEST + 1);
        for wrong in ["", &secret[1..], "0123456789abcdefABCD_/", &long] {
            assert_eq!(owner(wrong), None, "{wrong}");
        }
    }
}
