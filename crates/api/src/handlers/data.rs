//! The data API: what the official CLI asks `HEROKU_DATA_HOST` for.

pub(crate) mod schedules;
pub(crate) mod transfers;
