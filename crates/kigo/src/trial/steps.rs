//! The steps of a test: for each plan, what an add-on goes through from its order to its end.

use super::client::Client;
use super::inside::{Inside, Seen};
use super::report::{Report, Said};
use addons::{Hooks, Plan, Test};
use anyhow::{Context, Result, bail};
use domain::{Addon, AddonId, Credential, Digest, Instance, InstanceId, Proof, Transfer, TransferState};
use engine::{Observation, Status};
use ops::addons::AddonInfo;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// How long a service may take to say how it is: it is asked once a minute.
const SAMPLES: Duration = Duration::from_secs(75);

/// How long a service that listens again may refuse to work.
const COMING_TO: Duration = Duration::from_secs(30);

/// Failed attempts after which nobody waits for the next one.
pub(super) const ATTEMPTS: u32 = 3;

/// Tries plans of the definition, one after the other.
pub(super) async fn all(inside: &Inside, plans: &[String], report: &mut Report) {
    let image = match &inside.definition.run {
        Some(_) => match report.step("packages", packages(inside)).await {
            Some(image) => Some(image),
            None => return,
        },
        None => None,
    };
    for name in plans {
        let Some(plan) = inside.definition.plan(name) else { continue };
        Report::head(&inside.definition.plan_name(plan));
        let mut story = Story { inside, plan, image, addons: Vec::new(), instances: BTreeSet::new() };
        story.tell(report).await;
    }
}

/// The image that the service and its hooks run in, and that of the client, which may need more.
async fn packages(inside: &Inside) -> Said<Digest> {
    let Some(run) = &inside.definition.run else { bail!("nothing runs") };
    inside.base.builder.service_image(&run.packages).await?;
    let mut all = run.packages.clone();
    all.extend(inside.definition.test.packages.iter().filter(|one| !run.packages.contains(one)).cloned());
    let image = inside.base.builder.service_image(&all).await?;
    Ok((image, all.join(", ")))
}

/// What is tried of one plan.
pub(super) struct Story<'a> {
    pub(super) inside: &'a Inside,
    pub(super) plan: &'a Plan,
    image: Option<Digest>,
    /// Those that were ordered.
    pub(super) addons: Vec<AddonId>,
    /// Instances that add-ons had to themselves.
    pub(super) instances: BTreeSet<InstanceId>,
}

impl<'a> Story<'a> {
    async fn tell(&mut self, report: &mut Report) {
        let (name, copy) = (format!("test-{}", self.plan.name), format!("copy-{}", self.plan.name));
        let clients = async {
            let clients = (self.client(&name).await?, self.client(&copy).await?);
            Ok((clients, "one to use it, one to restore into".to_owned()))
        };
        let Some((client, copy)) = report.step("apps", clients).await else { return };
        if let Some(info) = report.step("provision", self.ordered(&client)).await {
            // Whatever does not work, it has to be possible to be rid of it.
            let _ = self.used(&client, &copy, &info, report).await;
        }
        report.step("deprovision", self.given_up([&client, &copy])).await;
    }

