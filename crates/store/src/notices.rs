//! Bad news that people are still to be told.

use crate::row::{Columns, micros, text_of};
use crate::{Result, Table, Tx, Write};
use domain::{Notice, NoticeId, NoticeKind, Reader};
use sqlx::sqlite::SqliteRow;

fn notice(row: &SqliteRow) -> Result<Notice> {
    Ok(Notice {
        id: row.parsed("id")?,
        kind: row.word("kind", NoticeKind::parse)?,
        to: row.parsed_if_any("account_id")?.map_or(Reader::Operator, Reader::Account),
        app: row.parsed("app_id")?,
        transfer: row.parsed_if_any("transfer_id")?,
        addon: row.text("addon")?,
        subject: row.text("subject")?,
        text: row.text("text")?,
        attempts: row.number("attempts")?,
        retry_at: row.time_if_any("retry_at")?,
        created_at: row.time("created_at")?,
    })
}

/// Adds one.
pub async fn insert(write: &mut Write, notice: &Notice) -> Result<()> {
    write.touch(Table::Notices);
    let account = match notice.to {
        Reader::Account(id) => Some(id),
        Reader::Operator => None,
    };
    sqlx::query(
        "INSERT INTO notices (id, kind, account_id, app_id, transfer_id, addon, subject, text, attempts, retry_at,
                              created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(notice.id.to_string())
    .bind(notice.kind.as_str())
    .bind(text_of(account.as_ref()))
    .bind(notice.app.to_string())
    .bind(text_of(notice.transfer.as_ref()))
    .bind(&notice.addon)
    .bind(&notice.subject)
    .bind(&notice.text)
    .bind(i64::from(notice.attempts))
    .bind(notice.retry_at.map(micros))
    .bind(micros(notice.created_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Writes how telling it goes.
pub async fn update(write: &mut Write, notice: &Notice) -> Result<()> {
    write.touch(Table::Notices);
    sqlx::query("UPDATE notices SET attempts = $2, retry_at = $3 WHERE id = $1")
        .bind(notice.id.to_string())
        .bind(i64::from(notice.attempts))
        .bind(notice.retry_at.map(micros))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// Forgets one.
pub async fn delete(write: &mut Write, id: NoticeId) -> Result<()> {
    write.touch(Table::Notices);
    sqlx::query("DELETE FROM notices WHERE id = $1").bind(id.to_string()).execute(write.sql()).await?;
    Ok(())
}

/// One.
pub async fn by_id(tx: &mut Tx, id: NoticeId) -> Result<Option<Notice>> {
    let row = sqlx::query("SELECT * FROM notices WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?;
    row.as_ref().map(notice).transpose()
}

/// All there are, oldest first.
pub async fn list(tx: &mut Tx) -> Result<Vec<Notice>> {
    let rows = sqlx::query("SELECT * FROM notices ORDER BY created_at, id").fetch_all(tx.sql()).await?;
    rows.iter().map(notice).collect()
}
