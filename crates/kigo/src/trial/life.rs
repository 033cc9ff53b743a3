//! The first and the last step of a plan: an add-on is ordered, and nothing is left of it.

use super::client::Client;
use super::inside::Seen;
use super::report::Said;
use super::steps::{ATTEMPTS, Story};
use anyhow::{Result, bail};
use domain::{Addon, AddonState, Credential};
use engine::Status;
use ops::addons::AddonInfo;
use std::collections::BTreeSet;

impl Story<'_> {
    /// Orders an add-on for an app, and waits until it is there.
    pub(super) async fn ordered(&mut self, client: &Client<'_>) -> Said<AddonInfo> {
        let (ops, admin) = (self.inside.ops(), &self.inside.admin);
        let plan = self.inside.definition.plan_name(self.plan);
        let input = ops::addons::Create { plan, ..Default::default() };
        let made = ops::addons::create(ops, admin, &client.name, input).await?;
        let id = made.addon.id;
        self.addons.push(id);
        if !self.plan.shared {
            self.instances.extend(made.addon.instance);
        }
        let info = self
            .inside
            .until(async || {
                let info = ops::addons::info_of_app(ops, admin, &client.name, &id.to_string()).await?;
                match info.addon.state {
                    AddonState::Provisioned => Ok(Seen::There(info)),
                    AddonState::Failed => {
                        bail!("{}", info.addon.failure.unwrap_or_else(|| "it was given up".into()))
                    }
                    _ => Ok(Seen::NotYet(self.waiting_for(&info.addon).await?)),
                }
            })
            .await?;
        let vars = client.config(&info.config_vars).await?;
        let secrets = self.secrets(&info.addon).await?;
        let said: Vec<_> =
            vars.iter().map(|(name, value)| format!("{name}={}", masked(value, &secrets))).collect();
        Ok((info, said.join(" ")))
    }

    /// Why an add-on is not there.
    async fn waiting_for(&self, addon: &Addon) -> Result<String> {
        if let Some(why) = &addon.failure {
            return Ok(format!("it is not there: {why}"));
        }
        let port = self.inside.definition.run.as_ref().map_or(0, |run| run.port);
        let seen = match addon.instance {
            Some(id) => self.inside.engine().observe_one(id.0).await.ok(),
            None => None,
        };
        Ok(match seen.map(|one| one.status) {
            None => "its service is not started".to_owned(),
            Some(Status::Exited { exit, .. }) => format!("its service has ended with status {}", exit.code),
            Some(Status::Running { listening: true, .. }) => "its provision hook has not ended".to_owned(),
            Some(_) => format!("its service runs, but nothing listens on port {port}"),
        })
    }

    async fn secrets(&self, addon: &Addon) -> Result<Vec<String>> {
        let mut tx = self.inside.ops().store().read().await?;
        let own = store::credentials::by_name(&mut tx, addon.id, Credential::DEFAULT).await?;
        Ok(own.map(|own| own.values.into_values().collect()).unwrap_or_default())
    }

    /// Gives everything up, and looks whether anything is left.
    pub(super) async fn given_up(&self, clients: [&Client<'_>; 2]) -> Said<()> {
        let (ops, admin) = (self.inside.ops(), &self.inside.admin);
        for client in clients {
            ops::apps::destroy(ops, admin, &client.name).await?;
        }
        self.inside
            .until(async || {
                for id in &self.addons {
                    let mut tx = ops.store().read().await?;
                    let Some(addon) = store::addons::by_id(&mut tx, *id).await? else { continue };
                    let why = addon.failure.unwrap_or_default();
                    if addon.attempts >= ATTEMPTS {
                        bail!("hooks.deprovision failed {ATTEMPTS} times: {why}");
                    }
                    return Ok(Seen::NotYet(format!("{} is not taken away yet: {why}", addon.name)));
                }
                match self.left().await? {
                    left if left.is_empty() => Ok(Seen::There(())),
                    left => Ok(Seen::NotYet(format!("there is still {}", left.join(", ")))),
                }
            })
            .await?;
        Ok(((), "no container, no volume, no row is left".into()))
    }

    /// What there still is of instances that add-ons had to themselves.
    async fn left(&self) -> Result<Vec<String>> {
        let mut left = Vec::new();
        let mut tx = self.inside.ops().store().read().await?;
        let rows = store::instances::list(&mut tx).await?;
        drop(tx);
        let seen = self.inside.engine().observe().await?;
        // A trial of a backup has an instance of its own as well.
        let own = rows.iter().filter(|one| one.plan.is_some()).map(|one| one.id);
        for id in self.instances.iter().copied().chain(own).collect::<BTreeSet<_>>() {
            if rows.iter().any(|one| one.id == id) {
                left.push(format!("the row of instance {id}"));
            }
            if seen.iter().any(|one| one.id == id.0) {
                left.push(format!("the container {id}"));
            }
            for folder in ["volumes", "archives"] {
                if self.inside.data.join(folder).join(id.to_string()).exists() {
                    left.push(format!("{folder}/{id}"));
                }
            }
        }
        Ok(left)
    }
}

/// A config var's value without what nobody is to read over a shoulder.
fn masked(value: &str, secrets: &[String]) -> String {
    let mut secrets: Vec<_> = secrets.iter().filter(|secret| !secret.is_empty()).collect();
    // One may be a part of another.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.iter().fold(value.to_owned(), |text, secret| text.replace(secret.as_str(), "****"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_whole() {
        let secrets = ["u1", "u1secret", ""].map(str::to_owned);
        let shown = masked("db://u1:u1secret@10.0.0.1:5/u", &secrets);
        assert_eq!(shown, "db://****:****@10.0.0.1:5/u");
    }
}
