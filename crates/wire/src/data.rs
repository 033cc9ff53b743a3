//! The shapes of Heroku's data API, by which the official CLI looks after databases. It is spoken at the
//! same address as the Platform API.

pub mod postgres;
