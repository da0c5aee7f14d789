//! The changes, in SQL.

use hoist_protocol::{Checksum, UploadId};
use rusqlite::{Connection, ToSql, params};

use super::{
    super::{Command, Creation, Found, Left, Outcome, Room, Row},
    outbox,
    query::{self, number},
    token,
};

/// Whether a statement has found its row.
const fn outcome(rows: usize) -> Outcome {
    if rows == 0 {
        Outcome::NotDone
    } else {
        Outcome::Done
    }
}

fn blob(id: &UploadId) -> &[u8] {
    id.as_bytes().as_slice()
}

/// Does one command inside the open transaction, and writes down for its subscribers what happened.
pub(super) fn run(
    db: &Connection,
    command: &Command,
    subscribers: &[String],
) -> Result<Outcome, rusqlite::Error> {
    let outcome = change(db, command)?;
    if let (Outcome::Done, Some(event)) = (&outcome, command.event()) {
        outbox::add(db, subscribers, event)?;
    }
    Ok(outcome)
}

/// Does one command. Statements that find a row in another state
/// change nothing and say so; they never fail for it.
fn change(db: &Connection, command: &Command) -> Result<Outcome, rusqlite::Error> {
    let change = |sql: &str, params: &[&dyn ToSql]| db.prepare_cached(sql)?.execute(params);
    let rows = match command {
        Command::Create { creations, room } => {
            let mut left = None;
            let one = |creation| create(db, creation, room, &mut left);
            let found = creations.iter().map(one).collect::<Result<_, _>>()?;
            return Ok(Outcome::Created(found));
        }
        Command::Touch {
            id,
            expires,
            received,
        } => change(
            "UPDATE uploads SET expires = ?, received = ? WHERE id = ? AND state = 0",
            params![number(*expires), number(*received), blob(id)],
        )?,
        Command::Reserve { id, received, room } => return reserve(db, id, *received, room),
        Command::SetSize { id, size } => change(
            "UPDATE uploads SET size = ? WHERE id = ? AND state = 0",
            params![number(*size), blob(id)],
        )?,
        Command::Claim {
            id,
            stored_as,
            path_key,
            hash,
            size,
        } => {
            let hash = hash.as_ref().map(Checksum::as_bytes);
            // OR IGNORE: a taken place changes nothing instead of failing the whole group.
            change(
                "UPDATE OR IGNORE uploads SET stored_as = ?, path_key = ?, hash = ?, size = ?, state = 1 \
                 WHERE id = ? AND state = 0",
                params![stored_as, path_key, hash, number(*size), blob(id)],
            )?
        }
        Command::Finish { id, finished } => change(
            "UPDATE uploads SET state = 2, finished = ?, expires = ? WHERE id = ? AND state = 1",
            params![number(*finished), i64::MAX, blob(id)],
        )?,
        Command::Unclaim { id } => change(
            "UPDATE uploads SET state = 0 WHERE id = ? AND state = 1",
            params![blob(id)],
        )?,
        Command::Hide { id, until, .. } => change(
            "UPDATE uploads SET state = 3, expires = ? WHERE id = ? AND state = 2",
            params![number(*until), blob(id)],
        )?,
        Command::Unhide { id, now } => change(
            "UPDATE uploads SET state = 2, expires = ? WHERE id = ? AND state = 3 AND expires > ?",
            params![i64::MAX, blob(id), number(*now)],
        )?,
        Command::Doom { id, now } => change(
            "UPDATE uploads SET expires = 0 WHERE id = ? AND state = 3 AND expires <= ?",
            params![blob(id), number(*now)],
        )?,
        Command::Move {
            id,
            name,
            from,
            stored_as,
            path_key,
            ..
        } => {
            let moved = change(
                "UPDATE OR IGNORE uploads SET name = ?, stored_as = ?, path_key = ? \
                 WHERE id = ? AND state = 2 AND stored_as = ?",
                params![name, stored_as, path_key, blob(id), from],
            )?;
            if moved > 0 && from != stored_as {
                let sql = "INSERT INTO old_names VALUES (?, ?)";
                change(sql, params![blob(id), from])?;
            }
            moved
        }
        Command::NameDropped { id, stored_as } => change(
            "DELETE FROM old_names WHERE id = ? AND stored_as = ?",
            params![blob(id), stored_as],
        )?,
        Command::Checked { id, epoch } => change(
            "UPDATE uploads SET epoch = ? WHERE id = ? AND state < 2",
            params![number(*epoch), blob(id)],
        )?,
        Command::Start { boot, epoch } => change(
            "INSERT OR REPLACE INTO mark VALUES (1, ?, ?)",
            params![boot, number(*epoch)],
        )?,
        Command::Stop => change("UPDATE mark SET boot = NULL", params![])?,
        Command::Lost { id, from } => change(
            "DELETE FROM uploads WHERE id = ? AND state = 2 AND stored_as = ?",
            params![blob(id), from],
        )?,
        Command::Remove { id } => change("DELETE FROM uploads WHERE id = ?", params![blob(id)])?,
        Command::Delivered { number: of } => {
            change("DELETE FROM outbox WHERE number = ?", params![number(*of)])?
        }
        Command::Postpone { number: of, due } => change(
            "UPDATE outbox SET due = ?, tries = tries + 1 WHERE number = ?",
            params![number(*due), number(*of)],
        )?,
        Command::AddToken { token, now } => token::add(db, token, *now)?,
        Command::RemoveTokens { upload, hash } => {
            let removed = change(
                "DELETE FROM tokens WHERE upload = ?1 AND (?2 IS NULL OR hash = ?2)",
                params![blob(upload), hash.as_ref()],
            )?;
            return Ok(Outcome::Removed(removed as u64));
        }
    };
    Ok(outcome(rows))
}

