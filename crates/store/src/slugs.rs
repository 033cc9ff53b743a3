//! Slugs.

use crate::row::{Columns, integer, json_of, micros, text_of};
use crate::{Result, Table, Tx, Write};
use domain::{AppId, Digest, ProcessType, Slug, SlugId, TypeImage};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use std::collections::BTreeMap;

fn slug(row: &SqliteRow) -> Result<Slug> {
    Ok(Slug {
        id: row.parsed("id")?,
        app: row.parsed("app_id")?,
        image: row.parsed_if_any("image")?,
        images: row.json("images")?,
        checksum: row.text_if_any("checksum")?,
        size: row.number_if_any("size")?,
        commit: row.text_if_any("source_commit")?,
        commit_description: row.text_if_any("commit_description")?,
        buildpack_provided_description: row.text_if_any("buildpack_provided_description")?,
        process_types: row.json("process_types")?,
        stack: row.text("stack")?,
        upload_key: row.text("upload_key")?,
        expired: row.flag("expired")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Adds a slug.
pub async fn insert(write: &mut Write, slug: &Slug) -> Result<()> {
    write.touch(Table::Slugs);
    sqlx::query(
        "INSERT INTO slugs (id, app_id, image, checksum, size, source_commit, commit_description,
                            buildpack_provided_description, process_types, stack, upload_key, expired,
                            created_at, updated_at, images)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(slug.id.to_string())
    .bind(slug.app.to_string())
    .bind(text_of(slug.image.as_ref()))
    .bind(&slug.checksum)
    .bind(slug.size.map(integer))
    .bind(&slug.commit)
    .bind(&slug.commit_description)
    .bind(&slug.buildpack_provided_description)
    .bind(json_of("process_types", &slug.process_types)?)
    .bind(&slug.stack)
    .bind(&slug.upload_key)
    .bind(slug.expired)
    .bind(micros(slug.created_at))
    .bind(micros(slug.updated_at))
    .bind(json_of("images", &slug.images)?)
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Writes what an upload brings.
pub async fn set_image(
    write: &mut Write,
    id: SlugId,
    image: Digest,
    checksum: &str,
    size: u64,
    now: Timestamp,
) -> Result<()> {
    write.touch(Table::Slugs);
    sqlx::query("UPDATE slugs SET image = $2, checksum = $3, size = $4, updated_at = $5 WHERE id = $1")
        .bind(id.to_string())
        .bind(image.to_string())
        .bind(checksum)
        .bind(integer(size))
        .bind(micros(now))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// Gives its images up: nothing refers to it any more, so its blobs can be collected.
pub async fn expire(write: &mut Write, id: SlugId, now: Timestamp) -> Result<()> {
    write.touch(Table::Slugs);
    sqlx::query(
        "UPDATE slugs SET image = NULL, images = '{}', expired = TRUE, updated_at = $2 WHERE id = $1",
    )
    .bind(id.to_string())
    .bind(micros(now))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// One slug.
pub async fn by_id(tx: &mut Tx, id: SlugId) -> Result<Option<Slug>> {
    sqlx::query("SELECT * FROM slugs WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(slug)
        .transpose()
}

/// The slug that an upload address belongs to.
pub async fn by_upload_key(tx: &mut Tx, key: &str) -> Result<Option<Slug>> {
    sqlx::query("SELECT * FROM slugs WHERE upload_key = $1")
        .bind(key)
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(slug)
        .transpose()
}

/// One app's, newest first.
pub async fn list(tx: &mut Tx, app: AppId) -> Result<Vec<Slug>> {
    sqlx::query("SELECT * FROM slugs WHERE app_id = $1 ORDER BY created_at DESC, id")
        .bind(app.to_string())
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(slug)
        .collect()
}

/// The images of all slugs: what garbage collection must keep.
pub async fn images(tx: &mut Tx) -> Result<Vec<Digest>> {
    let rows =
        sqlx::query("SELECT DISTINCT image, images FROM slugs WHERE image IS NOT NULL OR images <> '{}'")
            .fetch_all(tx.sql())
            .await?;
    let mut all = Vec::new();
    for row in &rows {
        all.extend(row.parsed_if_any::<Digest>("image")?);
        let own: BTreeMap<ProcessType, TypeImage> = row.json("images")?;
        all.extend(own.values().map(|own| own.image));
    }
    Ok(all)
}
