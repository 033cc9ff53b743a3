//! Giving an add-on up.

use super::origin::{abandon, dependants};
use super::{AddonInfo, find_in_app, with_app};
use crate::attachments;
use crate::{Actor, Error, Ops, Result, access, partners};
use domain::{Addon, AddonState, App, AppId};
use store::Write;

/// Destroys an add-on: apps lose its config vars at once, and what it holds follows. One that other
/// apps are attached to, or other add-ons follow, is kept unless `force` is set.
pub async fn destroy(ops: &Ops, actor: &Actor, app: &str, identity: &str, force: bool) -> Result<AddonInfo> {
    let mut write = ops.store().write().await?;
    let app = access::write(&mut write, actor, app).await?;
    let addon = find_in_app(&mut write, &app, identity).await?;
    if addon.app != app.id {
        let owner = store::apps::by_id(&mut write, addon.app).await?;
        let owner = owner.map_or_else(String::new, |owner| owner.name.to_string());
        return Err(Error::Forbidden(format!(
            "{} belongs to the app {owner}; only from there can it be destroyed. Detach it from {} instead.",
            addon.name, app.name
        )));
    }
    let others = others(&mut write, &addon).await?;
    if !others.is_empty() && !force {
        return Err(Error::invalid(format!(
            // The official CLI adds a full stop.
            "{} is also attached to {}. Detach it there first, or destroy it with --force",
            addon.name,
            others.join(", ")
        )));
    }
    let dependants = dependants(&mut write, addon.id).await?;
    if !dependants.is_empty() && !force {
        let names: Vec<_> = dependants.iter().map(|one| one.name.as_str()).collect();
        return Err(Error::invalid(format!(
            "{} has followers, or forks that are being made: {}. Unfollow or destroy them first, or destroy it with --force, which lets followers stand alone",
            addon.name,
            names.join(", ")
        )));
    }
    let mut info = with_app(ops, &mut write, addon.clone()).await?;
    let mut lines = Vec::new();
    for attachment in store::attachments::of_addon(&mut write, addon.id).await? {
        let mut attached = app_of(&mut write, attachment.app).await?;
        let said =
            attachments::remove(ops, &mut write, &actor.account, &mut attached, &attachment, &addon).await?;
        if attached.id == app.id {
            lines.extend(said);
        }
    }
    let addon = give_up(ops, &mut write, addon).await?;
    abandon(ops, &mut write, addon.id).await?;
    ops.commit(write, app.id, lines).await?;
    info.addon = Addon { state: AddonState::Failed, ..addon };
    Ok(info)
}

/// Gives up what a destroyed app pays for; an error if others are attached to it.
pub(crate) async fn of_destroyed_app(ops: &Ops, write: &mut Write, app: &App) -> Result<()> {
    let mut given_up = Vec::new();
    for addon in store::addons::of_app(write, app.id).await? {
        let others = others(write, &addon).await?;
        if addon.state.is_there() && !others.is_empty() {
            return Err(Error::invalid(format!(
                "{} cannot be destroyed: its add-on {} is also attached to {}. Detach it there first.",
                app.name,
                addon.name,
                others.join(", ")
            )));
        }
        given_up.push(give_up(ops, write, addon).await?.id);
    }
    // Those of the same app are given up as well by now.
    for id in given_up {
        abandon(ops, write, id).await?;
    }
    Ok(())
}

async fn give_up(ops: &Ops, write: &mut Write, mut addon: Addon) -> Result<Addon> {
    addon.state = AddonState::Deprovisioning;
    addon.attempts = 0;
    addon.retry_at = None;
    addon.updated_at = ops.now();
    store::addons::update(write, &addon).await?;
    partners::shut_out(write, &addon).await?;
    Ok(addon)
}

/// The names of the apps that an add-on is attached to besides its own.
async fn others(write: &mut Write, addon: &Addon) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for attachment in store::attachments::of_addon(write, addon.id).await? {
        if attachment.app != addon.app {
            names.push(app_of(write, attachment.app).await?.name.to_string());
        }
    }
    names.dedup();
    Ok(names)
}

async fn app_of(write: &mut Write, id: AppId) -> Result<App> {
    store::apps::by_id(write, id).await?.ok_or_else(|| Error::not_found("app"))
}
