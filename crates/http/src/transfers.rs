//! Requests that carry bytes: so many at one time, and who hardly moves gives way to who comes.
//!
//! Without the second part a thousand clients that send a byte a second would shut out everybody: each
//! is alive, and nobody else gets a place.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use hoist_protocol::{ErrorCode, Millis};
use tokio::sync::Notify;

use crate::ApiError;

/// How long one is let be before it is looked at, in milliseconds.
const GRACE_MS: u64 = 5_000;
/// Below so many bytes a second one hardly moves.
const SLOW: u64 = 1 << 10;

/// All that run.
#[derive(Debug)]
pub(crate) struct Transfers {
    most: usize,
    running: Mutex<HashMap<u64, Running>>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Running {
    pulse: Arc<Pulse>,
    /// When it was looked at for the last time, and how many bytes had come then.
    looked: (Millis, u64),
}

/// What the reader of a body and the list of those that run know of each other.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    bytes: AtomicU64,
    over: Notify,
}

impl Pulse {
    /// Notes that bytes have come.
    pub(crate) fn beat(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Waits until another one needs the place; for one waiter, once.
    pub(crate) async fn over(&self) {
        self.over.notified().await;
    }
}

/// A place, as long as it is held.
#[derive(Debug)]
pub(crate) struct Transfer {
    transfers: Arc<Transfers>,
    number: u64,
    /// For [`crate::body::BodyReader::keep_up`].
    pub(crate) pulse: Arc<Pulse>,
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.transfers.lock().remove(&self.number);
    }
}

impl Transfers {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            running: Mutex::default(),
            next: AtomicU64::new(0),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place, if there is one, or somebody hardly moves who has one.
    pub(crate) fn begin(self: &Arc<Self>, now: Millis) -> Result<Transfer, ApiError> {
        let mut running = self.lock();
        if running.len() >= self.most {
            running.retain(|_, one| {
                let keeps = one.moves(now);
                if !keeps {
                    one.pulse.over.notify_one();
                }
                keeps
            });
        }
        if running.len() >= self.most {
            return Err(hands_full());
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let pulse = Arc::new(Pulse::default());
        let one = Running {
            pulse: Arc::clone(&pulse),
            looked: (now, 0),
        };
        running.insert(number, one);
        Ok(Transfer {
            transfers: Arc::clone(self),
            number,
            pulse,
        })
    }
}

impl Running {
    /// Whether enough has come since it was looked at for the last time, if that is long enough ago.
    fn moves(&mut self, now: Millis) -> bool {
        let (then, before) = self.looked;
        let span = now.since(then);
        if span < GRACE_MS {
            return true;
        }
        let bytes = self.pulse.bytes.load(Ordering::Relaxed);
        self.looked = (now, bytes);
        bytes.saturating_sub(before).saturating_mul(1000) / span >= SLOW
    }
}

/// Everybody's turn comes, but not now.
pub(crate) fn hands_full() -> ApiError {
    ApiError::new(
        ErrorCode::Unavailable,
        "The server has its hands full; it is tried again",
    )
}

/// What is said to who had to give way.
pub(crate) fn too_slow() -> ApiError {
    ApiError::new(
        ErrorCode::Unavailable,
        "The server has its hands full, and this request hardly moved; what arrived whole is kept",
    )
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn is_over(transfer: &Transfer) -> bool {
        transfer.pulse.over().now_or_never().is_some()
    }

    #[test]
    fn who_hardly_moves_gives_way_only_when_there_is_no_place_and_not_at_once() {
        let transfers = Transfers::new(2);
        let fast = transfers.begin(Millis(0)).unwrap();
        let slow = transfers.begin(Millis(0)).unwrap();
        fast.pulse.beat(1 << 20);
        slow.pulse.beat(5000);
        // Nobody is looked at before their time.
        assert!(transfers.begin(Millis(4_999)).is_err());
        let third = transfers.begin(Millis(5_000)).unwrap();
        assert!(is_over(&slow) && !is_over(&fast));
        // Its place is gone, and its end takes nobody else's.
        drop(slow);
        assert!(transfers.begin(Millis(5_001)).is_err());
        // What was once fast must go on to be.
        third.pulse.beat(1 << 20);
        fast.pulse.beat(5 << 10);
        assert!(transfers.begin(Millis(10_000)).is_err());
        assert!(transfers.begin(Millis(14_999)).is_err());
        let _fourth = transfers.begin(Millis(15_000)).unwrap();
        assert!(is_over(&fast) && is_over(&third));
    }

    #[test]
    fn a_place_that_is_given_back_is_taken_and_nobody_gives_way() {
        let transfers = Transfers::new(1);
        let first = transfers.begin(Millis(0)).unwrap();
        drop(first);
        let second = transfers.begin(Millis(60_000)).unwrap();
        assert!(!is_over(&second));
        assert!(Transfers::new(0).begin(Millis(0)).is_err());
    }
}
