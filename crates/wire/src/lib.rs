//! The JSON shapes of Heroku's Platform API v3, as the server answers them and the client reads
//! them.
//!
//! One module for each resource, with the names of Heroku's published schema: a response type
//! named like the resource, request bodies named `Create`, `Update` and so on. This crate holds
//! shapes only. It refuses to know rules, HTTP or Kigo's own types; who needs a value checked
//! checks it where the value becomes a domain type.
//!
//! What is optional follows the schema: a property that may be `null` is an `Option` and is always
//! written, because the official CLI reads many of them without asking whether they are there. In
//! request bodies everything that a client may leave out has a default.

pub mod account;
pub mod addon;
pub mod app;
pub mod app_setup;
pub mod authorization;
pub mod browser_login;
pub mod build;
pub mod buildpack;
pub mod collaborator;
pub mod config_vars;
pub mod data;
pub mod domain;
pub mod dyno;
pub mod dyno_size;
pub mod error;
pub mod feature;
pub mod formation;
pub mod key;
pub mod log_drain;
pub mod log_session;
pub mod papertrail;
pub mod partner;
pub mod place;
pub mod rate_limit;
pub mod reference;
pub mod registry;
pub mod release;
pub mod scheduler;
pub mod session;
pub mod slug;
pub mod source;
pub mod status;
pub mod test_build;
pub mod time;
pub mod webhook;

pub use error::Error;
pub use reference::{AppRef, IdRef, Identity, NamedRef, NumberOrText, UserRef};
pub use time::Time;

/// The media type of every JSON body, without the version.
pub const MEDIA_TYPE: &str = "application/vnd.heroku+json";
