//! Apps' attachments to add-ons.

use crate::row::{Columns, micros};
use crate::{Result, Table, Tx, Write};
use domain::{AddonId, AppId, Attachment, AttachmentId};
use sqlx::sqlite::SqliteRow;

fn attachment(row: &SqliteRow) -> Result<Attachment> {
    Ok(Attachment {
        id: row.parsed("id")?,
        addon: row.parsed("addon_id")?,
        app: row.parsed("app_id")?,
        name: row.text("name")?,
        namespace: row.text_if_any("namespace")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Adds one.
pub async fn insert(write: &mut Write, attachment: &Attachment) -> Result<()> {
    write.touch(Table::Addons);
    sqlx::query(
        "INSERT INTO addon_attachments (id, addon_id, app_id, name, namespace, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(attachment.id.to_string())
    .bind(attachment.addon.to_string())
    .bind(attachment.app.to_string())
    .bind(&attachment.name)
    .bind(&attachment.namespace)
    .bind(micros(attachment.created_at))
    .bind(micros(attachment.updated_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Removes one.
pub async fn delete(write: &mut Write, id: AttachmentId) -> Result<()> {
    write.touch(Table::Addons);
    sqlx::query("DELETE FROM addon_attachments WHERE id = $1")
        .bind(id.to_string())
        .execute(write.sql())
        .await?;
    Ok(())
}

/// One.
pub async fn by_id(tx: &mut Tx, id: AttachmentId) -> Result<Option<Attachment>> {
    sqlx::query("SELECT * FROM addon_attachments WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(attachment)
        .transpose()
}

/// An app's, by name.
pub async fn of_app(tx: &mut Tx, app: AppId) -> Result<Vec<Attachment>> {
    sqlx::query("SELECT * FROM addon_attachments WHERE app_id = $1 ORDER BY name")
        .bind(app.to_string())
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(attachment)
        .collect()
}

/// An add-on's, oldest first.
pub async fn of_addon(tx: &mut Tx, addon: AddonId) -> Result<Vec<Attachment>> {
    sqlx::query("SELECT * FROM addon_attachments WHERE addon_id = $1 ORDER BY created_at, id")
        .bind(addon.to_string())
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(attachment)
        .collect()
}

/// All there are, by app and name.
pub async fn list(tx: &mut Tx) -> Result<Vec<Attachment>> {
    sqlx::query("SELECT * FROM addon_attachments ORDER BY app_id, name")
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(attachment)
        .collect()
}
