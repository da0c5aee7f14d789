//! How what was written comes to survive the death of the machine: many at once.
//!
//! ```text
//!   writers ──┐
//!   writers ──┼── waiting ── one round: files, folders (or the whole file system) ── all who waited
//!   writers ──┘
//! ```
//!
//! A round takes along whatever waits when it begins; who comes meanwhile is in the next. So the
//! more there is to do at a time, the less each costs.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::oneshot;

use crate::{
    StoreError,
    backend::{Backend, Unsynced},
    figures::add,
    store::{Shared, io_error},
};

/// What an acknowledgement is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// What was acknowledged survives the death of the process: it is in the hands of the operating
    /// system. If the machine dies, what is lost of unfinished uploads is noticed and asked for again.
    Process,
    /// What was acknowledged survives the death of the machine: it was synced before.
    #[default]
    Power,
}

/// What became of a round, for each who waited; `io::Error` cannot be cloned.
type Told = Result<(), io::ErrorKind>;

#[derive(Debug, Default)]
pub(crate) struct Syncer {
    waiting: Mutex<Vec<(Vec<Unsynced>, oneshot::Sender<Told>)>>,
    /// Held as long as a round runs, also if nobody waits for it any more.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Syncer {
    /// How many wait for the next round.
    #[cfg(test)]
    pub(crate) fn waits(&self) -> usize {
        self.waiting().len()
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<(Vec<Unsynced>, oneshot::Sender<Told>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Puts something at a place, which is made ready for it: in one trip to another thread, unless
    /// folders above it are new.
    pub(crate) async fn put<T: Send + 'static>(
        &self,
        doing: &'static str,
        place: &str,
        work: impl FnOnce(&dyn Backend) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (backend, place) = (Arc::clone(&self.backend), place.to_owned());
        let tried = self.run(doing, move || {
            let fresh = backend.prepare(&place)?;
            if fresh.is_empty() {
                work(&*backend).map(Ok)
            } else {
                Ok(Err((fresh, work)))
            }
        });
        match tried.await? {
            Ok(done) => Ok(done),
            Err((fresh, work)) => {
                self.make_durable(fresh).await?;
                let backend = Arc::clone(&self.backend);
                self.run(doing, move || work(&*backend)).await
            }
        }
    }

    /// As [`Self::make_durable`], of bytes of which the first were written when `since` syncs had failed
    /// ([`Backend::failed_syncs`]).
    pub(crate) async fn make_durable_since(
        &self,
        since: u64,
        what: Vec<Unsynced>,
    ) -> Result<(), StoreError> {
        self.make_durable(what).await?;
        self.check_since(since)
    }

    /// An error if a sync has failed since then: it may have dropped what was written meanwhile, and the next
    /// one says nothing of that. All of it must come again.
    pub(crate) fn check_since(&self, since: u64) -> Result<(), StoreError> {
        if self.backend.failed_syncs() == since {
            return Ok(());
        }
        let why = "a sync beside it failed, and may have dropped a part of it";
        Err(io_error("syncing")(io::Error::other(why)))
    }

    /// Makes all of these durable, if that is promised.
    ///
    /// After an error nobody knows what of it is: the kernel may have dropped what it could not
    /// write, and says so only once. Whoever waited must not count on any of it, nor ask again.
    pub(crate) async fn make_durable(&self, what: Vec<Unsynced>) -> Result<(), StoreError> {
        if self.config.durability == Durability::Process || what.is_empty() {
            return Ok(());
        }
        let (tell, mut told) = oneshot::channel();
        self.syncer.waiting().push((what, tell));
        let turn = tokio::select! {
            biased;
            told = &mut told => return answer(&told),
            turn = Arc::clone(&self.syncer.turn).lock_owned() => turn,
        };
        let (all, tells): (Vec<_>, Vec<_>) = std::mem::take(&mut *self.syncer.waiting())
            .into_iter()
            .unzip();
        if !all.is_empty() {
            let backend = Arc::clone(&self.backend);
            #[expect(
                clippy::disallowed_methods,
                reason = "a figure for who watches; nothing hangs on it"
            )]
            let begun = std::time::Instant::now();
            let round = self
                .start(move || {
                    let _turn = turn;
                    backend.make_durable(&all.concat())
                })
                .await;
            add(&self.counters.syncs, 1);
            add(
                &self.counters.sync_us,
                u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
            );
            let done = match round {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "what was written could not be synced"
                    );
                    Err(error.kind())
                }
                Err(_) => Err(io::ErrorKind::Interrupted),
            };
            for tell in tells {
                // Nobody waits any more: as if the answer had been lost.
                let _ = tell.send(done);
            }
        }
        answer(&told.await)
    }
}

fn answer(told: &Result<Told, oneshot::error::RecvError>) -> Result<(), StoreError> {
    match told {
        Ok(Ok(())) => Ok(()),
        Ok(Err(kind)) => Err(io_error("syncing")((*kind).into())),
        // Whoever did the round is gone, and what it did is not known.
        Err(_) => Err(StoreError::Unavailable),
    }
}
