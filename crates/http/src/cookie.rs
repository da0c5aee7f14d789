//! Each browser sees its own: visitors by cookie.
//!
//! The cookie is a random name and its keyed hash, so one that this server has made is told from one
//! it has not: with a cookie of another server, or of a lost key, a visitor is *unknown* and told so
//! (401), instead of being shown that their uploads are gone (404). Nothing is stored per visitor.

use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{extract::Request, response::Response};
use hoist_protocol::ErrorCode;
use hoist_store::{Owner, Party};
use http::{HeaderMap, HeaderValue, Method, Uri, header, request::Parts, uri::Scheme};
use tower::{Layer, Service};

use crate::{Access, ApiError, Authorize};

/// The secret that makes cookies recognisable; keep it as long as the data folder.
///
/// ```
/// use hoist_axum::CookieKey;
///
/// let key = CookieKey::random()?;
/// // Stored once where only the server reads it, and the same at the next start.
/// let stored: [u8; 32] = *key.as_bytes();
/// assert_eq!(CookieKey::from_bytes(stored).as_bytes(), key.as_bytes());
/// assert_eq!(format!("{key:?}"), "CookieKey(…)", "it does not get into a log");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct CookieKey([u8; 32]);

impl CookieKey {
    /// Takes 32 random bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Makes a new key.
    ///
    /// # Errors
    ///
    /// If the system has no randomness to give.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes, to be stored where only the server reads them.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The cookie of the visitor `name`.
    pub(crate) fn cookie(&self, name: &str) -> String {
        format!("{name}{}", self.proof(name).to_hex())
    }

    fn proof(&self, name: &str) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(b"hoist visitor v1:").update(name.as_bytes());
        hasher.finalize()
    }

    /// The visitor a cookie of ours names.
    fn visitor(&self, cookie: &str) -> Option<Owner> {
        let (name, proof) = cookie.split_at_checked(NAME_LENGTH)?;
        let proof = blake3::Hash::from_hex(proof).ok()?;
        // Compares in constant time.
        (self.proof(name) == proof).then(|| Owner::new(name))?
    }
}

impl fmt::Debug for CookieKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieKey(…)")
    }
}

/// A visitor's name is 128 random bits in hexadecimal.
const NAME_LENGTH: usize = 32;

/// Whether a cookie is only ever sent over https.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secure {
    /// If the request came over https, also by what a proxy says. The default.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Secure {
    /// Whether a cookie of a request that came so is marked.
    pub(crate) const fn applies(self, is_https: bool) -> bool {
        match self {
            Self::Auto => is_https,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// How the cookie looks.
///
/// ```
/// use hoist_axum::{CookieConfig, CookieKey, CookieVisitors, Secure};
///
/// let config = CookieConfig { name: "album".into(), days: 30, secure: Secure::Always };
/// let visitors = CookieVisitors::new(CookieKey::random()?, config);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CookieConfig {
    /// Its name. Default `hoist_visitor`.
    pub name: String,
    /// How long a browser keeps it after the last page, in days. Default 400, the most that
    /// browsers allow.
    pub days: u32,
    /// Whether it is only sent over https. Default [`Secure::Auto`].
    pub secure: Secure,
}

impl Default for CookieConfig {
    fn default() -> Self {
        Self {
            name: "hoist_visitor".to_owned(),
            days: 400,
            secure: Secure::Auto,
        }
    }
}

/// Who a request is from, by its cookie; in the extensions of each request that passed a
/// [`CookieLayer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visitor {
    /// A cookie of ours.
    Known(Owner),
    /// No cookie: a program, or a browser that keeps none.
    Nobody,
    /// A cookie that is not ours.
    Unknown,
}

/// Each browser is one owner.
///
/// A request without a cookie is [`Access::anonymous`]; one with a cookie that is not ours is
/// answered `visitor_unknown`. Cookies are minted by [`CookieVisitors::layer`], which belongs around
/// pages, server functions and the router alike:
///
/// ```
/// use hoist_axum::{Authorizer, CookieConfig, CookieKey, CookieVisitors, HttpConfig};
/// # use hoist_store::{Store, StoreConfig};
/// # let store = Store::memory(StoreConfig::default());
/// let visitors = CookieVisitors::new(CookieKey::random()?, CookieConfig::default());
/// let config = HttpConfig {
///     authorize: Authorizer::new(visitors.clone()),
///     ..Default::default()
/// };
/// let app: axum::Router = axum::Router::new()
///     .nest("/hoist", hoist_axum::router(store, config))
///     .layer(visitors.layer());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CookieVisitors(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    key: CookieKey,
    config: CookieConfig,
}

impl CookieVisitors {
    /// Recognises cookies made with `key`.
    #[must_use]
    pub fn new(key: CookieKey, config: CookieConfig) -> Self {
        Self(Arc::new(Inner { key, config }))
    }

    /// The layer that mints and renews cookies.
    #[must_use]
    pub fn layer(&self) -> CookieLayer {
        CookieLayer(self.clone())
    }

    /// Who sent these headers.
    #[must_use]
    pub fn visitor(&self, headers: &HeaderMap) -> Visitor {
        let mut visitor = Visitor::Nobody;
        for value in values(headers, &self.0.config.name) {
            match self.0.key.visitor(value) {
                Some(owner) => return Visitor::Known(owner),
                None => visitor = Visitor::Unknown,
            }
        }
        visitor
    }

