//! Who else may work on an app.

use crate::{Actor, AppRef, Error, Ops, Result, access, accounts, text};
use domain::{Account, App, Collaborator, CollaboratorId};
use store::Tx;

/// A collaborator with what the API tells about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollaboratorInfo {
    pub collaborator: Collaborator,
    pub app: AppRef,
    pub user: Account,
    /// The app's owner is listed too.
    pub is_owner: bool,
}

/// An app's collaborators, its owner first.
pub async fn list(ops: &Ops, actor: &Actor, app: &str) -> Result<Vec<CollaboratorInfo>> {
    let mut tx = ops.store().read().await?;
    let app = access::read(&mut tx, actor, app).await?;
    all(&mut tx, &app).await
}

/// One collaborator by their place's id, their account's id or their address.
pub async fn info(ops: &Ops, actor: &Actor, app: &str, identity: &str) -> Result<CollaboratorInfo> {
    let places = list(ops, actor, app).await?;
    places.into_iter().find(|place| is(place, identity)).ok_or_else(|| Error::not_found("collaborator"))
}

/// Lets somebody who has an account (address or id) work on the app. Owners only.
pub async fn create(ops: &Ops, actor: &Actor, app: &str, user: &str) -> Result<CollaboratorInfo> {
    let mut write = ops.store().write().await?;
    let app = access::own(&mut write, actor, app).await?;
    let account = match user.parse() {
        Ok(id) => store::accounts::by_id(&mut write, id).await?,
        Err(_) => store::accounts::by_email(&mut write, &user.trim().to_lowercase()).await?,
    };
    let account = account.ok_or_else(|| Error::NotFound {
        resource: "user",
        message: format!(
            "Couldn't find the user {user}. An administrator has to make an account for them first."
        ),
    })?;
    if store::collaborators::has(&mut write, app.id, account.id).await? {
        return Err(Error::invalid(format!("{} is a collaborator already.", account.email)));
    }
    let now = ops.now();
    let collaborator = Collaborator {
        id: CollaboratorId::new(),
        app: app.id,
        account: account.id,
        created_at: now,
        updated_at: now,
    };
    store::collaborators::insert(&mut write, &collaborator).await?;
    let line = text::by(&actor.account, format!("Add {} collaborator", account.email));
    ops.commit(write, app.id, vec![line]).await?;
    Ok(CollaboratorInfo { collaborator, app: (&app).into(), user: account, is_owner: false })
}

/// Ends somebody's place. The owner can end anybody's but their own, a collaborator only their own.
pub async fn destroy(ops: &Ops, actor: &Actor, app: &str, identity: &str) -> Result<CollaboratorInfo> {
    let mut write = ops.store().write().await?;
    let app = access::write(&mut write, actor, app).await?;
    let places = all(&mut write, &app).await?;
    let place = places.into_iter().find(|place| is(place, identity));
    let place = place.ok_or_else(|| Error::not_found("collaborator"))?;
    if place.user.id != actor.account.id {
        access::own(&mut write, actor, &app.id.to_string()).await?;
    }
    if place.is_owner {
        return Err(Error::invalid("The owner of an app can't be removed from it."));
    }
    store::collaborators::delete(&mut write, place.collaborator.id).await?;
    let line = text::by(&actor.account, format!("Remove {} collaborator", place.user.email));
    ops.commit(write, app.id, vec![line]).await?;
    Ok(place)
}

async fn all(tx: &mut Tx, app: &App) -> Result<Vec<CollaboratorInfo>> {
    let accounts = accounts::on_app(tx, app.id).await?;
    let places = store::collaborators::list(tx, app.id).await?;
    let mut list = Vec::with_capacity(places.len());
    for collaborator in places {
        let Some(user) = accounts.iter().find(|account| account.id == collaborator.account).cloned() else {
            continue;
        };
        list.push(CollaboratorInfo { collaborator, app: app.into(), is_owner: user.id == app.owner, user });
    }
    list.sort_by_key(|place| !place.is_owner);
    Ok(list)
}

fn is(place: &CollaboratorInfo, identity: &str) -> bool {
    place.collaborator.id.to_string() == identity
        || place.user.id.to_string() == identity
        || place.user.email.eq_ignore_ascii_case(identity)
}
