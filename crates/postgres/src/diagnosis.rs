//! Looks for what is wrong with a database: the checks that `pg:diagnose` prints.
//!
//! Each is one statement that answers with a row for each thing found, and with the light of that in the
//! first column; a check is as bad as the worst of its rows. It sees one database and what is done in it by
//! those who use it, not what the platform does. One that cannot be made is skipped, and says why.

mod questions;

use crate::connection::Connection;
use crate::{Error, Result};
use domain::{Check, DatabaseAccess, Finding, Light};
use questions::QUESTIONS;

/// The column with a row's light.
const LIGHT: &str = "light";

/// Makes all checks. `connections` is how many may be open at a time.
pub async fn diagnose(access: &DatabaseAccess, connections: u64) -> Result<Vec<Check>> {
    let connection = Connection::open(access, &access.database).await?;
    // What whoever owns the database has named is not to be found in the place of PostgreSQL's own.
    connection.run("SET search_path = pg_catalog; SET default_transaction_read_only = on").await?;
    let mut checks = Vec::with_capacity(QUESTIONS.len());
    for (name, sql) in QUESTIONS {
        let sql = sql.replace("{connections}", &connections.to_string());
        checks.push(match connection.table(&sql).await {
            Ok(rows) => judged(name, rows),
            Err(Error::TimedOut) => return Err(Error::TimedOut),
            Err(Error::Statement(error)) if error.is_closed() => return Err(Error::Unreachable(error)),
            Err(error) => {
                tracing::warn!(check = name, error = said(&error), "a check of a database failed");
                Check::skipped(name, "The database did not answer this.")
            }
        });
    }
    Ok(checks)
}

fn said(error: &Error) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// The check that rows come to.
fn judged(name: &str, rows: Vec<Finding>) -> Check {
    let mut light = Light::Green;
    let mut found = Vec::with_capacity(rows.len());
    for mut row in rows {
        let at = row.iter().position(|(column, _)| column == LIGHT);
        let told = at.map(|at| row.remove(at).1);
        // Who answers something else than was asked for is looked at.
        light = light.max(told.and_then(|told| Light::parse(&told)).unwrap_or(Light::Yellow));
        found.push(row);
    }
    Check { name: name.to_owned(), light, found }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(columns: &[(&str, &str)]) -> Finding {
        columns.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_check_is_as_bad_as_the_worst_that_was_found() {
        for (lights, expected) in [
            (&[][..], Light::Green),
            (&["green"], Light::Green),
            (&["green", "yellow"], Light::Yellow),
            (&["red", "yellow"], Light::Red),
            (&["purple"], Light::Yellow),
        ] {
            let rows =
                lights.iter().map(|light| row(&[(LIGHT, light), ("pid", "7"), ("age", "1")])).collect();
            let check = judged("Some", rows);
            assert_eq!((check.light, check.found.len()), (expected, lights.len()), "{lights:?}");
            assert!(check.found.iter().all(|found| *found == row(&[("pid", "7"), ("age", "1")])));
        }
    }

    #[test]
    fn questions_are_known_by_different_names() {
        let names: std::collections::BTreeSet<_> = QUESTIONS.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), QUESTIONS.len());
        assert!(QUESTIONS.iter().all(|(_, sql)| sql.contains(LIGHT)));
    }
}
