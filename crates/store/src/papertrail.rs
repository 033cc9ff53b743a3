//! Searches of logs that are kept. Addresses of alerts often hold a secret, so they are sealed.

use crate::row::{Columns, integer, micros};
use crate::seal::{Place, open, seal};
use crate::{Result, StoreError, Table, Tx, Write};
use domain::papertrail::{Alert, Batch, Period, Recipient, Search};
use domain::{AddonId, SearchId};
use sqlx::sqlite::SqliteRow;

fn place(row: &str) -> Place<'_> {
    Place { table: "papertrail_searches", column: "sealed_address", row }
}

fn search(tx: &Tx, row: &SqliteRow) -> Result<Search> {
    Ok(Search {
        id: row.parsed("id")?,
        addon: row.parsed("addon_id")?,
        name: row.text("name")?,
        query: row.parsed("query")?,
        alert: alert(tx, row)?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

fn alert(tx: &Tx, row: &SqliteRow) -> Result<Option<Alert>> {
    let Some(period) = row.parsed_if_any::<Period>("alert_period")? else { return Ok(None) };
    let corrupt = |column, why: &str| StoreError::Corrupt { column, why: why.into() };
    let sealed = row.bytes_if_any("sealed_address")?.unwrap_or_default();
    let address = open(&tx.keys(), place(&row.text("id")?), &sealed)?;
    let address = String::from_utf8(address.to_vec()).map_err(|_| corrupt("sealed_address", "not UTF-8"))?;
    let kind = row.text("alert_kind")?;
    let to = Recipient::parse(&kind, address).ok_or_else(|| corrupt("alert_kind", "an unknown word"))?;
    let batch = match row.parsed_if_any("batch_id")? {
        None => None,
        Some(id) => Some(Batch {
            id,
            after: row.number("batch_after")?,
            until: row.number("batch_until")?,
            attempts: row.number("batch_attempts")?,
            retry_at: row.time_if_any("batch_retry_at")?,
        }),
    };
    Ok(Some(Alert {
        period,
        to,
        seen: row.number("alert_seen")?,
        checked_at: row.time("alert_checked_at")?,
        batch,
        sent_at: row.time_if_any("alert_sent_at")?,
        failure: row.text_if_any("alert_failure")?,
    }))
}

/// Writes one, new or in the place of what was there.
pub async fn set(write: &mut Write, search: &Search) -> Result<()> {
    write.touch(Table::Papertrail);
    let id = search.id.to_string();
    let alert = search.alert.as_ref();
    let sealed = match alert {
        Some(alert) => Some(seal(&write.keys(), place(&id), alert.to.address().as_bytes())?),
        None => None,
    };
    let batch = alert.and_then(|alert| alert.batch.as_ref());
    sqlx::query(
        "INSERT INTO papertrail_searches (id, addon_id, name, query, alert_period, alert_kind, sealed_address,
                                          alert_seen, alert_checked_at, alert_sent_at, alert_failure, batch_id,
                                          batch_after, batch_until, batch_attempts, batch_retry_at, created_at,
                                          updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
         ON CONFLICT (id) DO UPDATE SET
             name = excluded.name, query = excluded.query, alert_period = excluded.alert_period,
             alert_kind = excluded.alert_kind, sealed_address = excluded.sealed_address,
             alert_seen = excluded.alert_seen, alert_checked_at = excluded.alert_checked_at,
             alert_sent_at = excluded.alert_sent_at, alert_failure = excluded.alert_failure,
             batch_id = excluded.batch_id, batch_after = excluded.batch_after,
             batch_until = excluded.batch_until, batch_attempts = excluded.batch_attempts,
             batch_retry_at = excluded.batch_retry_at, updated_at = excluded.updated_at",
    )
    .bind(&id)
    .bind(search.addon.to_string())
    .bind(&search.name)
    .bind(search.query.to_string())
    .bind(alert.map(|alert| alert.period.as_str()))
    .bind(alert.map(|alert| alert.to.kind()))
    .bind(sealed)
    .bind(alert.map(|alert| integer(alert.seen)))
    .bind(alert.map(|alert| micros(alert.checked_at)))
    .bind(alert.and_then(|alert| alert.sent_at).map(micros))
    .bind(alert.and_then(|alert| alert.failure.clone()))
    .bind(batch.map(|batch| batch.id.to_string()))
    .bind(batch.map(|batch| integer(batch.after)))
    .bind(batch.map(|batch| integer(batch.until)))
    .bind(batch.map(|batch| i64::from(batch.attempts)))
    .bind(batch.and_then(|batch| batch.retry_at).map(micros))
    .bind(micros(search.created_at))
    .bind(micros(search.updated_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Forgets one.
pub async fn delete(write: &mut Write, id: SearchId) -> Result<()> {
    write.touch(Table::Papertrail);
    sqlx::query("DELETE FROM papertrail_searches WHERE id = $1")
        .bind(id.to_string())
        .execute(write.sql())
        .await?;
    Ok(())
}

/// One by id.
pub async fn by_id(tx: &mut Tx, id: SearchId) -> Result<Option<Search>> {
    let row = sqlx::query("SELECT * FROM papertrail_searches WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?;
    row.map(|row| search(tx, &row)).transpose()
}

/// An add-on's, by name.
pub async fn of_addon(tx: &mut Tx, addon: AddonId) -> Result<Vec<Search>> {
    let rows = sqlx::query("SELECT * FROM papertrail_searches WHERE addon_id = $1 ORDER BY name")
        .bind(addon.to_string())
        .fetch_all(tx.sql())
        .await?;
    rows.iter().map(|row| search(tx, row)).collect()
}

/// Those of all add-ons that are there which send alerts.
pub async fn with_alerts(tx: &mut Tx) -> Result<Vec<Search>> {
    let rows = sqlx::query(
        "SELECT papertrail_searches.* FROM papertrail_searches
         JOIN addons ON addons.id = papertrail_searches.addon_id
         WHERE addons.state = 'provisioned' AND alert_period IS NOT NULL
         ORDER BY papertrail_searches.created_at, papertrail_searches.id",
    )
    .fetch_all(tx.sql())
    .await?;
    rows.iter().map(|row| search(tx, row)).collect()
}
