//! The data API: what the official CLI asks about databases beside the Platform API.

pub(crate) mod postgres;
pub(crate) mod postgres_credentials;
pub(crate) mod postgres_settings;
