//! Who somebody is, as a proxy in front says.

use hoist_protocol::ErrorCode;
use hoist_store::{Owner, Party};
use http::{HeaderName, request::Parts};

use crate::{Access, ApiError, Authorize};

/// Each person is one owner, by a header that a signing-in proxy sets.
///
/// Only for a server that nobody reaches but the proxy, which must replace the header if a client
/// sends one: whoever can set it is whom they say.
///
/// ```
/// use hoist_axum::{Authorizer, HttpConfig, TrustedHeader};
/// use http::HeaderName;
///
/// let config = HttpConfig {
///     authorize: Authorizer::new(TrustedHeader::new(HeaderName::from_static("x-user"))),
///     ..Default::default()
/// };
/// ```
#[derive(Clone, Debug)]
pub struct TrustedHeader(HeaderName);

impl TrustedHeader {
    /// Believes this header.
    #[must_use]
    pub const fn new(name: HeaderName) -> Self {
        Self(name)
    }
}

impl Authorize for TrustedHeader {
    async fn authorize(&self, parts: &Parts) -> Result<Access, ApiError> {
        let mut values = parts.headers.get_all(&self.0).iter();
        let (first, second) = (values.next(), values.next());
        // Two of them: one is not the proxy's.
        let name = first
            .filter(|_| second.is_none())
            .map(|name| name.as_bytes());
        name.and_then(owner)
            .map(|owner| Access::full(Party::known(owner)))
            .ok_or_else(|| ApiError::new(ErrorCode::Unauthorized, "Please sign in"))
    }
}

/// The owner of a name. Their folder begins with `user-` or `name-`, so that nobody is called as one
/// of our own (`shared`), and names that no folder can have are told by their hash.
fn owner(name: &[u8]) -> Option<Owner> {
    let name = name.trim_ascii();
    if name.is_empty() {
        return None;
    }
    let plain = std::str::from_utf8(name)
        .ok()
        .and_then(|name| Owner::new(&format!("user-{name}")));
    plain.or_else(|| {
        let hash = blake3::hash(name).to_hex();
        Owner::new(&format!("name-{}", hash.get(..48)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_an_owner_of_its_own() {
        let long = "a".repeat(200);
        let names = [
            "anna",
            "Anna",
            "anna@a.example",
            "anna@b.example",
            "shared",
            "anonymous",
            "李",
            &long,
        ];
        let owners: std::collections::HashSet<_> = names
            .iter()
            .map(|name| owner(name.as_bytes()).unwrap())
            .collect();
        assert_eq!(owners.len(), names.len());
        assert!(!owners.contains(&Owner::shared()) && !owners.contains(&Owner::anonymous()));
        assert_eq!(owner(b"anna").unwrap().as_str(), "user-anna");
        assert_eq!(owner(b" anna "), owner(b"anna"));
        assert_eq!(owner(b"  "), None);
    }
}
