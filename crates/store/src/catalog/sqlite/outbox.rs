//! Events that wait for their subscribers, in SQL.

use hoist_protocol::UploadId;
use rusqlite::{Connection, params};

use super::{
    damaged,
    query::{self, number, unsigned},
};
use crate::{Event, EventKind, Owner};

/// Writes down an event for each subscriber, in the transaction of the change itself.
pub(super) fn add(
    db: &Connection,
    subscribers: &[String],
    (id, kind, at): (UploadId, EventKind, u64),
) -> Result<(), rusqlite::Error> {
    if subscribers.is_empty() {
        return Ok(());
    }
    let found = query::get(db, &[id])?.pop();
    let row = found.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let receipt = serde_json::to_string(&row.receipt())
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let sql = "INSERT INTO outbox (subscriber, upload, kind, at, owner, receipt, due, tries) \
         VALUES (?, ?, ?, ?, ?, ?, 0, 0)";
    for subscriber in subscribers {
        db.prepare_cached(sql)?.execute(params![
            subscriber,
            id.as_bytes(),
            kind.as_str(),
            number(at),
            row.owner.as_str(),
            receipt,
        ])?;
    }
    Ok(())
}

pub(super) fn heads(
    db: &Connection,
    subscriber: &str,
    limit: u32,
) -> Result<Vec<Event>, rusqlite::Error> {
    let sql = "SELECT number, kind, at, owner, receipt, due, tries FROM outbox AS one WHERE subscriber = ?1 AND NOT EXISTS \
         (SELECT 1 FROM outbox WHERE subscriber = ?1 AND upload = one.upload AND number < one.number) \
         ORDER BY due, number LIMIT ?2";
    db.prepare_cached(sql)?
        .query_map(params![subscriber, limit], event)?
        .collect()
}

fn event(row: &rusqlite::Row<'_>) -> Result<Event, rusqlite::Error> {
    let kind = EventKind::parse(row.get_ref(1)?.as_str()?).ok_or_else(|| damaged(1, "kind"))?;
    let owner = Owner::new(row.get_ref(3)?.as_str()?).ok_or_else(|| damaged(3, "owner"))?;
    let receipt = serde_json::from_str(row.get_ref(4)?.as_str()?);
    let mut event = Event::new(
        unsigned(row.get(0)?),
        kind,
        unsigned(row.get(2)?),
        owner,
        receipt.map_err(|_| damaged(4, "receipt"))?,
    );
    event.due = unsigned(row.get(5)?);
    event.tries = row.get(6)?;
    Ok(event)
}
