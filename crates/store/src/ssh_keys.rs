//! SSH public keys of accounts.

use crate::row::{Columns, micros};
use crate::{Result, Table, Tx, Write};
use domain::{AccountId, KeyId, SshKey};
use sqlx::sqlite::SqliteRow;

fn key(row: &SqliteRow) -> Result<SshKey> {
    Ok(SshKey {
        id: row.parsed("id")?,
        account: row.parsed("account_id")?,
        public_key: row.text("public_key")?,
        comment: row.text("comment")?,
        fingerprint: row.text("fingerprint")?,
        fingerprint_md5: row.text("fingerprint_md5")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Adds a key.
pub async fn insert(write: &mut Write, key: &SshKey) -> Result<()> {
    write.touch(Table::Accounts);
    sqlx::query(
        "INSERT INTO ssh_keys (id, account_id, public_key, comment, fingerprint, fingerprint_md5, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(key.id.to_string())
    .bind(key.account.to_string())
    .bind(&key.public_key)
    .bind(&key.comment)
    .bind(&key.fingerprint)
    .bind(&key.fingerprint_md5)
    .bind(micros(key.created_at))
    .bind(micros(key.updated_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Removes a key.
pub async fn delete(write: &mut Write, id: KeyId) -> Result<()> {
    write.touch(Table::Accounts);
    sqlx::query("DELETE FROM ssh_keys WHERE id = $1").bind(id.to_string()).execute(write.sql()).await?;
    Ok(())
}

/// A key by its SHA-256 fingerprint, whoever it belongs to.
pub async fn by_fingerprint(tx: &mut Tx, fingerprint: &str) -> Result<Option<SshKey>> {
    sqlx::query("SELECT * FROM ssh_keys WHERE fingerprint = $1")
        .bind(fingerprint)
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(key)
        .transpose()
}

/// All of an account, oldest first.
pub async fn list(tx: &mut Tx, account: AccountId) -> Result<Vec<SshKey>> {
    sqlx::query("SELECT * FROM ssh_keys WHERE account_id = $1 ORDER BY created_at, id")
        .bind(account.to_string())
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(key)
        .collect()
}
