//! Builds and the leases under which they run. The address of the source is sealed, for it may carry
//! a password, and so is the environment of tests.

use crate::row::{Columns, json_of, micros, text_of};
use crate::seal::{Place, open, open_map, seal, seal_map};
use crate::{Result, StoreError, Table, Tx, Write};
use domain::{AppId, Build, BuildId, BuildStatus, ConfigVars, Digest, ReleaseId, SlugId, TestBuild};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

/// A build that has not ended, and who works on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    pub build: Build,
    pub lease: Option<Lease>,
}

/// Says that somebody works on a build, and until when that can be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Names the server process.
    pub owner: String,
    pub until: Timestamp,
}

fn place(row: &str) -> Place<'_> {
    Place { table: "builds", column: "sealed_source_url", row }
}

fn env_place(row: &str) -> Place<'_> {
    Place { table: "builds", column: "sealed_test_env", row }
}

/// The words for what a build is for.
const SLUG: &str = "slug";
const TEST: &str = "test";

fn test(tx: &Tx, row: &SqliteRow) -> Result<Option<TestBuild>> {
    if row.text("purpose")? != TEST {
        return Ok(None);
    }
    let env = match row.bytes_if_any("sealed_test_env")? {
        Some(sealed) => ConfigVars(open_map(&tx.keys(), env_place(&row.text("id")?), &sealed)?),
        None => ConfigVars::default(),
    };
    let (branch, exit_code) = (row.text_if_any("test_branch")?, row.number_if_any("exit_code")?);
    Ok(Some(TestBuild { env, branch, exit_code }))
}

