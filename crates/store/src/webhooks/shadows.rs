//! How what an app has was when it was last looked at, by which changes are seen.

use crate::row::{Columns, json_of};
use crate::seal::{Place, open, seal};
use crate::{Result, StoreError, Table, Tx, Write};
use domain::AppId;
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// One thing that an app has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// `api:release`
    pub entity: String,
    pub resource: Uuid,
    /// As the API shows it.
    pub data: Value,
}

impl Shadow {
    fn key(&self) -> String {
        format!("{} {}", self.entity, self.resource)
    }
}

fn place(row: &str) -> Place<'_> {
    Place { table: "webhook_shadows", column: "sealed_data", row }
}

/// All of an app's, by entity and id.
pub async fn shadows(tx: &mut Tx, app: AppId) -> Result<BTreeMap<(String, Uuid), Value>> {
    let rows = sqlx::query("SELECT id, sealed_data FROM webhook_shadows WHERE app_id = $1")
        .bind(app.to_string())
        .fetch_all(tx.sql())
        .await?;
    let mut all = BTreeMap::new();
    for row in rows {
        let key = row.text("id")?;
        let corrupt = || StoreError::Corrupt { column: "id", why: "no entity and id".into() };
        let (entity, resource) = key.split_once(' ').ok_or_else(corrupt)?;
        let resource = resource.parse().map_err(|_| corrupt())?;
        let sealed = row.bytes_if_any("sealed_data")?.unwrap_or_default();
        let data = serde_json::from_slice(&open(&tx.keys(), place(&key), &sealed)?)
            .map_err(|_| StoreError::Corrupt { column: "sealed_data", why: "not JSON".into() })?;
        all.insert((entity.to_owned(), resource), data);
    }
    Ok(all)
}

/// Notes how something is now.
pub async fn put_shadow(write: &mut Write, app: AppId, shadow: &Shadow) -> Result<()> {
    write.touch(Table::Webhooks);
    let key = shadow.key();
    let text = json_of("sealed_data", &shadow.data)?;
    let sealed = seal(&write.keys(), place(&key), text.as_bytes())?;
    sqlx::query(
        "INSERT INTO webhook_shadows (id, app_id, sealed_data) VALUES ($1, $2, $3)
         ON CONFLICT (id) DO UPDATE SET sealed_data = $3",
    )
    .bind(&key)
    .bind(app.to_string())
    .bind(sealed)
    .execute(write.sql())
    .await?;
    Ok(())
}

/// It is gone.
pub async fn delete_shadow(write: &mut Write, entity: &str, resource: Uuid) -> Result<()> {
    write.touch(Table::Webhooks);
    sqlx::query("DELETE FROM webhook_shadows WHERE id = $1")
        .bind(format!("{entity} {resource}"))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// Nobody looks at the app any more.
pub async fn forget_shadows(write: &mut Write, app: AppId) -> Result<()> {
    write.touch(Table::Webhooks);
    sqlx::query("DELETE FROM webhook_shadows WHERE app_id = $1")
        .bind(app.to_string())
        .execute(write.sql())
        .await?;
    sqlx::query("DELETE FROM webhook_events WHERE app_id = $1")
        .bind(app.to_string())
        .execute(write.sql())
        .await?;
    Ok(())
}
