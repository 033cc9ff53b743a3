//! What add-ons are at their partners.

use crate::row::{Columns, json_of, micros, text_of};
use crate::{Result, Table, Tx, Write};
use domain::{AddonId, Resource};
use sqlx::sqlite::SqliteRow;

fn resource(row: &SqliteRow) -> Result<Resource> {
    Ok(Resource {
        addon: row.parsed("addon_id")?,
        provider_id: row.text_if_any("provider_id")?,
        options: row.json("options")?,
        accepted: row.flag("accepted")?,
        gone: row.flag("gone")?,
        deadline: row.time("deadline")?,
        wanted_plan: row.text_if_any("wanted_plan")?,
        plan_refused: row.text_if_any("plan_refused")?,
        message: row.text_if_any("message")?,
        drain: row.parsed_if_any("drain_id")?,
        drain_token: row.text("drain_token")?,
    })
}

/// Adds one, or writes all of it that can change.
pub async fn put(write: &mut Write, resource: &Resource) -> Result<()> {
    write.touch(Table::Addons);
    sqlx::query(
        "INSERT INTO partner_resources (addon_id, provider_id, options, accepted, deadline, wanted_plan,
                                        plan_refused, message, drain_id, drain_token, gone)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         ON CONFLICT (addon_id) DO UPDATE SET provider_id = $2, accepted = $4, wanted_plan = $6,
                                              plan_refused = $7, message = $8, drain_id = $9,
                                              gone = $11",
    )
    .bind(resource.addon.to_string())
    .bind(&resource.provider_id)
    .bind(json_of("options", &resource.options)?)
    .bind(resource.accepted)
    .bind(micros(resource.deadline))
    .bind(&resource.wanted_plan)
    .bind(&resource.plan_refused)
    .bind(&resource.message)
    .bind(text_of(resource.drain.as_ref()))
    .bind(&resource.drain_token)
    .bind(resource.gone)
    .execute(write.sql())
    .await?;
    Ok(())
}

/// An add-on's, if a partner runs its service.
pub async fn by_addon(tx: &mut Tx, addon: AddonId) -> Result<Option<Resource>> {
    sqlx::query("SELECT * FROM partner_resources WHERE addon_id = $1")
        .bind(addon.to_string())
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(resource)
        .transpose()
}

/// All there are.
pub async fn list(tx: &mut Tx) -> Result<Vec<Resource>> {
    sqlx::query("SELECT * FROM partner_resources ORDER BY addon_id")
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(resource)
        .collect()
}
