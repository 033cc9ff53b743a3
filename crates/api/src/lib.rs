//! Heroku's Platform API v3 over HTTP.
//!
//! Handlers translate: a request becomes an intent of `ops`, what that returns becomes the shape
//! that `wire` describes, and an error becomes Heroku's JSON. No handler decides who may do what,
//! and none touches the store. The parts that the API may not know (containers, images, files of
//! output) come in through the traits of [`seams`].
//!
//! [`routes::router`] is the whole edge. Beside the published endpoints it has those that the
//! official CLI uses although they are not published, the streams of logs and output, and the
//! places to which sources and slugs are uploaded. What is missing is listed in [`gaps`] and
//! answers so.

mod browser_login;
mod config;
mod error;
mod extract;
pub mod gaps;
mod handlers;
mod middleware;
mod pages;
mod present;
mod ranges;
mod routes;
pub mod seams;
mod signed;
mod snapshot;
mod streams;
mod uploads;

pub use config::Config;
pub use error::ApiError;
pub use extract::Secure;
pub use routes::router;
pub use seams::{
    Blobs, ByteStream, DatabaseError, Databases, OutputOf, Outputs, Runnable, ServerOf, Stored, StoredSlug,
    UploadError,
};
pub use snapshot::snapshot;

use ::logs::Logs;
use ops::Ops;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What the API is made of.
pub struct Parts {
    pub ops: Ops,
    pub logs: Logs,
    pub outputs: Arc<dyn Outputs>,
    pub blobs: Arc<dyn Blobs>,
    pub databases: Arc<dyn Databases>,
    pub config: Config,
    /// The buildpacks that go by a name.
    pub buildpacks: Vec<BuiltIn>,
    /// Secret with which the addresses of log streams are signed; the same after a restart, so
    /// that readers can come back.
    pub log_key: Vec<u8>,
    /// Cancelled when the server is to end: open streams then end cleanly.
    pub shutdown: CancellationToken,
}

/// A buildpack that comes with Kigo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// With what stands before the slash: `heroku/nodejs`.
    pub name: &'static str,
    /// Another name that it goes by.
    pub alias: Option<&'static str>,
    /// What it is for: `Node.js`.
    pub language: &'static str,
    /// The file by which an app is recognised: `package.json`.
    pub recognised_by: &'static str,
    /// Its documentation, in Markdown.
    pub guide: &'static str,
}

/// Handles on everything a handler needs; cheap to clone.
#[derive(Clone)]
pub(crate) struct Api(Arc<Inner>);

struct Inner {
    parts: Parts,
    logins: browser_login::Logins,
    answers: middleware::once::Answers,
}

impl Api {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner {
            parts,
            logins: browser_login::Logins::default(),
            answers: middleware::once::Answers::default(),
        }))
    }

    pub(crate) fn ops(&self) -> &Ops {
        &self.0.parts.ops
    }

    pub(crate) fn logs(&self) -> &Logs {
        &self.0.parts.logs
    }

    pub(crate) fn outputs(&self) -> &dyn Outputs {
        self.0.parts.outputs.as_ref()
    }

    pub(crate) fn blobs(&self) -> &dyn Blobs {
        self.0.parts.blobs.as_ref()
    }

    pub(crate) fn databases(&self) -> &dyn Databases {
        self.0.parts.databases.as_ref()
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.parts.config
    }

    pub(crate) fn buildpacks(&self) -> &[BuiltIn] {
        &self.0.parts.buildpacks
    }

    pub(crate) fn log_key(&self) -> &[u8] {
        &self.0.parts.log_key
    }

    pub(crate) fn shutdown(&self) -> CancellationToken {
        self.0.parts.shutdown.clone()
    }

    pub(crate) fn logins(&self) -> &browser_login::Logins {
        &self.0.logins
    }

    pub(crate) fn answers(&self) -> &middleware::once::Answers {
        &self.0.answers
    }
}
