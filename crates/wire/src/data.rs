//! Shapes of the data API, which the official CLI finds at `HEROKU_DATA_HOST`: the same address as the
//! Platform API's. No schema of it is published: they are what the CLI reads.

pub mod postgres;
pub mod redis;
pub mod transfer;
