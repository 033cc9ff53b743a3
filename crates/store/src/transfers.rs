//! Transfers of add-ons' data with their lines, and schedules of backups. Addresses are sealed.

pub mod schedules;

use crate::row::{Columns, integer, json_of, micros, text_of};
use crate::seal::{Place, open, seal};
use crate::{Result, StoreError, Table, Tx, Write};
use domain::{AppId, Proof, Transfer, TransferId, TransferKind, TransferLine, TransferState};
use sqlx::sqlite::SqliteRow;

fn place(row: &str) -> Place<'_> {
    Place { table: "transfers", column: "sealed_url", row }
}

fn transfer(tx: &Tx, row: &SqliteRow) -> Result<Transfer> {
    let sealed = row.bytes_if_any("sealed_url")?.unwrap_or_default();
    let url = open(&tx.keys(), place(&row.text("id")?), &sealed)?;
    Ok(Transfer {
        id: row.parsed("id")?,
        app: row.parsed("app_id")?,
        number: row.number("number")?,
        kind: row.word("kind", TransferKind::parse)?,
        state: row.word("state", TransferState::parse)?,
        from: row.parsed_if_any("from_addon_id")?,
        from_name: row.text("from_name")?,
        to: row.parsed_if_any("to_addon_id")?,
        to_name: row.text("to_name")?,
        service: row.text("service")?,
        plan: row.text("plan")?,
        backup: row.parsed_if_any("backup_id")?,
        url: String::from_utf8(url.to_vec())
            .map_err(|_| StoreError::Corrupt { column: "sealed_url", why: "not UTF-8".into() })?,
        extensions: row.json("extensions")?,
        schedule: row.text_if_any("schedule")?,
        cancelled: row.flag("cancelled")?,
        attempts: row.number("attempts")?,
        source_bytes: row.number("source_bytes")?,
        processed_bytes: row.number("processed_bytes")?,
        warnings: row.number("warnings")?,
        digest: row.parsed_if_any("digest")?,
        figures: row.text_if_any("figures")?,
        proof: row.word("proof", Proof::parse)?,
        proof_text: row.text_if_any("proof_text")?,
        proven_at: row.time_if_any("proven_at")?,
        proof_attempts: row.number("proof_attempts")?,
        proof_instance: row.parsed_if_any("proof_instance_id")?,
        created_at: row.time("created_at")?,
        started_at: row.time_if_any("started_at")?,
        finished_at: row.time_if_any("finished_at")?,
    })
}

