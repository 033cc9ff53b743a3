//! One connection of the administrator's.

use crate::{Error, Result};
use domain::DatabaseAccess;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

/// How long a server may take to take a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// How long one statement may take.
const STATEMENT: Duration = Duration::from_mins(1);

/// Statements of the administrator's are not for the add-on's log: some have passwords in them.
const OPTIONS: &str = "-c log_statement=none -c log_min_duration_statement=-1 -c log_min_error_statement=panic \
                       -c client_min_messages=warning -c application_name=kigo";

/// Closed when it is dropped.
pub(crate) struct Connection {
    client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// The connection does not leave the machine, so that it is not encrypted.
    pub(crate) async fn open(access: &DatabaseAccess, database: &str) -> Result<Self> {
        let mut config = Config::new();
        config
            .host(access.address.ip().to_string())
            .port(access.address.port())
            .user("postgres")
            .password(&access.password)
            .dbname(database)
            .options(OPTIONS)
            .connect_timeout(CONNECT);
        let opened = tokio::time::timeout(CONNECT, config.connect(NoTls)).await;
        let (client, connection) = opened.map_err(|_| Error::TimedOut)?.map_err(Error::Unreachable)?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an administrator's connection to a database ended");
            }
        });
        Ok(Self { client, driver })
    }

    /// Runs one statement, or several that may share a transaction.
    pub(crate) async fn run(&self, sql: &str) -> Result<()> {
        let done = tokio::time::timeout(STATEMENT, self.client.batch_execute(sql)).await;
        done.map_err(|_| Error::TimedOut)?.map_err(Error::Statement)
    }

    /// The rows of a statement, their columns by name. What is NULL is missing.
    pub(crate) async fn rows(&self, sql: &str) -> Result<Vec<BTreeMap<String, String>>> {
        Ok(self.table(sql).await?.into_iter().map(BTreeMap::from_iter).collect())
    }

    /// The rows of a statement, their columns in order. What is NULL is missing.
    pub(crate) async fn table(&self, sql: &str) -> Result<Vec<Vec<(String, String)>>> {
        let done = tokio::time::timeout(STATEMENT, self.client.simple_query(sql)).await;
        let messages = done.map_err(|_| Error::TimedOut)?.map_err(Error::Statement)?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let columns = |row: &tokio_postgres::SimpleQueryRow| {
            let named = row.columns().iter().enumerate();
            named
                .filter_map(|(at, column)| Some((column.name().to_owned(), row.get(at)?.to_owned())))
                .collect()
        };
        Ok(rows.map(columns).collect())
    }
}

/// A name as SQL reads it.
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL reads it.
pub(crate) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_quotes() {
        assert_eq!(identifier("a\"; DROP"), "\"a\"\"; DROP\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("\\'"), "E'\\\\'''");
    }
}
