//! One password for everybody, and the session it opens.
//!
//! Nothing is stored: a session's cookie is the moment it ends and a keyed hash over that and the
//! password, so that another password, or another key, ends all sessions.

use std::sync::Arc;

use hoist_protocol::{ErrorCode, Millis};
use http::{HeaderMap, HeaderValue, header, request::Parts};

use crate::{
    Access, ApiError, Authorize, Authorizer, Clock, CookieKey, Secure,
    attempts::Attempts,
    cookie::{is_https, values},
};

/// How signing in works.
#[derive(Clone, Debug)]
pub struct PasswordConfig {
    /// Name of the session's cookie. Default `hoist_session`.
    pub cookie: String,
    /// How long a session lasts after its last use, in days. Default 30.
    pub days: u32,
    /// Whether the cookie is only sent over https. Default [`Secure::Auto`].
    pub secure: Secure,
    /// Where one is after signing in. Default `/`.
    pub home: String,
    /// What time it is. Default the machine's clock.
    pub clock: Clock,
}

impl Default for PasswordConfig {
    fn default() -> Self {
        Self {
            cookie: "hoist_session".to_owned(),
            days: 30,
            secure: Secure::Auto,
            home: "/".to_owned(),
            clock: Clock::default(),
        }
    }
}

/// Lets only those in who know a password; who they are then is somebody else's to say.
///
/// [`Passwords::protect`] adds the page that asks for it:
///
/// ```
/// use hoist_axum::{Authorizer, CookieKey, HttpConfig, PasswordConfig, Passwords};
/// # use hoist_store::{Store, StoreConfig};
/// # let store = Store::memory(StoreConfig::default());
/// let everybody = Authorizer::default();
/// let passwords =
///     Passwords::new("correct horse", CookieKey::random()?, everybody, PasswordConfig::default());
/// let config = HttpConfig {
///     authorize: Authorizer::new(passwords.clone()),
///     ..Default::default()
/// };
/// let app = axum::Router::new().nest("/hoist", hoist_axum::router(store, config));
/// let app: axum::Router = passwords.protect(app);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Passwords(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    key: CookieKey,
    /// The keyed hash of the password; the password itself is forgotten.
    expected: blake3::Hash,
    inside: Authorizer,
    config: PasswordConfig,
    attempts: Attempts,
}

/// What a guess came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Guess {
    Right,
    Wrong,
    /// Not looked at: one too many. How long to wait, in milliseconds.
    TooMany(u64),
}

impl Passwords {
    /// Lets those in who know `password`; `inside` says who they are then.
    #[must_use]
    pub fn new(password: &str, key: CookieKey, inside: Authorizer, config: PasswordConfig) -> Self {
        Self(Arc::new(Inner {
            expected: of_password(&key, password),
            key,
            inside,
            config,
            attempts: Attempts::default(),
        }))
    }

    pub(crate) fn config(&self) -> &PasswordConfig {
        &self.0.config
    }

    /// Looks at a guess, unless its peer has guessed too often.
    pub(crate) fn guess(&self, peer: Option<std::net::IpAddr>, password: &str) -> Guess {
        let inner = &self.0;
        if let Err(ms) = inner.attempts.take(peer, inner.config.clock.now()) {
            return Guess::TooMany(ms);
        }
        // Hashes of one length, compared in constant time.
        if of_password(&inner.key, password) == inner.expected {
            inner.attempts.give_back(peer);
            Guess::Right
        } else {
            tracing::warn!(?peer, "a wrong password");
            Guess::Wrong
        }
    }

    /// Whether a request has a session, and for how long, in milliseconds.
    pub(crate) fn session(&self, headers: &HeaderMap) -> Option<u64> {
        let now = self.0.config.clock.now();
        values(headers, &self.0.config.cookie).find_map(|value| {
            let (end, proof) = value.split_at_checked(END_LENGTH)?;
            let proof = blake3::Hash::from_hex(proof).ok()?;
            let is_ours = self.proof(end) == proof;
            let end = u64::from_str_radix(end, 16).ok().filter(|_| is_ours)?;
            end.checked_sub(now.0).filter(|&left| left > 0)
        })
    }

    /// The cookie of a session that begins now.
    pub(crate) fn begin(&self, is_https: bool) -> Option<HeaderValue> {
        let config = &self.0.config;
        let now: Millis = config.clock.now();
        let seconds = u64::from(config.days) * 24 * 3600;
        let end = format!("{:016x}", now.0.saturating_add(seconds * 1000));
        let value = format!("{end}{}", self.proof(&end).to_hex());
        self.cookie(&value, seconds, is_https)
    }

