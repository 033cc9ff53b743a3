//! Accounts: `/account` and `/users/{user}`.

use crate::{NamedRef, Time};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A person who can log in. Several properties tell of Heroku's own business (billing, legal
/// terms, identity providers); they are there because the schema names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub id: Uuid,
    pub email: String,
    pub name: Option<String>,
    pub allow_tracking: bool,
    pub beta: bool,
    /// Whether an outside identity provider vouches for the account.
    pub federated: bool,
    pub identity_provider: Option<serde_json::Value>,
    pub verified: bool,
    pub two_factor_authentication: bool,
    pub mfa_enabled: bool,
    pub mfa_exemption: bool,
    pub mfa_exemption_reason: Option<String>,
    /// `vaas` or `legacy`.
    pub mfa_experience: String,
    pub sms_number: Option<String>,
    pub country_of_residence: Option<String>,
    pub acknowledged_msa: bool,
    pub acknowledged_msa_at: Option<Time>,
    pub italian_customer_terms: Option<String>,
    pub italian_partner_terms: Option<String>,
    pub eco_dynos_enabled: bool,
    pub eco_dynos_shutdown_at: Option<Time>,
    pub pipeline_cost_consent_at: Option<Time>,
    pub default_organization: Option<NamedRef>,
    pub default_team: Option<NamedRef>,
    pub created_at: Time,
    pub updated_at: Time,
    pub last_login: Option<Time>,
    pub suspended_at: Option<Time>,
    pub delinquent_at: Option<Time>,
}

/// Body of `PATCH /account`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Update {
    /// Outer `None`: not mentioned. Inner `None`: to be removed.
    #[serde(with = "crate::account::mentioned", skip_serializing_if = "Option::is_none")]
    pub name: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_password: Option<String>,
}

/// `GET /account/delinquency`: what threatens an account with unpaid bills.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delinquency {
    pub scheduled_suspension_time: Option<Time>,
    pub scheduled_deletion_time: Option<Time>,
}

/// Tells a property that was left out from one that is `null`.
pub(crate) mod mentioned {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::option_option, reason = "left out, null and given are three cases")]
    pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Option<T>>, D::Error> {
        Option::<T>::deserialize(deserializer).map(Some)
    }

    #[expect(clippy::option_option, clippy::ref_option, reason = "serde's signature")]
    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        value: &Option<Option<T>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().and_then(Option::as_ref).serialize(serializer)
    }
}
