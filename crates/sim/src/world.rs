//! What all pages share: the server, the clock, the chance, the files.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use axum::Router;
use bytes::Bytes;
use hoist_axum::{Clock, HttpConfig};
use hoist_protocol::{Limits, MIN_CHUNK_SIZE, Millis};
use hoist_store::{Store, StoreConfig};
use tokio::{sync::watch, time::Instant};

use crate::chance::{Chance, Counts, Fault};

/// When the worlds begin.
const EPOCH_MS: u64 = 1_700_000_000_000;
/// After this time nothing goes wrong any more.
pub(crate) const PEACE_MS: u64 = 240_000;

/// A file as the person has it.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) bytes: Bytes,
    pub(crate) hash: blake3::Hash,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) start: Instant,
    pub(crate) chance: RefCell<Chance>,
    pub(crate) counts: RefCell<Counts>,
    pub(crate) sources: Vec<Source>,
    store: Store,
    router: RefCell<Router>,
    /// Changes when the server dies: all that it was doing ends.
    life: watch::Sender<u64>,
    pub(crate) is_down: Cell<bool>,
    /// Largest body that the proxy lets through, if there is a proxy.
    pub(crate) proxy_limit: Option<usize>,
    /// One of how many requests meets a fault.
    pub(crate) fault_rate: u64,
    /// Bytes per millisecond.
    pub(crate) speed: u64,
    /// Bytes of chunks that may come twice: of packs that met a fault, and of copies.
    pub(crate) wasted_bytes: Cell<u64>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Rc<Self> {
        let mut chance = Chance::new(seed);
        let limits = Limits {
            chunk_size: MIN_CHUNK_SIZE,
            pack_size: 1 << 20,
            batch: 8 + u32::try_from(chance.below(20)).unwrap(),
            ..Limits::default()
        };
        let store = Store::memory(StoreConfig {
            limits,
            ..StoreConfig::default()
        });
        let sources = sources(&mut chance);
        let start = Instant::now();
        Rc::new(Self {
            start,
            sources,
            router: RefCell::new(router(&store, start)),
            store,
            life: watch::Sender::new(0),
            is_down: Cell::new(false),
            proxy_limit: chance
                .one_in(4)
                .then(|| 70_000 + usize::try_from(chance.below(300_000)).unwrap()),
            fault_rate: 2 + chance.below(8),
            speed: 50 + chance.below(2000),
            wasted_bytes: Cell::new(0),
            counts: RefCell::default(),
            chance: RefCell::new(chance),
        })
    }

    pub(crate) fn now(&self) -> Millis {
        now(self.start)
    }

    pub(crate) fn is_peace(&self) -> bool {
        self.start.elapsed() > Duration::from_millis(PEACE_MS)
    }

    pub(crate) fn below(&self, n: u64) -> u64 {
        self.chance.borrow_mut().below(n)
    }

    pub(crate) fn count(&self, fault: Fault) {
        *self.counts.borrow_mut().entry(fault).or_default() += 1;
    }

    pub(crate) fn waste(&self, bytes: u64) {
        self.wasted_bytes.set(self.wasted_bytes.get() + bytes);
    }

    /// Bytes of chunks that the server has received.
    pub(crate) fn received_bytes(&self) -> u64 {
        self.store.received_bytes()
    }

    pub(crate) fn router(&self) -> Router {
        self.router.borrow().clone()
    }

    pub(crate) fn life(&self) -> watch::Receiver<u64> {
        self.life.subscribe()
    }

    /// The server dies now and then, is away for a while, and comes back with what it had.
    pub(crate) async fn trouble(self: Rc<Self>) {
        loop {
            let wait = 300 + self.below(12_000);
            tokio::time::sleep(Duration::from_millis(wait)).await;
            if self.is_peace() {
                return;
            }
            self.count(Fault::ServerDied);
            self.is_down.set(true);
            self.life.send_modify(|life| *life += 1);
            let away = self.below(6_000);
            tokio::time::sleep(Duration::from_millis(away)).await;
            *self.router.borrow_mut() = router(&self.store, self.start);
            self.is_down.set(false);
        }
    }
}

fn now(start: Instant) -> Millis {
    Millis(EPOCH_MS + u64::try_from(start.elapsed().as_millis()).unwrap())
}

fn router(store: &Store, start: Instant) -> Router {
    let config = HttpConfig {
        clock: Clock::new(move || now(start)),
        ..HttpConfig::default()
    };
    hoist_axum::router(store.clone(), config)
}

/// Twenty files and some more: empty, small, a chunk more or less, and a few large ones.
fn sources(chance: &mut Chance) -> Vec<Source> {
    let chunk = MIN_CHUNK_SIZE;
    let edges = [0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, 3 * chunk + 5];
    let many = 20 + chance.below(8);
    (0..many)
        .map(|n| {
            let size = match n {
                0..=6 => edges[usize::try_from(n).unwrap()],
                7 if chance.one_in(3) => chance.below(3 << 20),
                7 => chance.below(10 * chunk),
                8 | 9 => chance.below(6 * chunk),
                _ => chance.below(10_000),
            };
            let mut bytes = vec![0; usize::try_from(size).unwrap()];
            blake3::Hasher::new()
                .update(&chance.next().to_be_bytes())
                .finalize_xof()
                .fill(&mut bytes);
            Source {
                name: ["a", "ä文", "e\u{301}", "😀 b.txt"][usize::try_from(n % 4).unwrap()]
                    .to_owned()
                    + &n.to_string(),
                path: ["", "x", "x/y"][usize::try_from(n % 3).unwrap()].to_owned(),
                hash: blake3::hash(&bytes),
                bytes: bytes.into(),
            }
        })
        .collect()
}
