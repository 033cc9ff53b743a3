//! Releases.

use crate::configs::ConfigId;
use crate::row::{Columns, micros, text_of};
use crate::{Result, Table, Tx, Write};
use domain::{AppId, DynoId, Release, ReleaseId, ReleaseStatus};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

fn release(row: &SqliteRow) -> Result<Release> {
    Ok(Release {
        id: row.parsed("id")?,
        app: row.parsed("app_id")?,
        version: row.number("version")?,
        description: row.text("description")?,
        user: row.parsed("user_id")?,
        slug: row.parsed_if_any("slug_id")?,
        status: row.word("status", ReleaseStatus::parse)?,
        output_key: row.text_if_any("output_key")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// The version that the app's next release gets: one more than the last, from 1. Inside a write
/// transaction nobody else can take it.
pub async fn next_version(write: &mut Write, app: AppId) -> Result<u32> {
    let row = sqlx::query("SELECT COALESCE(MAX(version), 0) + 1 AS next FROM releases WHERE app_id = $1")
        .bind(app.to_string())
        .fetch_one(write.sql())
        .await?;
    row.number("next")
}

/// Adds a release that runs with the set of config vars `config`.
pub async fn insert(write: &mut Write, release: &Release, config: Option<ConfigId>) -> Result<()> {
    write.touch(Table::Releases);
    sqlx::query(
        "INSERT INTO releases (id, app_id, version, description, user_id, slug_id, config_id, status,
                               output_key, created_at, updated_at, attached_config_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
                 (SELECT attached_config_id FROM apps WHERE id = $2))",
    )
    .bind(release.id.to_string())
    .bind(release.app.to_string())
    .bind(i64::from(release.version))
    .bind(&release.description)
    .bind(release.user.to_string())
    .bind(text_of(release.slug.as_ref()))
    .bind(text_of(config.as_ref()))
    .bind(release.status.as_str())
    .bind(&release.output_key)
    .bind(micros(release.created_at))
    .bind(micros(release.updated_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Writes where the release stands.
pub async fn set_status(
    write: &mut Write,
    id: ReleaseId,
    status: ReleaseStatus,
    now: Timestamp,
) -> Result<()> {
    write.touch(Table::Releases);
    sqlx::query("UPDATE releases SET status = $2, updated_at = $3 WHERE id = $1")
        .bind(id.to_string())
        .bind(status.as_str())
        .bind(micros(now))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// Records the dyno that runs the release command.
pub async fn set_command_dyno(write: &mut Write, id: ReleaseId, dyno: DynoId) -> Result<()> {
    write.touch(Table::Releases);
    sqlx::query("UPDATE releases SET command_dyno_id = $2 WHERE id = $1")
        .bind(id.to_string())
        .bind(dyno.to_string())
        .execute(write.sql())
        .await?;
    Ok(())
}

/// The dyno made for the release command, if one was; its row may be gone already.
pub async fn command_dyno(tx: &mut Tx, id: ReleaseId) -> Result<Option<DynoId>> {
    let row = sqlx::query("SELECT command_dyno_id FROM releases WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?;
    row.map_or(Ok(None), |row| row.parsed_if_any("command_dyno_id"))
}

/// One release.
pub async fn by_id(tx: &mut Tx, id: ReleaseId) -> Result<Option<Release>> {
    sqlx::query("SELECT * FROM releases WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(release)
        .transpose()
}

/// One release by its number.
pub async fn by_version(tx: &mut Tx, app: AppId, version: u32) -> Result<Option<Release>> {
    sqlx::query("SELECT * FROM releases WHERE app_id = $1 AND version = $2")
        .bind(app.to_string())
        .bind(i64::from(version))
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(release)
        .transpose()
}

/// The release whose command's output has this address.
pub async fn by_output_key(tx: &mut Tx, key: &str) -> Result<Option<Release>> {
    sqlx::query("SELECT * FROM releases WHERE output_key = $1")
        .bind(key)
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(release)
        .transpose()
}

/// One app's, oldest first.
pub async fn list(tx: &mut Tx, app: AppId) -> Result<Vec<Release>> {
    sqlx::query("SELECT * FROM releases WHERE app_id = $1 ORDER BY version")
        .bind(app.to_string())
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(release)
        .collect()
}

/// The newest one of an app that has not failed.
pub async fn newest_not_failed(tx: &mut Tx, app: AppId) -> Result<Option<Release>> {
    sqlx::query(
        "SELECT * FROM releases WHERE app_id = $1 AND status <> 'failed' ORDER BY version DESC LIMIT 1",
    )
    .bind(app.to_string())
    .fetch_optional(tx.sql())
    .await?
    .as_ref()
    .map(release)
    .transpose()
}

/// How many of an app's releases have code and did not fail.
pub async fn count_with_slug(tx: &mut Tx, app: AppId) -> Result<usize> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS count FROM releases WHERE app_id = $1 AND slug_id IS NOT NULL AND status = 'succeeded'",
    )
    .bind(app.to_string())
    .fetch_one(tx.sql())
    .await?;
    row.number("count")
}

/// Those of all apps whose command has not ended, in the order of their creation.
pub async fn pending(tx: &mut Tx) -> Result<Vec<Release>> {
    sqlx::query("SELECT * FROM releases WHERE status = 'pending' ORDER BY app_id, version")
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(release)
        .collect()
}

/// The current release of every app that has one.
pub async fn current(tx: &mut Tx) -> Result<Vec<Release>> {
    sqlx::query("SELECT releases.* FROM releases JOIN apps ON apps.current_release_id = releases.id")
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(release)
        .collect()
}
