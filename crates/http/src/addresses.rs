//! How many connections each address has.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Counts those that are open.
#[derive(Debug)]
pub(crate) struct Addresses {
    most: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// One of them, as long as it is held.
#[derive(Debug)]
pub(crate) struct Place {
    addresses: Arc<Addresses>,
    of: IpAddr,
}

impl Addresses {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            open: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more, unless there are enough.
    pub(crate) fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let of = network(peer);
        let mut open = self.lock();
        let count = open.get(&of).copied().unwrap_or_default();
        if count >= self.most {
            return None;
        }
        open.insert(of, count + 1);
        Some(Place {
            addresses: Arc::clone(self),
            of,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.addresses.lock();
        match open.get_mut(&self.of) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                open.remove(&self.of);
            }
        }
    }
}

/// Whoever has an IPv6 address has the 2⁶⁴ around it.
pub(crate) fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_network_has_its_own_places_and_nothing_is_kept_of_who_is_gone() {
        let addresses = Addresses::new(2);
        let take = |peer: &str| addresses.take(peer.parse().unwrap());
        let one = take("192.0.2.1").unwrap();
        let _two = take("::ffff:192.0.2.1").unwrap();
        assert!(take("192.0.2.1").is_none());
        let other = take("192.0.2.2").unwrap();
        drop(one);
        let _again = take("192.0.2.1").unwrap();
        let near = (
            take("2001:db8::1").unwrap(),
            take("2001:db8::ffff:1").unwrap(),
        );
        assert!(take("2001:db8::2").is_none() && take("2001:db8:0:1::1").is_some());
        drop((near, other));
        assert_eq!(addresses.lock().len(), 1);
    }
}
