//! The add-ons that an app's first buildpack asks for.

use crate::addons::{self, AddonInfo, Create};
use crate::{Error, Ops, Result, accounts};
use domain::{App, Build, BuildId};
use std::time::Duration;
use store::Write;

/// What a first deploy waits for its add-ons at most; the release comes without those that take longer.
pub const PATIENCE: Duration = Duration::from_mins(5);

/// What became of one that was asked for.
#[derive(Debug)]
pub struct Ordered {
    /// As the buildpack names it.
    pub plan: String,
    /// `Err` says why it was not ordered, and what there is.
    pub addon: Result<AddonInfo>,
}

/// Orders what the buildpack of an app's first deploy asks for (`addons` of `bin/release`), in the name of
/// who wanted the build, and returns before it is provisioned. A service that the app has, attached or its
/// own, is not ordered again: doing it twice returns what the first time did. Nothing on later deploys, and
/// for an app that is gone.
///
/// Source: <https://devcenter.heroku.com/articles/buildpack-api#bin-release>.
pub async fn order_addons(ops: &Ops, id: BuildId, wanted: &[String]) -> Result<Vec<Ordered>> {
    let mut ordered = Vec::new();
    for plan in wanted {
        // Each by itself: one that cannot be had leaves nothing behind, and the others alone.
        let mut write = ops.store().write().await?;
        let Some(build) = store::builds::by_id(&mut write, id).await? else { break };
        let Some(mut app) = store::apps::by_id(&mut write, build.app).await? else { break };
        if store::releases::count_with_slug(&mut write, app.id).await? > 0 {
            break;
        }
        let addon = match order(ops, &mut write, &build, &mut app, plan).await {
            Ok((info, lines)) => ops.commit(write, app.id, lines).await.map(|()| info),
            Err(Error::Internal(source)) => return Err(Error::Internal(source)),
            Err(error) => Err(error),
        };
        ordered.push(Ordered { plan: plan.clone(), addon });
    }
    Ok(ordered)
}

async fn order(
    ops: &Ops,
    write: &mut Write,
    build: &Build,
    app: &mut App,
    plan: &str,
) -> Result<(AddonInfo, Vec<String>)> {
    let service = addons::plan_of(&ops.catalog(), plan)?.0.name.clone();
    for attachment in store::attachments::of_app(write, app.id).await? {
        let addon = store::addons::by_id(write, attachment.addon).await?;
        if let Some(addon) = addon.filter(|addon| addon.service == service && addon.state.is_there()) {
            return Ok((addons::with_app(ops, write, addon).await?, Vec::new()));
        }
    }
    let user = store::accounts::by_id(write, build.user).await?;
    let user = user.unwrap_or_else(|| accounts::gone(ops, build.user));
    let input = Create { plan: plan.to_owned(), ..Create::default() };
    let (addon, lines) = addons::insert(ops, write, &user, app, input, None).await?;
    Ok((addons::with_app(ops, write, addon).await?, lines))
}
