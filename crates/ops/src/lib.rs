//! What users may do: one function for each intent, `ops::<noun>::<verb>(&ops, &actor, …)`.
//!
//! Each does three things in this order: authorise, check the rules, write one transaction. What it
//! returns has happened and lasts. Nothing here starts a container, opens a socket or touches the
//! log's files; the loops of `reconcile` see the new rows and act on them. Functions that such loops
//! call when they need a new wish (a build that succeeded makes a release) take no actor and say so.
//!
//! Apps are named by what stands in the address of a request: name or id.

pub mod accounts;
pub mod actor;
pub mod addons;
pub mod app_setups;
pub mod apps;
pub mod attachments;
pub mod authorizations;
pub mod buildpacks;
pub mod builds;
pub mod collaborators;
pub mod config_vars;
pub mod containers;
pub mod credentials;
pub mod domains;
pub mod drains;
pub mod dynos;
pub mod features;
pub mod formation;
pub mod keys;
pub mod notices;
pub mod outputs;
pub mod papertrail;
pub mod partners;
pub mod postgres;
pub mod rate_limits;
pub mod redis;
pub mod regions;
pub mod registry;
pub mod releases;
pub mod scheduler;
pub mod sessions;
pub mod slugs;
pub mod sources;
pub mod stacks;
pub mod test_builds;
pub mod transfers;
pub mod webhooks;

mod access;
mod error;
mod one_offs;
mod passwords;
mod random;
mod text;

pub use actor::{Actor, Permission};
pub use error::{DISK_FULL, Error, is_disk_full};

use ::addons::Catalog;
use domain::{Account, App, AppId, AppName, LogLine};
use jiff::Timestamp;
use std::net::Ipv4Addr;
use std::sync::Arc;
use store::{Store, Write};

/// Result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Where an app's `app[api]` lines go. Must not block.
pub trait AppLog: Send + Sync + 'static {
    /// Adds a line to the app's log.
    fn log(&self, app: AppId, line: LogLine);
}

/// What the installation's owner may choose.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where people reach the API, without a trailing slash; stands in log lines.
    pub api_origin: String,
    /// An app's default host name is its name, a dot and this.
    pub base_domain: String,
    /// The stack of new apps; one of [`stacks::list`].
    pub default_stack: String,
    /// Dynos of one process type at most.
    pub max_quantity: u32,
    /// One-off dynos of one app at a time, at most.
    pub max_one_offs: usize,
    /// Builds of one app that wait or run, at most.
    pub max_pending_builds: usize,
    /// Bytes of all names and values of an app's config vars, at most (Heroku's figure).
    pub max_config_bytes: usize,
    /// Log drains of one app at most (Heroku's figure).
    pub max_drains: usize,
    /// Custom domains of one app at most (Heroku's figure).
    pub max_domains: usize,
    /// Buildpacks of one app at most.
    pub max_buildpacks: usize,
    /// Repositories of one app in the registry, at most.
    pub max_repositories: usize,
    /// Manifests of one repository at most.
    pub max_manifests: usize,
    /// Tags of one repository at most.
    pub max_tags: usize,
    /// Uploads to the repositories of one app that have not ended, at most.
    pub max_uploads: usize,
    /// Bytes of all that the repositories of one app hold, at most.
    pub max_registry_bytes: u64,
    /// The services that this machine runs; [`Ops::catalog`] has those of partners besides.
    pub catalog: Arc<Catalog>,
    /// The first address for their containers, and how many there are.
    pub service_addresses: (Ipv4Addr, u32),
    /// Whether there is a mail server, so that alerts may go by e-mail.
    pub sends_mail: bool,
    /// Whether whoever runs the installation wants to be told of backups that are worth nothing.
    pub tells_operator: bool,
    /// Requests an account can make at once (Heroku's figure).
    pub rate_limit: u32,
    /// Requests an account gets back each minute (Heroku's figure).
    pub rate_limit_refill: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            api_origin: "http://localhost:5000".into(),
            base_domain: "localhost".into(),
            default_stack: stacks::DEFAULT.into(),
            max_quantity: 100,
            max_one_offs: 50,
            max_pending_builds: 20,
            max_config_bytes: 64 * 1024,
            max_drains: 5,
            max_domains: 1000,
            max_buildpacks: 20,
            max_repositories: 100,
            max_manifests: 20_000,
            max_tags: 10_000,
            max_uploads: 100,
            max_registry_bytes: 20 << 30,
            catalog: Arc::default(),
            service_addresses: (Ipv4Addr::new(10, 201, 192, 1), (1 << 14) - 2),
            sends_mail: false,
            tells_operator: false,
            rate_limit: 4500,
            rate_limit_refill: 75,
        }
    }
}

/// Handles on everything an operation needs; cheap to clone.
#[derive(Clone)]
pub struct Ops {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    settings: Settings,
    log: Arc<dyn AppLog>,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    buckets: rate_limits::Buckets,
    offers: partners::Offers,
}

impl Ops {
    /// Operations on `store`, by the system's clock.
    pub fn new(store: Store, settings: Settings, log: Arc<dyn AppLog>) -> Self {
        Self::with_clock(store, settings, log, Timestamp::now)
    }

    /// Operations that take the time from `clock`.
    pub fn with_clock(
        store: Store,
        settings: Settings,
        log: Arc<dyn AppLog>,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        let buckets = rate_limits::Buckets::default();
        let offers = partners::Offers::new(settings.catalog.clone());
        Self { inner: Arc::new(Inner { store, settings, log, clock: Box::new(clock), buckets, offers }) }
    }

    /// The rows themselves, for the loops that write what they see.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// What the installation's owner chose.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The services that can be had now, those of partners included.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.inner.offers.current()
    }

    /// The time, as exact as the store keeps it.
    pub fn now(&self) -> Timestamp {
        let now = (self.inner.clock)();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    /// Makes a transaction last and adds what it did to the app's log, as `app[api]: line`. Both or
    /// neither, also when whoever asked for it goes away in the middle.
    pub(crate) async fn commit(&self, write: Write, app: AppId, lines: Vec<String>) -> Result<()> {
        self.commit_all(write, vec![(app, lines)]).await
    }

    /// As [`Ops::commit`], for several apps.
    pub(crate) async fn commit_all(&self, write: Write, said: Vec<(AppId, Vec<String>)>) -> Result<()> {
        let ops = self.clone();
        let tell = move || {
            for (app, lines) in said {
                for line in lines {
                    ops.inner.log.log(app, LogLine::app(ops.now(), "api", line));
                }
            }
        };
        Ok(write.commit_then(tell).await?)
    }
}

/// An app as other resources mention it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppRef {
    pub id: AppId,
    pub name: AppName,
}

impl From<&App> for AppRef {
    fn from(app: &App) -> Self {
        Self { id: app.id, name: app.name.clone() }
    }
}

/// An account as other resources mention it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRef {
    pub id: domain::AccountId,
    /// Empty when the account has been deleted.
    pub email: String,
}

impl From<&Account> for UserRef {
    fn from(account: &Account) -> Self {
        Self { id: account.id, email: account.email.clone() }
    }
}

#[cfg(test)]
mod tests;
