//! Databases of Heroku Postgres add-ons: who may look at them and change them, and what their plans do
//! not have.

mod pooling;
mod relations;
pub mod reports;
mod settings;
mod storage;

pub use pooling::pool;
pub use relations::{Leader, Relations};
pub use settings::{Kind, SETTINGS, Setting, from_postgres, in_postgres, written};
pub use storage::{Measured, limited, measured};

use crate::addons::{self, AddonInfo};
use crate::{Actor, Error, Ops, Permission, Result, text};
use ::addons::{Definition, Place, Plan};
use domain::{Addon, AddonState, Credential, DatabaseAccess, LogLine};
use std::net::SocketAddrV4;
use store::Tx;

/// The service in the catalog.
pub const SERVICE: &str = "heroku-postgresql";

/// A database with what the API tells about it.
#[derive(Clone, Debug)]
pub struct Database {
    pub addon: AddonInfo,
    pub plan: Plan,
    /// `None` until it is there.
    pub access: Option<DatabaseAccess>,
    /// The address of its own credential, `postgres://…`; `None` until it is there.
    pub url: Option<String>,
    /// The password of its own credential.
    pub password: Option<String>,
    /// How many credentials there are.
    pub credentials: usize,
    pub relations: Relations,
    /// The major version of PostgreSQL that is run.
    pub version: String,
}

impl Database {
    /// The access, or an error that says that it is not there yet.
    pub fn ready(&self) -> Result<&DatabaseAccess> {
        self.access.as_ref().ok_or_else(|| Error::NotFound {
            resource: "database",
            message: format!("{} is not yet provisioned. Wait with `heroku pg:wait`.", self.addon.addon.name),
        })
    }

    /// Refuses what would change the data of a follower.
    pub fn writable(&self) -> Result<()> {
        match &self.relations.following {
            None => Ok(()),
            Some(leader) => Err(Error::invalid(format!(
                "{} is a follower and read-only: do this at {}, or make it writable with `heroku pg:unfollow`.",
                self.addon.addon.name, leader.name
            ))),
        }
    }

    /// Refuses what plans that share a server do not have; `what` begins the sentence.
    pub fn own_server(&self, what: &str) -> Result<()> {
        if !self.plan.shared {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "{what} is not to be had on {}: its databases share one server. Use a standard plan.",
            self.plan.title
        )))
    }
}

/// A database by the add-on's name or id, for somebody who may do this with it.
pub async fn find(ops: &Ops, actor: &Actor, identity: &str, permission: Permission) -> Result<Database> {
    let mut tx = ops.store().read().await?;
    let addon = addons::find(&mut tx, actor, identity, permission).await?;
    let service = ops.settings().catalog.service(SERVICE).filter(|service| service.name == addon.service);
    let plan = service.and_then(|service| service.plan(&addon.plan));
    let (Some(service), Some(plan)) = (service, plan) else {
        return Err(Error::NotFound {
            resource: "database",
            message: format!("{} is not a Heroku Postgres database.", addon.name),
        });
    };
    let (mut access, mut url, mut password) = (None, None, None);
    if addon.state == AddonState::Provisioned
        && let Some(found) = access_of(&mut tx, service, &addon).await?
        && let Some(own) = store::credentials::by_name(&mut tx, addon.id, Credential::DEFAULT).await?
    {
        password = own.values.get("password").cloned();
        let place = Some(Place { host: *found.address.ip(), port: found.address.port() });
        let vars = service.config_vars("DATABASE", place, &own.values);
        url = vars.map_err(|error| Error::Internal(Box::new(error)))?.remove("DATABASE_URL");
        access = Some(found);
    }
    let plan = plan.clone();
    let credentials = store::credentials::of_addon(&mut tx, addon.id).await?.len();
    let relations = relations::of(&mut tx, service, &addon).await?;
    let addon = addons::with_app(ops, &mut tx, addon).await?;
    let version = service.run.as_ref().and_then(|run| run.version.clone()).unwrap_or_default();
    Ok(Database { addon, plan, access, url, password, credentials, relations, version })
}

/// How the administrator gets in; `None` while there is nothing to get into.
async fn access_of(tx: &mut Tx, service: &Definition, addon: &Addon) -> Result<Option<DatabaseAccess>> {
    let (Some(instance), Some(run)) = (addon.instance, &service.run) else { return Ok(None) };
    let Some(instance) = store::instances::by_id(tx, instance).await? else { return Ok(None) };
    let own = store::credentials::by_name(tx, addon.id, Credential::DEFAULT).await?;
    let value = |name: &str| own.as_ref().and_then(|own| own.values.get(name)).cloned();
    let password = instance.values.get("admin_password").cloned();
    let (Some(password), Some(database), Some(owner)) = (password, value("database"), value("user")) else {
        return Ok(None);
    };
    let address = SocketAddrV4::new(instance.address, run.port);
    Ok(Some(DatabaseAccess { address, password, database, owner }))
}

/// Adds a credential, whose user is called as it is, so that one knows whom to grant what.
pub async fn create_credential(ops: &Ops, actor: &Actor, identity: &str, name: &str) -> Result<AddonInfo> {
    let database = find(ops, actor, identity, Permission::WriteProtected).await?;
    database.own_server("A credential of one's own choice")?;
    database.ready()?;
    if name == "postgres" || name.to_ascii_lowercase().starts_with("pg_") {
        return Err(Error::invalid(format!("The name {name} is PostgreSQL's own. Choose another one.")));
    }
    crate::credentials::create(ops, actor, identity, name, Some(name)).await
}

/// Says in the log of the app that pays for it what somebody did with a database.
pub fn told(ops: &Ops, actor: &Actor, database: &Database, what: &str) {
    let line = text::by(&actor.account, format!("{what} {}", database.addon.addon.name));
    ops.inner.log.log(database.addon.app.id, LogLine::app(ops.now(), "api", line));
}
