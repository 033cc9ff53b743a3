//! What users set at add-ons, and how add-ons were when they were last asked.

use crate::row::{Columns, json_of, micros};
use crate::{Result, Table, Tx, Write};
use domain::AddonId;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What was set at an add-on; what was not is as its service has it.
pub async fn of_addon(tx: &mut Tx, addon: AddonId) -> Result<BTreeMap<String, String>> {
    sqlx::query("SELECT name, value FROM addon_settings WHERE addon_id = $1")
        .bind(addon.to_string())
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(|row| Ok((row.text("name")?, row.text("value")?)))
        .collect()
}

/// Sets one.
pub async fn set(write: &mut Write, addon: AddonId, name: &str, value: &str) -> Result<()> {
    write.touch(Table::Addons);
    sqlx::query(
        "INSERT INTO addon_settings (addon_id, name, value) VALUES ($1, $2, $3)
         ON CONFLICT (addon_id, name) DO UPDATE SET value = excluded.value",
    )
    .bind(addon.to_string())
    .bind(name)
    .bind(value)
    .execute(write.sql())
    .await?;
    Ok(())
}

/// What an add-on said last about itself.
pub async fn samples(tx: &mut Tx, addon: AddonId) -> Result<BTreeMap<String, String>> {
    let row = sqlx::query("SELECT samples FROM addon_samples WHERE addon_id = $1")
        .bind(addon.to_string())
        .fetch_optional(tx.sql())
        .await?;
    row.map_or_else(|| Ok(BTreeMap::new()), |row| row.json("samples"))
}

/// Remembers what an add-on said about itself. Wakes nobody.
pub async fn set_samples(
    write: &mut Write,
    addon: AddonId,
    samples: &BTreeMap<String, String>,
    now: Timestamp,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO addon_samples (addon_id, samples, taken_at)
         SELECT id, $2, $3 FROM addons WHERE id = $1
         ON CONFLICT (addon_id) DO UPDATE SET samples = excluded.samples, taken_at = excluded.taken_at",
    )
    .bind(addon.to_string())
    .bind(json_of("samples", samples)?)
    .bind(micros(now))
    .execute(write.sql())
    .await?;
    Ok(())
}
