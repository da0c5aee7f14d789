//! The connections that read.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use super::{failed, tuned};
use crate::{StoreError, store::joined};

/// Questions that are answered at one time.
const READERS: usize = 4;

/// Some connections, one per question that is being answered.
#[derive(Clone, Debug)]
pub(super) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    room: Arc<Semaphore>,
}

impl Readers {
    /// Opens connections to a catalog that is there.
    pub(super) fn open(file: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let idle = (0..READERS)
            .map(|_| Connection::open_with_flags(file, flags).and_then(tuned))
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed("opening the catalog for reading"))?;
        Ok(Self::of(idle))
    }

    pub(super) fn of(idle: Vec<Connection>) -> Self {
        Self {
            room: Arc::new(Semaphore::new(idle.len())),
            idle: Arc::new(Mutex::new(idle)),
        }
    }

    /// Asks on a thread that may wait for the disk.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        doing: &'static str,
        question: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let place = Arc::clone(&self.room).acquire_owned().await;
        let place = place.map_err(|_| StoreError::Unavailable)?;
        let all = Arc::clone(&self.idle);
        let answer = tokio::task::spawn_blocking(move || {
            let idle = || all.lock().unwrap_or_else(PoisonError::into_inner);
            // One is there for each place.
            let reader = idle().pop().ok_or(StoreError::Unavailable)?;
            let answer = question(&reader).map_err(failed(doing));
            idle().push(reader);
            drop(place);
            answer
        });
        joined(answer.await)?
    }

    /// Answers nothing more.
    pub(super) fn close(&self) {
        self.room.close();
        let idle = self.idle.lock();
        idle.unwrap_or_else(PoisonError::into_inner).clear();
    }
}
