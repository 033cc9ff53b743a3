//! Log drains: where apps' logs are sent to. A loop sends; here they are added and removed.

use crate::access::{self, Role};
use crate::{Actor, AppRef, Error, Ops, Permission, Result, addons};
use domain::{Addon, AddonId, Drain, DrainId};
use store::Tx;
use url::Url;

/// A drain with the app it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrainInfo {
    pub drain: Drain,
    pub app: AppRef,
    /// Id and name of the add-on that it goes with.
    pub addon: Option<(AddonId, String)>,
}

/// The schemes Heroku takes, without those that leave the app's log in the open to anybody.
const SCHEMES: [&str; 7] = ["syslog", "syslog+tcp", "tcpsyslog", "syslog+tls", "udpsyslog", "http", "https"];

/// An app's drains, oldest first.
pub async fn list(ops: &Ops, actor: &Actor, app: &str) -> Result<Vec<DrainInfo>> {
    let mut tx = ops.store().read().await?;
    // The addresses often hold a password.
    let app = access::app(&mut tx, actor, app, Permission::ReadProtected, Role::Collaborator).await?;
    let drains = store::drains::list(&mut tx, app.id).await?;
    let mut list = Vec::new();
    for drain in drains {
        let addon = match drain.addon {
            Some(id) => store::addons::by_id(&mut tx, id).await?.map(|addon| (id, addon.name)),
            None => None,
        };
        list.push(DrainInfo { drain, app: (&app).into(), addon });
    }
    Ok(list)
}

/// Those that go with an add-on.
pub async fn of_addon(ops: &Ops, actor: &Actor, addon: &str) -> Result<Vec<DrainInfo>> {
    let mut tx = ops.store().read().await?;
    let addon = addons::find(&mut tx, actor, addon, Permission::ReadProtected).await?;
    described(&mut tx, &addon).await
}

/// An add-on's drains, for whoever may see them.
pub(crate) async fn described(tx: &mut Tx, addon: &Addon) -> Result<Vec<DrainInfo>> {
    let app = store::apps::by_id(tx, addon.app).await?.ok_or_else(|| Error::not_found("app"))?;
    let named = Some((addon.id, addon.name.clone()));
    let drains = store::drains::of_addon(tx, addon.id).await?.into_iter();
    Ok(drains.map(|drain| DrainInfo { drain, app: (&app).into(), addon: named.clone() }).collect())
}

/// One drain by id, address or token.
pub async fn info(ops: &Ops, actor: &Actor, app: &str, identity: &str) -> Result<DrainInfo> {
    let drains = list(ops, actor, app).await?;
    drains.into_iter().find(|info| is(&info.drain, identity)).ok_or_else(|| Error::not_found("drain"))
}

/// Adds a drain.
pub async fn create(ops: &Ops, actor: &Actor, app: &str, url: &str) -> Result<DrainInfo> {
    check_url(url)?;
    let mut write = ops.store().write().await?;
    let app = access::app(&mut write, actor, app, Permission::WriteProtected, Role::Collaborator).await?;
    let drains = store::drains::list(&mut write, app.id).await?;
    if drains.iter().any(|drain| drain.url == url) {
        return Err(Error::Conflict("This drain was added to the app already.".into()));
    }
    // Those of add-ons do not count: users cannot choose them.
    let own = drains.iter().filter(|drain| drain.addon.is_none()).count();
    if own >= ops.settings().max_drains {
        return Err(Error::invalid("You have already added the maximum number of drains allowed"));
    }
    let now = ops.now();
    let drain = Drain {
        id: DrainId::new(),
        app: app.id,
        url: url.to_owned(),
        token: format!("d.{}", uuid::Uuid::new_v4()),
        addon: None,
        created_at: now,
        updated_at: now,
    };
    store::drains::insert(&mut write, &drain).await?;
    write.commit().await?;
    Ok(DrainInfo { drain, app: (&app).into(), addon: None })
}

/// Removes a drain.
pub async fn destroy(ops: &Ops, actor: &Actor, app: &str, identity: &str) -> Result<DrainInfo> {
    let mut write = ops.store().write().await?;
    let app = access::app(&mut write, actor, app, Permission::WriteProtected, Role::Collaborator).await?;
    let drains = store::drains::list(&mut write, app.id).await?;
    let drain = drains.into_iter().find(|drain| is(drain, identity));
    let drain = drain.ok_or_else(|| Error::not_found("drain"))?;
    if drain.addon.is_some() {
        return Err(Error::invalid(
            "This drain is an add-on's, and goes with it. Destroy the add-on instead.",
        ));
    }
    store::drains::delete(&mut write, drain.id).await?;
    write.commit().await?;
    Ok(DrainInfo { drain, app: (&app).into(), addon: None })
}

/// Whether that is a drain's id, address or token.
pub(crate) fn is(drain: &Drain, identity: &str) -> bool {
    drain.id.to_string() == identity || drain.url == identity || drain.token == identity
}

pub(crate) fn check_url(text: &str) -> Result<()> {
    let url = Url::parse(text).ok().filter(|url| {
        SCHEMES.contains(&url.scheme())
            && url.host_str().is_some_and(|host| !host.is_empty())
            && text.len() <= 2048
    });
    let url = url.ok_or_else(|| {
        Error::invalid("URL is invalid: use syslog://, syslog+tls://, http:// or https:// and a host.")
    })?;
    if !matches!(url.scheme(), "http" | "https") && url.port().is_none() {
        return Err(Error::invalid("URL is invalid: a syslog drain needs a port."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in [
            "syslog://logs.example.com:514",
            "syslog+tls://logs.example.com:6514",
            "https://user:password@example.com/path?q",
            "http://127.0.0.1:9000",
        ] {
            assert!(check_url(good).is_ok(), "{good}");
        }
        for bad in ["", "example.com", "ftp://example.com", "https://", "syslog://example.com", "file:///etc"]
        {
            assert!(matches!(check_url(bad), Err(Error::InvalidParams(_))), "{bad}");
        }
    }
}
