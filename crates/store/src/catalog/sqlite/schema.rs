//! The tables, and the way to them from older ones.

use rusqlite::Connection;

use super::failed;
use crate::StoreError;

/// The version of the tables; a folder with a higher one is refused.
const SCHEMA: u32 = 4;

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
CREATE INDEX IF NOT EXISTS uploads_announced ON uploads (created, owner, size) WHERE state < 2 AND received = 0;
CREATE INDEX IF NOT EXISTS uploads_finished ON uploads (owner, finished DESC, id) WHERE state = 2;
CREATE INDEX IF NOT EXISTS uploads_publishing ON uploads (state) WHERE state = 1;
CREATE INDEX IF NOT EXISTS uploads_expires ON uploads (expires) WHERE state IN (0, 3);
CREATE UNIQUE INDEX IF NOT EXISTS uploads_path ON uploads (owner, path_key) WHERE state > 0;
CREATE TABLE IF NOT EXISTS totals (
    owner TEXT PRIMARY KEY NOT NULL,
    unfinished INTEGER NOT NULL,
    finished INTEGER NOT NULL,
    finished_bytes INTEGER NOT NULL,
    hidden_bytes INTEGER NOT NULL,
    begun_bytes INTEGER NOT NULL DEFAULT 0,
    begun_missing INTEGER NOT NULL DEFAULT 0,
    announced_bytes INTEGER NOT NULL DEFAULT 0
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

/// What versions before 4 had not: sums of unfinished uploads.
const BEFORE_4: &str = "
ALTER TABLE totals ADD COLUMN begun_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN begun_missing INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN announced_bytes INTEGER NOT NULL DEFAULT 0;
DROP TRIGGER IF EXISTS uploads_added;
DROP TRIGGER IF EXISTS uploads_changed;
DROP TRIGGER IF EXISTS uploads_removed;
UPDATE totals SET (begun_bytes, begun_missing, announced_bytes) = (
    SELECT ifnull(sum((received > 0) * ifnull(size, received)), 0),
        ifnull(sum((received > 0) * max(ifnull(size, 0) - received, 0)), 0),
        ifnull(sum((received = 0) * ifnull(size, 0)), 0)
    FROM uploads WHERE owner = totals.owner AND state < 2);
";

/// Totals per owner, kept by triggers so that no list ever counts a million rows, and no create adds up
/// what others have announced. A row that changes is taken off as it was, and added as it is.
fn triggers() -> String {
    let (new, old) = (add("NEW", ""), add("OLD", "-"));
    format!(
        "CREATE TRIGGER IF NOT EXISTS uploads_added AFTER INSERT ON uploads BEGIN {new} END;
         CREATE TRIGGER IF NOT EXISTS uploads_changed AFTER UPDATE OF state, size, received ON uploads
         BEGIN {old} {new} END;
         CREATE TRIGGER IF NOT EXISTS uploads_removed AFTER DELETE ON uploads BEGIN {old} END;
         CREATE TRIGGER IF NOT EXISTS uploads_tokens AFTER DELETE ON uploads BEGIN
             DELETE FROM tokens WHERE upload = OLD.id;
         END;"
    )
}

/// Adds a row to the totals of its owner, or takes it off. One statement for the first and each further
/// one: half as dear as two.
fn add(row: &str, sign: &str) -> String {
    let values = [
        "(~.state < 2)",
        "(~.state = 2)",
        "(~.state = 2) * ifnull(~.size, 0)",
        "(~.state = 3) * ifnull(~.size, 0)",
        "(~.state < 2 AND ~.received > 0) * ifnull(~.size, ~.received)",
        "(~.state < 2 AND ~.received > 0) * max(ifnull(~.size, 0) - ~.received, 0)",
        "(~.state < 2 AND ~.received = 0) * ifnull(~.size, 0)",
    ];
    let values = values.map(|value| format!("{sign}{}", value.replace('~', row)));
    let names = [
        "unfinished",
        "finished",
        "finished_bytes",
        "hidden_bytes",
        "begun_bytes",
        "begun_missing",
        "announced_bytes",
    ];
    let sums = names.map(|name| format!("{name} = {name} + excluded.{name}"));
    format!(
        "INSERT INTO totals VALUES ({row}.owner, {}) ON CONFLICT (owner) DO UPDATE SET {};",
        values.join(", "),
        sums.join(", ")
    )
}

/// Makes the tables that are not there yet.
///
/// # Errors
///
/// [`StoreError::NewerSchema`] if a newer program wrote them.
pub(super) fn prepare(db: &Connection) -> Result<(), StoreError> {
    let found: u32 = db
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(failed("reading the schema version"))?;
    if found > SCHEMA {
        return Err(StoreError::NewerSchema {
            found,
            known: SCHEMA,
        });
    }
    let columns = if found == 1 { FROM_1 } else { "" };
    let sums = if (1..4).contains(&found) {
        BEFORE_4
    } else {
        ""
    };
    for sql in [
        columns,
        TABLES,
        sums,
        &triggers(),
        "PRAGMA user_version = 4",
    ] {
        db.execute_batch(sql).map_err(failed("making the tables"))?;
    }
    Ok(())
}
