//! Host names of apps.

use crate::row::{Columns, micros};
use crate::{Result, Table, Tx, Write};
use domain::{AppId, Domain, DomainId};
use sqlx::sqlite::SqliteRow;

fn domain(row: &SqliteRow) -> Result<Domain> {
    Ok(Domain {
        id: row.parsed("id")?,
        app: row.parsed("app_id")?,
        hostname: row.text("hostname")?,
        custom: row.flag("custom")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Adds one.
pub async fn insert(write: &mut Write, domain: &Domain) -> Result<()> {
    write.touch(Table::Domains);
    sqlx::query(
        "INSERT INTO domains (id, app_id, hostname, custom, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(domain.id.to_string())
    .bind(domain.app.to_string())
    .bind(&domain.hostname)
    .bind(domain.custom)
    .bind(micros(domain.created_at))
    .bind(micros(domain.updated_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Writes the host name, which changes when the app is renamed.
pub async fn update(write: &mut Write, domain: &Domain) -> Result<()> {
    write.touch(Table::Domains);
    sqlx::query("UPDATE domains SET hostname = $2, updated_at = $3 WHERE id = $1")
        .bind(domain.id.to_string())
        .bind(&domain.hostname)
        .bind(micros(domain.updated_at))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// Removes one.
pub async fn delete(write: &mut Write, id: DomainId) -> Result<()> {
    write.touch(Table::Domains);
    sqlx::query("DELETE FROM domains WHERE id = $1").bind(id.to_string()).execute(write.sql()).await?;
    Ok(())
}

/// The one with this host name.
pub async fn by_hostname(tx: &mut Tx, hostname: &str) -> Result<Option<Domain>> {
    sqlx::query("SELECT * FROM domains WHERE hostname = $1")
        .bind(hostname)
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(domain)
        .transpose()
}

/// One app's, the default one first.
pub async fn list(tx: &mut Tx, app: AppId) -> Result<Vec<Domain>> {
    sqlx::query("SELECT * FROM domains WHERE app_id = $1 ORDER BY custom, created_at, id")
        .bind(app.to_string())
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(domain)
        .collect()
}

/// Every app's, for the route table.
pub async fn all(tx: &mut Tx) -> Result<Vec<Domain>> {
    sqlx::query("SELECT * FROM domains ORDER BY hostname")
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(domain)
        .collect()
}
