//! From Kigo's words to the Platform API's shapes, one function a resource. They decide nothing.

mod account;
mod addon;
mod app;
mod app_setup;
mod build;
mod database;
mod dyno;
mod papertrail;
mod place;
mod release;
mod scheduler;
mod transfer;
mod webhook;

pub(crate) use account::{account, authorization, collaborator, key, session};
pub(crate) use addon::{addon, attachment, plan, region_capability, service as addon_service};
pub(crate) use app::{app, buildpacks, domain, feature, log_drain};
pub(crate) use app_setup::app_setup;
pub(crate) use build::{build, slug, source, test_build};
pub(crate) use database::{database, database_credential, database_settings, report};
pub(crate) use dyno::{dyno, dyno_size, formation};
pub(crate) use papertrail::search;
pub(crate) use place::{SINCE, generation, region, stable_id, stack};
pub(crate) use release::release;
pub(crate) use scheduler::{job, run};
pub(crate) use transfer::{BACKUP_SCHEME, moment, schedule, transfer};
pub(crate) use webhook::{delivery, event as webhook_event, webhook};

use crate::Config;
use crate::extract::Origin;
use wire::{AppRef, UserRef};

/// What addresses in answers are made of.
pub(crate) struct Addresses<'a> {
    pub(crate) config: &'a Config,
    pub(crate) origin: &'a Origin,
}

impl Addresses<'_> {
    /// `path` on the API's origin; it starts with a slash.
    pub(crate) fn api(&self, path: &str) -> String {
        format!("{}{path}", self.origin.0)
    }
}

fn app_ref(app: &ops::AppRef) -> AppRef {
    AppRef { id: app.id.0, name: app.name.to_string() }
}

fn user_ref(user: &ops::UserRef) -> UserRef {
    UserRef { id: user.id.0, email: user.email.clone() }
}
