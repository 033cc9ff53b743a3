//! Tokens of partners. As of all tokens only the SHA-256 is kept.

use crate::authorizations::hash;
use crate::row::{Columns, integer, micros};
use crate::{Result, Table, Tx, Write};
use domain::{AddonId, PartnerToken, PartnerTokenId, PartnerTokenKind};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

fn token(row: &SqliteRow) -> Result<PartnerToken> {
    Ok(PartnerToken {
        id: row.parsed("id")?,
        addon: row.parsed("addon_id")?,
        kind: row.word("kind", PartnerTokenKind::parse)?,
        expires_at: row.time_if_any("expires_at")?,
        created_at: row.time("created_at")?,
    })
}

/// Adds one that `secret` will be good for.
pub async fn insert(write: &mut Write, token: &PartnerToken, secret: &str) -> Result<()> {
    write.touch(Table::Partners);
    sqlx::query(
        "INSERT INTO partner_tokens (id, addon_id, kind, token_hash, expires_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(token.id.to_string())
    .bind(token.addon.to_string())
    .bind(token.kind.as_str())
    .bind(hash(secret))
    .bind(token.expires_at.map(micros))
    .bind(micros(token.created_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// The one that a secret belongs to, expired or not.
pub async fn by_secret(tx: &mut Tx, secret: &str) -> Result<Option<PartnerToken>> {
    sqlx::query("SELECT * FROM partner_tokens WHERE token_hash = $1")
        .bind(hash(secret))
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(token)
        .transpose()
}

/// Removes one.
pub async fn delete(write: &mut Write, id: PartnerTokenId) -> Result<()> {
    write.touch(Table::Partners);
    sqlx::query("DELETE FROM partner_tokens WHERE id = $1").bind(id.to_string()).execute(write.sql()).await?;
    Ok(())
}

/// Removes an add-on's that ran out by `time`.
pub async fn delete_expired(write: &mut Write, addon: AddonId, time: Timestamp) -> Result<()> {
    write.touch(Table::Partners);
    sqlx::query("DELETE FROM partner_tokens WHERE addon_id = $1 AND expires_at <= $2")
        .bind(addon.to_string())
        .bind(micros(time))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// Removes all of an add-on's, which is given up.
pub async fn delete_all(write: &mut Write, addon: AddonId) -> Result<()> {
    write.touch(Table::Partners);
    sqlx::query("DELETE FROM partner_tokens WHERE addon_id = $1")
        .bind(addon.to_string())
        .execute(write.sql())
        .await?;
    Ok(())
}

/// Removes all but the newest `count` of a kind of an add-on's.
pub async fn keep_newest(
    write: &mut Write,
    addon: AddonId,
    kind: PartnerTokenKind,
    count: usize,
) -> Result<()> {
    write.touch(Table::Partners);
    sqlx::query(
        "DELETE FROM partner_tokens WHERE addon_id = $1 AND kind = $2 AND id NOT IN
             (SELECT id FROM partner_tokens WHERE addon_id = $1 AND kind = $2
              ORDER BY created_at DESC, id LIMIT $3)",
    )
    .bind(addon.to_string())
    .bind(kind.as_str())
    .bind(integer(count as u64))
    .execute(write.sql())
    .await?;
    Ok(())
}
