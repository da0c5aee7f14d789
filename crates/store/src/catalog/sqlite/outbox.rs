//! Events that wait for their subscribers, in SQL.

use hoist_protocol::UploadId;
use sqlx::{Row as _, SqliteConnection, SqlitePool, sqlite::SqliteRow};

use super::{
    failed,
    query::{self, COLUMNS, number, unsigned},
};
use crate::{Event, EventKind, Owner, StoreError};

/// Writes down an event for each subscriber, in the transaction of the change itself.
pub(super) async fn add(
    db: &mut SqliteConnection,
    subscribers: &[String],
    (id, kind, at): (UploadId, EventKind, u64),
) -> Result<(), sqlx::Error> {
    if subscribers.is_empty() {
        return Ok(());
    }
    let sql = format!("SELECT {COLUMNS} FROM uploads WHERE id = ?");
    let row = sqlx::query(&sql)
        .bind(id.as_bytes().as_slice())
        .fetch_one(&mut *db)
        .await?;
    let row = query::row(&row)?;
    let receipt = serde_json::to_string(&row.receipt())
        .map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    for subscriber in subscribers {
        sqlx::query(
            "INSERT INTO outbox (subscriber, upload, kind, at, owner, receipt, due, tries) \
             VALUES (?, ?, ?, ?, ?, ?, 0, 0)",
        )
        .bind(subscriber)
        .bind(id.as_bytes().as_slice())
        .bind(kind.as_str())
        .bind(number(at))
        .bind(row.owner.as_str())
        .bind(&receipt)
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

pub(super) async fn heads(
    pool: &SqlitePool,
    subscriber: String,
    limit: u32,
) -> Result<Vec<Event>, StoreError> {
    let found = sqlx::query(
        "SELECT number, kind, at, owner, receipt, due, tries FROM outbox AS one WHERE subscriber = ?1 AND NOT EXISTS \
         (SELECT 1 FROM outbox WHERE subscriber = ?1 AND upload = one.upload AND number < one.number) \
         ORDER BY due, number LIMIT ?2",
    )
    .bind(subscriber)
    .bind(limit)
    .fetch_all(pool)
    .await;
    found
        .and_then(|found| found.iter().map(event).collect())
        .map_err(failed("reading the outbox"))
}

fn event(row: &SqliteRow) -> Result<Event, sqlx::Error> {
    let bad = |what: &str| sqlx::Error::Decode(format!("the column {what} is damaged").into());
    let kind = EventKind::parse(row.try_get(1)?).ok_or_else(|| bad("kind"))?;
    let owner = Owner::new(row.try_get(3)?).ok_or_else(|| bad("owner"))?;
    let receipt = serde_json::from_str(row.try_get(4)?).map_err(|_| bad("receipt"))?;
    let mut event = Event::new(
        unsigned(row.try_get(0)?),
        kind,
        unsigned(row.try_get(2)?),
        owner,
        receipt,
    );
    event.due = unsigned(row.try_get(5)?);
    event.tries = row.try_get(6)?;
    Ok(event)
}
