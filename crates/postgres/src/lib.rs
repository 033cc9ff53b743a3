//! Speaks to PostgreSQL servers of add-ons as their administrator: asks for figures, empties databases,
//! ends connections, changes settings, looks for what is wrong.
//!
//! It knows SQL and nothing of rows, users or plans: who may do what was decided before. Each function
//! opens a connection of its own and closes it; all of them may be called again after they were cut off.

mod connection;
mod diagnosis;
mod reset;
mod settings;
mod storage;

pub use diagnosis::diagnose;
pub use reset::reset;
pub use settings::{change_setting, settings};
pub use storage::{allow_growth, sizes};

use connection::{Connection, identifier, literal};
use domain::{DatabaseAccess, DatabaseFigures};

/// Why a server did not do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not there, or does not answer in time.
    #[error("the database server cannot be reached")]
    Unreachable(#[source] tokio_postgres::Error),
    /// The user's fault, in words for the user.
    #[error("{0}")]
    Refused(String),
    #[error("the database server refused a statement")]
    Statement(#[source] tokio_postgres::Error),
    /// It answered something else than was asked for.
    #[error("the database server's answer has no {0}")]
    Missing(&'static str),
    #[error("the database server took too long")]
    TimedOut,
}

/// Result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Looks at a database.
pub async fn figures(access: &DatabaseAccess) -> Result<DatabaseFigures> {
    let connection = Connection::open(access, &access.database).await?;
    let sql = "SELECT current_setting('server_version') AS version,
                      pg_database_size(current_database()) AS bytes,
                      pg_snapshot_xmax(pg_current_snapshot()) AS transaction,
                      (SELECT count(*) FROM pg_stat_activity
                        WHERE datname = current_database() AND pid <> pg_backend_pid()
                          AND backend_type = 'client backend') AS connections,
                      (SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                        WHERE relkind IN ('r', 'p') AND nspname NOT LIKE 'pg\\_%'
                          AND nspname NOT IN ('information_schema', '_heroku')) AS tables";
    let rows = connection.rows(sql).await?;
    let row = rows.first().ok_or(Error::Missing("row"))?;
    let text = |name: &'static str| row.get(name).ok_or(Error::Missing(name));
    let number = |name: &'static str| text(name)?.parse().map_err(|_| Error::Missing(name));
    // Debian adds its own version: `17.5 (Debian 17.5-1)`.
    let version = text("version")?.split(' ').next().unwrap_or_default().to_owned();
    Ok(DatabaseFigures {
        version,
        bytes: number("bytes")?,
        tables: number("tables")?,
        connections: number("connections")?,
        transaction: number("transaction")?,
    })
}

/// Ends all connections of a database's users.
pub async fn end_connections(access: &DatabaseAccess) -> Result<()> {
    let connection = Connection::open(access, "postgres").await?;
    let sql = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = {} AND usename <> 'postgres' AND backend_type = 'client backend'",
        literal(&access.database)
    );
    connection.rows(&sql).await.map(drop)
}

/// Gives everything in a database that these users own to its owner, and the owner the right to be them.
pub async fn repair_owner(access: &DatabaseAccess, users: &[String]) -> Result<()> {
    let connection = Connection::open(access, &access.database).await?;
    let owner = identifier(&access.owner);
    for user in users {
        let user = identifier(user);
        connection.run(&format!("REASSIGN OWNED BY {user} TO {owner}")).await?;
        connection.run(&format!("GRANT {user} TO {owner} WITH ADMIN OPTION")).await?;
    }
    Ok(())
}

/// Has a database begin to count anew.
pub async fn reset_statistics(access: &DatabaseAccess) -> Result<()> {
    Connection::open(access, &access.database).await?.run("SELECT pg_stat_reset()").await
}
