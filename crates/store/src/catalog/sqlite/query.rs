//! The questions, in SQL.

use hoist_protocol::{Checksum, Kind, ListCounts, UploadId};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteExecutor, SqlitePool, sqlite::SqliteRow};

use super::{
    super::{After, Mark, Row, RowState, Usage},
    failed,
};
use crate::{Owner, StoreError};

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

pub(super) fn row(row: &SqliteRow) -> Result<Row, sqlx::Error> {
    let bad = |what: &str| sqlx::Error::Decode(format!("the column {what} is damaged").into());
    let id: &[u8] = row.try_get(0)?;
    let hash: Option<&[u8]> = row.try_get(14)?;
    Ok(Row {
        id: UploadId::from_bytes(id.try_into().map_err(|_| bad("id"))?),
        owner: Owner::new(row.try_get(1)?).ok_or_else(|| bad("owner"))?,
        name: row.try_get(2)?,
        folder: row.try_get(3)?,
        kind: if row.try_get::<i64, _>(4)? == 1 {
            Kind::Directory
        } else {
            Kind::File
        },
        size: row.try_get::<Option<i64>, _>(5)?.map(unsigned),
        last_modified: row.try_get(6)?,
        media_type: row.try_get(7)?,
        chunk_size: unsigned(row.try_get(8)?),
        state: RowState::from_number(row.try_get(9)?),
        created: unsigned(row.try_get(10)?),
        expires: unsigned(row.try_get(11)?),
        received: unsigned(row.try_get(12)?),
        finished: unsigned(row.try_get(13)?),
        hash: hash
            .map(|hash| hash.try_into().map(Checksum::from_bytes))
            .transpose()
            .map_err(|_| bad("hash"))?,
        stored_as: row.try_get(15)?,
        path_key: row.try_get(16)?,
        epoch: unsigned(row.try_get(17)?),
    })
}

pub(super) fn rows(found: &[SqliteRow]) -> Result<Vec<Row>, StoreError> {
    found
        .iter()
        .map(row)
        .collect::<Result<_, _>>()
        .map_err(failed("reading rows"))
}

pub(super) async fn get(pool: &SqlitePool, ids: Vec<UploadId>) -> Result<Vec<Row>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql =
        QueryBuilder::<Sqlite>::new(format!("SELECT {COLUMNS} FROM uploads WHERE id IN ("));
    let mut list = sql.separated(", ");
    for id in &ids {
        list.push_bind(id.as_bytes().to_vec());
    }
    sql.push(")");
    rows(
        &sql.build()
            .fetch_all(pool)
            .await
            .map_err(failed("reading uploads"))?,
    )
}

pub(super) async fn list(
    pool: &SqlitePool,
    owner: Owner,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<Row>, StoreError> {
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
        let sql = format!(
            "SELECT {COLUMNS} FROM uploads WHERE owner = ? AND {part} AND {time} <= ? AND ({time} < ? OR id > ?) \
             ORDER BY {time} DESC, id LIMIT ?"
        );
        let page = sqlx::query(&sql)
            .bind(owner.as_str())
            .bind(before)
            .bind(before)
            .bind(id)
            .bind(left)
            .fetch_all(pool)
            .await
            .map_err(failed("listing uploads"))?;
        found.extend(rows(&page)?);
    }
    Ok(found)
}

pub(super) async fn counts(pool: &SqlitePool, owner: Owner) -> Result<ListCounts, StoreError> {
    let found =
        sqlx::query("SELECT unfinished, finished, finished_bytes FROM totals WHERE owner = ?")
            .bind(owner.as_str())
            .fetch_optional(pool)
            .await
            .map_err(failed("counting uploads"))?;
    let Some(found) = found else {
        return Ok(ListCounts::default());
    };
    let get = |column: usize| {
        found
            .try_get::<i64, _>(column)
            .map(unsigned)
            .map_err(failed("counting uploads"))
    };
    Ok(ListCounts {
        unfinished: get(0)?,
        finished: get(1)?,
        finished_bytes: get(2)?,
    })
}

