//! Requests that carry bytes: so many at one time. Who hardly moves gives way to who comes, and then who
//! has more places than others.
//!
//! Without the first a thousand clients that send a byte a second would shut out everybody: each is
//! alive, and nobody else gets a place. Without the second one client would, that sends a little faster.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use axum::extract::ConnectInfo;
use hoist_protocol::{ErrorCode, Millis};
use hoist_store::{Owner, Party};
use http::request::Parts;
use tokio::sync::Notify;

use crate::{ApiError, addresses::network};

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

/// Who has a place, as far as it is known. Where all have one owner the addresses tell them apart, and
/// behind a proxy, where all have its address, the owners.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Who {
    address: Option<IpAddr>,
    owner: Owner,
}

impl Who {
    pub(crate) fn new(parts: &Parts, party: &Party) -> Self {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Self {
            address: peer.map(|ConnectInfo(peer)| network(peer.ip())),
            owner: party.owner.clone(),
        }
    }
}

#[derive(Debug)]
struct Running {
    who: Who,
    pulse: Arc<Pulse>,
    /// When it was looked at for the last time, and how many bytes had come then.
    looked: (Millis, u64),
}

/// What the reader of a body and the list of those that run know of each other.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    bytes: AtomicU64,
    is_over: AtomicBool,
    over: Notify,
}

