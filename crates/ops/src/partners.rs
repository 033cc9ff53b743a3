//! Services that partners run, by Heroku's Add-on Partner API: registered by the administrator, asked by
//! a loop for what add-ons need, and let in themselves to what concerns their own add-ons.
//!
//! What the loop is to do follows from rows: an add-on's state and its [`Resource`]. It takes a [`Task`]
//! and says with [`ordered`], [`refused`], [`changed`], [`stays`] and [`given_back`] what became of it.

mod caller;
mod change;
mod drains;
mod offers;
mod progress;
mod register;
mod tokens;

pub use caller::{
    Caller, Scope, addon, app, attachments, authenticate, authenticate_service, config, give_up, set_config,
    there,
};
pub(crate) use change::change;
pub use change::plan_settled;
pub use drains::{drains, set_drain};
pub(crate) use offers::Offers;
pub use offers::load;
pub use progress::{Task, changed, given_back, ordered, refused, stays, task};
pub use register::{Register, Registered, list, register, unregister};
pub use tokens::{Exchange, Issued, exchange, grant};

use crate::Result;
use domain::{Addon, Resource};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use store::Write;

/// A partner that has accepted an order has so long to make it (Heroku's figure).
const DEADLINE: SignedDuration = SignedDuration::from_hours(12);

/// What is known of an add-on that was only just asked for.
pub(crate) fn new_resource(addon: &Addon, options: BTreeMap<String, String>) -> Resource {
    Resource {
        addon: addon.id,
        provider_id: None,
        options,
        accepted: false,
        gone: false,
        deadline: addon.created_at.saturating_add(DEADLINE).unwrap_or(addon.created_at),
        wanted_plan: None,
        plan_refused: None,
        message: None,
        drain: None,
        drain_token: format!("d.{}", uuid::Uuid::new_v4()),
    }
}

/// A partner loses the app's logs and its tokens with the add-on.
pub(crate) async fn shut_out(write: &mut Write, addon: &Addon) -> Result<()> {
    let Some(mut resource) = store::resources::by_addon(write, addon.id).await? else { return Ok(()) };
    store::partner_tokens::delete_all(write, addon.id).await?;
    resource.wanted_plan = None;
    if let Some(drain) = resource.drain.take() {
        store::drains::delete(write, drain).await?;
    }
    Ok(store::resources::put(write, &resource).await?)
}
