//! The questions, in SQL.

use hoist_protocol::{Checksum, Kind, ListCounts, UploadId};
use rusqlite::{Connection, OptionalExtension as _, Params, params, params_from_iter};

use super::{
    super::{After, Mark, Row, RowState, Usage},
    damaged,
};
use crate::Owner;

type Asked<T> = Result<T, rusqlite::Error>;

pub(super) const COLUMNS: &str = "id, owner, name, folder, kind, size, last_modified, media_type, chunk_size, state, \
     created, expires, received, finished, hash, stored_as, path_key, epoch";

/// SQLite has signed numbers only; nothing of ours comes near their end but *never*.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(value: i64) -> u64 {
    if value == i64::MAX {
        u64::MAX
    } else {
        u64::try_from(value).unwrap_or(0)
    }
}

pub(super) const fn kind_number(kind: Kind) -> i64 {
    match kind {
        Kind::File => 0,
        Kind::Directory => 1,
    }
}

pub(super) fn id(row: &rusqlite::Row<'_>, column: usize) -> Asked<UploadId> {
    let bytes = row.get_ref(column)?.as_blob()?;
    let bytes = bytes.try_into().map_err(|_| damaged(column, "id"))?;
    Ok(UploadId::from_bytes(bytes))
}

pub(super) fn row(row: &rusqlite::Row<'_>) -> Asked<Row> {
    let hash = row.get_ref(14)?.as_blob_or_null()?;
    Ok(Row {
        id: id(row, 0)?,
        owner: Owner::new(row.get_ref(1)?.as_str()?).ok_or_else(|| damaged(1, "owner"))?,
        name: row.get(2)?,
        folder: row.get(3)?,
        kind: if row.get::<_, i64>(4)? == 1 {
            Kind::Directory
        } else {
            Kind::File
        },
        size: row.get::<_, Option<i64>>(5)?.map(unsigned),
        last_modified: row.get(6)?,
        media_type: row.get(7)?,
        chunk_size: unsigned(row.get(8)?),
        state: RowState::from_number(row.get(9)?),
        created: unsigned(row.get(10)?),
        expires: unsigned(row.get(11)?),
        received: unsigned(row.get(12)?),
        finished: unsigned(row.get(13)?),
        hash: hash
            .map(|hash| hash.try_into().map(Checksum::from_bytes))
            .transpose()
            .map_err(|_| damaged(14, "hash"))?,
        stored_as: row.get(15)?,
        path_key: row.get(16)?,
        epoch: unsigned(row.get(17)?),
    })
}

/// The rows that come after `SELECT … FROM uploads WHERE`.
pub(super) fn rows(db: &Connection, which: &str, params: impl Params) -> Asked<Vec<Row>> {
    let sql = format!("SELECT {COLUMNS} FROM uploads WHERE {which}");
    db.prepare_cached(&sql)?.query_map(params, row)?.collect()
}

/// As many question marks.
fn places(count: usize) -> String {
    vec!["?"; count].join(",")
}

pub(super) fn get(db: &Connection, ids: &[UploadId]) -> Asked<Vec<Row>> {
    if let [id] = ids {
        return rows(db, "id = ?", [id.as_bytes()]);
    }
    let which = format!("id IN ({})", places(ids.len()));
    let sql = format!("SELECT {COLUMNS} FROM uploads WHERE {which}");
    // Not kept compiled: there is one of each length.
    db.prepare(&sql)?
        .query_map(params_from_iter(ids.iter().map(UploadId::as_bytes)), row)?
        .collect()
}

pub(super) fn list(
    db: &Connection,
    owner: &Owner,
    after: Option<After>,
    limit: u32,
) -> Asked<Vec<Row>> {
    let mut found = Vec::new();
    for (finished, part, time) in [
        (false, "state < 2", "created"),
        (true, "state = 2", "finished"),
    ] {
        let left = i64::from(limit) - i64::try_from(found.len()).unwrap_or(i64::MAX);
        let after = after.filter(|after| after.finished >= finished);
        if left <= 0 || after.is_some_and(|after| after.finished && !finished) {
            continue;
        }
        let from = after.filter(|after| after.finished == finished);
        let (before, id) = from.map_or((i64::MAX, vec![]), |from| {
            (number(from.time), from.id.as_bytes().to_vec())
        });
        let which = format!(
            "owner = ?1 AND {part} AND {time} <= ?2 AND ({time} < ?2 OR id > ?3) ORDER BY {time} DESC, id LIMIT ?4"
        );
        let page = rows(db, &which, params![owner.as_str(), before, id, left])?;
        found.extend(page);
    }
    Ok(found)
}

