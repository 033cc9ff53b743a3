//! Tags: names that point at manifests.

use super::bound;
use crate::row::{Columns, micros};
use crate::{Result, Tx, Write};
use domain::{Digest, RepositoryId, Tag};
use jiff::Timestamp;

/// Points a tag at a manifest of its repository. Returns what it pointed at before.
pub async fn put(
    write: &mut Write,
    repository: RepositoryId,
    tag: &Tag,
    digest: &Digest,
    now: Timestamp,
) -> Result<Option<Digest>> {
    let before = digest_of(write, repository, tag).await?;
    sqlx::query(
        "INSERT INTO registry_tags (repository_id, name, digest, updated_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (repository_id, name) DO UPDATE SET digest = $3, updated_at = $4",
    )
    .bind(bound(repository))
    .bind(tag.as_str())
    .bind(digest.to_string())
    .bind(micros(now))
    .execute(write.sql())
    .await?;
    Ok(before)
}

/// The manifest that a tag points at.
pub async fn digest_of(tx: &mut Tx, repository: RepositoryId, tag: &Tag) -> Result<Option<Digest>> {
    let row = sqlx::query("SELECT digest FROM registry_tags WHERE repository_id = $1 AND name = $2")
        .bind(bound(repository))
        .bind(tag.as_str())
        .fetch_optional(tx.sql())
        .await?;
    row.map(|row| row.parsed("digest")).transpose()
}

/// Removes a tag; its manifest stays.
pub async fn delete(write: &mut Write, repository: RepositoryId, tag: &Tag) -> Result<()> {
    sqlx::query("DELETE FROM registry_tags WHERE repository_id = $1 AND name = $2")
        .bind(bound(repository))
        .bind(tag.as_str())
        .execute(write.sql())
        .await?;
    Ok(())
}

/// At most `limit` tags after `last`, by the order of their bytes.
pub async fn list(
    tx: &mut Tx,
    repository: RepositoryId,
    last: Option<&str>,
    limit: usize,
) -> Result<Vec<Tag>> {
    sqlx::query(
        "SELECT name FROM registry_tags WHERE repository_id = $1 AND name > $2 ORDER BY name LIMIT $3",
    )
    .bind(bound(repository))
    .bind(last.unwrap_or_default())
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(tx.sql())
    .await?
    .iter()
    .map(|row| row.parsed("name"))
    .collect()
}

/// How many tags a repository has.
pub async fn count(tx: &mut Tx, repository: RepositoryId) -> Result<usize> {
    let row = sqlx::query("SELECT COUNT(*) AS count FROM registry_tags WHERE repository_id = $1")
        .bind(bound(repository))
        .fetch_one(tx.sql())
        .await?;
    row.number("count")
}
