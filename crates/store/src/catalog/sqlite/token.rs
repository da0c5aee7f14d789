//! Tokens, in SQL.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    super::{Row, TokenRow, token},
    query::{self, id, number, unsigned},
};

/// How many rows were added: one, or none.
pub(super) fn add(db: &Connection, token: &TokenRow, now: u64) -> Result<usize, rusqlite::Error> {
    db.prepare_cached("DELETE FROM tokens WHERE expires <= ?")?
        .execute([number(now)])?;
    let sql = "INSERT INTO tokens SELECT ?1, id, ?3, ?4, ?5 FROM uploads WHERE id = ?2 \
         AND (SELECT count(*) FROM tokens WHERE upload = ?2) < ?6";
    db.prepare_cached(sql)?.execute(params![
        token.hash,
        token.upload.as_bytes(),
        token.rights,
        token.bytes.map(number),
        number(token.expires),
        number(token::MOST as u64),
    ])
}

pub(super) fn find(
    db: &Connection,
    hash: [u8; 32],
) -> Result<Option<(TokenRow, Row)>, rusqlite::Error> {
    let sql = "SELECT upload, rights, bytes, expires FROM tokens WHERE hash = ?";
    let one = |found: &rusqlite::Row<'_>| {
        Ok(TokenRow {
            hash,
            upload: id(found, 0)?,
            rights: found.get(1)?,
            bytes: found.get::<_, Option<i64>>(2)?.map(unsigned),
            expires: unsigned(found.get(3)?),
        })
    };
    let found = db
        .prepare_cached(sql)?
        .query_row([hash.as_slice()], one)
        .optional()?;
    let Some(token) = found else { return Ok(None) };
    let row = query::get(db, &[token.upload])?.pop();
    Ok(row.map(|row| (token, row)))
}
