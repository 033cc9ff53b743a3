//! What a definition says. Every word of the file is documented in `docs/addons/writing.md`.

use crate::{Contract, Setting};
use domain::Retention;
use serde::Deserialize;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The namespace of ids that follow from names (RFC 9562, version 5): the same service has the same id
/// in every installation.
const NAMESPACE: Uuid = Uuid::from_u128(0x6b69_676f_0000_5000_8000_6164_646f_6e73);

/// One service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// `heroku-postgresql`, by which it is asked for.
    pub name: String,
    /// `Heroku Postgres`.
    pub title: String,
    /// One sentence for the marketplace.
    pub summary: String,
    /// How its add-ons' names begin; without it, as the service is called.
    #[serde(default)]
    pub alias: Option<String>,
    /// The plan for who names none.
    pub default_plan: String,
    /// An app may have several.
    #[serde(default = "yes")]
    pub many_per_app: bool,
    /// Other apps may be attached to one.
    #[serde(default = "yes")]
    pub sharing: bool,
    pub attachment: Naming,
    /// Which part of the platform it is, for a service that nothing is run for.
    #[serde(default)]
    pub provided: Option<Provided>,
    /// Config vars: what follows the attachment's name and `_`, and the template of the value.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
    /// Random values of each add-on, and of each further credential.
    #[serde(default)]
    pub values: BTreeMap<String, ValueRule>,
    /// What users can set at an add-on, by name.
    #[serde(default)]
    pub settings: BTreeMap<String, Setting>,
    /// How it is run.
    #[serde(default)]
    pub run: Option<Running>,
    #[serde(default)]
    pub hooks: Hooks,
    /// How an app would use it, for whoever tries the definition.
    #[serde(default)]
    pub test: Test,
    pub plans: Vec<Plan>,
    /// How a partner runs it, in the place of all that. No definition says this: a manifest does.
    #[serde(skip)]
    pub contract: Option<Contract>,
}

/// What the platform provides by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provided {
    /// Runs commands at set times.
    Scheduler,
    /// Searches logs.
    Papertrail,
}

/// How attachments are called.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Naming {
    /// An app's first: `DATABASE`.
    pub first: String,
    /// How the names of further ones begin, `HEROKU_POSTGRESQL`; without it, as the first.
    #[serde(default)]
    pub further: Option<String>,
}

/// A rule for a random value.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueRule {
    /// What it begins with.
    #[serde(default)]
    pub prefix: String,
    /// Random characters of `a`–`z` and `0`–`9`.
    pub random: usize,
    /// Each credential gets one of its own; else the add-on's first is everybody's.
    #[serde(default)]
    pub each_credential: bool,
    /// Made anew when a credential is rotated.
    #[serde(default)]
    pub rotated: bool,
}

/// A container with a volume.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Running {
    /// The service's version, as its users know it.
    #[serde(default)]
    pub version: Option<String>,
    /// Debian packages on the stack.
    pub packages: Vec<String>,
    /// A bash script that becomes the service. It runs as an ordinary user, `/data` is its volume.
    pub start: String,
    /// Who lines of its log are said to be from, `postgres` for `app[postgres.12345]`; without it, as its
    /// add-ons are called.
    #[serde(default)]
    pub process: Option<String>,
    /// The TCP port that it listens on once it is ready.
    pub port: u16,
    /// A further port, which hooks reach and apps do not.
    #[serde(default)]
    pub hooks_port: Option<u16>,
    /// A further port, where a pool of connections is: what attachments of the namespace
    /// `connection-pooling:default` lead to. Plans that share have none.
    #[serde(default)]
    pub pooling_port: Option<u16>,
    /// Seconds from SIGTERM to SIGKILL.
    #[serde(default = "usual_grace")]
    pub grace: u64,
    /// Whether it keeps anything. One that does not has no volume.
    #[serde(default = "yes")]
    pub volume: bool,
    /// Random values of each container: an administrator's password.
    #[serde(default)]
    pub values: BTreeMap<String, ValueRule>,
    /// The size of the container that plans with `shared` share.
    #[serde(default)]
    pub shared: Option<Size>,
}