    /// A new visitor; `None` without randomness, and then nobody is named.
    fn mint() -> Option<Owner> {
        let mut bytes = [0; NAME_LENGTH / 2];
        if let Err(error) = getrandom::fill(&mut bytes) {
            tracing::error!(cause = %error, "no randomness for a visitor's cookie");
            return None;
        }
        Owner::new(&format!("{:032x}", u128::from_be_bytes(bytes)))
    }

    fn set_cookie(&self, owner: &Owner, is_https: bool) -> Option<HeaderValue> {
        let CookieConfig { name, days, secure } = &self.0.config;
        let value = self.0.key.cookie(owner.as_str());
        let seconds = u64::from(*days) * 24 * 3600;
        let secure = if secure.applies(is_https) {
            "; Secure"
        } else {
            ""
        };
        HeaderValue::from_str(&format!(
            "{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
        ))
        .ok()
    }

    /// Looks at a request; the cookie to set with the answer, if one is.
    ///
    /// Only requests for a page mint and renew. A cookie that came with the answer to a call would
    /// turn an anonymous client into somebody else between its create and its first pack.
    fn meet(&self, request: &mut Request) -> Option<HeaderValue> {
        let mut visitor = self.visitor(request.headers());
        let cookie = if is_page(request) {
            let owner = match &visitor {
                Visitor::Known(owner) => Some(owner.clone()),
                Visitor::Nobody | Visitor::Unknown => Self::mint(),
            };
            owner.and_then(|owner| {
                let cookie = self.set_cookie(&owner, is_https(request.uri(), request.headers()));
                visitor = Visitor::Known(owner);
                cookie
            })
        } else {
            None
        };
        request.extensions_mut().insert(visitor);
        cookie
    }
}

impl Authorize for CookieVisitors {
    async fn authorize(&self, parts: &Parts) -> Result<Access, ApiError> {
        let visitor = match parts.extensions.get::<Visitor>() {
            Some(visitor) => visitor.clone(),
            None => self.visitor(&parts.headers),
        };
        match visitor {
            Visitor::Known(owner) => Ok(Access::full(Party::known(owner))),
            Visitor::Nobody => Ok(Access::anonymous()),
            Visitor::Unknown => Err(ApiError::new(
                ErrorCode::VisitorUnknown,
                "This server does not know your browser any more. Reload the page to go on; \
                 what was sent before is kept, but cannot be shown to you",
            )),
        }
    }
}

/// The values of all cookies of a name: one may come from another path of this host.
pub(crate) fn values<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter_map(move |(found, value)| (found == name).then_some(value))
}

/// Whether a person's browser asks for a page.
pub(crate) fn is_page(request: &Request) -> bool {
    let text = |name| {
        let value: Option<&HeaderValue> = request.headers().get(name);
        value.and_then(|value| value.to_str().ok())
    };
    let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
    is_get
        && match text("sec-fetch-dest") {
            Some(dest) => matches!(dest, "document" | "iframe" | "frame"),
            None => text("accept").is_some_and(|accept| accept.contains("text/html")),
        }
}

/// By the request itself or by what a proxy says; a client that lies only hurts itself.
pub(crate) fn is_https(uri: &Uri, headers: &HeaderMap) -> bool {
    uri.scheme() == Some(&Scheme::HTTPS)
        || headers
            .get("x-forwarded-proto")
            .is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"))
}

/// Mints and renews visitors' cookies; see [`CookieVisitors`].
#[derive(Clone, Debug)]
pub struct CookieLayer(CookieVisitors);

impl<S> Layer<S> for CookieLayer {
    type Service = CookieService<S>;

    fn layer(&self, inner: S) -> CookieService<S> {
        CookieService {
            inner,
            visitors: self.0.clone(),
        }
    }
}

/// A service behind a [`CookieLayer`].
#[derive(Clone, Debug)]
pub struct CookieService<S> {
    inner: S,
    visitors: CookieVisitors,
}

impl<S> Service<Request> for CookieService<S>
where
    S: Service<Request, Response = Response>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let cookie = self.visitors.meet(&mut request);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            if let Some(cookie) = cookie {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            Ok(response)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cookie_of_this_key_names_a_visitor() {
        let key = CookieKey::from_bytes([1; 32]);
        let owner = CookieVisitors::mint().unwrap();
        assert_ne!(Some(&owner), CookieVisitors::mint().as_ref());
        let cookie = key.cookie(owner.as_str());
        assert_eq!(key.visitor(&cookie), Some(owner.clone()));
        assert_eq!(CookieKey::from_bytes([2; 32]).visitor(&cookie), None);
        for wrong in [
            String::new(),
            owner.to_string(),
            cookie.replacen(&cookie[..1], if &cookie[..1] == "0" { "1" } else { "0" }, 1),
            cookie.to_uppercase().replace(char::is_numeric, "F"),
            format!("{cookie}0"),
            cookie[..95].to_owned(),
            format!("shared{}", "0".repeat(90)),
            "é".repeat(48),
        ] {
            assert_eq!(key.visitor(&wrong), None, "{wrong}");
        }
    }
}
