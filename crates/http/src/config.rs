//! What a router is told.

use std::sync::{Arc, atomic::AtomicU64};

use crate::{Authorizer, Clock};

/// What a router is told. Sizes are bytes, spans milliseconds.
///
/// What is allowed of files and packs is not here but in the store's limits, so that all doors of
/// one store agree.
///
/// ```
/// use hoist_axum::{Authorizer, CookieKey, CookieVisitors, HttpConfig};
///
/// // Each browser sees its own files; the page of another origin may call; a body that stands still
/// // for ten seconds ends its request.
/// let visitors = CookieVisitors::new(CookieKey::random()?, Default::default());
/// let config = HttpConfig {
///     authorize: Authorizer::new(visitors.clone()),
///     allowed_origins: vec!["https://app.example".to_owned()],
///     body_idle_ms: 10_000,
///     ..HttpConfig::default()
/// };
/// assert_eq!(config.json_size, 8 << 20);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Who may do what. Default [`crate::Shared`].
    pub authorize: Authorizer,
    /// Other origins whose pages may call, as `https://app.example`. Default none.
    pub allowed_origins: Vec<String>,
    /// Largest JSON body: a create of a thousand long paths fits. Default 8 MiB.
    pub json_size: u64,
    /// Most bytes of JSON bodies in memory at one time, of all requests together. When there is no room, a
    /// body that still comes gives way as in [`HttpConfig::transfers`], but what counts is bytes, and where
    /// nobody can be told from another a large one gives way to a small one. Otherwise who does not find
    /// room is answered `unavailable`. Default 64 MiB.
    pub json_memory: u64,
    /// How long a body may stand still before the request ends. Default 30 seconds.
    pub body_idle_ms: u64,
    /// How much of a body is still read, and thrown away, after an early refusal; without it the
    /// client may see a reset connection instead of the refusal. Default 32 MiB, a pack.
    pub drain_size: u64,
    /// For how long at most. Default 5 seconds.
    pub drain_ms: u64,
    /// Most requests that carry bytes at one time. For one more, one gives way that hardly moves (less than
    /// 1 KiB a second for five seconds), or else the newest one of the address that has the most, or of the
    /// owner who has the most at the same address, if that is more than a share. Otherwise it is answered
    /// `unavailable`. Default 1 024.
    pub transfers: usize,
    /// Most chunks of one pack that are being finished while the next ones arrive. Default 32.
    pub finishing: usize,
    /// Most WebSockets at one time; 0 for none. Who gets none sends requests. Default 64.
    pub sockets: usize,
    /// How long packs may begin on one, or a quarter longer if it rests. What stands before the router (a proxy
    /// that signs people in, a layer with sessions) is asked for each socket, so about this often, and not for
    /// each pack; [`Self::authorize`] is asked for each, with the head of the handshake. Default one minute.
    pub socket_ms: u64,
    /// Where a form goes back to if its request names no page of ours. Default `/`.
    pub form_return: String,
    /// What time it is. Default the machine's clock.
    pub clock: Clock,
    /// Counts the packs that were let in, for whoever watches.
    pub packs: Arc<AtomicU64>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            authorize: Authorizer::default(),
            allowed_origins: Vec::new(),
            json_size: 8 << 20,
            json_memory: 64 << 20,
            body_idle_ms: 30_000,
            drain_size: 32 << 20,
            drain_ms: 5_000,
            transfers: 1024,
            finishing: 32,
            sockets: 64,
            socket_ms: 60_000,
            form_return: "/".to_owned(),
            clock: Clock::default(),
            packs: Arc::default(),
        }
    }
}
