//! The endpoints, one module a noun and one function a verb: take what the request says, call the
//! operation, give back the wire's shape.

pub(crate) mod account;
pub(crate) mod addon_attachments;
pub(crate) mod addon_services;
pub(crate) mod addon_tunnels;
pub(crate) mod addons;
pub(crate) mod app_features;
pub(crate) mod app_setups;
pub(crate) mod apps;
pub(crate) mod authorizations;
pub(crate) mod buildpacks;
pub(crate) mod builds;
pub(crate) mod collaborators;
pub(crate) mod config_vars;
pub(crate) mod containers;
pub(crate) mod data;
pub(crate) mod domains;
pub(crate) mod dynos;
pub(crate) mod empty;
pub(crate) mod formation;
pub(crate) mod keys;
pub(crate) mod log_drains;
pub(crate) mod log_sessions;
pub(crate) mod papertrail;
pub(crate) mod partners;
pub(crate) mod places;
pub(crate) mod registry;
pub(crate) mod releases;
pub(crate) mod scheduler;
pub(crate) mod sessions;
pub(crate) mod slugs;
pub(crate) mod sources;
pub(crate) mod sso;
pub(crate) mod status;
pub(crate) mod test_builds;
pub(crate) mod webhooks;
