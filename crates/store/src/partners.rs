//! Services that partners run. What proves somebody is sealed.

use crate::row::{Columns, micros};
use crate::seal::{Place, open_map, seal_map};
use crate::{Result, StoreError, Table, Tx, Write};
use domain::Partner;
use sqlx::sqlite::SqliteRow;
use std::collections::BTreeMap;

const SECRETS: [&str; 3] = ["password", "sso_salt", "client_secret"];

fn place(row: &str) -> Place<'_> {
    Place { table: "partners", column: "sealed_secrets", row }
}

fn partner(tx: &Tx, row: &SqliteRow) -> Result<Partner> {
    let sealed = row.bytes_if_any("sealed_secrets")?.unwrap_or_default();
    let mut secrets = open_map(&tx.keys(), place(&row.text("id")?), &sealed)?;
    let mut secret = |name: &str| {
        let missing = || StoreError::Corrupt { column: "sealed_secrets", why: format!("no {name}") };
        secrets.remove(name).ok_or_else(missing)
    };
    Ok(Partner {
        id: row.parsed("id")?,
        name: row.text("name")?,
        manifest: row.text("manifest")?,
        password: secret(SECRETS[0])?,
        sso_salt: secret(SECRETS[1])?,
        client_secret: secret(SECRETS[2])?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Adds one, or writes all of it that can change.
pub async fn put(write: &mut Write, partner: &Partner) -> Result<()> {
    write.touch(Table::Partners);
    let id = partner.id.to_string();
    let values = [&partner.password, &partner.sso_salt, &partner.client_secret];
    let secrets: BTreeMap<_, _> =
        SECRETS.iter().zip(values).map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let sealed = seal_map(&write.keys(), place(&id), &secrets)?;
    sqlx::query(
        "INSERT INTO partners (id, name, manifest, sealed_secrets, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (id) DO UPDATE SET manifest = $3, sealed_secrets = $4, updated_at = $6",
    )
    .bind(&id)
    .bind(&partner.name)
    .bind(&partner.manifest)
    .bind(sealed)
    .bind(micros(partner.created_at))
    .bind(micros(partner.updated_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Forgets one.
pub async fn delete(write: &mut Write, partner: &Partner) -> Result<()> {
    write.touch(Table::Partners);
    sqlx::query("DELETE FROM partners WHERE id = $1")
        .bind(partner.id.to_string())
        .execute(write.sql())
        .await?;
    Ok(())
}

/// One by its service's name.
pub async fn by_name(tx: &mut Tx, name: &str) -> Result<Option<Partner>> {
    let row =
        sqlx::query("SELECT * FROM partners WHERE name = $1").bind(name).fetch_optional(tx.sql()).await?;
    row.map(|row| partner(tx, &row)).transpose()
}

/// All there are, by name.
pub async fn list(tx: &mut Tx) -> Result<Vec<Partner>> {
    let rows = sqlx::query("SELECT * FROM partners ORDER BY name").fetch_all(tx.sql()).await?;
    rows.iter().map(|row| partner(tx, row)).collect()
}