    async fn client(&self, name: &str) -> Result<Client<'a>> {
        Client::new(self.inside, name, self.image).await
    }

    /// `None` once a step failed without which the next ones say nothing.
    async fn used(
        &mut self,
        client: &Client<'_>,
        copy: &Client<'_>,
        info: &AddonInfo,
        report: &mut Report,
    ) -> Option<()> {
        let addon = &info.addon;
        let Test { write, read, .. } = &self.inside.definition.test;
        let test = write.as_deref().zip(read.as_deref());
        match test {
            Some((write, read)) => {
                report.step("write", ran(client, write)).await?;
                report.step("read", ran(client, read)).await?;
            }
            None => Report::left_out("write, read", "the definition has no [test]"),
        }
        let Hooks { backup, verify, metrics, revoke, settings, reset_stats, .. } =
            &self.inside.definition.hooks;
        match metrics {
            Some(_) => _ = report.step("metrics", self.sampled(addon)).await,
            None => Report::left_out("metrics", "there is no such hook"),
        }
        if settings.is_some() {
            report.step("settings", self.configured(addon)).await;
        }
        if reset_stats.is_some() {
            report.step("reset_stats", self.statistics_reset(addon)).await;
        }
        if backup.is_some() {
            let backup = report.step("backup", self.backed_up(addon)).await?;
            if verify.is_some() {
                report.step("verify", self.proven(&backup)).await;
            }
            report.step("restore", self.restored(&backup, copy, test.map(|(_, read)| read))).await;
        } else {
            Report::left_out("backup", "there is no such hook");
        }
        if self.inside.definition.values.values().any(|rule| rule.rotated) {
            report.step("rotate", self.rotated(client, info, test.map(|(_, read)| read))).await?;
        } else {
            Report::left_out("rotate", "no value is rotated");
        }
        if revoke.is_some() {
            report.step("credential", self.shared_out(addon)).await;
        }
        if self.inside.definition.run.is_some() {
            report.step("restart", self.restarted(client, addon, test)).await?;
        }
        Some(())
    }

    /// Waits for what the service says of itself.
    async fn sampled(&self, addon: &Addon) -> Said<()> {
        let samples = async {
            loop {
                let mut tx = self.inside.ops().store().read().await?;
                let samples = store::settings::samples(&mut tx, addon.id).await?;
                drop(tx);
                if !samples.is_empty() {
                    return anyhow::Ok(samples);
                }
                // Nobody is told when they come.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let samples = tokio::time::timeout(SAMPLES.min(self.inside.patience), samples).await;
        let samples = samples.context("hooks.metrics failed or printed no line of the form name=value")??;
        let said: Vec<_> = samples.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Ok(((), said.join(" ")))
    }

    /// Sets everything to what it is without being set.
    async fn configured(&self, addon: &Addon) -> Said<()> {
        let (ops, admin) = (self.inside.ops(), &self.inside.admin);
        let settings = &self.inside.definition.settings;
        let values = settings.iter().map(|(name, setting)| (name.clone(), setting.default.clone())).collect();
        let errand = ops::addons::configure(ops, admin, &addon.name, values).await?;
        ops::addons::errand_settled(ops, &errand, self.inside.patience).await?;
        Ok(((), settings.keys().cloned().collect::<Vec<_>>().join(", ")))
    }

    async fn statistics_reset(&self, addon: &Addon) -> Said<()> {
        let ops = self.inside.ops();
        let errand = ops::addons::reset_stats(ops, &self.inside.admin, &addon.name).await?;
        ops::addons::errand_settled(ops, &errand, self.inside.patience).await?;
        Ok(((), String::new()))
    }

    async fn backed_up(&self, addon: &Addon) -> Said<Transfer> {
        let begun = ops::transfers::backup(self.inside.ops(), &self.inside.admin, &addon.name).await?;
        let done = self.carried(&begun).await?;
        let said = format!("{} bytes", done.processed_bytes);
        Ok((done, said))
    }

    /// Waits for the trial that each backup gets: restored into a service of its own, and looked at.
    async fn proven(&self, backup: &Transfer) -> Said<()> {
        let text = self
            .inside
            .until(async || {
                let mut tx = self.inside.ops().store().read().await?;
                let found =
                    store::transfers::by_id(&mut tx, backup.id).await?.context("the backup is gone")?;
                let text = found.proof_text.unwrap_or_default();
                match found.proof {
                    Proof::Proven => Ok(Seen::There(text)),
                    Proof::Refuted => bail!("{text}"),
                    Proof::None => bail!("the backup {text}"),
                    Proof::Wanted => Ok(Seen::NotYet("the trial of the backup has not ended".into())),
                }
            })
            .await?;
        Ok(((), text.lines().next().unwrap_or_default().to_owned()))
    }

    /// Restores a backup into an add-on of the other app, which then finds there what was written.
    async fn restored(&mut self, backup: &Transfer, copy: &Client<'_>, read: Option<&str>) -> Said<()> {
        let (ops, admin) = (self.inside.ops(), &self.inside.admin);
        let (info, _) = self.ordered(copy).await.context("a second add-on could not be had")?;
        let from = ops::transfers::From::Backup(backup.id);
        let begun = ops::transfers::restore(ops, admin, &info.addon.name, from, Vec::new()).await?;
        self.carried(&begun).await?;
        if let Some(read) = read {
            copy.run(read).await.context("what was written is not in what was restored")?;
            return Ok(((), "and read in another add-on".into()));
        }
        Ok(((), "into another add-on".into()))
    }

    /// Waits for a transfer's end.
    async fn carried(&self, begun: &Transfer) -> Result<Transfer> {
        self.inside
            .until(async || {
                let mut tx = self.inside.ops().store().read().await?;
                let found = store::transfers::by_id(&mut tx, begun.id).await?.context("it is gone")?;
                if !found.state.is_over() {
                    return Ok(Seen::NotYet(format!("it is {}", found.state.as_str())));
                }
                if found.state == TransferState::Succeeded {
                    return Ok(Seen::There(found));
                }
                let lines = store::transfers::lines(&mut tx, found.id).await?;
                let last: Vec<_> = lines.iter().rev().take(6).rev().map(|line| line.text.as_str()).collect();
                bail!("{}", last.join("\n"))
            })
            .await
    }

    /// Gives the add-on another password: the app gets config vars that let it in again.
    async fn rotated(&self, client: &Client<'_>, info: &AddonInfo, read: Option<&str>) -> Said<()> {
        let before = client.config(&info.config_vars).await?;
        let (ops, admin) = (self.inside.ops(), &self.inside.admin);
        ops::credentials::rotate(ops, admin, &info.addon.name, Some(Credential::DEFAULT)).await?;
        self.told(&info.addon, "provision").await?;
        if client.config(&info.config_vars).await? == before {
            bail!("no config var has changed: none of them has a value that is rotated");
        }
        let Some(read) = read else { return Ok(((), String::new())) };
        client.run(read).await.context("the new config vars do not let the app in")?;
        Ok(((), "and read with the new config vars".into()))
    }

    /// Makes a further credential and takes it away.
    async fn shared_out(&self, addon: &Addon) -> Said<()> {
        let (ops, admin, name) = (self.inside.ops(), &self.inside.admin, "tester");
        ops::credentials::create(ops, admin, &addon.name, name, None).await?;
        self.told(addon, "provision").await?;
        ops::credentials::destroy(ops, admin, &addon.name, name).await?;
        self.told(addon, "revoke").await?;
        Ok(((), "made and taken away".into()))
    }

    /// Waits until the service knows all credentials as they are to be.
    async fn told(&self, addon: &Addon, hook: &str) -> Result<()> {
        self.inside
            .until(async || {
                let mut tx = self.inside.ops().store().read().await?;
                let all = store::credentials::of_addon(&mut tx, addon.id).await?;
                match all.iter().find(|one| one.is_pending()) {
                    Some(one) if one.attempts >= ATTEMPTS => {
                        bail!("hooks.{hook} failed {ATTEMPTS} times for the credential {}", one.name)
                    }
                    Some(one) => Ok(Seen::NotYet(format!("the credential {} is {}", one.name, one.state()))),
                    None => Ok(Seen::There(())),
                }
            })
            .await
    }

    /// Stops the service's container. The platform starts it again, and what it keeps is there.
    async fn restarted(&self, client: &Client<'_>, addon: &Addon, test: Option<(&str, &str)>) -> Said<()> {
        let instance = self.instance(addon).await?;
        let (engine, run) = (self.inside.engine(), self.inside.definition.run.as_ref());
        let grace = Duration::from_secs(run.map_or(0, |run| run.grace));
        let before = engine.observe_one(instance.id.0).await?;
        engine.stop(instance.id.0, grace).await?;
        self.inside
            .until(async || {
                let seen = engine.observe().await?.into_iter().find(|one| one.id == instance.id.0);
                match seen.filter(|one| reconcile::service_start(one) != reconcile::service_start(&before)) {
                    Some(one) if listens(&one) => Ok(Seen::There(())),
                    Some(_) => Ok(Seen::NotYet("it was started again and does not listen".into())),
                    None => Ok(Seen::NotYet("it has not ended and been started again".into())),
                }
            })
            .await?;
        let Some((write, read)) = test else { return Ok(((), String::new())) };
        if run.is_some_and(|run| !run.volume) {
            again(client, write).await.context("it does not take anything any more")?;
            client.run(read).await?;
            return Ok(((), "written and read anew: it keeps nothing".into()));
        }
        again(client, read).await.context("what was written is gone")?;
        Ok(((), "and read what was written before".into()))
    }

    async fn instance(&self, addon: &Addon) -> Result<Instance> {
        let mut tx = self.inside.ops().store().read().await?;
        let id = addon.instance.context("it runs nowhere")?;
        store::instances::by_id(&mut tx, id).await?.context("it runs nowhere")
    }
}

/// Runs a script in a dyno, as a step.
async fn ran(client: &Client<'_>, script: &str) -> Said<()> {
    client.run(script).await?;
    Ok(((), "in a dyno of the app".into()))
}

/// Runs a script until it succeeds, for a while: a service may listen before it has come to itself.
async fn again(client: &Client<'_>, script: &str) -> Result<()> {
    let deadline = Instant::now() + COMING_TO;
    loop {
        match client.run(script).await {
            Err(_) if Instant::now() < deadline => {}
            other => return other,
        }
    }
}

fn listens(seen: &Observation) -> bool {
    matches!(seen.status, Status::Running { listening: true, .. })
}
