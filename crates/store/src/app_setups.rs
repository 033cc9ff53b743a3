//! App setups. The address of the source and what the client overrides are sealed.

use crate::row::{Columns, json_of, micros, text_of};
use crate::seal::{Place, open, seal};
use crate::{Result, StoreError, Table, Tx, Write};
use domain::{AppSetup, AppSetupId, BuildId, Digest, DynoId, SetupPlan, SetupStatus};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use zeroize::Zeroizing;

const URL: &str = "sealed_source_url";
const OVERRIDES: &str = "sealed_overrides";

fn place<'a>(column: &'static str, row: &'a str) -> Place<'a> {
    Place { table: "app_setups", column, row }
}

fn opened(tx: &Tx, row: &SqliteRow, column: &'static str) -> Result<Zeroizing<Vec<u8>>> {
    let sealed = row.bytes_if_any(column)?.unwrap_or_default();
    open(&tx.keys(), place(column, &row.text("id")?), &sealed)
}

fn setup(tx: &Tx, row: &SqliteRow) -> Result<AppSetup> {
    let corrupt = |column, why: &str| StoreError::Corrupt { column, why: why.into() };
    let url = opened(tx, row, URL)?;
    let plan = row.text_if_any("plan")?.map(|_| row.json::<SetupPlan>("plan")).transpose()?;
    Ok(AppSetup {
        id: row.parsed("id")?,
        app: row.parsed("app_id")?,
        user: row.parsed("user_id")?,
        status: row.word("status", SetupStatus::parse)?,
        source: row.parsed_if_any("source")?,
        source_url: String::from_utf8(url.to_vec()).map_err(|_| corrupt(URL, "not UTF-8"))?,
        source_checksum: row.text_if_any("source_checksum")?,
        source_version: row.text_if_any("source_version")?,
        overrides: serde_json::from_slice(&opened(tx, row, OVERRIDES)?)
            .map_err(|_| corrupt(OVERRIDES, "not the JSON of overrides"))?,
        plan,
        build: row.parsed_if_any("build_id")?,
        postdeploy: row.parsed_if_any("postdeploy_dyno_id")?,
        exit_code: row.number_if_any("exit_code")?,
        failure_message: row.text_if_any("failure_message")?,
        manifest_errors: row.json("manifest_errors")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Adds a setup of which nothing is done yet.
pub async fn insert(write: &mut Write, setup: &AppSetup) -> Result<()> {
    write.touch(Table::AppSetups);
    let id = setup.id.to_string();
    let url = seal(&write.keys(), place(URL, &id), setup.source_url.as_bytes())?;
    let overrides = Zeroizing::new(json_of(OVERRIDES, &setup.overrides)?);
    let overrides = seal(&write.keys(), place(OVERRIDES, &id), overrides.as_bytes())?;
    sqlx::query(
        "INSERT INTO app_setups (id, app_id, user_id, status, source, sealed_source_url, source_checksum,
                                 source_version, sealed_overrides, manifest_errors, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(&id)
    .bind(setup.app.to_string())
    .bind(setup.user.to_string())
    .bind(setup.status.as_str())
    .bind(text_of(setup.source.as_ref()))
    .bind(url)
    .bind(&setup.source_checksum)
    .bind(&setup.source_version)
    .bind(overrides)
    .bind(json_of("manifest_errors", &setup.manifest_errors)?)
    .bind(micros(setup.created_at))
    .bind(micros(setup.updated_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Records where the source is in the blob store, what `app.json` wants, and the build that follows;
/// `None` while it waits for add-ons.
pub async fn set_plan(
    write: &mut Write,
    id: AppSetupId,
    source: Digest,
    plan: &SetupPlan,
    build: Option<BuildId>,
    now: Timestamp,
) -> Result<()> {
    write.touch(Table::AppSetups);
    sqlx::query("UPDATE app_setups SET source = $2, plan = $3, build_id = $4, updated_at = $5 WHERE id = $1")
        .bind(id.to_string())
        .bind(source.to_string())
        .bind(json_of("plan", plan)?)
        .bind(text_of(build.as_ref()))
        .bind(micros(now))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// Records the dyno that runs `postdeploy`.
pub async fn set_postdeploy(write: &mut Write, id: AppSetupId, dyno: DynoId, now: Timestamp) -> Result<()> {
    write.touch(Table::AppSetups);
    sqlx::query("UPDATE app_setups SET postdeploy_dyno_id = $2, updated_at = $3 WHERE id = $1")
        .bind(id.to_string())
        .bind(dyno.to_string())
        .bind(micros(now))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// Writes how a setup has ended: status, exit code, message and errors.
pub async fn finish(write: &mut Write, setup: &AppSetup) -> Result<()> {
    write.touch(Table::AppSetups);
    sqlx::query(
        "UPDATE app_setups SET status = $2, exit_code = $3, failure_message = $4, manifest_errors = $5,
                updated_at = $6
         WHERE id = $1",
    )
    .bind(setup.id.to_string())
    .bind(setup.status.as_str())
    .bind(setup.exit_code.map(i64::from))
    .bind(&setup.failure_message)
    .bind(json_of("manifest_errors", &setup.manifest_errors)?)
    .bind(micros(setup.updated_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// One setup.
pub async fn by_id(tx: &mut Tx, id: AppSetupId) -> Result<Option<AppSetup>> {
    let row = sqlx::query("SELECT * FROM app_setups WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?;
    row.map(|row| setup(tx, &row)).transpose()
}

/// The setup whose `postdeploy` a dyno runs.
pub async fn id_by_dyno(tx: &mut Tx, dyno: DynoId) -> Result<Option<AppSetupId>> {
    let row = sqlx::query("SELECT id FROM app_setups WHERE postdeploy_dyno_id = $1")
        .bind(dyno.to_string())
        .fetch_optional(tx.sql())
        .await?;
    row.map(|row| row.parsed("id")).transpose()
}

/// The setups that have not ended, oldest first.
pub async fn pending(tx: &mut Tx) -> Result<Vec<AppSetup>> {
    let rows = sqlx::query("SELECT * FROM app_setups WHERE status = 'pending' ORDER BY created_at, id")
        .fetch_all(tx.sql())
        .await?;
    rows.iter().map(|row| setup(tx, row)).collect()
}

/// Digests of the sources of setups that have not begun their build: what garbage collection must keep.
pub async fn sources(tx: &mut Tx) -> Result<Vec<Digest>> {
    sqlx::query("SELECT DISTINCT source FROM app_setups WHERE status = 'pending' AND source IS NOT NULL")
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(|row| row.parsed("source"))
        .collect()
}

/// The dynos whose outcome a setup waits for.
pub async fn awaited_dynos(tx: &mut Tx) -> Result<Vec<DynoId>> {
    sqlx::query(
        "SELECT postdeploy_dyno_id FROM app_setups WHERE status = 'pending' AND postdeploy_dyno_id IS NOT NULL",
    )
    .fetch_all(tx.sql())
    .await?
    .iter()
    .map(|row| row.parsed("postdeploy_dyno_id"))
    .collect()
}
