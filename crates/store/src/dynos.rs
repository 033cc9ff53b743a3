//! Dynos. What users want of a dyno (`stop_requested_at`, a one-off's existence) is written by `ops`,
//! what is seen of it by `reconcile`, through statements that leave the other side's columns alone.

use crate::row::{Columns, json_of, micros, text_of};
use crate::seal::{Place, open, seal};
use crate::{Result, StoreError, Table, Tx, Write};
use domain::{AppId, Dyno, DynoId, DynoKind, DynoName, DynoState, ProcessType, ReleaseId};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use zeroize::Zeroizing;

fn place(row: &str) -> Place<'_> {
    Place { table: "dynos", column: "sealed_env", row }
}

fn dyno(tx: &Tx, row: &SqliteRow) -> Result<Dyno> {
    let env = row.bytes_if_any("sealed_env")?.map(|sealed| {
        let text = open(&tx.keys(), place(&row.text("id")?), &sealed)?;
        serde_json::from_slice::<BTreeMap<String, String>>(&text)
            .map_err(|_| StoreError::Corrupt { column: "sealed_env", why: "not a JSON object".into() })
    });
    Ok(Dyno {
        id: row.parsed("id")?,
        app: row.parsed("app_id")?,
        name: DynoName::new(row.parsed::<ProcessType>("process_type")?, row.number("number")?),
        kind: row.word("kind", DynoKind::parse)?,
        size: row.parsed("size")?,
        release: row.parsed("release_id")?,
        command: row.text("command")?,
        image_type: row.parsed_if_any("image_type")?,
        state: row.word("state", DynoState::parse)?,
        env: env.transpose()?.unwrap_or_default(),
        attach_key: row.text_if_any("attach_key")?,
        no_tty: row.flag("no_tty")?,
        user: row.parsed_if_any("user_id")?,
        time_limit: row.number_if_any("time_limit")?,
        port: row.number_if_any("port")?,
        address: row.parsed_if_any::<IpAddr>("address")?,
        crashes: row.number("crashes")?,
        retry_at: row.time_if_any("retry_at")?,
        stop_requested_at: row.time_if_any("stop_requested_at")?,
        stopping_since: row.time_if_any("stopping_since")?,
        exit_status: row.number_if_any("exit_status")?,
        started_at: row.time_if_any("started_at")?,
        state_changed_at: row.time("state_changed_at")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Adds a dyno: a one-off that a user wants, or one of the formation that is about to be started.
pub async fn insert(write: &mut Write, dyno: &Dyno) -> Result<()> {
    write.touch(Table::Dynos);
    let id = dyno.id.to_string();
    let sealed_env = if dyno.env.is_empty() {
        None
    } else {
        let text = Zeroizing::new(json_of("sealed_env", &dyno.env)?);
        Some(seal(&write.keys(), place(&id), text.as_bytes())?)
    };
    sqlx::query(
        "INSERT INTO dynos (id, app_id, process_type, number, kind, size, release_id, command, state, sealed_env,
                            attach_key, no_tty, user_id, time_limit, port, address, crashes, retry_at,
                            stop_requested_at, stopping_since, exit_status, started_at, state_changed_at,
                            created_at, updated_at, image_type)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
                 $22, $23, $24, $25, $26)",
    )
    .bind(&id)
    .bind(dyno.app.to_string())
    .bind(dyno.name.process_type.as_str())
    .bind(i64::from(dyno.name.number))
    .bind(dyno.kind.as_str())
    .bind(dyno.size.to_string())
    .bind(dyno.release.to_string())
    .bind(&dyno.command)
    .bind(dyno.state.as_str())
    .bind(sealed_env)
    .bind(&dyno.attach_key)
    .bind(dyno.no_tty)
    .bind(text_of(dyno.user.as_ref()))
    .bind(dyno.time_limit.map(i64::from))
    .bind(dyno.port.map(i64::from))
    .bind(text_of(dyno.address.as_ref()))
    .bind(i64::from(dyno.crashes))
    .bind(dyno.retry_at.map(micros))
    .bind(dyno.stop_requested_at.map(micros))
    .bind(dyno.stopping_since.map(micros))
    .bind(dyno.exit_status.map(i64::from))
    .bind(dyno.started_at.map(micros))
    .bind(micros(dyno.state_changed_at))
    .bind(micros(dyno.created_at))
    .bind(micros(dyno.updated_at))
    .bind(text_of(dyno.image_type.as_ref()))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Writes what was seen of a dyno: state, port, address, crashes, times and exit status. Its wish
/// (`stop_requested_at`) stays as it is. False if the row is gone.
pub async fn observe(write: &mut Write, dyno: &Dyno) -> Result<bool> {
    write.touch(Table::Dynos);
    let done = sqlx::query(
        "UPDATE dynos SET state = $2, port = $3, address = $4, crashes = $5, retry_at = $6, stopping_since = $7,
                exit_status = $8, started_at = $9, state_changed_at = $10, updated_at = $11
         WHERE id = $1",
    )
    .bind(dyno.id.to_string())
    .bind(dyno.state.as_str())
    .bind(dyno.port.map(i64::from))
    .bind(text_of(dyno.address.as_ref()))
    .bind(i64::from(dyno.crashes))
    .bind(dyno.retry_at.map(micros))
    .bind(dyno.stopping_since.map(micros))
    .bind(dyno.exit_status.map(i64::from))
    .bind(dyno.started_at.map(micros))
    .bind(micros(dyno.state_changed_at))
    .bind(micros(dyno.updated_at))
    .execute(write.sql())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Wishes a dyno to be stopped or replaced; an earlier wish keeps its time.
pub async fn request_stop(write: &mut Write, id: DynoId, now: Timestamp) -> Result<()> {
    write.touch(Table::Dynos);
    sqlx::query(
        "UPDATE dynos SET stop_requested_at = COALESCE(stop_requested_at, $2), updated_at = $2 WHERE id = $1",
    )
    .bind(id.to_string())
    .bind(micros(now))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Removes a dyno that is over and done with.
pub async fn delete(write: &mut Write, id: DynoId) -> Result<()> {
    write.touch(Table::Dynos);
    sqlx::query("DELETE FROM dynos WHERE id = $1").bind(id.to_string()).execute(write.sql()).await?;
    Ok(())
}

/// One dyno.
pub async fn by_id(tx: &mut Tx, id: DynoId) -> Result<Option<Dyno>> {
    let row = sqlx::query("SELECT * FROM dynos WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?;
    row.map(|row| dyno(tx, &row)).transpose()
}

/// The one-off that a client with this secret may attach to.
pub async fn by_attach_key(tx: &mut Tx, key: &str) -> Result<Option<Dyno>> {
    let row =
        sqlx::query("SELECT * FROM dynos WHERE attach_key = $1").bind(key).fetch_optional(tx.sql()).await?;
    row.map(|row| dyno(tx, &row)).transpose()
}

/// One app's, by name, older ones first.
pub async fn list(tx: &mut Tx, app: AppId) -> Result<Vec<Dyno>> {
    let rows =
        sqlx::query("SELECT * FROM dynos WHERE app_id = $1 ORDER BY process_type, number, created_at, id")
            .bind(app.to_string())
            .fetch_all(tx.sql())
            .await?;
    rows.iter().map(|row| dyno(tx, row)).collect()
}

/// Those of one release.
pub async fn of_release(tx: &mut Tx, release: ReleaseId) -> Result<Vec<Dyno>> {
    let rows = sqlx::query("SELECT * FROM dynos WHERE release_id = $1 ORDER BY created_at, id")
        .bind(release.to_string())
        .fetch_all(tx.sql())
        .await?;
    rows.iter().map(|row| dyno(tx, row)).collect()
}

/// Every app's, for planning.
pub async fn all(tx: &mut Tx) -> Result<Vec<Dyno>> {
    let rows = sqlx::query("SELECT * FROM dynos ORDER BY app_id, process_type, number, created_at, id")
        .fetch_all(tx.sql())
        .await?;
    rows.iter().map(|row| dyno(tx, row)).collect()
}
