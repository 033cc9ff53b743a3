//! Databases of add-ons for the API and for the loop that measures them: the `postgres` crate behind their
//! seams.

use api::{DatabaseError, Databases};
use async_trait::async_trait;
use domain::{DatabaseAccess, DatabaseFigures};
use reconcile::{Answer, Storage};
use std::collections::BTreeMap;

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