fn build(tx: &Tx, row: &SqliteRow) -> Result<Build> {
    let sealed = row.bytes_if_any("sealed_source_url")?.unwrap_or_default();
    let url = open(&tx.keys(), place(&row.text("id")?), &sealed)?;
    Ok(Build {
        id: row.parsed("id")?,
        app: row.parsed("app_id")?,
        user: row.parsed("user_id")?,
        status: row.word("status", BuildStatus::parse)?,
        source: row.parsed_if_any("source")?,
        source_url: String::from_utf8(url.to_vec())
            .map_err(|_| StoreError::Corrupt { column: "sealed_source_url", why: "not UTF-8".into() })?,
        source_checksum: row.text_if_any("source_checksum")?,
        source_version: row.text_if_any("source_version")?,
        source_version_description: row.text_if_any("source_version_description")?,
        buildpacks: row.json("buildpacks")?,
        stack: row.text("stack")?,
        release: row.parsed_if_any("release_id")?,
        slug: row.parsed_if_any("slug_id")?,
        output_key: row.text("output_key")?,
        test: test(tx, row)?,
        cancel_requested: row.flag("cancel_requested")?,
        started_at: row.time_if_any("started_at")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Adds a build.
pub async fn insert(write: &mut Write, build: &Build) -> Result<()> {
    write.touch(Table::Builds);
    let id = build.id.to_string();
    let sealed = seal(&write.keys(), place(&id), build.source_url.as_bytes())?;
    let test = build.test.as_ref();
    let env = test.map(|test| seal_map(&write.keys(), env_place(&id), &test.env.0)).transpose()?;
    sqlx::query(
        "INSERT INTO builds (id, app_id, user_id, status, source, sealed_source_url, source_checksum,
                             source_version, source_version_description, buildpacks, stack, release_id,
                             slug_id, output_key, cancel_requested, started_at, created_at, updated_at,
                             purpose, sealed_test_env, test_branch, exit_code)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
                 $22)",
    )
    .bind(&id)
    .bind(build.app.to_string())
    .bind(build.user.to_string())
    .bind(build.status.as_str())
    .bind(text_of(build.source.as_ref()))
    .bind(sealed)
    .bind(&build.source_checksum)
    .bind(&build.source_version)
    .bind(&build.source_version_description)
    .bind(json_of("buildpacks", &build.buildpacks)?)
    .bind(&build.stack)
    .bind(text_of(build.release.as_ref()))
    .bind(text_of(build.slug.as_ref()))
    .bind(&build.output_key)
    .bind(build.cancel_requested)
    .bind(build.started_at.map(micros))
    .bind(micros(build.created_at))
    .bind(micros(build.updated_at))
    .bind(if test.is_some() { TEST } else { SLUG })
    .bind(env)
    .bind(test.and_then(|test| test.branch.clone()))
    .bind(test.and_then(|test| test.exit_code))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Takes a pending build for `lease.owner`, or prolongs its lease. False if it has ended or somebody
/// else holds a lease that has not run out by `now`. Wakes nobody: it changes nothing to act on.
pub async fn lease(write: &mut Write, id: BuildId, lease: &Lease, now: Timestamp) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE builds SET lease_owner = $2, lease_until = $3, started_at = COALESCE(started_at, $4)
         WHERE id = $1 AND status = 'pending'
           AND (lease_owner IS NULL OR lease_owner = $2 OR lease_until <= $4)",
    )
    .bind(id.to_string())
    .bind(&lease.owner)
    .bind(micros(lease.until))
    .bind(micros(now))
    .execute(write.sql())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives a lease back before it ran out, so that the build can be taken up again at once.
pub async fn release_lease(write: &mut Write, id: BuildId, owner: &str) -> Result<()> {
    write.touch(Table::Builds);
    sqlx::query(
        "UPDATE builds SET lease_owner = NULL, lease_until = NULL WHERE id = $1 AND lease_owner = $2",
    )
    .bind(id.to_string())
    .bind(owner)
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Records where the downloaded source is in the blob store.
pub async fn set_source(write: &mut Write, id: BuildId, source: Digest, now: Timestamp) -> Result<()> {
    write.touch(Table::Builds);
    sqlx::query("UPDATE builds SET source = $2, updated_at = $3 WHERE id = $1")
        .bind(id.to_string())
        .bind(source.to_string())
        .bind(micros(now))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// Asks for the build to end.
pub async fn request_cancel(write: &mut Write, id: BuildId, now: Timestamp) -> Result<()> {
    write.touch(Table::Builds);
    sqlx::query(
        "UPDATE builds SET cancel_requested = TRUE, updated_at = $2 WHERE id = $1 AND status = 'pending'",
    )
    .bind(id.to_string())
    .bind(micros(now))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Ends a pending build; its source and the environment of its tests are needed no more. False if it had ended already.
pub async fn finish(
    write: &mut Write,
    id: BuildId,
    status: BuildStatus,
    made: Option<(ReleaseId, SlugId)>,
    now: Timestamp,
) -> Result<bool> {
    write.touch(Table::Builds);
    let done = sqlx::query(
        "UPDATE builds SET status = $2, release_id = $3, slug_id = $4, lease_owner = NULL, lease_until = NULL,
                sealed_test_env = NULL, updated_at = $5
         WHERE id = $1 AND status = 'pending'",
    )
    .bind(id.to_string())
    .bind(status.as_str())
    .bind(made.map(|(release, _)| release.to_string()))
    .bind(made.map(|(_, slug)| slug.to_string()))
    .bind(micros(now))
    .execute(write.sql())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Records what the tests of a build ended with.
pub async fn set_exit_code(write: &mut Write, id: BuildId, code: i32) -> Result<()> {
    write.touch(Table::Builds);
    sqlx::query("UPDATE builds SET exit_code = $2 WHERE id = $1")
        .bind(id.to_string())
        .bind(code)
        .execute(write.sql())
        .await?;
    Ok(())
}

/// Forgets a build that has ended.
pub async fn delete(write: &mut Write, id: BuildId) -> Result<()> {
    write.touch(Table::Builds);
    sqlx::query("DELETE FROM builds WHERE id = $1 AND status <> 'pending'")
        .bind(id.to_string())
        .execute(write.sql())
        .await?;
    Ok(())
}

/// How many builds of an app have not ended.
pub async fn count_pending(tx: &mut Tx, app: AppId) -> Result<usize> {
    let row = sqlx::query("SELECT COUNT(*) AS count FROM builds WHERE app_id = $1 AND status = 'pending'")
        .bind(app.to_string())
        .fetch_one(tx.sql())
        .await?;
    row.number("count")
}

/// One build.
pub async fn by_id(tx: &mut Tx, id: BuildId) -> Result<Option<Build>> {
    let row = sqlx::query("SELECT * FROM builds WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?;
    row.map(|row| build(tx, &row)).transpose()
}

/// The build whose output has this address.
pub async fn by_output_key(tx: &mut Tx, key: &str) -> Result<Option<Build>> {
    let row =
        sqlx::query("SELECT * FROM builds WHERE output_key = $1").bind(key).fetch_optional(tx.sql()).await?;
    row.map(|row| build(tx, &row)).transpose()
}

/// One app's builds for releases, oldest first.
pub async fn list(tx: &mut Tx, app: AppId) -> Result<Vec<Build>> {
    list_of(tx, app, SLUG).await
}

/// One app's builds for tests, oldest first.
pub async fn list_tests(tx: &mut Tx, app: AppId) -> Result<Vec<Build>> {
    list_of(tx, app, TEST).await
}

async fn list_of(tx: &mut Tx, app: AppId, purpose: &str) -> Result<Vec<Build>> {
    let rows = sqlx::query("SELECT * FROM builds WHERE app_id = $1 AND purpose = $2 ORDER BY created_at, id")
        .bind(app.to_string())
        .bind(purpose)
        .fetch_all(tx.sql())
        .await?;
    rows.iter().map(|row| build(tx, row)).collect()
}

/// The builds of all apps that have not ended, oldest first.
pub async fn pending(tx: &mut Tx) -> Result<Vec<Queued>> {
    let rows = sqlx::query("SELECT * FROM builds WHERE status = 'pending' ORDER BY created_at, id")
        .fetch_all(tx.sql())
        .await?;
    rows.iter()
        .map(|row| {
            let owner = row.text_if_any("lease_owner")?;
            let until = row.time_if_any("lease_until")?;
            let lease = owner.zip(until).map(|(owner, until)| Lease { owner, until });
            Ok(Queued { build: build(tx, row)?, lease })
        })
        .collect()
}

/// Digests of the sources of builds that have not ended: what garbage collection must keep.
pub async fn sources(tx: &mut Tx) -> Result<Vec<Digest>> {
    sqlx::query("SELECT DISTINCT source FROM builds WHERE status = 'pending' AND source IS NOT NULL")
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(|row| row.parsed("source"))
        .collect()
}
