//! Tokens, in SQL.

use hoist_protocol::UploadId;
use sqlx::{
    Row as _, SqliteConnection, SqlitePool,
    sqlite::{SqliteQueryResult, SqliteRow},
};

use super::{
    super::{Row, TokenRow, token},
    failed,
    query::{self, number, unsigned},
};
use crate::StoreError;

pub(super) async fn add(
    db: &mut SqliteConnection,
    token: &TokenRow,
    now: u64,
) -> Result<SqliteQueryResult, sqlx::Error> {
    sqlx::query("DELETE FROM tokens WHERE expires <= ?")
        .bind(number(now))
        .execute(&mut *db)
        .await?;
    sqlx::query(
        "INSERT INTO tokens SELECT ?1, id, ?3, ?4, ?5 FROM uploads WHERE id = ?2 \
         AND (SELECT count(*) FROM tokens WHERE upload = ?2) < ?6",
    )
    .bind(token.hash.as_slice())
    .bind(token.upload.as_bytes().as_slice())
    .bind(token.rights)
    .bind(token.bytes.map(number))
    .bind(number(token.expires))
    .bind(number(token::MOST as u64))
    .execute(db)
    .await
}

pub(super) async fn find(
    pool: &SqlitePool,
    hash: [u8; 32],
) -> Result<Option<(TokenRow, Row)>, StoreError> {
    let doing = "looking for a token";
    let found = sqlx::query("SELECT upload, rights, bytes, expires FROM tokens WHERE hash = ?")
        .bind(hash.as_slice())
        .fetch_optional(pool)
        .await
        .and_then(|found| found.map(|found| one(&found, hash)).transpose())
        .map_err(failed(doing))?;
    let Some(token) = found else { return Ok(None) };
    let row = query::get(pool, vec![token.upload]).await?.pop();
    Ok(row.map(|row| (token, row)))
}

fn one(found: &SqliteRow, hash: [u8; 32]) -> Result<TokenRow, sqlx::Error> {
    let id: &[u8] = found.try_get(0)?;
    let id = id
        .try_into()
        .map_err(|_| sqlx::Error::Decode("the column upload is damaged".into()))?;
    Ok(TokenRow {
        hash,
        upload: UploadId::from_bytes(id),
        rights: found.try_get(1)?,
        bytes: found.try_get::<Option<i64>, _>(2)?.map(unsigned),
        expires: unsigned(found.try_get(3)?),
    })
}
