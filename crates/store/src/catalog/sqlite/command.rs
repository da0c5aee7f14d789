//! The changes, in SQL.

use hoist_protocol::{Checksum, UploadId};
use sqlx::{SqliteConnection, sqlite::SqliteQueryResult};

use super::{
    super::{Command, Creation, Found, Left, Outcome, Room, Row},
    outbox,
    query::{self, COLUMNS, number},
    token,
};

fn outcome(result: &SqliteQueryResult) -> Outcome {
    if result.rows_affected() == 0 {
        Outcome::NotDone
    } else {
        Outcome::Done
    }
}

fn blob(id: &UploadId) -> &[u8] {
    id.as_bytes().as_slice()
}

/// Does one command inside the open transaction, and writes down for its subscribers what happened.
pub(super) async fn run(
    db: &mut SqliteConnection,
    command: &Command,
    subscribers: &[String],
) -> Result<Outcome, sqlx::Error> {
    let outcome = change(&mut *db, command).await?;
    if let (Outcome::Done, Some(event)) = (&outcome, command.event()) {
        outbox::add(db, subscribers, event).await?;
    }
    Ok(outcome)
}

/// Does one command. Statements that find a row in another state
/// change nothing and say so; they never fail for it.
async fn change(db: &mut SqliteConnection, command: &Command) -> Result<Outcome, sqlx::Error> {
    let result = match command {
        Command::Create { creations, room } => {
            let mut found = Vec::with_capacity(creations.len());
            let mut left = None;
            for creation in creations {
                found.push(create(db, creation, room, &mut left).await?);
            }
            return Ok(Outcome::Created(found));
        }
        Command::Touch {
            id,
            expires,
            received,
        } => {
            sqlx::query("UPDATE uploads SET expires = ?, received = ? WHERE id = ? AND state = 0")
                .bind(number(*expires))
                .bind(number(*received))
                .bind(blob(id))
                .execute(db)
                .await?
        }
        Command::Reserve { id, received, room } => return reserve(db, id, *received, room).await,
        Command::SetSize { id, size } => {
            sqlx::query("UPDATE uploads SET size = ? WHERE id = ? AND state = 0")
                .bind(number(*size))
                .bind(blob(id))
                .execute(db)
                .await?
        }
        Command::Claim {
            id,
            stored_as,
            path_key,
            hash,
            size,
        } => {
            // OR IGNORE: a taken place changes nothing instead of failing the whole group.
            sqlx::query(
                "UPDATE OR IGNORE uploads SET stored_as = ?, path_key = ?, hash = ?, size = ?, state = 1 \
                 WHERE id = ? AND state = 0",
            )
            .bind(stored_as)
            .bind(path_key)
            .bind(hash.as_ref().map(|hash: &Checksum| hash.as_bytes().as_slice()))
            .bind(number(*size))
            .bind(blob(id))
            .execute(db)
            .await?
        }
        Command::Finish { id, finished } => sqlx::query(
            "UPDATE uploads SET state = 2, finished = ?, expires = ? WHERE id = ? AND state = 1",
        )
        .bind(number(*finished))
        .bind(i64::MAX)
        .bind(blob(id))
        .execute(db)
        .await?,
        Command::Unclaim { id } => {
            sqlx::query("UPDATE uploads SET state = 0 WHERE id = ? AND state = 1")
                .bind(blob(id))
                .execute(db)
                .await?
        }
        Command::Hide { id, until, .. } => {
            sqlx::query("UPDATE uploads SET state = 3, expires = ? WHERE id = ? AND state = 2")
                .bind(number(*until))
                .bind(blob(id))
                .execute(db)
                .await?
        }
        Command::Unhide { id, now } => sqlx::query(
            "UPDATE uploads SET state = 2, expires = ? WHERE id = ? AND state = 3 AND expires > ?",
        )
        .bind(i64::MAX)
        .bind(blob(id))
        .bind(number(*now))
        .execute(db)
        .await?,
        Command::Doom { id, now } => {
            sqlx::query(
                "UPDATE uploads SET expires = 0 WHERE id = ? AND state = 3 AND expires <= ?",
            )
            .bind(blob(id))
            .bind(number(*now))
            .execute(db)
            .await?
        }
        Command::Move {
            id,
            name,
            from,
            stored_as,
            path_key,
            ..
        } => {
            let moved = sqlx::query(
                "UPDATE OR IGNORE uploads SET name = ?, stored_as = ?, path_key = ? \
                 WHERE id = ? AND state = 2 AND stored_as = ?",
            )
            .bind(name)
            .bind(stored_as)
            .bind(path_key)
            .bind(blob(id))
            .bind(from)
            .execute(&mut *db)
            .await?;
            if moved.rows_affected() > 0 && from != stored_as {
                sqlx::query("INSERT INTO old_names VALUES (?, ?)")
                    .bind(blob(id))
                    .bind(from)
                    .execute(db)
                    .await?;
            }
            moved
        }
        Command::NameDropped { id, stored_as } => {
            sqlx::query("DELETE FROM old_names WHERE id = ? AND stored_as = ?")
                .bind(blob(id))
                .bind(stored_as)
                .execute(db)
                .await?
        }
        Command::Checked { id, epoch } => {
            sqlx::query("UPDATE uploads SET epoch = ? WHERE id = ? AND state < 2")
                .bind(number(*epoch))
                .bind(blob(id))
                .execute(db)
                .await?
        }
        Command::Start { boot, epoch } => {
            sqlx::query("INSERT OR REPLACE INTO mark VALUES (1, ?, ?)")
                .bind(boot)
                .bind(number(*epoch))
                .execute(db)
                .await?
        }
        Command::Stop => {
            sqlx::query("UPDATE mark SET boot = NULL")
                .execute(db)
                .await?
        }
        Command::Lost { id, from } => {
            sqlx::query("DELETE FROM uploads WHERE id = ? AND state = 2 AND stored_as = ?")
                .bind(blob(id))
                .bind(from)
                .execute(db)
                .await?
        }
        Command::Remove { id } => {
            sqlx::query("DELETE FROM uploads WHERE id = ?")
                .bind(blob(id))
                .execute(db)
                .await?
        }
        Command::Delivered { number: of } => {
            sqlx::query("DELETE FROM outbox WHERE number = ?")
                .bind(number(*of))
                .execute(db)
                .await?
        }
        Command::Postpone { number: of, due } => {
            sqlx::query("UPDATE outbox SET due = ?, tries = tries + 1 WHERE number = ?")
                .bind(number(*due))
                .bind(number(*of))
                .execute(db)
                .await?
        }
        Command::AddToken { token, now } => token::add(db, token, *now).await?,
        Command::RemoveTokens { upload, hash } => {
            let removed =
                sqlx::query("DELETE FROM tokens WHERE upload = ?1 AND (?2 IS NULL OR hash = ?2)")
                    .bind(blob(upload))
                    .bind(hash.as_ref().map(<[u8; 32]>::as_slice))
                    .execute(db)
                    .await?;
            return Ok(Outcome::Removed(removed.rows_affected()));
        }
    };
    Ok(outcome(&result))
}

