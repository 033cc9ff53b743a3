//! Emptying a database.

use crate::connection::{Connection, identifier, literal};
use crate::{Error, Result};
use domain::DatabaseAccess;
use std::collections::BTreeSet;

/// Puts a new database in the place of one, with all who could connect to that. Extensions are those that
/// a database's owner may create, or an error that names the first that is not.
///
/// The new one is made before the old one goes, under another name, so that a fault on the way leaves
/// either of them.
pub async fn reset(access: &DatabaseAccess, extensions: &[String]) -> Result<()> {
    let server = Connection::open(access, "postgres").await?;
    check(&server, extensions).await?;
    let new = format!("{}_new", access.database);
    server.run(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", identifier(&new))).await?;
    let owner = identifier(&access.owner);
    server.run(&format!("CREATE DATABASE {} OWNER {owner}", identifier(&new))).await?;
    server.run(&format!("REVOKE ALL ON DATABASE {} FROM PUBLIC", identifier(&new))).await?;
    for user in users(&server, &access.database).await? {
        let grant =
            format!("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}", identifier(&new), identifier(&user));
        server.run(&grant).await?;
    }
    if !extensions.is_empty() {
        let inside = Connection::open(access, &new).await?;
        for extension in extensions {
            let name = identifier(extension);
            inside.run(&format!("CREATE EXTENSION IF NOT EXISTS {name} SCHEMA public CASCADE")).await?;
        }
    }
    server.run(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", identifier(&access.database))).await?;
    let (new, old) = (identifier(&new), identifier(&access.database));
    server.run(&format!("ALTER DATABASE {new} RENAME TO {old}")).await
}

/// Who else may connect.
async fn users(server: &Connection, database: &str) -> Result<Vec<String>> {
    let sql = format!(
        "SELECT DISTINCT rolname FROM pg_database, aclexplode(datacl) AS acl JOIN pg_roles ON pg_roles.oid = acl.grantee
          WHERE datname = {} AND acl.grantee <> datdba",
        literal(database)
    );
    Ok(server.rows(&sql).await?.into_iter().filter_map(|mut row| row.remove("rolname")).collect())
}

async fn check(server: &Connection, extensions: &[String]) -> Result<()> {
    let sql = "SELECT DISTINCT name FROM pg_available_extension_versions WHERE trusted OR name = 'pg_stat_statements'";
    let rows = server.rows(sql).await?;
    let known: BTreeSet<_> = rows.iter().filter_map(|row| row.get("name")).collect();
    match extensions.iter().find(|name| !known.contains(name)) {
        None => Ok(()),
        Some(name) => {
            let known: Vec<_> = known.into_iter().map(String::as_str).collect();
            Err(Error::Refused(format!(
                "There is no extension {name} that a database here can have. There are: {}.",
                known.join(", ")
            )))
        }
    }
}
