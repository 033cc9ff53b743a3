//! Manifests and what they are made of.

use super::bound;
use crate::row::{Columns, integer, json_of, micros, text_of};
use crate::{Result, Tx, Write};
use domain::{AppId, Digest, Manifest, RepositoryId};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

fn manifest(row: &SqliteRow) -> Result<Manifest> {
    Ok(Manifest {
        repository: row.parsed("repository_id")?,
        digest: row.parsed("digest")?,
        media_type: row.text("media_type")?,
        size: row.number("size")?,
        config: row.parsed_if_any("config")?,
        artifact_type: row.text_if_any("artifact_type")?,
        subject: row.parsed_if_any("subject")?,
        annotations: row.json("annotations")?,
        touched_at: row.time("touched_at")?,
    })
}

/// Adds a manifest with what it is made of, or makes the one that is there young again.
pub async fn put(write: &mut Write, manifest: &Manifest, parts: &[Digest]) -> Result<()> {
    sqlx::query(
        "INSERT INTO registry_manifests (repository_id, digest, media_type, size, config, artifact_type,
                                         subject, annotations, touched_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (repository_id, digest) DO UPDATE SET media_type = $3, touched_at = $9",
    )
    .bind(bound(manifest.repository))
    .bind(manifest.digest.to_string())
    .bind(&manifest.media_type)
    .bind(integer(manifest.size))
    .bind(text_of(manifest.config.as_ref()))
    .bind(&manifest.artifact_type)
    .bind(text_of(manifest.subject.as_ref()))
    .bind(json_of("annotations", &manifest.annotations)?)
    .bind(micros(manifest.touched_at))
    .execute(write.sql())
    .await?;
    for part in parts {
        sqlx::query(
            "INSERT INTO registry_parts (repository_id, manifest, digest) VALUES ($1, $2, $3)
             ON CONFLICT DO NOTHING",
        )
        .bind(bound(manifest.repository))
        .bind(manifest.digest.to_string())
        .bind(part.to_string())
        .execute(write.sql())
        .await?;
    }
    Ok(())
}

/// Makes a manifest young again, for example because a tag left it.
pub async fn touch(
    write: &mut Write,
    repository: RepositoryId,
    digest: &Digest,
    now: Timestamp,
) -> Result<()> {
    sqlx::query("UPDATE registry_manifests SET touched_at = $3 WHERE repository_id = $1 AND digest = $2")
        .bind(bound(repository))
        .bind(digest.to_string())
        .bind(micros(now))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// One manifest of a repository.
pub async fn by_digest(tx: &mut Tx, repository: RepositoryId, digest: &Digest) -> Result<Option<Manifest>> {
    sqlx::query("SELECT * FROM registry_manifests WHERE repository_id = $1 AND digest = $2")
        .bind(bound(repository))
        .bind(digest.to_string())
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(manifest)
        .transpose()
}

/// The manifests of an app's repositories that have this digest, or whose image's config does. The
/// repository that is called `rest` comes first, then what was pushed last.
pub async fn of_image(tx: &mut Tx, app: AppId, digest: &Digest, rest: &str) -> Result<Vec<Manifest>> {
    sqlx::query(
        "SELECT registry_manifests.* FROM registry_manifests
         JOIN registry_repositories ON registry_repositories.id = repository_id
         WHERE app_id = $1 AND (digest = $2 OR config = $2)
         ORDER BY name <> $3, touched_at DESC, digest",
    )
    .bind(app.to_string())
    .bind(digest.to_string())
    .bind(rest)
    .fetch_all(tx.sql())
    .await?
    .iter()
    .map(manifest)
    .collect()
}

/// At most `limit` of those that are about `subject`, after the digest `last`; of one kind of
/// artifact, if one is named.
pub async fn referrers(
    tx: &mut Tx,
    repository: RepositoryId,
    subject: &Digest,
    artifact_type: Option<&str>,
    last: Option<&Digest>,
    limit: usize,
) -> Result<Vec<Manifest>> {
    sqlx::query(
        "SELECT * FROM registry_manifests
         WHERE repository_id = $1 AND subject = $2 AND ($3 IS NULL OR artifact_type = $3) AND digest > $4
         ORDER BY digest LIMIT $5",
    )
    .bind(bound(repository))
    .bind(subject.to_string())
    .bind(artifact_type)
    .bind(text_of(last).unwrap_or_default())
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(tx.sql())
    .await?
    .iter()
    .map(manifest)
    .collect()
}

/// Whether a manifest of the repository is made of this blob or manifest.
pub async fn is_part(tx: &mut Tx, repository: RepositoryId, digest: &Digest) -> Result<bool> {
    let row = sqlx::query("SELECT 1 FROM registry_parts WHERE repository_id = $1 AND digest = $2 LIMIT 1")
        .bind(bound(repository))
        .bind(digest.to_string())
        .fetch_optional(tx.sql())
        .await?;
    Ok(row.is_some())
}

/// How many manifests a repository has.
pub async fn count(tx: &mut Tx, repository: RepositoryId) -> Result<usize> {
    let row = sqlx::query("SELECT COUNT(*) AS count FROM registry_manifests WHERE repository_id = $1")
        .bind(bound(repository))
        .fetch_one(tx.sql())
        .await?;
    row.number("count")
}

/// Removes a manifest, and the tags that point at it. False if it was not there.
pub async fn delete(write: &mut Write, repository: RepositoryId, digest: &Digest) -> Result<bool> {
    let done = sqlx::query("DELETE FROM registry_manifests WHERE repository_id = $1 AND digest = $2")
        .bind(bound(repository))
        .bind(digest.to_string())
        .execute(write.sql())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes, from all repositories, the manifests that nothing refers to and nobody touched since
/// `before`. What is tagged or young is kept, what that is made of, what is about it, and what it is
/// about.
pub async fn delete_unused(write: &mut Write, before: Timestamp) -> Result<u64> {
    let done = sqlx::query(
        "WITH RECURSIVE kept (repository_id, digest) AS (
             SELECT repository_id, digest FROM registry_tags
             UNION
             SELECT repository_id, digest FROM registry_manifests WHERE touched_at >= $1
             UNION
             SELECT parts.repository_id, parts.digest
             FROM kept JOIN registry_parts AS parts
               ON parts.repository_id = kept.repository_id AND parts.manifest = kept.digest
             UNION
             SELECT about.repository_id, about.digest
             FROM kept JOIN registry_manifests AS about
               ON about.repository_id = kept.repository_id AND about.subject = kept.digest
             UNION
             SELECT about.repository_id, about.subject
             FROM kept JOIN registry_manifests AS about
               ON about.repository_id = kept.repository_id AND about.digest = kept.digest
             WHERE about.subject IS NOT NULL
         )
         DELETE FROM registry_manifests WHERE (repository_id, digest) NOT IN (SELECT * FROM kept)",
    )
    .bind(micros(before))
    .execute(write.sql())
    .await?;
    Ok(done.rows_affected())
}