pub(super) fn finished_after(db: &Connection, after: UploadId, limit: u32) -> Asked<Vec<Row>> {
    let which = "id > ? AND state = 2 ORDER BY id LIMIT ?";
    rows(db, which, params![after.as_bytes(), limit])
}

pub(super) fn counts(db: &Connection, owner: &Owner) -> Asked<ListCounts> {
    let sql = "SELECT unfinished, finished, finished_bytes FROM totals WHERE owner = ?";
    let found = db.prepare_cached(sql)?.query_row([owner.as_str()], |row| {
        Ok(ListCounts {
            unfinished: unsigned(row.get(0)?),
            finished: unsigned(row.get(1)?),
            finished_bytes: unsigned(row.get(2)?),
        })
    });
    Ok(found.optional()?.unwrap_or_default())
}

pub(super) fn usage(db: &Connection, owner: Option<&Owner>, since: u64) -> Asked<Usage> {
    let params = params![owner.map(Owner::as_str)];
    // Two texts: one that may be for all would not use the key.
    let which = if owner.is_some() {
        "= ?1"
    } else {
        "= owner AND ?1 IS NULL"
    };
    let sql = format!(
        "SELECT ifnull(sum(finished_bytes + hidden_bytes), 0), ifnull(sum(finished), 0), ifnull(sum(unfinished), 0), \
         ifnull(sum(begun_bytes), 0), ifnull(sum(begun_missing), 0), ifnull(sum(announced_bytes), 0) \
         FROM totals WHERE owner {which}"
    );
    let mut announced = 0;
    let mut usage = db.prepare_cached(&sql)?.query_row(params, |row| {
        announced = unsigned(row.get(5)?);
        Ok(Usage {
            finished_bytes: unsigned(row.get(0)?),
            finished: unsigned(row.get(1)?),
            unfinished: unsigned(row.get(2)?),
            unfinished_bytes: unsigned(row.get(3)?),
            missing_bytes: 0,
            missing_of_begun: unsigned(row.get(4)?),
        })
    })?;
    // What was announced too long ago counts no more; there is little of that.
    let sql = format!(
        "SELECT ifnull(sum(size), 0) FROM uploads INDEXED BY uploads_announced \
         WHERE state < 2 AND received = 0 AND created <= ?2 AND owner {which}"
    );
    let params = params![owner.map(Owner::as_str), number(since)];
    let lapsed = db
        .prepare_cached(&sql)?
        .query_row(params, |row| row.get(0).map(unsigned))?;
    let announced = announced.saturating_sub(lapsed);
    usage.unfinished_bytes += announced;
    usage.missing_bytes = usage.missing_of_begun + announced;
    Ok(usage)
}

pub(super) fn expired(db: &Connection, now: u64, skip: u32, limit: u32) -> Asked<Vec<Row>> {
    let which = "state IN (0, 3) AND expires <= ? ORDER BY expires, id LIMIT ? OFFSET ?";
    rows(db, which, params![number(now), limit, skip])
}

pub(super) fn taken(
    db: &Connection,
    owner: &Owner,
    but: UploadId,
    keys: &[String],
) -> Asked<Vec<String>> {
    let sql = format!(
        "SELECT path_key FROM uploads WHERE state > 0 AND owner = ? AND id != ? AND path_key IN ({})",
        places(keys.len())
    );
    let fixed: [&dyn rusqlite::ToSql; 2] = [&owner.as_str(), but.as_bytes()];
    let keys = keys.iter().map(|key| key as &dyn rusqlite::ToSql);
    let params = params_from_iter(fixed.into_iter().chain(keys));
    db.prepare(&sql)?
        .query_map(params, |row| row.get(0))?
        .collect()
}

pub(super) fn publishing(db: &Connection) -> Asked<Vec<Row>> {
    rows(db, "state = 1", [])
}

pub(super) fn old_names(db: &Connection) -> Asked<Vec<(UploadId, String)>> {
    db.prepare("SELECT id, stored_as FROM old_names")?
        .query_map([], |row| Ok((id(row, 0)?, row.get(1)?)))?
        .collect()
}

pub(super) fn mark(db: &Connection) -> Asked<Mark> {
    let found = db.query_row("SELECT boot, epoch FROM mark", [], |row| {
        Ok(Mark {
            boot: row.get(0)?,
            epoch: unsigned(row.get(1)?),
        })
    });
    Ok(found.optional()?.unwrap_or_default())
}
