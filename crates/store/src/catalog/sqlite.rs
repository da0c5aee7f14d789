//! The catalog in SQLite: one writer, some readers.
//!
//! SQLite lets one connection write at a time, so one thread owns the only connection that writes and
//! takes commands from a bounded queue. Whatever waits when it is free becomes one transaction:
//! a thousand small files that finish together cost one commit, not a thousand.

mod command;
mod look;
mod outbox;
mod query;
mod readers;
mod schema;
#[cfg(test)]
mod tests;
mod token;
mod writer;

use std::{
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hoist_protocol::{ListCounts, UploadId};
use rusqlite::{Connection, OpenFlags, config::DbConfig, types::Type};
use tokio::sync::{mpsc, oneshot, watch};

use self::{readers::Readers, writer::Job};
use super::{After, Answer, Catalog, Command, Mark, Outcome, Row, TokenRow, Usage};
use crate::{
    Durability, Event, Owner, StoreConfig, StoreError,
    store::{io_error, joined},
};

pub(crate) use look::CatalogLook;

/// Commands that may wait for the writer.
const QUEUE: usize = 4096;
/// Statements that a connection keeps compiled.
const STATEMENTS: usize = 64;

#[derive(Debug)]
pub(crate) struct SqliteCatalog {
    /// Nothing once it is closed.
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    /// Closed when the writer has ended.
    ended: watch::Receiver<()>,
    readers: Readers,
    #[cfg(test)]
    transactions: Counter,
}

/// How many groups were committed, for tests.
type Counter = Arc<std::sync::atomic::AtomicU64>;

pub(super) fn failed(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> StoreError {
    move |source| match source.sqlite_error_code() {
        // The disk has no room for the catalog.
        Some(rusqlite::ErrorCode::DiskFull) => StoreError::StorageFull,
        _ => StoreError::Catalog {
            doing,
            source: Box::new(source),
        },
    }
}

/// A column holds what we never write.
fn damaged(column: usize, name: &str) -> rusqlite::Error {
    let what = format!("the column {name} is damaged");
    rusqlite::Error::FromSqlConversionFailure(column, Type::Null, what.into())
}

/// What each connection is told.
fn tuned(db: Connection) -> Result<Connection, rusqlite::Error> {
    db.busy_timeout(Duration::from_secs(10))?;
    // A statement is planned once: else it is planned anew for each value that an index might care about
    // (sqlite.org/queryplanner-ng.html#qpsg), which took half the time of a create.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(db)
}

impl SqliteCatalog {
    /// Opens the catalog at `file`, making it if there is none. What [`Catalog::apply`] has said to be
    /// done survives what [`StoreConfig::durability`] says.
    ///
    /// # Errors
    ///
    /// [`StoreError::NewerSchema`] if a newer program wrote it, [`StoreError::Catalog`] otherwise.
    pub(crate) async fn open(file: &Path, config: &StoreConfig) -> Result<Self, StoreError> {
        let (file, durability) = (file.to_owned(), config.durability);
        let open = move || {
            open_writer(&file, durability).and_then(|writer| Ok((writer, Readers::open(&file)?)))
        };
        let (writer, readers) = joined(tokio::task::spawn_blocking(open).await)??;
        let (jobs, queue) = mpsc::channel(QUEUE);
        let transactions = Counter::default();
        let subscribers = config.subscribers.clone();
        let counter = Counter::clone(&transactions);
        let (end, ended) = watch::channel(());
        std::thread::Builder::new()
            .name("catalog".to_owned())
            .spawn(move || {
                writer::work(writer, queue, &subscribers, &counter);
                drop(end);
            })
            .map_err(io_error("starting the catalog"))?;
        Ok(Self {
            jobs: Mutex::new(Some(jobs)),
            ended,
            readers,
            #[cfg(test)]
            transactions,
        })
    }

    fn jobs(&self) -> MutexGuard<'_, Option<mpsc::Sender<Job>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open_writer(file: &Path, durability: Durability) -> Result<Connection, StoreError> {
    // Made here if it is not there, for its mode, which SQLite gives to the files beside it, too.
    std::fs::File::options()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(file)
        .map_err(io_error("making the catalog"))?;
    let synchronous = match durability {
        // What is committed survives the death of the process, …
        Durability::Process => "NORMAL",
        // … or of the machine: each commit syncs the log (sqlite.org/pragma.html#pragma_synchronous).
        Durability::Power => "FULL",
    };
    let open = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = tuned(Connection::open_with_flags(file, flags)?)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", synchronous)?;
        // What would undo one statement of many stays in memory: as a file it was half of a create.
        db.pragma_update(None, "temp_store", "MEMORY")?;
        Ok(db)
    };
    let db = open().map_err(failed("opening the catalog"))?;
    schema::prepare(&db)?;
    Ok(db)
}

impl Catalog for SqliteCatalog {
    #[cfg(test)]
    fn transactions(&self) -> u64 {
        self.transactions.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn apply(&self, command: Command) -> Answer<'_, Outcome> {
        Box::pin(async move {
            let outcomes = self.apply_all(vec![command]).await?;
            outcomes.into_iter().next().ok_or(StoreError::Unavailable)
        })
    }

    fn apply_all(&self, commands: Vec<Command>) -> Answer<'_, Vec<Outcome>> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            let jobs = self.jobs().clone().ok_or(StoreError::Unavailable)?;
            jobs.send((commands, reply))
                .await
                .map_err(|_| StoreError::Unavailable)?;
            answer.await.map_err(|_| StoreError::Unavailable)?
        })
    }

    fn get(&self, ids: Vec<UploadId>) -> Answer<'_, Vec<Row>> {
        let question = move |db: &Connection| query::get(db, &ids);
        Box::pin(self.readers.ask("reading uploads", question))
    }

    fn earlier(&self, row: Row) -> Answer<'_, Option<Row>> {
        let question = move |db: &Connection| command::earlier(db, &row);
        Box::pin(self.readers.ask("looking for an earlier upload", question))
    }

    fn list(&self, owner: Owner, after: Option<After>, limit: u32) -> Answer<'_, Vec<Row>> {
        let question = move |db: &Connection| query::list(db, &owner, after, limit);
        Box::pin(self.readers.ask("listing uploads", question))
    }

    fn counts(&self, owner: Owner) -> Answer<'_, ListCounts> {
        let question = move |db: &Connection| query::counts(db, &owner);
        Box::pin(self.readers.ask("counting uploads", question))
    }

    fn usage(&self, owner: Option<Owner>, since: u64) -> Answer<'_, Usage> {
        let question = move |db: &Connection| query::usage(db, owner.as_ref(), since);
        Box::pin(self.readers.ask("adding up what is used", question))
    }

    fn expired(&self, now: u64, skip: u32, limit: u32) -> Answer<'_, Vec<Row>> {
        let question = move |db: &Connection| query::expired(db, now, skip, limit);
        Box::pin(self.readers.ask("looking for what has expired", question))
    }

    fn taken(&self, owner: Owner, but: UploadId, keys: Vec<String>) -> Answer<'_, Vec<String>> {
        let question = move |db: &Connection| query::taken(db, &owner, but, &keys);
        Box::pin(self.readers.ask("looking for a free name", question))
    }

    fn publishing(&self) -> Answer<'_, Vec<Row>> {
        let doing = "looking for what was being published";
        Box::pin(self.readers.ask(doing, query::publishing))
    }

    fn old_names(&self) -> Answer<'_, Vec<(UploadId, String)>> {
        Box::pin(self.readers.ask("reading old names", query::old_names))
    }

    fn events(&self, subscriber: String, limit: u32) -> Answer<'_, Vec<Event>> {
        let question = move |db: &Connection| outbox::heads(db, &subscriber, limit);
        Box::pin(self.readers.ask("reading the outbox", question))
    }

    fn token(&self, hash: [u8; 32]) -> Answer<'_, Option<(TokenRow, Row)>> {
        let question = move |db: &Connection| token::find(db, hash);
        Box::pin(self.readers.ask("looking for a token", question))
    }

    fn mark(&self) -> Answer<'_, Mark> {
        let doing = "reading how the last process ended";
        Box::pin(self.readers.ask(doing, query::mark))
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async {
            self.readers.close();
            drop(self.jobs().take());
            // An error is what is waited for: its end.
            let _ = self.ended.clone().changed().await;
            Ok(())
        })
    }
}
