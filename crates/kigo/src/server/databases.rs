//! Databases of add-ons for the API and for the loop that measures them: the `postgres` crate behind their
//! seams.

use api::{DatabaseError, Databases, ServerOf};
use async_trait::async_trait;
use domain::{Check, DatabaseAccess, DatabaseFigures, Light};
use reconcile::{Answer, Storage};
use std::collections::BTreeMap;

const LOAD: &str = "Load";

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How much there is to do on this machine, for each CPU. `text` is what the kernel says of it.
fn load(text: Option<&str>, cpus: usize) -> Check {
    let first = text.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    let Some(first) = first else { return Check::skipped(LOAD, "This machine does not tell its load.") };
    let each = first / cpus as f64;
    let light = match each {
        each if each > 2.0 => Light::Red,
        each if each > 1.0 => Light::Yellow,
        _ => Light::Green,
    };
    Check { name: LOAD.into(), light, found: vec![vec![("load".into(), format!("{each:.2}"))]] }
}

/// PostgreSQL servers, each reached at its address.
pub(crate) struct Postgres;

fn told(error: postgres::Error) -> DatabaseError {
    match error {
        postgres::Error::Refused(why) => DatabaseError::Refused(why),
        postgres::Error::Unreachable(_) | postgres::Error::TimedOut => {
            DatabaseError::Unreachable(Box::new(error))
        }
        other => DatabaseError::Failed(Box::new(other)),
    }
}

#[async_trait]
impl Databases for Postgres {
    async fn figures(&self, access: &DatabaseAccess) -> Result<DatabaseFigures, DatabaseError> {
        postgres::figures(access).await.map_err(told)
    }

    async fn reset(&self, access: &DatabaseAccess, extensions: &[String]) -> Result<(), DatabaseError> {
        postgres::reset(access, extensions).await.map_err(told)
    }

    async fn end_connections(&self, access: &DatabaseAccess) -> Result<(), DatabaseError> {
        postgres::end_connections(access).await.map_err(told)
    }

    async fn reset_statistics(&self, access: &DatabaseAccess) -> Result<(), DatabaseError> {
        postgres::reset_statistics(access).await.map_err(told)
    }

    async fn settings(&self, access: &DatabaseAccess) -> Result<BTreeMap<String, String>, DatabaseError> {
        postgres::settings(access).await.map_err(told)
    }

    async fn change_setting(
        &self,
        access: &DatabaseAccess,
        name: &str,
        value: Option<&str>,
    ) -> Result<(), DatabaseError> {
        postgres::change_setting(access, name, value).await.map_err(told)
    }

    async fn repair_owner(&self, access: &DatabaseAccess, users: &[String]) -> Result<(), DatabaseError> {
        postgres::repair_owner(access, users).await.map_err(told)
    }

    async fn diagnose(
        &self,
        access: &DatabaseAccess,
        connections: u64,
        whose: ServerOf,
    ) -> Result<Vec<Check>, DatabaseError> {
        let mut checks = postgres::diagnose(access, connections).await.map_err(told)?;
        checks.push(match whose {
            ServerOf::One => load(std::fs::read_to_string("/proc/loadavg").ok().as_deref(), cpus()),
            ServerOf::Many => Check::skipped(LOAD, "Load check not supported on this plan"),
        });
        Ok(checks)
    }
}

#[async_trait]
impl Storage for Postgres {
    async fn sizes(&self, access: &DatabaseAccess) -> Answer<BTreeMap<String, u64>> {
        Ok(postgres::sizes(access).await?)
    }

    async fn allow_growth(&self, access: &DatabaseAccess, allowed: bool) -> Answer<()> {
        Ok(postgres::allow_growth(access, allowed).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_is_counted_by_cpu() {
        for (text, expected) in [
            (Some("1.90 0.1 0.1 1/200 7"), Light::Green),
            (Some("2.10 0.1 0.1 1/200 7"), Light::Yellow),
            (Some("4.10 0.1 0.1 1/200 7"), Light::Red),
            (Some("x"), Light::Skipped),
            (None, Light::Skipped),
        ] {
            assert_eq!(load(text, 2).light, expected, "{text:?}");
        }
    }
}
