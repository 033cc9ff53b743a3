//! Sessions: authorizations that a login with a browser made. Those that a login with a password made
//! are listed as authorizations, as on Heroku.

use crate::{Actor, Error, Ops, Permission, Result};
use domain::{Authorization, AuthorizationKind};

/// One's sessions, oldest first.
pub async fn list(ops: &Ops, actor: &Actor) -> Result<Vec<Authorization>> {
    actor.require(Permission::Global)?;
    let mut all = store::authorizations::list(&mut ops.store().read().await?, actor.account.id).await?;
    all.retain(|authorization| authorization.kind == AuthorizationKind::Session);
    Ok(all)
}

/// Ends a session by its id, or `~` for the one whose token is being used.
pub async fn destroy(ops: &Ops, actor: &Actor, identity: &str) -> Result<Authorization> {
    let wanted = if identity == "~" {
        // Logging out needs no scope: who has the token may give it up.
        actor.authorization.as_ref().map(|authorization| authorization.id.to_string())
    } else {
        actor.require(Permission::Global)?;
        Some(identity.to_owned())
    };
    let mut write = ops.store().write().await?;
    let session = store::authorizations::list(&mut write, actor.account.id)
        .await?
        .into_iter()
        .find(|one| one.kind == AuthorizationKind::Session && Some(one.id.to_string()) == wanted)
        .ok_or_else(|| Error::not_found("session"))?;
    store::authorizations::delete(&mut write, session.id).await?;
    write.commit().await?;
    Ok(session)
}
