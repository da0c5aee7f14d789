//! Requests that carry bytes: so many at one time. Who hardly moves gives way to who comes, and then who
//! has more places than others.
//!
//! Without the first a thousand clients that send a byte a second would shut out everybody: each is
//! alive, and nobody else gets a place. Without the second one client would, that sends a little faster.
//!
//! Room in memory for JSON is given away by the same rule: there a place has a size, which grows.

use std::{
    collections::HashMap,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use hoist_protocol::{ErrorCode, Millis};
use tokio::sync::Notify;

use crate::{
    ApiError,
    shares::{Place, Who, gives_way},
};

/// How long one is let be before it is looked at, in milliseconds.
const GRACE_MS: u64 = 5_000;
/// Below so many bytes a second one hardly moves.
const SLOW: u64 = 1 << 10;

/// All that run.
#[derive(Debug)]
pub(crate) struct Transfers {
    /// Of all their sizes together.
    most: usize,
    running: Mutex<All>,
    next: AtomicU64,
}

#[derive(Debug, Default)]
struct All {
    running: HashMap<u64, Running>,
    /// The sum of their sizes.
    taken: usize,
}

impl All {
    fn remove(&mut self, number: u64) -> Option<Running> {
        let one = self.running.remove(&number)?;
        self.taken -= one.size;
        Some(one)
    }
}

#[derive(Debug)]
struct Running {
    who: Who,
    size: usize,
    /// Nothing more comes from outside: it ends soon, and could not be told to.
    is_whole: bool,
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
    /// What has come and stays in memory. It is here so that it goes with the place, at once, and not
    /// when its reader gets to run: otherwise more would be in memory than there is room for.
    held: Mutex<Vec<u8>>,
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
        let mut held = self.held();
        self.is_over.store(true, Ordering::Relaxed);
        *held = Vec::new();
        drop(held);
        self.over.notify_one();
    }

    fn held(&self) -> MutexGuard<'_, Vec<u8>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
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

impl Transfer {
    /// Takes more room, if there is some, or somebody has some who hardly moves, or has more than their
    /// share.
    pub(crate) fn grow(&self, now: Millis, more: usize) -> Result<(), ApiError> {
        let most = self.transfers.most;
        let mut all = self.transfers.lock();
        let all = &mut *all;
        if all.taken.saturating_add(more) > most {
            let taken = &mut all.taken;
            all.running.retain(|number, one| {
                let keeps = *number == self.number || !one.can_end() || one.moves(now);
                if !keeps {
                    *taken -= one.size;
                    one.pulse.end();
                }
                keeps
            });
        }
        let Some(who) = all.running.get(&self.number).map(|one| one.who.clone()) else {
            return Err(gave_way());
        };
        let mut gone = Vec::new();
        while all.taken.saturating_add(more) > most {
            let places = all.running.iter().map(|(number, one)| Place {
                number: *number,
                who: &one.who,
                size: one.size,
                can_end: one.can_end(),
            });
            let number = gives_way(places, (self.number, &who), more);
            let Some(one) = number.and_then(|number| Some((number, all.remove(number)?))) else {
                // Nobody ends in vain.
                all.taken += gone
                    .iter()
                    .map(|(_, one): &(_, Running)| one.size)
                    .sum::<usize>();
                all.running.extend(gone);
                return Err(hands_full());
            };
            gone.push(one);
        }
        for (_, one) in gone {
            one.pulse.end();
        }
        if let Some(one) = all.running.get_mut(&self.number) {
            one.size += more;
            all.taken += more;
        }
        Ok(())
    }

    /// Keeps bytes in memory; `size` is how much room has been taken for all of them.
    pub(crate) fn hold(&self, bytes: &[u8], size: usize) -> Result<(), ApiError> {
        let mut held = self.pulse.held();
        if self.pulse.is_over() {
            return Err(gave_way());
        }
        self.pulse.beat(bytes.len());
        let more = size.saturating_sub(held.len());
        held.reserve_exact(more);
        held.extend_from_slice(bytes);
        Ok(())
    }

    /// What was held, which is whole, and so does not give way any more.
    pub(crate) fn whole(&self) -> Result<Vec<u8>, ApiError> {
        let mut all = self.transfers.lock();
        let one = all.running.get_mut(&self.number).ok_or_else(gave_way)?;
        one.is_whole = true;
        Ok(mem::take(&mut *self.pulse.held()))
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        // Before others are told that there is room.
        *self.pulse.held() = Vec::new();
        self.transfers.lock().remove(self.number);
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

    fn lock(&self) -> MutexGuard<'_, All> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place of size 1, if there is one, or somebody gives way.
    pub(crate) fn begin(self: &Arc<Self>, now: Millis, who: Who) -> Result<Transfer, ApiError> {
        let transfer = self.enter(now, who);
        transfer.grow(now, 1)?;
        Ok(transfer)
    }

    /// A place that takes no room yet.
    pub(crate) fn enter(self: &Arc<Self>, now: Millis, who: Who) -> Transfer {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let pulse = Arc::new(Pulse::default());
        let one = Running {
            who,
            size: 0,
            is_whole: false,
            pulse: Arc::clone(&pulse),
            looked: (now, 0),
        };
        self.lock().running.insert(number, one);
        Transfer {
            transfers: Arc::clone(self),
            number,
            pulse,
        }
    }
}

impl Running {
    /// Whether it may be told to end, and somebody gains by it.
    const fn can_end(&self) -> bool {
        !self.is_whole && self.size > 0
    }

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
    use crate::shares::who;

    fn is_over(transfer: &Transfer) -> bool {
        let is_told = transfer.pulse.over().now_or_never().is_some();
        assert!(!is_told || transfer.pulse.is_over());
        transfer.pulse.is_over()
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

    #[test]
    fn of_room_who_has_the_most_gives_way_at_once_and_nobody_in_vain() {
        let room = Transfers::new(100);
        let hold = |name, size| {
            let transfer = room.enter(Millis(0), who(name));
            transfer.grow(Millis(0), size).unwrap();
            transfer.hold(&[1; 10], size).unwrap();
            transfer
        };
        let (small, large) = (hold("shared@1", 30), hold("shared@1", 40));
        let other = hold("shared@2", 30);
        // Whoever has the same address, or another one, gets no more than its share.
        for name in ["shared@1", "shared@3"] {
            let comes = room.enter(Millis(0), who(name));
            assert!(comes.grow(Millis(0), 80).is_err(), "{name}");
        }
        assert!(![&small, &large, &other].into_iter().any(is_over));
        // More is asked for than who has the most has to give without falling below who comes.
        other.grow(Millis(0), 30).unwrap();
        assert!(is_over(&large) && !is_over(&small));
        assert_eq!(large.pulse.held().capacity(), 0, "it is gone at once");
        assert!(large.hold(b"1", 40).is_err() && large.grow(Millis(0), 1).is_err());
        assert!(large.whole().is_err());
        // Its end gives back nothing that was given back before.
        drop(large);
        assert_eq!(room.lock().taken, 90);
        assert_eq!(other.whole().unwrap(), [1; 10]);
        // Now it has the most, and does not move; but it is whole, and no client has it in its hands.
        let comes = room.enter(Millis(60_000), who("shared@3"));
        comes.grow(Millis(60_000), 20).unwrap();
        assert!(is_over(&small) && !is_over(&other));
        drop((small, other, comes));
        let all = room.lock();
        assert_eq!((all.taken, all.running.len()), (0, 0));
    }

    #[test]
    fn where_nobody_can_be_told_from_another_the_smaller_one_gets_room() {
        let room = Transfers::new(100);
        let [first, second, third] = [0; 3].map(|_| room.enter(Millis(0), who("shared@1")));
        first.grow(Millis(0), 50).unwrap();
        second.grow(Millis(0), 50).unwrap();
        assert!(third.grow(Millis(0), 50).is_err());
        assert!(first.grow(Millis(0), 1).is_err());
        third.grow(Millis(0), 49).unwrap();
        assert!(is_over(&second) && !is_over(&first), "of equals the newest");
    }
}
