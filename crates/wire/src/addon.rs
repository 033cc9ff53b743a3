//! Add-ons: `/addons`, `/apps/{app}/addons`, `/addon-attachments`, `/addon-services`.

use crate::{AppRef, Identity, NamedRef, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// An add-on, with its service and plan as `Accept-Expansion: addon_service,plan` asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addon {
    pub id: Uuid,
    pub actions: Vec<Value>,
    pub addon_service: Service,
    pub app: AppRef,
    pub billed_price: Option<Price>,
    pub billing_entity: BillingEntity,
    pub config_vars: Vec<String>,
    pub name: String,
    pub plan: Plan,
    /// The add-on's id at its provider; here the same.
    pub provider_id: String,
    /// Empty if there is nothing to tell.
    pub provision_message: String,
    /// `provisioning`, `provisioned` or `deprovisioned`.
    pub state: String,
    pub web_url: Option<String>,
    pub created_at: Time,
    pub updated_at: Time,
}

/// Who pays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillingEntity {
    pub id: Uuid,
    pub name: String,
    /// `app`
    #[serde(rename = "type")]
    pub kind: String,
}

/// What it costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// US cents per unit.
    pub cents: u64,
    pub contract: bool,
    pub metered: bool,
    /// `month`
    pub unit: String,
}

/// A service of the marketplace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub id: Uuid,
    pub cli_plugin_name: Option<String>,
    pub human_name: String,
    pub name: String,
    /// `ga`
    pub state: String,
    pub supported_generations: Vec<NamedRef>,
    pub supports_multiple_installations: bool,
    pub supports_sharing: bool,
    pub created_at: Time,
    pub updated_at: Time,
}

/// A plan of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub id: Uuid,
    pub addon_service: NamedRef,
    pub compliance: Option<Vec<String>>,
    pub default: bool,
    pub description: String,
    pub human_name: String,
    pub installable_inside_private_network: bool,
    pub installable_outside_private_network: bool,
    /// `heroku-postgresql:essential-0`
    pub name: String,
    pub price: Price,
    pub space_default: bool,
    /// `public`
    pub state: String,
    pub visible: bool,
    pub created_at: Time,
    pub updated_at: Time,
}

/// That a service can be had in a region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionCapability {
    pub id: Uuid,
    pub addon_service: Service,
    pub region: crate::place::Region,
    pub supports_private_networking: bool,
}

/// An app's attachment to an add-on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    pub id: Uuid,
    pub addon: AttachedAddon,
    pub app: AppRef,
    /// With `Accept-Inclusion: config_vars`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_vars: Option<Vec<String>>,
    pub log_input_url: Option<String>,
    pub name: String,
    pub namespace: Option<String>,
    pub web_url: Option<String>,
    pub created_at: Time,
    pub updated_at: Time,
}

/// The add-on of an attachment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachedAddon {
    pub id: Uuid,
    pub app: AppRef,
    pub name: String,
    /// With `Accept-Inclusion: addon:plan`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<NamedRef>,
}

/// Body of `POST /apps/{app}/addons`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Create {
    pub plan: Identity,
    #[serde(default)]
    pub attachment: Option<CreateAttached>,
    /// What the service may be told.
    #[serde(default)]
    pub config: BTreeMap<String, Value>,
    #[serde(default)]
    pub confirm: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
}

/// How the first attachment is to be called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateAttached {
    #[serde(default)]
    pub name: Option<String>,
}

/// Body of `PATCH /apps/{app}/addons/{addon}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub plan: Option<Identity>,
}

/// Body of `DELETE /apps/{app}/addons/{addon}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delete {
    #[serde(default)]
    pub force: bool,
}

/// Body of `POST /addon-attachments`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateAttachment {
    pub addon: Identity,
    pub app: Identity,
    #[serde(default)]
    pub confirm: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub namespace: Option<String>,
}

/// Body of `POST /actions/addons/resolve`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolve {
    pub addon: String,
    #[serde(default)]
    pub app: Option<String>,
    #[serde(default)]
    pub addon_service: Option<String>,
}

/// Body of `POST /actions/addon-attachments/resolve`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolveAttachment {
    pub addon_attachment: String,
    #[serde(default)]
    pub app: Option<String>,
    #[serde(default)]
    pub addon_service: Option<String>,
}

/// One of an add-on's config vars without the attachment's name: `/addons/{addon}/config`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    pub name: String,
    pub value: Option<String>,
}

/// Body of `PATCH /addons/{addon}/config`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateConfig {
    #[serde(default)]
    pub config: Vec<Config>,
}

/// The way into an add-on's dashboard: `/addons/{addon}/sso`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sso {
    /// `post` or `get`
    pub method: String,
    pub action: String,
    pub params: BTreeMap<String, Value>,
}
