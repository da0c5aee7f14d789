//! The catalog in SQLite: one writer task, a pool of readers.
//!
//! SQLite lets one connection write at a time, so one task owns the only write connection and
//! takes commands from a bounded queue. Whatever waits when it is free becomes one transaction:
//! a thousand small files that finish together cost one commit, not a thousand.

mod command;
mod look;
mod outbox;
mod query;
mod token;

use std::{os::unix::fs::OpenOptionsExt as _, path::Path, sync::atomic::Ordering, time::Duration};

use sqlx::{
    Connection, Row as _, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::{mpsc, oneshot};

use super::{After, Answer, Catalog, Command, Mark, Outcome, Row, TokenRow, Usage};
use crate::{Durability, Event, Owner, StoreConfig, StoreError, store::io_error};
use hoist_protocol::{ListCounts, UploadId};

/// The version of the tables; a folder with a higher one is refused.
const SCHEMA: u32 = 3;
/// Commands that may wait for the writer.
const QUEUE: usize = 4096;
/// Commands of one transaction.
const GROUP: usize = 1024;

/// The tables. `path_key` is unique among files (and those about to be), whoever publishes.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS uploads (
    id BLOB PRIMARY KEY NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    folder TEXT NOT NULL,
    kind INTEGER NOT NULL,
    size INTEGER,
    last_modified INTEGER,
    media_type TEXT,
    chunk_size INTEGER NOT NULL,
    state INTEGER NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    received INTEGER NOT NULL,
    finished INTEGER NOT NULL,
    hash BLOB,
    stored_as TEXT NOT NULL,
    path_key TEXT NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS uploads_identity ON uploads (owner, name, size, last_modified);
CREATE INDEX IF NOT EXISTS uploads_unfinished ON uploads (owner, created DESC, id) WHERE state < 2;
CREATE INDEX IF NOT EXISTS uploads_finished ON uploads (owner, finished DESC, id) WHERE state = 2;
CREATE INDEX IF NOT EXISTS uploads_publishing ON uploads (state) WHERE state = 1;
CREATE INDEX IF NOT EXISTS uploads_expires ON uploads (expires) WHERE state IN (0, 3);
CREATE UNIQUE INDEX IF NOT EXISTS uploads_path ON uploads (owner, path_key) WHERE state > 0;
CREATE TABLE IF NOT EXISTS totals (
    owner TEXT PRIMARY KEY NOT NULL,
    unfinished INTEGER NOT NULL,
    finished INTEGER NOT NULL,
    finished_bytes INTEGER NOT NULL,
    hidden_bytes INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS old_names (id BLOB NOT NULL, stored_as TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS mark (one INTEGER PRIMARY KEY CHECK (one = 1), boot TEXT, epoch INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    subscriber TEXT NOT NULL,
    upload BLOB NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    owner TEXT NOT NULL,
    receipt TEXT NOT NULL,
    due INTEGER NOT NULL,
    tries INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS outbox_due ON outbox (subscriber, due, number);
CREATE INDEX IF NOT EXISTS outbox_upload ON outbox (subscriber, upload, number);
CREATE TABLE IF NOT EXISTS tokens (
    hash BLOB PRIMARY KEY NOT NULL,
    upload BLOB NOT NULL,
    rights INTEGER NOT NULL,
    bytes INTEGER,
    expires INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tokens_upload ON tokens (upload);
CREATE INDEX IF NOT EXISTS tokens_expires ON tokens (expires);
";

/// What version 1 had not.
const FROM_1: &str = "ALTER TABLE uploads ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0";

/// Totals per owner, kept by triggers so that no list ever counts a million rows.
const TRIGGERS: &str = "
CREATE TRIGGER IF NOT EXISTS uploads_added AFTER INSERT ON uploads BEGIN
    INSERT INTO totals VALUES (NEW.owner, 0, 0, 0, 0) ON CONFLICT DO NOTHING;
    UPDATE totals SET unfinished = unfinished + (NEW.state < 2), finished = finished + (NEW.state = 2),
        finished_bytes = finished_bytes + (NEW.state = 2) * ifnull(NEW.size, 0),
        hidden_bytes = hidden_bytes + (NEW.state = 3) * ifnull(NEW.size, 0) WHERE owner = NEW.owner;
END;
CREATE TRIGGER IF NOT EXISTS uploads_changed AFTER UPDATE OF state, size ON uploads BEGIN
    UPDATE totals SET unfinished = unfinished + (NEW.state < 2) - (OLD.state < 2),
        finished = finished + (NEW.state = 2) - (OLD.state = 2),
        finished_bytes = finished_bytes + (NEW.state = 2) * ifnull(NEW.size, 0) - (OLD.state = 2) * ifnull(OLD.size, 0),
        hidden_bytes = hidden_bytes + (NEW.state = 3) * ifnull(NEW.size, 0) - (OLD.state = 3) * ifnull(OLD.size, 0)
        WHERE owner = NEW.owner;
END;
CREATE TRIGGER IF NOT EXISTS uploads_removed AFTER DELETE ON uploads BEGIN
    UPDATE totals SET unfinished = unfinished - (OLD.state < 2), finished = finished - (OLD.state = 2),
        finished_bytes = finished_bytes - (OLD.state = 2) * ifnull(OLD.size, 0),
        hidden_bytes = hidden_bytes - (OLD.state = 3) * ifnull(OLD.size, 0) WHERE owner = OLD.owner;
END;
CREATE TRIGGER IF NOT EXISTS uploads_tokens AFTER DELETE ON uploads BEGIN
    DELETE FROM tokens WHERE upload = OLD.id;
END;
";

pub(crate) use look::CatalogLook;

type Job = (Command, oneshot::Sender<Result<Outcome, StoreError>>);

#[derive(Debug)]
pub(crate) struct SqliteCatalog {
    jobs: mpsc::Sender<Job>,
    readers: SqlitePool,
    #[cfg(test)]
    transactions: Counter,
}

/// How many groups were committed, for tests.
type Counter = std::sync::Arc<std::sync::atomic::AtomicU64>;

pub(super) fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| match &source {
        // SQLITE_FULL: the disk has no room for the catalog.
        sqlx::Error::Database(error) if error.code().as_deref() == Some("13") => {
            StoreError::StorageFull
        }
        _ => StoreError::Catalog {
            doing,
            source: Box::new(source),
        },
    }
}

impl SqliteCatalog {
    /// Opens the catalog at `file`, making it if there is none. What [`Catalog::apply`] has said to be
    /// done survives what [`StoreConfig::durability`] says.
    ///
    /// # Errors
    ///
    /// [`StoreError::NewerSchema`] if a newer program wrote it, [`StoreError::Catalog`] otherwise.
    pub(crate) async fn open(file: &Path, config: &StoreConfig) -> Result<Self, StoreError> {
        // Made here if it is not there, for its mode, which SQLite gives to the files beside it, too.
        std::fs::File::options()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(file)
            .map_err(io_error("making the catalog"))?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(match config.durability {
                // What is committed survives the death of the process, …
                Durability::Process => SqliteSynchronous::Normal,
                // … or of the machine: each commit syncs the log (sqlite.org/pragma.html#pragma_synchronous).
                Durability::Power => SqliteSynchronous::Full,
            })
            .busy_timeout(Duration::from_secs(10));
        let mut writer = SqliteConnection::connect_with(&options)
            .await
            .map_err(failed("opening the catalog"))?;
        prepare(&mut writer).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await
            .map_err(failed("opening the catalog for reading"))?;
        let (jobs, queue) = mpsc::channel(QUEUE);
        let transactions = Counter::default();
        let subscribers = config.subscribers.clone();
        tokio::spawn(write(
            writer,
            queue,
            subscribers,
            Counter::clone(&transactions),
        ));
        Ok(Self {
            jobs,
            readers,
            #[cfg(test)]
            transactions,
        })
    }
}

async fn prepare(writer: &mut SqliteConnection) -> Result<(), StoreError> {
    let found: u32 = sqlx::query("PRAGMA user_version")
        .fetch_one(&mut *writer)
        .await
        .and_then(|row| row.try_get(0))
        .map_err(failed("reading the schema version"))?;
    if found > SCHEMA {
        return Err(StoreError::NewerSchema {
            found,
            known: SCHEMA,
        });
    }
    let before = if found == 1 { FROM_1 } else { "" };
    for sql in [before, TABLES, TRIGGERS, "PRAGMA user_version = 3"] {
        sqlx::raw_sql(sql)
            .execute(&mut *writer)
            .await
            .map_err(failed("making the tables"))?;
    }
    Ok(())
}

/// The writer task: ends when the last handle is gone.
async fn write(
    mut writer: SqliteConnection,
    mut queue: mpsc::Receiver<Job>,
    subscribers: Vec<String>,
    transactions: Counter,
) {
    let mut group: Vec<Job> = Vec::new();
    while queue.recv_many(&mut group, GROUP).await > 0 {
        let commands = group.iter().map(|(command, _)| command);
        let result = run_group(&mut writer, commands, &subscribers).await;
        transactions.fetch_add(1, Ordering::Relaxed);
        match result {
            Ok(outcomes) => {
                for ((_, reply), outcome) in group.drain(..).zip(outcomes) {
                    // Nobody waits any more: the change stands, as if its answer had been lost.
                    let _ = reply.send(Ok(outcome));
                }
            }
            Err(error) => {
                let is_full = matches!(error, StoreError::StorageFull);
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the catalog could not be written"
                );
                for (_, reply) in group.drain(..) {
                    let _ = reply.send(Err(if is_full {
                        StoreError::StorageFull
                    } else {
                        StoreError::Unavailable
                    }));
                }
            }
        }
    }
    // Checkpoints the write-ahead log; a failure leaves it for the next start.
    let _ = writer.close().await;
}

async fn run_group<'a>(
    writer: &mut SqliteConnection,
    commands: impl Iterator<Item = &'a Command>,
    subscribers: &[String],
) -> Result<Vec<Outcome>, StoreError> {
    let mut transaction = writer
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(failed("beginning"))?;
    let mut outcomes = Vec::new();
    for command in commands {
        outcomes.push(
            command::run(&mut transaction, command, subscribers)
                .await
                .map_err(failed("writing"))?,
        );
    }
    transaction.commit().await.map_err(failed("committing"))?;
    Ok(outcomes)
}

impl Catalog for SqliteCatalog {
    #[cfg(test)]
    fn transactions(&self) -> u64 {
        self.transactions.load(Ordering::Relaxed)
    }

    fn apply(&self, command: Command) -> Answer<'_, Outcome> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            self.jobs
                .send((command, reply))
                .await
                .map_err(|_| StoreError::Unavailable)?;
            answer.await.map_err(|_| StoreError::Unavailable)?
        })
    }

    fn get(&self, ids: Vec<UploadId>) -> Answer<'_, Vec<Row>> {
        Box::pin(query::get(&self.readers, ids))
    }

    fn earlier(&self, row: Row) -> Answer<'_, Option<Row>> {
        Box::pin(async move {
            let looking = "looking for an earlier upload";
            let mut reader = self.readers.acquire().await.map_err(failed(looking))?;
            command::earlier(&mut reader, &row)
                .await
                .map_err(failed(looking))
        })
    }

    fn list(&self, owner: Owner, after: Option<After>, limit: u32) -> Answer<'_, Vec<Row>> {
        Box::pin(query::list(&self.readers, owner, after, limit))
    }

    fn counts(&self, owner: Owner) -> Answer<'_, ListCounts> {
        Box::pin(query::counts(&self.readers, owner))
    }

    fn usage(&self, owner: Option<Owner>, since: u64) -> Answer<'_, Usage> {
        Box::pin(async move {
            query::usage(&self.readers, owner.as_ref(), since)
                .await
                .map_err(failed("adding up what is used"))
        })
    }

    fn expired(&self, now: u64, skip: u32, limit: u32) -> Answer<'_, Vec<Row>> {
        Box::pin(query::expired(&self.readers, now, skip, limit))
    }

    fn taken(&self, owner: Owner, but: UploadId, keys: Vec<String>) -> Answer<'_, Vec<String>> {
        Box::pin(query::taken(&self.readers, owner, but, keys))
    }

    fn publishing(&self) -> Answer<'_, Vec<Row>> {
        Box::pin(query::publishing(&self.readers))
    }

    fn old_names(&self) -> Answer<'_, Vec<(UploadId, String)>> {
        Box::pin(query::old_names(&self.readers))
    }

    fn events(&self, subscriber: String, limit: u32) -> Answer<'_, Vec<Event>> {
        Box::pin(outbox::heads(&self.readers, subscriber, limit))
    }

    fn token(&self, hash: [u8; 32]) -> Answer<'_, Option<(TokenRow, Row)>> {
        Box::pin(token::find(&self.readers, hash))
    }

    fn mark(&self) -> Answer<'_, Mark> {
        Box::pin(query::mark(&self.readers))
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async {
            self.readers.close().await;
            Ok(())
        })
    }
}