    /// The cookie that ends a session.
    pub(crate) fn end(&self, is_https: bool) -> Option<HeaderValue> {
        self.cookie("", 0, is_https)
    }

    fn cookie(&self, value: &str, seconds: u64, is_https: bool) -> Option<HeaderValue> {
        let PasswordConfig { cookie, secure, .. } = &self.0.config;
        let secure = if secure.applies(is_https) {
            "; Secure"
        } else {
            ""
        };
        HeaderValue::from_str(&format!(
            "{cookie}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
        ))
        .ok()
    }

    fn proof(&self, end: &str) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(self.0.key.as_bytes());
        hasher
            .update(b"hoist session v1:")
            .update(self.0.expected.as_bytes())
            .update(end.as_bytes());
        hasher.finalize()
    }
}

/// A session's end is 16 hexadecimal digits.
const END_LENGTH: usize = 16;

fn of_password(key: &CookieKey, password: &str) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_keyed(key.as_bytes());
    hasher
        .update(b"hoist password v1:")
        .update(password.as_bytes());
    hasher.finalize()
}

impl Authorize for Passwords {
    async fn authorize(&self, parts: &Parts) -> Result<Access, ApiError> {
        let left = self
            .session(&parts.headers)
            .ok_or_else(|| ApiError::new(ErrorCode::Unauthorized, "Please sign in"))?;
        let mut access = self.0.inside.access(parts).await?;
        // Renewed in its second half, so that a long upload does not outlive its session.
        let whole = u64::from(self.0.config.days) * 24 * 3_600_000;
        if left < whole / 2
            && let Some(cookie) = self.begin(is_https(&parts.uri, &parts.headers))
        {
            access.response_headers.append(header::SET_COOKIE, cookie);
        }
        Ok(access)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn passwords(password: &str, key: u8, now: &Arc<AtomicU64>) -> Passwords {
        let now = Arc::clone(now);
        let config = PasswordConfig {
            clock: Clock::new(move || Millis(now.load(Ordering::Relaxed))),
            ..PasswordConfig::default()
        };
        let key = CookieKey::from_bytes([key; 32]);
        Passwords::new(password, key, Authorizer::default(), config)
    }

    fn request(cookie: &str) -> HeaderMap {
        let pair = cookie.split(';').next().unwrap();
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(pair).unwrap())])
    }

    #[test]
    fn a_session_is_of_one_key_one_password_and_one_span() {
        let now = Arc::new(AtomicU64::new(1000));
        let one = passwords("one", 1, &now);
        let cookie = one.begin(true).unwrap();
        let cookie = cookie.to_str().unwrap();
        for part in ["HttpOnly", "SameSite=Lax", "; Secure", "Path=/"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        let headers = request(cookie);
        let days = 30 * 24 * 3_600_000;
        assert_eq!(one.session(&headers), Some(days));
        assert_eq!(passwords("two", 1, &now).session(&headers), None);
        assert_eq!(passwords("one", 2, &now).session(&headers), None);
        // Nobody gives themselves a longer one.
        let (name, value) = cookie.split_once('=').unwrap();
        let longer = format!("{name}=ffffffffffffffff{}", &value[16..80]);
        assert_eq!(one.session(&request(&longer)), None);
        for wrong in ["", "x", "é", &"0".repeat(80)] {
            let mut headers = HeaderMap::new();
            let pair = format!("{name}={wrong}");
            headers.insert(
                header::COOKIE,
                HeaderValue::from_bytes(pair.as_bytes()).unwrap(),
            );
            assert_eq!(one.session(&headers), None, "{wrong}");
        }
        now.fetch_add(days - 1, Ordering::Relaxed);
        assert_eq!(one.session(&headers), Some(1));
        now.fetch_add(1, Ordering::Relaxed);
        assert_eq!(one.session(&headers), None);
    }

    #[test]
    fn who_guesses_too_often_is_not_even_looked_at() {
        let now = Arc::new(AtomicU64::new(1000));
        let one = passwords("one", 1, &now);
        let peer = Some("192.0.2.1".parse().unwrap());
        assert_eq!(one.guess(peer, "one"), Guess::Right);
        let wrong = (0..100).take_while(|_| one.guess(peer, "two") == Guess::Wrong);
        assert_eq!(wrong.count(), 10);
        assert!(matches!(one.guess(peer, "one"), Guess::TooMany(1..)));
        assert_eq!(
            one.guess(Some("192.0.2.2".parse().unwrap()), "one"),
            Guess::Right
        );
        now.fetch_add(60_000, Ordering::Relaxed);
        assert_eq!(one.guess(peer, "one"), Guess::Right);
    }
}
