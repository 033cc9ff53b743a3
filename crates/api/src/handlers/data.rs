//! The data API: what the official CLI asks `HEROKU_DATA_HOST` for, about databases.

pub(crate) mod postgres;
pub(crate) mod postgres_credentials;
pub(crate) mod postgres_settings;
pub(crate) mod redis;
pub(crate) mod reports;
pub(crate) mod schedules;
pub(crate) mod transfers;
