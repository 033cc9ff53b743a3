//! Running services that add-ons live in. Their values are sealed.

use crate::row::{Columns, micros};
use crate::seal::{Place, open_map, seal_map};
use crate::{Result, Table, Tx, Write};
use domain::{Instance, InstanceId};
use sqlx::sqlite::SqliteRow;

fn place(row: &str) -> Place<'_> {
    Place { table: "instances", column: "sealed_values", row }
}

fn instance(tx: &Tx, row: &SqliteRow) -> Result<Instance> {
    let sealed = row.bytes_if_any("sealed_values")?.unwrap_or_default();
    Ok(Instance {
        id: row.parsed("id")?,
        service: row.text("service")?,
        plan: row.text_if_any("plan")?,
        address: row.parsed("address")?,
        values: open_map(&tx.keys(), place(&row.text("id")?), &sealed)?,
        removed: row.flag("removed")?,
        failures: row.number("failures")?,
        retry_at: row.time_if_any("retry_at")?,
        created_at: row.time("created_at")?,
    })
}

/// Adds one.
pub async fn insert(write: &mut Write, instance: &Instance) -> Result<()> {
    write.touch(Table::Addons);
    let id = instance.id.to_string();
    let values = seal_map(&write.keys(), place(&id), &instance.values)?;
    sqlx::query(
        "INSERT INTO instances (id, service, plan, address, sealed_values, removed, failures, retry_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(&id)
    .bind(&instance.service)
    .bind(&instance.plan)
    .bind(instance.address.to_string())
    .bind(values)
    .bind(instance.removed)
    .bind(i64::from(instance.failures))
    .bind(instance.retry_at.map(micros))
    .bind(micros(instance.created_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Writes what changes: the plan, whether it is to go, and how its starts went.
pub async fn update(write: &mut Write, instance: &Instance) -> Result<()> {
    write.touch(Table::Addons);
    sqlx::query("UPDATE instances SET plan = $2, removed = $3, failures = $4, retry_at = $5 WHERE id = $1")
        .bind(instance.id.to_string())
        .bind(&instance.plan)
        .bind(instance.removed)
        .bind(i64::from(instance.failures))
        .bind(instance.retry_at.map(micros))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// Forgets one, of which nothing is left.
pub async fn delete(write: &mut Write, id: InstanceId) -> Result<()> {
    write.touch(Table::Addons);
    sqlx::query("DELETE FROM instances WHERE id = $1").bind(id.to_string()).execute(write.sql()).await?;
    Ok(())
}

/// One.
pub async fn by_id(tx: &mut Tx, id: InstanceId) -> Result<Option<Instance>> {
    let row = sqlx::query("SELECT * FROM instances WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?;
    row.map(|row| instance(tx, &row)).transpose()
}

/// The one of a service that small plans share, if it was made.
pub async fn shared(tx: &mut Tx, service: &str) -> Result<Option<Instance>> {
    let row = sqlx::query(
        "SELECT * FROM instances WHERE service = $1 AND plan IS NULL AND NOT removed ORDER BY created_at LIMIT 1",
    )
    .bind(service)
    .fetch_optional(tx.sql())
    .await?;
    row.map(|row| instance(tx, &row)).transpose()
}

/// All there are, oldest first.
pub async fn list(tx: &mut Tx) -> Result<Vec<Instance>> {
    let rows = sqlx::query("SELECT * FROM instances ORDER BY created_at, id").fetch_all(tx.sql()).await?;
    rows.iter().map(|row| instance(tx, row)).collect()
}