impl Pulse {
    /// Notes that bytes have come.
    pub(crate) fn beat(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Whether another one has the place: also for who always has bytes, and never waits.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.over.notify_one();
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

    /// A place, if there is one, or somebody has one who hardly moves, or has more than their share.
    pub(crate) fn begin(self: &Arc<Self>, now: Millis, who: Who) -> Result<Transfer, ApiError> {
        let mut running = self.lock();
        if running.len() >= self.most {
            running.retain(|_, one| {
                let keeps = one.moves(now);
                if !keeps {
                    one.pulse.end();
                }
                keeps
            });
        }
        if running.len() >= self.most
            && let Some(number) = gives_way(&running, &who)
            && let Some(one) = running.remove(&number)
        {
            one.pulse.end();
        }
        if running.len() >= self.most {
            return Err(hands_full());
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let pulse = Arc::new(Pulse::default());
        let one = Running {
            who,
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

/// Who gives way to who comes: the newest place of the address that has the most, or of the owner who has
/// the most at the same address. Only if they still have no fewer than who comes, so that nobody takes a
/// place back from who has just taken it; and never one address for the many owners that it says it has.
fn gives_way(running: &HashMap<u64, Running>, who: &Who) -> Option<u64> {
    let (mut addresses, mut all) = (HashMap::new(), HashMap::new());
    for one in running.values() {
        *addresses.entry(one.who.address).or_insert(0_usize) += 1;
        *all.entry(&one.who).or_insert(0_usize) += 1;
    }
    let of_address = |who: &Who| addresses.get(&who.address).copied().unwrap_or_default();
    let of_owner = |who: &Who| all.get(who).copied().unwrap_or_default();
    let places = running.iter().map(|(number, one)| {
        let who = &one.who;
        (of_address(who), of_owner(who), *number, who.address)
    });
    let (most, _, number, _) = places.clone().max()?;
    if most > of_address(who) + 1 {
        return Some(number);
    }
    let near = places.filter(|(.., address)| *address == who.address);
    let (_, most, number, _) = near.max()?;
    (most > of_owner(who) + 1).then_some(number)
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
pub(crate) fn gave_way() -> ApiError {
    ApiError::new(
        ErrorCode::Unavailable,
        "The server has its hands full, and this request gave way to another; what arrived whole is kept",
    )
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn is_over(transfer: &Transfer) -> bool {
        let is_told = transfer.pulse.over().now_or_never().is_some();
        assert!(!is_told || transfer.pulse.is_over());
        transfer.pulse.is_over()
    }

    /// `owner@1` has the address 192.0.2.1.
    fn who(name: &str) -> Who {
        let (owner, last) = name.split_once('@').unwrap();
        Who {
            address: last.parse().ok().map(|last: u8| [192, 0, 2, last].into()),
            owner: Owner::new(owner).unwrap(),
        }
    }

    #[test]
    fn who_hardly_moves_gives_way_only_when_there_is_no_place_and_not_at_once() {
        let transfers = Transfers::new(2);
        let fast = transfers.begin(Millis(0), who("shared@1")).unwrap();
        let slow = transfers.begin(Millis(0), who("shared@1")).unwrap();
        fast.pulse.beat(1 << 20);
        slow.pulse.beat(5000);
        // Nobody is looked at before their time.
        assert!(transfers.begin(Millis(4_999), who("shared@1")).is_err());
        let third = transfers.begin(Millis(5_000), who("shared@1")).unwrap();
        assert!(is_over(&slow) && !is_over(&fast));
        // Its place is gone, and its end takes nobody else's.
        drop(slow);
        assert!(transfers.begin(Millis(5_001), who("shared@1")).is_err());
        // What was once fast must go on to be.
        third.pulse.beat(1 << 20);
        fast.pulse.beat(5 << 10);
        assert!(transfers.begin(Millis(10_000), who("shared@1")).is_err());
        assert!(transfers.begin(Millis(14_999), who("shared@1")).is_err());
        let _fourth = transfers.begin(Millis(15_000), who("shared@1")).unwrap();
        assert!(is_over(&fast) && is_over(&third));
    }

    #[test]
    fn a_place_that_is_given_back_is_taken_and_nobody_gives_way() {
        let transfers = Transfers::new(1);
        let first = transfers.begin(Millis(0), who("shared@1")).unwrap();
        drop(first);
        let second = transfers.begin(Millis(60_000), who("shared@1")).unwrap();
        assert!(!is_over(&second));
        assert!(Transfers::new(0).begin(Millis(0), who("shared@1")).is_err());
    }

    /// Lets them in one after the other, each at 2 KiB/s; who has places then, without who was let go.
    fn let_in(most: usize, names: &[&str]) -> Vec<String> {
        let transfers = Transfers::new(most);
        let mut all: Vec<(String, Transfer)> = Vec::new();
        for (second, name) in (0..).zip(names) {
            for (_, transfer) in &all {
                transfer.pulse.beat(2 << 10);
            }
            let begun = transfers.begin(Millis(second * 1000), who(name));
            all.extend(begun.ok().map(|transfer| ((*name).to_owned(), transfer)));
            all.retain(|(_, transfer)| !is_over(transfer));
        }
        all.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn in_a_full_house_who_has_the_most_places_gives_way_until_all_have_as_many() {
        // Everybody has one owner: the address counts.
        let (a, b, c) = ("shared@1", "shared@2", "shared@3");
        assert_eq!(let_in(4, &[a, a, a, a, b]), [a, a, a, b], "the newest");
        assert_eq!(let_in(4, &[a, b, a, a, c]), [a, b, a, c]);
        assert_eq!(let_in(4, &[a, a, a, a, b, b, b, a, a]), [a, a, b, b]);
        assert_eq!(let_in(2, &[a, a, b, c]), [a, b], "nobody has too many");
        // Behind a proxy, or where no address is known, the owner counts.
        for at in ["1", "unknown"] {
            let [a, b] = ["a", "b"].map(|owner| format!("{owner}@{at}"));
            let (a, b) = (a.as_str(), b.as_str());
            assert_eq!(let_in(4, &[a, a, a, a, b, b, b]), [a, a, b, b]);
        }
        // Behind a proxy, where all have one owner, nothing does, and nobody loses a place.
        assert_eq!(let_in(4, &[a; 9]), [a; 4]);
    }

    #[test]
    fn who_says_to_be_many_at_one_address_takes_no_place_from_another() {
        let new = [
            "new-1@1", "new-2@1", "new-3@1", "new-4@1", "new-5@1", "new-6@1",
        ];
        let all = [&["ann@2", "ann@2"], &new[..]].concat();
        assert_eq!(let_in(4, &all), ["ann@2", "ann@2", "new-1@1", "new-2@1"]);
        let all = [&new[..4], &["ann@2", "ann@2", "ann@2"]].concat();
        assert_eq!(let_in(4, &all), ["new-1@1", "new-2@1", "ann@2", "ann@2"]);
    }
}
