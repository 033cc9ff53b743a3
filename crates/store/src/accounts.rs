//! Accounts. The password's hash is read apart from the rest, so that it is handed to nobody who
//! did not ask for it.

use crate::row::{Columns, micros};
use crate::{Result, Table, Tx, Write};
use domain::{Account, AccountId};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

fn account(row: &SqliteRow) -> Result<Account> {
    Ok(Account {
        id: row.parsed("id")?,
        email: row.text("email")?,
        name: row.text_if_any("name")?,
        admin: row.flag("admin")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        last_login: row.time_if_any("last_login")?,
    })
}

/// Adds an account; `password_hash` is a PHC string, or `None` for one that only tokens let in.
pub async fn insert(write: &mut Write, account: &Account, password_hash: Option<&str>) -> Result<()> {
    write.touch(Table::Accounts);
    sqlx::query(
        "INSERT INTO accounts (id, email, name, password_hash, admin, last_login, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(account.id.to_string())
    .bind(&account.email)
    .bind(&account.name)
    .bind(password_hash)
    .bind(account.admin)
    .bind(account.last_login.map(micros))
    .bind(micros(account.created_at))
    .bind(micros(account.updated_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Writes everything but the password.
pub async fn update(write: &mut Write, account: &Account) -> Result<()> {
    write.touch(Table::Accounts);
    sqlx::query(
        "UPDATE accounts SET email = $2, name = $3, admin = $4, last_login = $5, updated_at = $6 WHERE id = $1",
    )
    .bind(account.id.to_string())
    .bind(&account.email)
    .bind(&account.name)
    .bind(account.admin)
    .bind(account.last_login.map(micros))
    .bind(micros(account.updated_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Writes the password's hash.
pub async fn set_password(write: &mut Write, id: AccountId, hash: &str, now: Timestamp) -> Result<()> {
    write.touch(Table::Accounts);
    sqlx::query("UPDATE accounts SET password_hash = $2, updated_at = $3 WHERE id = $1")
        .bind(id.to_string())
        .bind(hash)
        .bind(micros(now))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// Removes an account with its authorizations, keys and places on apps. The database refuses while
/// it owns an app.
pub async fn delete(write: &mut Write, id: AccountId) -> Result<()> {
    write.touch(Table::Accounts);
    sqlx::query("DELETE FROM accounts WHERE id = $1").bind(id.to_string()).execute(write.sql()).await?;
    Ok(())
}

/// One account.
pub async fn by_id(tx: &mut Tx, id: AccountId) -> Result<Option<Account>> {
    sqlx::query("SELECT * FROM accounts WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(account)
        .transpose()
}

/// One account by its lower-cased address.
pub async fn by_email(tx: &mut Tx, email: &str) -> Result<Option<Account>> {
    sqlx::query("SELECT * FROM accounts WHERE email = $1")
        .bind(email)
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(account)
        .transpose()
}

/// The PHC string of the account's password.
pub async fn password_hash(tx: &mut Tx, id: AccountId) -> Result<Option<String>> {
    let row = sqlx::query("SELECT password_hash FROM accounts WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?;
    row.map_or(Ok(None), |row| row.text_if_any("password_hash"))
}

/// All accounts, oldest first.
pub async fn list(tx: &mut Tx) -> Result<Vec<Account>> {
    sqlx::query("SELECT * FROM accounts ORDER BY created_at, id")
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(account)
        .collect()
}
