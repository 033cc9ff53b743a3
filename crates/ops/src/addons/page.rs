//! Opening an add-on's page: who may, and whose page it is.

use super::{AddonInfo, find, find_in_app, missing, provider, with_app};
use crate::{Actor, Error, Ops, Permission, Result, access};
use ::addons::Provided;
use domain::{AccountId, AddonId, AddonState};

/// Whose page it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// The platform's own.
    Own(Provided),
}

/// An add-on whose page somebody may open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    pub info: AddonInfo,
    pub page: Page,
}

/// Finds an add-on, among those of `app` if one is named, for somebody who wants to open its page. Who is let
/// in may do there what its owner may, so it takes a token that may do everything at an app.
pub async fn open(ops: &Ops, actor: &Actor, app: Option<&str>, identity: &str) -> Result<Opened> {
    let mut tx = ops.store().read().await?;
    let addon = match app {
        Some(app) => {
            let app = access::read(&mut tx, actor, app).await?;
            let found = find_in_app(&mut tx, &app, identity).await?;
            find(&mut tx, actor, &found.id.to_string(), Permission::WriteProtected).await?
        }
        None => find(&mut tx, actor, identity, Permission::WriteProtected).await?,
    };
    // The one place that tells whose page an add-on has.
    let page = provider(ops, &addon).map(Page::Own);
    let Some(page) = page else {
        return Err(Error::invalid(format!("{} has no page to open.", addon.name)));
    };
    if addon.state != AddonState::Provisioned {
        return Err(Error::Conflict(format!("{} is not there yet.", addon.name)));
    }
    let info = with_app(ops, &mut tx, addon).await?;
    Ok(Opened { info, page })
}

/// Somebody who was let in before, and what they see: whether they still may is asked each time.
pub async fn reopen(ops: &Ops, account: AccountId, addon: AddonId) -> Result<(Actor, Opened)> {
    let account = store::accounts::by_id(&mut ops.store().read().await?, account).await?;
    let actor = Actor { account: account.ok_or_else(missing)?, authorization: None };
    let opened = open(ops, &actor, None, &addon.to_string()).await?;
    Ok((actor, opened))
}
