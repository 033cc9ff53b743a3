//! Finding an app and deciding whether somebody may touch it.

use crate::{Actor, Error, Permission, Result};
use domain::{App, AppId, AppName};
use store::{Tx, apps, collaborators};

/// How close to the app one must be. Administrators are close to every app. The split is Heroku's
/// for personal apps: a collaborator may do everything but delete or rename the app and choose its
/// collaborators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Collaborator,
    Owner,
}

/// The app named `identity` (name or id), if `actor` may do to it what needs `permission` and `role`.
/// An app that one has no place on is refused, not hidden: that its name is taken shows anyway.
pub(crate) async fn app(
    tx: &mut Tx,
    actor: &Actor,
    identity: &str,
    permission: Permission,
    role: Role,
) -> Result<App> {
    actor.require(permission)?;
    let app = find(tx, identity).await?;
    let is_owner = actor.account.admin || app.owner == actor.account.id;
    if !is_owner && !collaborators::has(tx, app.id, actor.account.id).await? {
        return Err(Error::Forbidden(format!("You do not have access to the app {}.", app.name)));
    }
    if !is_owner && role == Role::Owner {
        return Err(Error::Forbidden(format!("Only the owner of the app {} may do this.", app.name)));
    }
    Ok(app)
}

/// The app with this name or id.
pub(crate) async fn find(tx: &mut Tx, identity: &str) -> Result<App> {
    let found = if let Ok(id) = identity.parse::<AppId>() {
        apps::by_id(tx, id).await?
    } else if let Ok(name) = AppName::parse(identity) {
        apps::by_name(tx, &name).await?
    } else {
        None
    };
    found.ok_or_else(|| Error::not_found("app"))
}

/// For reading: what shows no secrets.
pub(crate) async fn read(tx: &mut Tx, actor: &Actor, identity: &str) -> Result<App> {
    app(tx, actor, identity, Permission::Read, Role::Collaborator).await
}

/// For changing what is not secret.
pub(crate) async fn write(tx: &mut Tx, actor: &Actor, identity: &str) -> Result<App> {
    app(tx, actor, identity, Permission::Write, Role::Collaborator).await
}

/// For what only the owner may change.
pub(crate) async fn own(tx: &mut Tx, actor: &Actor, identity: &str) -> Result<App> {
    app(tx, actor, identity, Permission::Write, Role::Owner).await
}
