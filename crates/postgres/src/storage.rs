//! How large databases are, and keeping them from growing.

use crate::connection::{Connection, identifier};
use crate::{Error, Result};
use domain::DatabaseAccess;
use std::collections::BTreeMap;

/// Bytes of each database of a server.
pub async fn sizes(access: &DatabaseAccess) -> Result<BTreeMap<String, u64>> {
    let server = Connection::open(access, "postgres").await?;
    let sql = "SELECT datname, pg_database_size(oid) AS bytes FROM pg_database WHERE NOT datistemplate";
    let mut sizes = BTreeMap::new();
    for mut row in server.rows(sql).await? {
        let (Some(name), Some(bytes)) = (row.remove("datname"), row.remove("bytes")) else { continue };
        sizes.insert(name, bytes.parse().map_err(|_| Error::Missing("bytes"))?);
    }
    Ok(sizes)
}

/// Gives a database's owner the right to add to its tables, or takes it. Deleting stays allowed, so that
/// there is a way back.
pub async fn allow_growth(access: &DatabaseAccess, allowed: bool) -> Result<()> {
    let inside = Connection::open(access, &access.database).await?;
    let schemas = "SELECT nspname FROM pg_namespace
                    WHERE nspname NOT LIKE 'pg\\_%' AND nspname NOT IN ('information_schema', '_heroku')";
    let (verb, to) = if allowed { ("GRANT", "TO") } else { ("REVOKE", "FROM") };
    let owner = identifier(&access.owner);
    for row in inside.rows(schemas).await? {
        let Some(schema) = row.get("nspname").map(|name| identifier(name)) else { continue };
        inside.run(&format!("{verb} INSERT, UPDATE ON ALL TABLES IN SCHEMA {schema} {to} {owner}")).await?;
    }
    Ok(())
}
