//! How everything that an app has looks to its owner, for webhooks.

use crate::Config;
use crate::extract::Origin;
use crate::present::{self, Addresses};
use domain::{AddonId, AppId};
use ops::webhooks::Seen;
use ops::{Actor, Error, Ops};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// Builds and releases that are looked at, the newest. Older ones do not change any more.
const NEWEST: usize = 25;

/// Everything that an app has, as the API shows it; nothing once it is gone.
///
/// # Errors
/// When the rows cannot be read.
pub async fn snapshot(ops: &Ops, config: &Config, app: AppId) -> Result<Vec<Seen>, Error> {
    let Some(actor) = ops::apps::owner(ops, app).await? else { return Ok(Vec::new()) };
    let origin = Origin(ops.settings().api_origin.trim_end_matches('/').to_owned());
    let looking = Looking { ops, actor, app: app.to_string(), config, origin };
    match looking.all().await {
        // Destroyed while we looked.
        Err(Error::NotFound { .. }) => Ok(Vec::new()),
        seen => seen,
    }
}

struct Looking<'a> {
    ops: &'a Ops,
    actor: Actor,
    app: String,
    config: &'a Config,
    origin: Origin,
}

impl Looking<'_> {
    async fn all(&self) -> Result<Vec<Seen>, Error> {
        let (ops, actor, app) = (self.ops, &self.actor, self.app.as_str());
        let addresses = Addresses { config: self.config, origin: &self.origin };
        let mut seen = Vec::new();
        let info = ops::apps::info(ops, actor, app).await?;
        seen.push(self.one("api:app", info.app.id.0, &present::app(&addresses, &info)));
        for info in ops::collaborators::list(ops, actor, app).await? {
            seen.push(self.one("api:collaborator", info.collaborator.id.0, &present::collaborator(&info)));
        }
        let host = format!("{}.{}", info.app.name, ops.settings().base_domain);
        for info in ops::domains::list(ops, actor, app).await? {
            seen.push(self.one("api:domain", info.domain.id.0, &present::domain(&info, &host)));
        }
        let catalog = ops.catalog();
        for info in ops::addons::list_of_app(ops, actor, app).await? {
            let data = present::addon(&catalog, &info);
            seen.push(Seen { addon: Some(info.addon.id), ..self.one("api:addon", info.addon.id.0, &data) });
        }
        for info in ops::attachments::list_of_app(ops, actor, app).await? {
            let addon: Option<AddonId> = Some(info.addon.addon.id);
            let data = present::attachment(&catalog, &info, true, true);
            seen.push(Seen { addon, ..self.one("api:addon-attachment", info.attachment.id.0, &data) });
        }
        let builds = ops::builds::list(ops, actor, app).await?;
        for info in builds.iter().skip(builds.len().saturating_sub(NEWEST)) {
            let one = self.one("api:build", info.build.id.0, &present::build(&addresses, info));
            seen.push(Seen { by: (info.user.id.0, info.user.email.clone()), ..one });
        }
        let releases = ops::releases::list(ops, actor, app).await?;
        for info in releases.iter().skip(releases.len().saturating_sub(NEWEST)) {
            let one = self.one("api:release", info.release.id.0, &present::release(&addresses, info));
            seen.push(Seen { by: (info.user.id.0, info.user.email.clone()), ..one });
        }
        for info in ops::formation::list(ops, actor, app).await? {
            seen.push(self.one("api:formation", info.formation.id.0, &present::formation(&info)));
        }
        for info in ops::dynos::list(ops, actor, app).await? {
            let data = present::dyno(&info, None);
            seen.push(self.one("api:dyno", info.dyno.id.0, &data));
            seen.push(self.one("dyno", info.dyno.id.0, &data));
        }
        Ok(seen)
    }

    /// By the app's owner, as far as nothing else is known.
    fn one(&self, entity: &'static str, id: Uuid, data: &impl Serialize) -> Seen {
        let data = serde_json::to_value(data).unwrap_or(Value::Null);
        let owner = &self.actor.account;
        Seen { entity, id, data, addon: None, by: (owner.id.0, owner.email.clone()) }
    }
}
