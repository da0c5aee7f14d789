//! The catalog for somebody who looks at it and changes nothing, beside a server or without one.

use std::path::Path;

use hoist_protocol::UploadId;
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use super::{
    super::Row,
    failed,
    query::{self, COLUMNS},
};
use crate::{Owner, StoreError};

#[derive(Debug)]
pub(crate) struct CatalogLook(SqlitePool);

impl CatalogLook {
    /// Opens the catalog at `file`, which must be there.
    pub(crate) async fn open(file: &Path) -> Result<Self, StoreError> {
        // Not opened for reading only: without a server the log's index is not there, and SQLite has
        // to make it (sqlite.org/wal.html#read_only_databases).
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(false)
            .pragma("query_only", "on");
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await
            .map_err(failed("opening the catalog"))?;
        Ok(Self(pool))
    }

    /// At most `limit` finished files behind this id, hidden ones left out.
    pub(crate) async fn finished(
        &self,
        after: UploadId,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS} FROM uploads WHERE id > ? AND state = 2 ORDER BY id LIMIT ?");
        let found = sqlx::query(&sql)
            .bind(after.as_bytes().as_slice())
            .bind(limit)
            .fetch_all(&self.0)
            .await;
        query::rows(&found.map_err(failed("listing files"))?)
    }

    pub(crate) async fn get(&self, ids: Vec<UploadId>) -> Result<Vec<Row>, StoreError> {
        query::get(&self.0, ids).await
    }

    /// Which of these places a row of this owner has.
    pub(crate) async fn taken(
        &self,
        owner: Owner,
        keys: Vec<String>,
    ) -> Result<Vec<String>, StoreError> {
        query::taken(&self.0, owner, UploadId::from_bytes([0; 16]), keys).await
    }

    pub(crate) async fn expired(
        &self,
        now: u64,
        skip: u32,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        query::expired(&self.0, now, skip, limit).await
    }
}