/// Bash scripts that run in a container like the service's own, beside it. A status that is not 0 is a
/// failure, and is tried again, so that each must be able to find its work done already.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hooks {
    /// Makes what one credential of an add-on needs: a database and a user. Runs again for a new
    /// password, and when the plan has changed.
    pub provision: Option<String>,
    /// Takes a credential away that is not the add-on's own.
    pub revoke: Option<String>,
    /// Takes an add-on away that shares its container.
    pub deprovision: Option<String>,
    /// Writes a backup to its standard output.
    pub backup: Option<String>,
    /// Reads a backup from its standard input and puts it in the place of what is there.
    pub restore: Option<String>,
    /// Tells the service what users have set.
    pub settings: Option<String>,
    /// Lets the service's statistics begin anew.
    pub reset_stats: Option<String>,
    /// Prints `name=value` lines for the logs of the apps that use it.
    pub metrics: Option<String>,
    /// Prints what a backup that was restored holds; fails if it is damaged.
    pub verify: Option<String>,
    /// Puts a whole copy of the data into the archive, and takes out of it what is older than the plan's
    /// `rollback`.
    pub archive: Option<String>,
    /// Fills an empty volume with what another add-on holds, or held at a time.
    pub fork: Option<String>,
    /// Fills an empty volume so that the service will follow another one.
    pub follow: Option<String>,
    /// Lets a service that follows another one go its own way.
    pub unfollow: Option<String>,
}

/// Bash scripts that use an add-on as an app does, in a dyno of one that is attached to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Test {
    /// Debian packages that they need besides the service's own.
    pub packages: Vec<String>,
    /// Puts something in. Runs again where nothing is kept.
    pub write: Option<String>,
    /// Fails unless that is there.
    pub read: Option<String>,
}

/// Memory and disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// MiB.
    pub memory: u64,
    /// MiB; 0 for a service that keeps nothing.
    #[serde(default)]
    pub disk: u64,
}

/// What one can order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// `essential-0`.
    pub name: String,
    /// Names of old that mean it: `mini`.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// `Essential 0`.
    pub title: String,
    /// US cents a month, for who sums up what an app costs.
    #[serde(default)]
    pub cents: u64,
    /// It lives with others in one container.
    #[serde(default)]
    pub shared: bool,
    /// MiB.
    #[serde(default)]
    pub memory: u64,
    /// MiB.
    #[serde(default)]
    pub disk: u64,
    /// Open at a time, at most; 0 for what has none.
    #[serde(default)]
    pub connections: u64,
    /// How many of its backups are kept.
    #[serde(default)]
    pub backups: Retention,
    /// Days of its past that can be had again.
    #[serde(default)]
    pub rollback: u64,
    /// MiB for its past.
    #[serde(default)]
    pub archive: u64,
    /// Further limits, by the names that the service's scripts know.
    #[serde(default)]
    pub limits: BTreeMap<String, String>,
}

fn yes() -> bool {
    true
}

fn usual_grace() -> u64 {
    30
}

impl Definition {
    /// The service's id.
    pub fn id(&self) -> Uuid {
        Uuid::new_v5(&NAMESPACE, self.name.as_bytes())
    }

    /// How names of its add-ons begin.
    pub fn alias(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.name)
    }

    /// Who lines of its log are said to be from.
    pub fn process(&self) -> &str {
        let named = self.run.as_ref().and_then(|run| run.process.as_deref());
        named.unwrap_or_else(|| self.alias())
    }

    /// The plan with this name, one of old included.
    pub fn plan(&self, name: &str) -> Option<&Plan> {
        let exact = self.plans.iter().find(|plan| plan.name == name);
        exact.or_else(|| self.plans.iter().find(|plan| plan.aliases.iter().any(|alias| alias == name)))
    }

    /// The whole name of a plan, `heroku-postgresql:essential-0`.
    pub fn plan_name(&self, plan: &Plan) -> String {
        format!("{}:{}", self.name, plan.name)
    }

    /// The id of a plan.
    pub fn plan_id(&self, plan: &Plan) -> Uuid {
        Uuid::new_v5(&NAMESPACE, self.plan_name(plan).as_bytes())
    }

    /// Options of `addons:create` that say from which other add-on one has its data.
    pub fn options(&self) -> Vec<&'static str> {
        let Hooks { fork, follow, archive, .. } = &self.hooks;
        let mut options = Vec::new();
        if fork.is_some() {
            options.push("fork");
        }
        if fork.is_some() && archive.is_some() {
            options.extend(["rollback", "to", "by"]);
        }
        if follow.is_some() {
            options.push("follow");
        }
        options
    }

    /// What names of attachments after the first begin with.
    pub fn further(&self) -> &str {
        self.attachment.further.as_deref().unwrap_or(&self.attachment.first)
    }
}

impl Plan {
    /// Whether its add-ons' past is kept.
    pub fn archives(&self) -> bool {
        self.rollback > 0
    }

    /// A limit that is a number; `None` if the plan does not have it.
    pub fn limit(&self, name: &str) -> Option<u64> {
        self.limits.get(name)?.parse().ok()
    }

    /// The size of a container of its own.
    pub fn size(&self) -> Size {
        Size { memory: self.memory, disk: self.disk }
    }
}
