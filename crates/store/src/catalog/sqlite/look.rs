//! The catalog for somebody who looks at it and changes nothing, beside a server or without one.

use std::path::Path;

use hoist_protocol::UploadId;
use rusqlite::{Connection, OpenFlags};

use super::{super::Row, failed, query, readers::Readers, tuned};
use crate::{Owner, StoreError, store::joined};

#[derive(Debug)]
pub(crate) struct CatalogLook(Readers);

impl CatalogLook {
    /// Opens the catalog at `file`, which must be there.
    pub(crate) async fn open(file: &Path) -> Result<Self, StoreError> {
        let file = file.to_owned();
        let open = move || {
            // Not opened for reading only: without a server the log's index is not there, and SQLite has
            // to make it (sqlite.org/wal.html#read_only_databases).
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let db = tuned(Connection::open_with_flags(file, flags)?)?;
            db.pragma_update(None, "query_only", "on")?;
            Ok(db)
        };
        let db = joined(tokio::task::spawn_blocking(open).await)?;
        let db = db.map_err(failed("opening the catalog"))?;
        Ok(Self(Readers::of(vec![db])))
    }

    /// At most `limit` finished files behind this id, hidden ones left out.
    pub(crate) async fn finished(
        &self,
        after: UploadId,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        let question = move |db: &Connection| query::finished_after(db, after, limit);
        self.0.ask("listing files", question).await
    }

    pub(crate) async fn get(&self, ids: Vec<UploadId>) -> Result<Vec<Row>, StoreError> {
        let question = move |db: &Connection| query::get(db, &ids);
        self.0.ask("reading uploads", question).await
    }

    /// Which of these places a row of this owner has.
    pub(crate) async fn taken(
        &self,
        owner: Owner,
        keys: Vec<String>,
    ) -> Result<Vec<String>, StoreError> {
        let nobody = UploadId::from_bytes([0; 16]);
        let question = move |db: &Connection| query::taken(db, &owner, nobody, &keys);
        self.0.ask("looking for a name", question).await
    }

    pub(crate) async fn expired(
        &self,
        now: u64,
        skip: u32,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        let question = move |db: &Connection| query::expired(db, now, skip, limit);
        self.0.ask("looking for what has expired", question).await
    }
}