async fn reserve(
    db: &mut SqliteConnection,
    id: &UploadId,
    received: u64,
    room: &Room,
) -> Result<Outcome, sqlx::Error> {
    let sql = format!("SELECT {COLUMNS} FROM uploads WHERE id = ? AND state = 0");
    let row = sqlx::query(&sql)
        .bind(blob(id))
        .fetch_optional(&mut *db)
        .await?;
    let Some(row) = row else {
        return Ok(Outcome::NotDone);
    };
    let row = query::row(&row)?;
    let own = query::usage(&mut *db, Some(&room.owner), room.since).await?;
    let all = query::usage(&mut *db, None, room.since).await?;
    match room.left(own, all).reserve(&row, received, room.since) {
        Ok(received) => {
            let done = sqlx::query("UPDATE uploads SET received = ? WHERE id = ?")
                .bind(number(received))
                .bind(blob(id))
                .execute(db)
                .await?;
            Ok(outcome(&done))
        }
        Err(reason) => Ok(Outcome::NoRoom(reason)),
    }
}

async fn create(
    db: &mut SqliteConnection,
    creation: &Creation,
    room: &Room,
    left: &mut Option<Left>,
) -> Result<Found, sqlx::Error> {
    let row = &creation.row;
    if creation.finds_earlier
        && let Some(earlier) = earlier(db, row).await?
    {
        return Ok(Found::Earlier(earlier));
    }
    if creation.asks {
        // `state > 0`, too, is what lets the index of places be used: else all files are looked through.
        let sql = format!(
            "SELECT {COLUMNS} FROM uploads WHERE owner = ? AND path_key = ? AND state > 0 AND state = 2"
        );
        let taken = sqlx::query(&sql)
            .bind(row.owner.as_str())
            .bind(&row.path_key)
            .fetch_optional(&mut *db)
            .await?;
        if let Some(taken) = taken {
            return Ok(Found::Conflict(query::row(&taken)?));
        }
    }
    let left = match left {
        Some(left) => left,
        // Only now: a list of files that are all there costs no sums.
        None => {
            let own = query::usage(&mut *db, Some(&room.owner), room.since).await?;
            let all = query::usage(&mut *db, None, room.since).await?;
            left.insert(room.left(own, all))
        }
    };
    if let Err(reason) = left.take(row) {
        return Ok(Found::NoRoom(reason));
    }
    insert(db, row).await?;
    Ok(Found::Added)
}

/// The earlier upload or file of the same identity: in the same folder, or, for one picked alone,
/// in any if there is only one.
pub(super) async fn earlier(
    db: &mut SqliteConnection,
    row: &Row,
) -> Result<Option<Row>, sqlx::Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM uploads WHERE owner = ? AND name = ? AND size IS ? AND last_modified IS ? \
         AND kind = ? AND state < 3 AND (folder = ? OR ?) ORDER BY state != 2, created, id LIMIT 2"
    );
    for alone in [false, true] {
        let found = sqlx::query(&sql)
            .bind(row.owner.as_str())
            .bind(&row.name)
            .bind(row.size.map(number))
            .bind(row.last_modified)
            .bind(query::kind_number(row.kind))
            .bind(&row.folder)
            .bind(alone)
            .fetch_all(&mut *db)
            .await?;
        match found.as_slice() {
            [first] => return query::row(first).map(Some),
            [first, _] if !alone => return query::row(first).map(Some),
            _ => {}
        }
        if !row.is_picked_alone() {
            break;
        }
    }
    Ok(None)
}

async fn insert(db: &mut SqliteConnection, row: &Row) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(blob(&row.id))
    .bind(row.owner.as_str())
    .bind(&row.name)
    .bind(&row.folder)
    .bind(query::kind_number(row.kind))
    .bind(row.size.map(number))
    .bind(row.last_modified)
    .bind(&row.media_type)
    .bind(number(row.chunk_size))
    .bind(row.state as i64)
    .bind(number(row.created))
    .bind(number(row.expires))
    .bind(number(row.received))
    .bind(number(row.finished))
    .bind(row.hash.as_ref().map(|hash| hash.as_bytes().as_slice()))
    .bind(&row.stored_as)
    .bind(&row.path_key)
    .bind(number(row.epoch))
    .execute(db)
    .await?;
    Ok(())
}
