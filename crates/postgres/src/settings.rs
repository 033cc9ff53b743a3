//! A server's settings, as its own files have them.

use crate::connection::{Connection, identifier, literal};
use crate::{Error, Result};
use domain::DatabaseAccess;
use std::collections::BTreeMap;

/// What the files say, by name. That, and not what a session sees, is what new connections get.
pub async fn settings(access: &DatabaseAccess) -> Result<BTreeMap<String, String>> {
    let connection = Connection::open(access, "postgres").await?;
    let sql = "SELECT DISTINCT ON (name) name, setting FROM pg_file_settings ORDER BY name, seqno DESC";
    let rows = connection.rows(sql).await?;
    Ok(rows.into_iter().filter_map(|mut row| Some((row.remove("name")?, row.remove("setting")?))).collect())
}

/// Changes one for all connections, or for `None` forgets that it was changed. The server keeps it beside
/// its data, so that it lasts.
pub async fn change_setting(access: &DatabaseAccess, name: &str, value: Option<&str>) -> Result<()> {
    let connection = Connection::open(access, "postgres").await?;
    if name.starts_with("auto_explain.") {
        // Without it its settings are checked by nobody.
        connection.run("LOAD 'auto_explain'").await?;
    }
    let name = name.split('.').map(identifier).collect::<Vec<_>>().join(".");
    let change = match value {
        Some(value) => format!("ALTER SYSTEM SET {name} = {}", literal(value)),
        None => format!("ALTER SYSTEM RESET {name}"),
    };
    connection.run(&change).await.map_err(refused)?;
    connection.run("SELECT pg_reload_conf()").await
}

/// What the server says about a value is for who chose it.
fn refused(error: Error) -> Error {
    match &error {
        Error::Statement(cause) => match cause.as_db_error() {
            Some(said) => Error::Refused(format!("PostgreSQL refuses this: {}.", said.message())),
            None => error,
        },
        _ => error,
    }
}
