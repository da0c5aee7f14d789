//! How often somebody may guess.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Mutex, PoisonError},
};

use hoist_protocol::Millis;

/// Most guesses of one peer in a span.
const GUESSES: u32 = 10;
/// The span, from the first of them, in milliseconds.
const SPAN_MS: u64 = 60_000;
/// Most peers that are remembered; further ones share one count.
const PEERS: usize = 4096;

#[derive(Clone, Copy, Debug)]
struct Guesses {
    count: u32,
    since: Millis,
}

/// Counts guesses by peer. A right one is not counted.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<HashMap<IpAddr, Guesses>>);

impl Attempts {
    /// Counts a guess before it is looked at, so that many at one time are not more than the limit.
    /// If it is one too many: how long to wait, in milliseconds.
    pub(crate) fn take(&self, peer: Option<IpAddr>, now: Millis) -> Result<(), u64> {
        let mut peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut peer = network(peer);
        if !peers.contains_key(&peer) && peers.len() >= PEERS {
            peers.retain(|_, guesses| left(guesses, now) > 0);
            if peers.len() >= PEERS {
                peer = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
            }
        }
        let fresh = Guesses {
            count: 0,
            since: now,
        };
        let guesses = peers.entry(peer).or_insert(fresh);
        let left = left(guesses, now);
        if left == 0 {
            *guesses = fresh;
        } else if guesses.count >= GUESSES {
            return Err(left);
        }
        guesses.count += 1;
        Ok(())
    }

    /// Takes back a guess that was right.
    pub(crate) fn give_back(&self, peer: Option<IpAddr>) {
        let mut peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(guesses) = peers.get_mut(&network(peer)) {
            guesses.count = guesses.count.saturating_sub(1);
        }
    }
}

/// How long a span still lasts; 0 once it is over, or if the clock was set back.
fn left(guesses: &Guesses, now: Millis) -> u64 {
    match now.0.checked_sub(guesses.since.0) {
        Some(passed) => SPAN_MS.saturating_sub(passed),
        None => 0,
    }
}

/// Who counts as one: an address, or the /64 that one person has of IPv6.
fn network(peer: Option<IpAddr>) -> IpAddr {
    match peer.map(|peer| peer.to_canonical()) {
        None => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Some(IpAddr::V6(address)) => IpAddr::V6(Ipv6Addr::from_bits(
            address.to_bits() & !u128::from(u64::MAX),
        )),
        Some(address) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn wrong_guesses_run_out_and_come_back_with_time_and_right_ones_are_free() {
        let attempts = Attempts::default();
        for _ in 0..3 * GUESSES {
            assert_eq!(attempts.take(peer("10.0.0.1"), Millis(5)), Ok(()));
            attempts.give_back(peer("10.0.0.1"));
        }
        for _ in 0..GUESSES {
            assert_eq!(attempts.take(peer("10.0.0.1"), Millis(5)), Ok(()));
        }
        assert_eq!(
            attempts.take(peer("::ffff:10.0.0.1"), Millis(6)),
            Err(SPAN_MS - 1)
        );
        assert_eq!(attempts.take(peer("10.0.0.2"), Millis(6)), Ok(()));
        assert_eq!(attempts.take(peer("10.0.0.1"), Millis(5 + SPAN_MS)), Ok(()));
    }

    #[test]
    fn one_network_of_ipv6_is_one_peer() {
        let attempts = Attempts::default();
        for n in 0..GUESSES {
            let address = format!("2001:db8:1:1::{n:x}");
            assert_eq!(attempts.take(peer(&address), Millis(0)), Ok(()));
        }
        assert!(attempts.take(peer("2001:db8:1:1:ff::"), Millis(0)).is_err());
        assert!(attempts.take(peer("2001:db8:1:2::"), Millis(0)).is_ok());
    }

    #[test]
    fn a_crowd_of_peers_takes_a_bounded_memory_and_gets_no_more_guesses() {
        let attempts = Attempts::default();
        let crowd = |n: usize| {
            Some(IpAddr::V4(Ipv4Addr::from_bits(
                u32::try_from(n).unwrap() + 1,
            )))
        };
        let taken = (0..PEERS * 2).filter(|&n| attempts.take(crowd(n), Millis(1)).is_ok());
        assert!(taken.count() <= PEERS + GUESSES as usize);
        assert!(attempts.0.lock().unwrap().len() <= PEERS + 1);
        assert!(attempts.take(crowd(PEERS * 3), Millis(1 + SPAN_MS)).is_ok());
        assert_eq!(
            attempts.0.lock().unwrap().len(),
            1,
            "what is over is forgotten"
        );
    }
}
