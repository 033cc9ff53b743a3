//! The marketplace: which services there are, what plans they have, and how each is run.
//!
//! A service is a [`Definition`], a TOML file: those of the folder `catalog/` are built in, an
//! operator's own directory adds to them. A service that a partner runs is described by a
//! [`Manifest`], as partners have it for Heroku, and [`partner`] has the words that are exchanged with
//! who runs it. This crate reads and checks definitions, makes the random
//! values that a new service needs and writes config vars from them. It refuses to run anything and
//! to know rows: who starts a service's container, and who remembers its password, is its callers'
//! business.

mod catalog;
mod definition;
mod lint;
mod manifest;
mod names;
pub mod partner;
mod settings;
mod template;
mod values;

pub use catalog::{Catalog, CatalogError};
pub use definition::{Definition, Hooks, Naming, Plan, Provided, Running, Size, Test, ValueRule};
pub use manifest::{Contract, Manifest, ManifestError, Offer, Secrets};
pub use names::{addon_name, color};
pub use settings::{Range, Setting};
pub use template::{Place, TemplateError};
