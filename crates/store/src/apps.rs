//! Apps.

use crate::row::{Columns, integer, micros, text_of};
use crate::{Result, Table, Tx, Write};
use domain::{AccountId, App, AppId, AppName};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

fn app(row: &SqliteRow) -> Result<App> {
    Ok(App {
        id: row.parsed("id")?,
        name: row.parsed("name")?,
        owner: row.parsed("owner_id")?,
        maintenance: row.flag("maintenance")?,
        build_stack: row.text("build_stack")?,
        stack: row.text("stack")?,
        current_release: row.parsed_if_any("current_release_id")?,
        buildpack_provided_description: row.text_if_any("buildpack_provided_description")?,
        repo_size: row.number_if_any("repo_size")?,
        slug_size: row.number_if_any("slug_size")?,
        released_at: row.time_if_any("released_at")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Adds an app, with no config vars yet.
pub async fn insert(write: &mut Write, app: &App) -> Result<()> {
    write.touch(Table::Apps);
    sqlx::query(
        "INSERT INTO apps (id, name, owner_id, maintenance, build_stack, stack, current_release_id,
                           buildpack_provided_description, repo_size, slug_size, released_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(app.id.to_string())
    .bind(app.name.as_str())
    .bind(app.owner.to_string())
    .bind(app.maintenance)
    .bind(&app.build_stack)
    .bind(&app.stack)
    .bind(text_of(app.current_release.as_ref()))
    .bind(&app.buildpack_provided_description)
    .bind(app.repo_size.map(integer))
    .bind(app.slug_size.map(integer))
    .bind(app.released_at.map(micros))
    .bind(micros(app.created_at))
    .bind(micros(app.updated_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Writes every column of an app but its config vars and its creation.
pub async fn update(write: &mut Write, app: &App) -> Result<()> {
    write.touch(Table::Apps);
    sqlx::query(
        "UPDATE apps SET name = $2, owner_id = $3, maintenance = $4, build_stack = $5, stack = $6,
                current_release_id = $7, buildpack_provided_description = $8, repo_size = $9,
                slug_size = $10, released_at = $11, updated_at = $12
         WHERE id = $1",
    )
    .bind(app.id.to_string())
    .bind(app.name.as_str())
    .bind(app.owner.to_string())
    .bind(app.maintenance)
    .bind(&app.build_stack)
    .bind(&app.stack)
    .bind(text_of(app.current_release.as_ref()))
    .bind(&app.buildpack_provided_description)
    .bind(app.repo_size.map(integer))
    .bind(app.slug_size.map(integer))
    .bind(app.released_at.map(micros))
    .bind(micros(app.updated_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Records the bytes of an app's git repository.
pub async fn set_repo_size(write: &mut Write, id: AppId, bytes: u64, now: Timestamp) -> Result<()> {
    write.touch(Table::Apps);
    sqlx::query("UPDATE apps SET repo_size = $2, updated_at = $3 WHERE id = $1")
        .bind(id.to_string())
        .bind(integer(bytes))
        .bind(micros(now))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// Removes an app and every row that hangs on it.
pub async fn delete(write: &mut Write, id: AppId) -> Result<()> {
    for table in [
        Table::Apps,
        Table::Builds,
        Table::Domains,
        Table::Drains,
        Table::Dynos,
        Table::Formation,
        Table::Releases,
        Table::Slugs,
    ] {
        write.touch(table);
    }
    sqlx::query("DELETE FROM apps WHERE id = $1").bind(id.to_string()).execute(write.sql()).await?;
    Ok(())
}

/// One app.
pub async fn by_id(tx: &mut Tx, id: AppId) -> Result<Option<App>> {
    sqlx::query("SELECT * FROM apps WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(app)
        .transpose()
}

/// One app by name.
pub async fn by_name(tx: &mut Tx, name: &AppName) -> Result<Option<App>> {
    sqlx::query("SELECT * FROM apps WHERE name = $1")
        .bind(name.as_str())
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(app)
        .transpose()
}

/// All apps by name.
pub async fn list(tx: &mut Tx) -> Result<Vec<App>> {
    sqlx::query("SELECT * FROM apps ORDER BY name").fetch_all(tx.sql()).await?.iter().map(app).collect()
}

/// The apps an account owns or collaborates on, by name.
pub async fn list_of(tx: &mut Tx, account: AccountId) -> Result<Vec<App>> {
    sqlx::query(
        "SELECT * FROM apps
         WHERE owner_id = $1 OR id IN (SELECT app_id FROM collaborators WHERE account_id = $1)
         ORDER BY name",
    )
    .bind(account.to_string())
    .fetch_all(tx.sql())
    .await?
    .iter()
    .map(app)
    .collect()
}