pub(super) async fn usage(
    db: impl SqliteExecutor<'_>,
    owner: Option<&Owner>,
    since: u64,
) -> Result<Usage, sqlx::Error> {
    let owner = owner.map(Owner::as_str);
    let found = sqlx::query(
        "SELECT (SELECT ifnull(sum(finished_bytes + hidden_bytes), 0) FROM totals WHERE ?1 IS NULL OR owner = ?1), \
                (SELECT ifnull(sum(ifnull(size, received)), 0) FROM uploads WHERE state < 2 AND (?1 IS NULL OR owner = ?1) \
                    AND (received > 0 OR created > ?2)), \
                (SELECT ifnull(sum(max(size - received, 0)), 0) FROM uploads WHERE state < 2 \
                    AND (?1 IS NULL OR owner = ?1) AND (received > 0 OR created > ?2)), \
                (SELECT ifnull(sum(unfinished), 0) FROM totals WHERE ?1 IS NULL OR owner = ?1), \
                (SELECT ifnull(sum(finished), 0) FROM totals WHERE ?1 IS NULL OR owner = ?1), \
                (SELECT ifnull(sum(max(size - received, 0)), 0) FROM uploads WHERE state < 2 \
                    AND (?1 IS NULL OR owner = ?1) AND received > 0)",
    )
    .bind(owner)
    .bind(number(since))
    .fetch_one(db)
    .await?;
    let get = |column: usize| found.try_get::<i64, _>(column).map(unsigned);
    Ok(Usage {
        finished_bytes: get(0)?,
        unfinished_bytes: get(1)?,
        missing_bytes: get(2)?,
        unfinished: get(3)?,
        finished: get(4)?,
        missing_of_begun: get(5)?,
    })
}

pub(super) async fn expired(
    pool: &SqlitePool,
    now: u64,
    skip: u32,
    limit: u32,
) -> Result<Vec<Row>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM uploads WHERE state IN (0, 3) AND expires <= ? ORDER BY expires, id LIMIT ? OFFSET ?"
    );
    let found = sqlx::query(&sql)
        .bind(number(now))
        .bind(limit)
        .bind(skip)
        .fetch_all(pool)
        .await;
    rows(&found.map_err(failed("looking for what has expired"))?)
}

pub(super) async fn taken(
    pool: &SqlitePool,
    owner: Owner,
    but: UploadId,
    keys: Vec<String>,
) -> Result<Vec<String>, StoreError> {
    let mut sql =
        QueryBuilder::<Sqlite>::new("SELECT path_key FROM uploads WHERE state > 0 AND owner = ");
    sql.push_bind(owner.as_str().to_owned());
    sql.push(" AND id != ").push_bind(but.as_bytes().to_vec());
    sql.push(" AND path_key IN (");
    let mut list = sql.separated(", ");
    for key in keys {
        list.push_bind(key);
    }
    sql.push(")");
    let found = sql.build().fetch_all(pool).await;
    found
        .and_then(|found| found.iter().map(|row| row.try_get(0)).collect())
        .map_err(failed("looking for a free name"))
}

pub(super) async fn publishing(pool: &SqlitePool) -> Result<Vec<Row>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM uploads WHERE state = 1");
    rows(
        &sqlx::query(&sql)
            .fetch_all(pool)
            .await
            .map_err(failed("looking for what was being published"))?,
    )
}

pub(super) async fn old_names(pool: &SqlitePool) -> Result<Vec<(UploadId, String)>, StoreError> {
    let doing = "reading old names";
    let found = sqlx::query("SELECT id, stored_as FROM old_names")
        .fetch_all(pool)
        .await
        .map_err(failed(doing))?;
    let one = |row: &SqliteRow| {
        let id: &[u8] = row.try_get(0)?;
        let id = id
            .try_into()
            .map_err(|_| sqlx::Error::Decode("the column id is damaged".into()))?;
        Ok((UploadId::from_bytes(id), row.try_get(1)?))
    };
    found
        .iter()
        .map(one)
        .collect::<Result<_, _>>()
        .map_err(failed(doing))
}

pub(super) async fn mark(pool: &SqlitePool) -> Result<Mark, StoreError> {
    let doing = "reading how the last process ended";
    let found = sqlx::query("SELECT boot, epoch FROM mark")
        .fetch_optional(pool)
        .await
        .map_err(failed(doing))?;
    let Some(found) = found else {
        return Ok(Mark::default());
    };
    Ok(Mark {
        boot: found.try_get(0).map_err(failed(doing))?,
        epoch: unsigned(found.try_get(1).map_err(failed(doing))?),
    })
}