/// Adds one and gives it its app's next number.
pub async fn insert(write: &mut Write, transfer: &mut Transfer) -> Result<()> {
    write.touch(Table::Transfers);
    let row = sqlx::query(
        "INSERT INTO transfer_numbers (app_id, last) VALUES ($1, 1)
         ON CONFLICT (app_id) DO UPDATE SET last = last + 1 RETURNING last",
    )
    .bind(transfer.app.to_string())
    .fetch_one(write.sql())
    .await?;
    transfer.number = row.number("last")?;
    let id = transfer.id.to_string();
    let url = seal(&write.keys(), place(&id), transfer.url.as_bytes())?;
    sqlx::query(
        "INSERT INTO transfers (id, app_id, number, kind, state, from_addon_id, from_name, to_addon_id, to_name,
                                service, plan, backup_id, sealed_url, extensions, schedule, cancelled, attempts,
                                source_bytes, processed_bytes, warnings, proof, proof_attempts, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, FALSE, 0, 0, 0, 0, $16, 0, $17)",
    )
    .bind(&id)
    .bind(transfer.app.to_string())
    .bind(i64::from(transfer.number))
    .bind(transfer.kind.as_str())
    .bind(transfer.state.as_str())
    .bind(text_of(transfer.from.as_ref()))
    .bind(&transfer.from_name)
    .bind(text_of(transfer.to.as_ref()))
    .bind(&transfer.to_name)
    .bind(&transfer.service)
    .bind(&transfer.plan)
    .bind(text_of(transfer.backup.as_ref()))
    .bind(url)
    .bind(json_of("extensions", &transfer.extensions)?)
    .bind(&transfer.schedule)
    .bind(transfer.proof.as_str())
    .bind(micros(transfer.created_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Writes all that can change.
pub async fn update(write: &mut Write, transfer: &Transfer) -> Result<()> {
    write.touch(Table::Transfers);
    sqlx::query(
        "UPDATE transfers SET state = $2, cancelled = $3, attempts = $4, source_bytes = $5, processed_bytes = $6,
                warnings = $7, digest = $8, figures = $9, proof = $10, proof_text = $11, proven_at = $12,
                proof_attempts = $13, proof_instance_id = $14, started_at = $15, finished_at = $16
         WHERE id = $1",
    )
    .bind(transfer.id.to_string())
    .bind(transfer.state.as_str())
    .bind(transfer.cancelled)
    .bind(i64::from(transfer.attempts))
    .bind(integer(transfer.source_bytes))
    .bind(integer(transfer.processed_bytes))
    .bind(i64::from(transfer.warnings))
    .bind(text_of(transfer.digest.as_ref()))
    .bind(&transfer.figures)
    .bind(transfer.proof.as_str())
    .bind(&transfer.proof_text)
    .bind(transfer.proven_at.map(micros))
    .bind(i64::from(transfer.proof_attempts))
    .bind(text_of(transfer.proof_instance.as_ref()))
    .bind(transfer.started_at.map(micros))
    .bind(transfer.finished_at.map(micros))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Writes how far one that runs is. Wakes nobody: nothing is decided by it.
pub async fn set_progress(write: &mut Write, id: TransferId, processed: u64) -> Result<()> {
    sqlx::query("UPDATE transfers SET processed_bytes = $2 WHERE id = $1 AND state = 'running'")
        .bind(id.to_string())
        .bind(integer(processed))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// Forgets one, with its lines.
pub async fn delete(write: &mut Write, id: TransferId) -> Result<()> {
    write.touch(Table::Transfers);
    sqlx::query("DELETE FROM transfers WHERE id = $1").bind(id.to_string()).execute(write.sql()).await?;
    Ok(())
}

/// One.
pub async fn by_id(tx: &mut Tx, id: TransferId) -> Result<Option<Transfer>> {
    let row = sqlx::query("SELECT * FROM transfers WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?;
    row.map(|row| transfer(tx, &row)).transpose()
}

/// An app's with this number.
pub async fn by_number(tx: &mut Tx, app: AppId, number: u32) -> Result<Option<Transfer>> {
    let row = sqlx::query("SELECT * FROM transfers WHERE app_id = $1 AND number = $2")
        .bind(app.to_string())
        .bind(i64::from(number))
        .fetch_optional(tx.sql())
        .await?;
    row.map(|row| transfer(tx, &row)).transpose()
}

/// An app's, oldest first.
pub async fn of_app(tx: &mut Tx, app: AppId) -> Result<Vec<Transfer>> {
    let rows = sqlx::query("SELECT * FROM transfers WHERE app_id = $1 ORDER BY number")
        .bind(app.to_string())
        .fetch_all(tx.sql())
        .await?;
    rows.iter().map(|row| transfer(tx, row)).collect()
}

/// All there are, oldest first.
pub async fn list(tx: &mut Tx) -> Result<Vec<Transfer>> {
    let rows = sqlx::query("SELECT * FROM transfers ORDER BY created_at, id").fetch_all(tx.sql()).await?;
    rows.iter().map(|row| transfer(tx, row)).collect()
}

/// Adds to what one has to tell.
pub async fn add_lines(write: &mut Write, id: TransferId, lines: &[TransferLine]) -> Result<()> {
    for line in lines {
        sqlx::query("INSERT INTO transfer_lines (transfer_id, at, text) VALUES ($1, $2, $3)")
            .bind(id.to_string())
            .bind(micros(line.time))
            .bind(&line.text)
            .execute(write.sql())
            .await?;
    }
    Ok(())
}

/// What one has told, oldest first.
pub async fn lines(tx: &mut Tx, id: TransferId) -> Result<Vec<TransferLine>> {
    sqlx::query("SELECT * FROM transfer_lines WHERE transfer_id = $1 ORDER BY rowid")
        .bind(id.to_string())
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(|row| Ok(TransferLine { time: row.time("at")?, text: row.text("text")? }))
        .collect()
}
