//! Who has how much of what is scarce, and who gives way.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
};

use axum::extract::ConnectInfo;
use hoist_store::{Owner, Party};
use http::request::Parts;

use crate::{Access, addresses::network};

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

    /// Of a request that was let in, or was not: then it is nobody's.
    pub(crate) fn of(parts: &Parts) -> Self {
        match parts.extensions.get::<Access>() {
            Some(access) => Self::new(parts, &access.party),
            None => Self::new(parts, &Party::anonymous()),
        }
    }
}

/// What one request has.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub(crate) number: u64,
    pub(crate) who: &'a Who,
    /// 1, or bytes.
    pub(crate) size: usize,
    pub(crate) can_end: bool,
}

/// Whose place ends so that `comes` may have so much more: the largest, and of equals the newest one, of the
/// address that has the most; or of the owner who has the most at the same address; or of all that cannot
/// be told from who comes. Only if they have more than who comes will have, so that nobody takes a place
/// back from who has just taken it; and never one address for the many owners that it says it has.
pub(crate) fn gives_way<'a>(
    places: impl Iterator<Item = Place<'a>> + Clone,
    comes: (u64, &Who),
    more: usize,
) -> Option<u64> {
    let (mut addresses, mut all) = (HashMap::new(), HashMap::new());
    let mut own = more;
    for place in places.clone() {
        *addresses.entry(place.who.address).or_insert(0) += place.size;
        *all.entry(place.who).or_insert(0) += place.size;
        if place.number == comes.0 {
            own += place.size;
        }
    }
    let who = comes.1;
    let of_address = |who: &Who| addresses.get(&who.address).copied().unwrap_or_default();
    let of_owner = |who: &Who| all.get(who).copied().unwrap_or_default();
    let places = places.filter(|place| place.can_end);
    let first = places.clone().max_by_key(|place| {
        let (address, owner) = (of_address(place.who), of_owner(place.who));
        (address, owner, place.size, place.number)
    })?;
    if of_address(first.who) > of_address(who) + more {
        return Some(first.number);
    }
    let near = places.filter(|place| place.who.address == who.address);
    let first = near
        .clone()
        .max_by_key(|place| (of_owner(place.who), place.size, place.number))?;
    if of_owner(first.who) > of_owner(who) + more {
        return Some(first.number);
    }
    let same = near.filter(|place| place.who == who);
    let first = same.max_by_key(|place| (place.size, place.number))?;
    (first.size > own).then_some(first.number)
}

/// `owner@1` has the address 192.0.2.1.
#[cfg(test)]
pub(crate) fn who(name: &str) -> Who {
    let (owner, last) = name.split_once('@').unwrap();
    Who {
        address: last.parse().ok().map(|last: u8| [192, 0, 2, last].into()),
        owner: Owner::new(owner).unwrap(),
    }
}
