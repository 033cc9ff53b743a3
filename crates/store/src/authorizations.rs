//! Authorizations. Of a token only its SHA-256 is kept: a token is 256 random bits, so nobody finds
//! it from the hash, and a lookup by hash needs no comparison of secrets.

use crate::row::{Columns, json_of, micros};
use crate::{Result, Table, Tx, Write};
use domain::{AccountId, Authorization, AuthorizationId, AuthorizationKind};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::SqliteRow;

fn authorization(row: &SqliteRow) -> Result<Authorization> {
    Ok(Authorization {
        id: row.parsed("id")?,
        account: row.parsed("account_id")?,
        kind: row.word("kind", AuthorizationKind::parse)?,
        description: row.text("description")?,
        scope: row.json("scope")?,
        token_hint: row.text("token_hint")?,
        token_id: row.parsed("token_id")?,
        expires_at: row.time_if_any("expires_at")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

pub(crate) fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// Adds an authorization that `token` will be good for.
pub async fn insert(write: &mut Write, authorization: &Authorization, token: &str) -> Result<()> {
    write.touch(Table::Accounts);
    sqlx::query(
        "INSERT INTO authorizations (id, account_id, description, scope, kind, token_hash, token_hint,
                                     token_id, expires_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(authorization.id.to_string())
    .bind(authorization.account.to_string())
    .bind(&authorization.description)
    .bind(json_of("scope", &authorization.scope)?)
    .bind(authorization.kind.as_str())
    .bind(hash(token))
    .bind(&authorization.token_hint)
    .bind(authorization.token_id.to_string())
    .bind(authorization.expires_at.map(micros))
    .bind(micros(authorization.created_at))
    .bind(micros(authorization.updated_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Writes the description, and with a new token also what belongs to the token.
pub async fn update(write: &mut Write, authorization: &Authorization, token: Option<&str>) -> Result<()> {
    write.touch(Table::Accounts);
    sqlx::query(
        "UPDATE authorizations SET description = $2, updated_at = $3, token_hint = $4, token_id = $5,
                expires_at = $6, token_hash = COALESCE($7, token_hash) WHERE id = $1",
    )
    .bind(authorization.id.to_string())
    .bind(&authorization.description)
    .bind(micros(authorization.updated_at))
    .bind(&authorization.token_hint)
    .bind(authorization.token_id.to_string())
    .bind(authorization.expires_at.map(micros))
    .bind(token.map(hash))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Removes one; its token stops working.
pub async fn delete(write: &mut Write, id: AuthorizationId) -> Result<()> {
    write.touch(Table::Accounts);
    sqlx::query("DELETE FROM authorizations WHERE id = $1").bind(id.to_string()).execute(write.sql()).await?;
    Ok(())
}

/// Removes those of an account that ran out by `time`.
pub async fn delete_expired(write: &mut Write, account: AccountId, time: Timestamp) -> Result<()> {
    write.touch(Table::Accounts);
    sqlx::query("DELETE FROM authorizations WHERE account_id = $1 AND expires_at <= $2")
        .bind(account.to_string())
        .bind(micros(time))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// The authorization a token belongs to, expired or not.
pub async fn by_token(tx: &mut Tx, token: &str) -> Result<Option<Authorization>> {
    sqlx::query("SELECT * FROM authorizations WHERE token_hash = $1")
        .bind(hash(token))
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(authorization)
        .transpose()
}

/// One authorization.
pub async fn by_id(tx: &mut Tx, id: AuthorizationId) -> Result<Option<Authorization>> {
    sqlx::query("SELECT * FROM authorizations WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(authorization)
        .transpose()
}

/// All of an account, oldest first.
pub async fn list(tx: &mut Tx, account: AccountId) -> Result<Vec<Authorization>> {
    sqlx::query("SELECT * FROM authorizations WHERE account_id = $1 ORDER BY created_at, id")
        .bind(account.to_string())
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(authorization)
        .collect()
}
