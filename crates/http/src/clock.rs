//! What time it is, as an argument.

use std::{fmt, sync::Arc, time::UNIX_EPOCH};

use hoist_protocol::Millis;

/// Says what time it is. Tests and simulators bring their own; cheap to clone.
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
/// use hoist_axum::{Clock, HttpConfig};
/// use hoist_protocol::Millis;
///
/// let time = Arc::new(AtomicU64::new(1_000));
/// let clock = Clock::new({
///     let time = Arc::clone(&time);
///     move || Millis(time.load(Ordering::Relaxed))
/// });
/// let config = HttpConfig { clock: clock.clone(), ..HttpConfig::default() };
/// time.store(8_000, Ordering::Relaxed); // seven seconds pass, and nobody waits
/// assert_eq!(config.clock.now(), Millis(8_000));
/// ```
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Millis + Send + Sync>);

impl Clock {
    /// A clock of one's own.
    pub fn new(now: impl Fn() -> Millis + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that reads the clock; this crate never runs in a browser"
        )]
        Self::new(|| {
            let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH);
            Millis(since.map_or(0, |span| {
                u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
            }))
        })
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Millis {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
