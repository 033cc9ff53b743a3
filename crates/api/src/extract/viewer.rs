//! Who looks at an add-on: its address of a dashboard is made for them.

use super::{Login, Origin};
use crate::signed::{self, Purpose};
use crate::{Api, ApiError, pages};
use axum::extract::FromRequestParts;
use domain::{AccountId, AddonId};
use http::request::Parts;
use jiff::Timestamp;
use ops::{Actor, Permission};
use std::fmt;
use std::str::FromStr;

/// Addresses of dashboards are the same for so many seconds, and good for as long again.
const STEP: i64 = 300;

/// A user, and the address by which they reached the API.
pub(crate) struct Viewer {
    pub(crate) actor: Actor,
    pub(crate) origin: Origin,
}

impl FromRequestParts<Api> for Viewer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let Login(actor) = Login::from_request_parts(parts, api).await?;
        Ok(Self { actor, origin: Origin::from_request_parts(parts, api).await? })
    }
}

impl Viewer {
    /// Where this user's browser gets into an add-on's dashboard; `None` if there is none, or the token
    /// may only read. The address is the permission, for a few minutes.
    pub(crate) fn dashboard(&self, api: &Api, service: &str, addon: AddonId) -> Option<String> {
        if api.ops().catalog().service(service).is_some_and(|service| service.provided.is_some()) {
            // Who opens it logs in there.
            return Some(format!("{}{}", self.origin.0, pages::path(addon)));
        }
        if !ops::addons::sso::has_dashboard(api.ops(), service)
            || self.actor.require(Permission::Write).is_err()
        {
            return None;
        }
        let now = api.ops().now().as_second();
        let expires = Timestamp::from_second((now / STEP + 2) * STEP).ok()?;
        let visit = Visit { account: self.actor.account.id, addon };
        let token = signed::sign(api.log_key(), Purpose::Dashboard, &visit, expires);
        Some(format!("{}/sso/{token}", self.origin.0))
    }
}

/// Who visits which add-on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Visit {
    pub(crate) account: AccountId,
    pub(crate) addon: AddonId,
}

impl fmt::Display for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.account, self.addon)
    }
}

impl FromStr for Visit {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (account, addon) = text.split_once('_').ok_or(())?;
        Ok(Self { account: account.parse().map_err(drop)?, addon: addon.parse().map_err(drop)? })
    }
}
