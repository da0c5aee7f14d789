//! Who may do what.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use hoist_protocol::ErrorCode;
use hoist_store::{Owner, Party};
use http::{HeaderMap, request::Parts};

use crate::ApiError;

/// What one request may do, and in whose name.
///
/// ```
/// use hoist_axum::{Access, Rights};
/// use hoist_store::{Owner, Party};
///
/// // May send into the shared folder, and sees nothing of what is there: a letter box.
/// let mut access = Access::full(Party::known(Owner::shared()));
/// access.rights = Rights { send: true, ..Rights::NONE };
/// assert!(!access.rights.list && !access.rights.delete);
/// assert!(!Access::anonymous().rights.list, "nobody's list is one person's");
/// ```
#[derive(Clone, Debug)]
pub struct Access {
    /// Whose uploads are touched, and their quota.
    pub party: Party,
    /// What may be done with them.
    pub rights: Rights,
    /// Headers to add to the answer, as a renewed session.
    pub response_headers: HeaderMap,
}

impl Access {
    /// Everything, in the name of `party`.
    #[must_use]
    pub fn full(party: Party) -> Self {
        Self {
            party,
            rights: Rights::ALL,
            response_headers: HeaderMap::new(),
        }
    }

    /// Somebody without a name: everything but the list, which is not one person's.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            party: Party::anonymous(),
            rights: Rights {
                list: false,
                ..Rights::ALL
            },
            response_headers: HeaderMap::new(),
        }
    }

    /// Lets a request pass if it has a right.
    pub(crate) fn require(&self, right: fn(&Rights) -> bool) -> Result<(), ApiError> {
        if right(&self.rights) {
            Ok(())
        } else {
            Err(ApiError::new(
                ErrorCode::Forbidden,
                "You may not do this here",
            ))
        }
    }
}

impl Access {
    /// The same, if it is asked for.
    pub(crate) fn require_if(
        &self,
        is_asked: bool,
        right: fn(&Rights) -> bool,
    ) -> Result<(), ApiError> {
        if is_asked {
            self.require(right)
        } else {
            Ok(())
        }
    }
}

/// What may be done with a party's uploads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Create uploads and send packs and forms.
    pub send: bool,
    /// List all of the party's uploads.
    pub list: bool,
    /// Download finished files.
    pub read: bool,
    /// Cancel, delete, restore and rename.
    pub delete: bool,
}

impl Rights {
    /// Everything.
    pub const ALL: Self = Self {
        send: true,
        list: true,
        read: true,
        delete: true,
    };
    /// Nothing.
    pub const NONE: Self = Self {
        send: false,
        list: false,
        read: false,
        delete: false,
    };
}

/// Decides who makes a request and what they may do.
///
/// It is asked once for each request, before the body is read. Implement it to use the sessions of
/// your own app:
///
/// ```
/// use hoist_axum::{Access, ApiError, Authorize, Authorizer};
/// use hoist_protocol::ErrorCode;
/// use hoist_store::{Owner, Party};
///
/// struct Session;
///
/// impl Authorize for Session {
///     async fn authorize(&self, parts: &http::request::Parts) -> Result<Access, ApiError> {
///         let name = parts.headers.get("x-user").and_then(|name| name.to_str().ok());
///         let owner = name.and_then(Owner::new);
///         let owner = owner.ok_or_else(|| ApiError::new(ErrorCode::Unauthorized, "Please sign in"))?;
///         Ok(Access::full(Party::known(owner)))
///     }
/// }
///
/// let config = hoist_axum::HttpConfig {
///     authorize: Authorizer::new(Session),
///     ..Default::default()
/// };
/// ```
///
/// # Errors
///
/// [`ErrorCode::Unauthorized`] pauses the client and asks the person to sign in;
/// [`ErrorCode::Forbidden`] is final.
pub trait Authorize: Send + Sync + 'static {
    /// Decides about one request.
    fn authorize(&self, parts: &Parts) -> impl Future<Output = Result<Access, ApiError>> + Send;
}

type AccessFuture<'a> = Pin<Box<dyn Future<Output = Result<Access, ApiError>> + Send + 'a>>;

/// [`Authorize`] for trait objects.
trait Decide: Send + Sync {
    fn decide<'a>(&'a self, parts: &'a Parts) -> AccessFuture<'a>;
}

impl<A: Authorize> Decide for A {
    fn decide<'a>(&'a self, parts: &'a Parts) -> AccessFuture<'a> {
        Box::pin(self.authorize(parts))
    }
}

/// Any [`Authorize`], cheap to clone.
#[derive(Clone)]
pub struct Authorizer(Arc<dyn Decide>);

impl Authorizer {
    /// Takes somebody who decides.
    pub fn new(authorize: impl Authorize) -> Self {
        Self(Arc::new(authorize))
    }

    /// Decides about one request; pages ask this too, so that they and the router agree.
    ///
    /// # Errors
    ///
    /// What [`Authorize::authorize`] says.
    pub async fn access(&self, parts: &Parts) -> Result<Access, ApiError> {
        self.0.decide(parts).await
    }
}

impl Default for Authorizer {
    fn default() -> Self {
        Self::new(Shared)
    }
}

impl fmt::Debug for Authorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorizer")
    }
}

/// Everybody is one owner and may do everything: for loopback, and behind one's own sign-in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shared;

impl Authorize for Shared {
    async fn authorize(&self, _parts: &Parts) -> Result<Access, ApiError> {
        Ok(Access::full(Party::known(Owner::shared())))
    }
}
