//! The way into an add-on's dashboard, for a user who is logged in here.

use super::{find, missing, with_app};
use crate::{Actor, AppRef, Error, Ops, Permission, Result};
use ::addons::Contract;
use ::addons::partner::{sso_token, sso_token_of_user};
use domain::{Addon, AddonState};
use serde_json::Value;
use std::collections::BTreeMap;
use store::Tx;

/// What a browser is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sso {
    /// `post` for a form, `get` for a plain address.
    pub method: &'static str,
    pub action: String,
    /// Texts, and the time as a number.
    pub params: BTreeMap<String, Value>,
}

/// Who shows a dashboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// A partner, who is sent this.
    Partner(Sso),
    /// The platform itself: a page that [`open`](super::open) lets one into.
    Own,
}

/// The way in; `app` is where the user comes from. An error if the add-on has no dashboard.
pub async fn sso(ops: &Ops, actor: &Actor, identity: &str, app: Option<&str>) -> Result<Way> {
    actor.require(Permission::Write)?;
    let mut tx = ops.store().read().await?;
    let (addon, context) = match app {
        Some(app) => {
            let app = crate::access::read(&mut tx, actor, app).await?;
            (super::find_in_app(&mut tx, &app, identity).await?, Some(AppRef::from(&app)))
        }
        None => (find(&mut tx, actor, identity, Permission::Read).await?, None),
    };
    dispatch(ops, actor, &mut tx, addon, context).await
}

/// Whether an add-on of this service has a dashboard.
pub fn has_dashboard(ops: &Ops, service: &str) -> bool {
    ops.catalog().service(service).is_some_and(|service| service.contract.is_some())
}

/// By who runs the service.
async fn dispatch(
    ops: &Ops,
    actor: &Actor,
    tx: &mut Tx,
    addon: Addon,
    context: Option<AppRef>,
) -> Result<Way> {
    let catalog = ops.catalog();
    let service = catalog.service(&addon.service);
    match service.map(|service| (&service.contract, service.provided)) {
        Some((Some(contract), _)) => {
            partner(ops, actor, tx, addon, context, contract).await.map(Way::Partner)
        }
        Some((None, Some(_))) => Ok(Way::Own),
        _ => Err(Error::invalid(format!("{} has no dashboard.", addon.name))),
    }
}

/// A form for the partner, signed with the salt that both know.
async fn partner(
    ops: &Ops,
    actor: &Actor,
    tx: &mut Tx,
    addon: Addon,
    context: Option<AppRef>,
    contract: &Contract,
) -> Result<Sso> {
    let resource = store::resources::by_addon(tx, addon.id).await?.ok_or_else(missing)?;
    let partner = store::partners::by_name(tx, &addon.service).await?.ok_or_else(missing)?;
    if addon.state != AddonState::Provisioned {
        return Err(Error::Conflict(format!("{} is not there yet.", addon.name)));
    }
    let uuid = addon.id.to_string();
    let id = resource.provider_id.unwrap_or_else(|| uuid.clone());
    let app = with_app(ops, tx, addon).await?.app;
    let (salt, timestamp) = (&partner.sso_salt, ops.now().as_second());
    let (user, email) = (actor.account.id.to_string(), actor.account.email.clone());
    let context = context.unwrap_or_else(|| app.clone());
    let params = [
        ("resource_token", sso_token(&uuid, salt, timestamp)),
        ("user_scoped_resource_token", sso_token_of_user(&uuid, salt, timestamp, &user, &email)),
        ("resource_id", uuid),
        // What partners of old look for.
        ("token", sso_token(&id, salt, timestamp)),
        ("id", id),
        ("user_id", user),
        ("email", email),
        ("app", app.name.to_string()),
        ("context_app", context.name.to_string()),
        ("nav-data", String::new()),
    ];
    let texts = params.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value)));
    let params = texts.chain([("timestamp".to_owned(), timestamp.into())]).collect();
    Ok(Sso { method: "post", action: contract.sso_url.to_string(), params })
}