fn reserve(
    db: &Connection,
    id: &UploadId,
    received: u64,
    room: &Room,
) -> Result<Outcome, rusqlite::Error> {
    let found = query::rows(db, "id = ? AND state = 0", [blob(id)])?.pop();
    let Some(row) = found else {
        return Ok(Outcome::NotDone);
    };
    let own = query::usage(db, Some(&room.owner), room.since)?;
    let all = query::usage(db, None, room.since)?;
    match room.left(own, all).reserve(&row, received, room.since) {
        Ok(received) => {
            let sql = "UPDATE uploads SET received = ? WHERE id = ?";
            let params = params![number(received), blob(id)];
            db.prepare_cached(sql)?.execute(params).map(outcome)
        }
        Err(reason) => Ok(Outcome::NoRoom(reason)),
    }
}

fn create(
    db: &Connection,
    creation: &Creation,
    room: &Room,
    left: &mut Option<Left>,
) -> Result<Found, rusqlite::Error> {
    let row = &creation.row;
    if creation.finds_earlier
        && let Some(earlier) = earlier(db, row)?
    {
        return Ok(Found::Earlier(earlier));
    }
    if creation.asks {
        // `state > 0`, too, is what lets the index of places be used: else all files are looked through.
        let which = "owner = ? AND path_key = ? AND state > 0 AND state = 2";
        let taken = query::rows(db, which, params![row.owner.as_str(), row.path_key])?;
        if let Some(taken) = taken.into_iter().next() {
            return Ok(Found::Conflict(taken));
        }
    }
    let left = match left {
        Some(left) => left,
        // Only now: a list of files that are all there costs no sums.
        None => {
            let own = query::usage(db, Some(&room.owner), room.since)?;
            let all = query::usage(db, None, room.since)?;
            left.insert(room.left(own, all))
        }
    };
    if let Err(reason) = left.take(row) {
        return Ok(Found::NoRoom(reason));
    }
    insert(db, row)?;
    Ok(Found::Added)
}

/// The earlier upload or file of the same identity: in the same folder, or, for one picked alone,
/// in any if there is only one.
pub(super) fn earlier(db: &Connection, row: &Row) -> Result<Option<Row>, rusqlite::Error> {
    let which = "owner = ? AND name = ? AND size IS ? AND last_modified IS ? \
         AND kind = ? AND state < 3 AND (folder = ? OR ?) ORDER BY state != 2, created, id LIMIT 2";
    for alone in [false, true] {
        let params = params![
            row.owner.as_str(),
            row.name,
            row.size.map(number),
            row.last_modified,
            query::kind_number(row.kind),
            row.folder,
            alone,
        ];
        let mut found = query::rows(db, which, params)?;
        found.truncate(if alone && found.len() > 1 { 0 } else { 1 });
        if let Some(found) = found.pop() {
            return Ok(Some(found));
        }
        if !row.is_picked_alone() {
            break;
        }
    }
    Ok(None)
}

fn insert(db: &Connection, row: &Row) -> Result<(), rusqlite::Error> {
    let sql = "INSERT INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    db.prepare_cached(sql)?.execute(params![
        blob(&row.id),
        row.owner.as_str(),
        row.name,
        row.folder,
        query::kind_number(row.kind),
        row.size.map(number),
        row.last_modified,
        row.media_type,
        number(row.chunk_size),
        row.state as i64,
        number(row.created),
        number(row.expires),
        number(row.received),
        number(row.finished),
        row.hash.as_ref().map(Checksum::as_bytes),
        row.stored_as,
        row.path_key,
        number(row.epoch),
    ])?;
    Ok(())
}
