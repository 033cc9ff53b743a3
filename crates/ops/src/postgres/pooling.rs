//! The pool of connections before a database.

use super::find;
use crate::attachments::{self, AttachmentInfo, Create};
use crate::{Actor, Error, Ops, Permission, Result, access};
use domain::{Attachment, Credential};

/// Attaches an app to a database's pool of connections, as `name`, or as the app's usual attachment with
/// `_CONNECTION_POOL` behind it.
pub async fn pool(
    ops: &Ops,
    actor: &Actor,
    database: &str,
    app: &str,
    credential: Option<&str>,
    name: Option<String>,
) -> Result<AttachmentInfo> {
    let found = find(ops, actor, database, Permission::WriteProtected).await?;
    found.own_server("Connection pooling")?;
    if credential.is_some_and(|credential| credential != Credential::DEFAULT) {
        return Err(Error::invalid("Connection pooling is for the credential `default` alone."));
    }
    let name = if let Some(name) = name {
        name
    } else {
        let mut tx = ops.store().read().await?;
        let app = access::read(&mut tx, actor, app).await?;
        let all = store::attachments::of_app(&mut tx, app.id).await?;
        let own = all.iter().find(|one| one.addon == found.addon.addon.id && one.namespace.is_none());
        format!("{}_CONNECTION_POOL", own.map_or("DATABASE", |own| own.name.as_str()))
    };
    let create = Create {
        addon: found.addon.addon.id.to_string(),
        app: app.to_owned(),
        name: Some(name),
        confirm: None,
        namespace: Some(Attachment::POOLING.to_owned()),
    };
    attachments::create(ops, actor, create).await
}
