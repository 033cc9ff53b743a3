//! Accounts and what belongs to a person.

use domain::{Account, Authorization, SshKey};
use jiff::Timestamp;
use ops::collaborators::CollaboratorInfo;

/// What Kigo has no counterpart for (bills, legal terms, second factors) is told as absent.
pub(crate) fn account(account: &Account) -> wire::account::Account {
    wire::account::Account {
        id: account.id.0,
        email: account.email.clone(),
        name: account.name.clone(),
        allow_tracking: false,
        beta: false,
        federated: false,
        identity_provider: None,
        verified: true,
        two_factor_authentication: false,
        mfa_enabled: false,
        mfa_exemption: false,
        mfa_exemption_reason: None,
        mfa_experience: "vaas".into(),
        sms_number: None,
        country_of_residence: None,
        acknowledged_msa: false,
        acknowledged_msa_at: None,
        italian_customer_terms: None,
        italian_partner_terms: None,
        eco_dynos_enabled: true,
        eco_dynos_shutdown_at: None,
        pipeline_cost_consent_at: None,
        default_organization: None,
        default_team: None,
        created_at: account.created_at.into(),
        updated_at: account.updated_at.into(),
        last_login: account.last_login.map(Into::into),
        suspended_at: None,
        delinquent_at: None,
    }
}

/// `token` is the whole token where it was made just now; elsewhere only its end is known, and
/// asterisks stand for the rest, which the official CLI knows how to compare.
pub(crate) fn authorization(
    authorization: &Authorization,
    user: &Account,
    token: Option<&str>,
    now: Timestamp,
) -> wire::authorization::Authorization {
    wire::authorization::Authorization {
        id: authorization.id.0,
        access_token: Some(wire::authorization::AccessToken {
            id: authorization.token_id,
            expires_in: expires_in(authorization, now),
            token: token.map_or_else(|| format!("**********{}", authorization.token_hint), Into::into),
            version: 1,
        }),
        client: None,
        description: authorization.description.clone(),
        grant: None,
        refresh_token: None,
        scope: authorization.scope.clone(),
        session: None,
        user: wire::authorization::User {
            id: user.id.0,
            email: user.email.clone(),
            full_name: user.name.clone(),
        },
        created_at: authorization.created_at.into(),
        updated_at: authorization.updated_at.into(),
    }
}

pub(crate) fn session(authorization: &Authorization, now: Timestamp) -> wire::session::Session {
    wire::session::Session {
        id: authorization.id.0,
        description: authorization.description.clone(),
        expires_in: expires_in(authorization, now),
        created_at: authorization.created_at.into(),
        updated_at: authorization.updated_at.into(),
    }
}

fn expires_in(authorization: &Authorization, now: Timestamp) -> Option<i64> {
    authorization.expires_at.map(|at| (at.as_second() - now.as_second()).max(0))
}

pub(crate) fn collaborator(info: &CollaboratorInfo) -> wire::collaborator::Collaborator {
    let CollaboratorInfo { collaborator, app, user, is_owner } = info;
    let permission = |name: &str, description: &str| wire::collaborator::Permission {
        name: name.into(),
        description: description.into(),
    };
    let mut permissions = vec![
        permission("deploy", "Can deploy code and run commands."),
        permission("operate", "Can change config vars and scale and restart dynos."),
        permission("view", "Can see the app."),
    ];
    if *is_owner {
        permissions.push(permission("manage", "Can rename and destroy the app and give access to it."));
    }
    wire::collaborator::Collaborator {
        id: collaborator.id.0,
        app: super::app_ref(app),
        permissions,
        role: Some(if *is_owner { "owner" } else { "collaborator" }.into()),
        user: wire::collaborator::User { id: user.id.0, email: user.email.clone(), federated: false },
        created_at: collaborator.created_at.into(),
        updated_at: collaborator.updated_at.into(),
    }
}

pub(crate) fn key(key: &SshKey, user: &Account) -> wire::key::Key {
    wire::key::Key {
        id: key.id.0,
        comment: key.comment.clone(),
        email: user.email.clone(),
        fingerprint: key.fingerprint_md5.clone(),
        public_key: format!("{} {}", key.public_key, key.comment).trim_end().to_owned(),
        created_at: key.created_at.into(),
        updated_at: key.updated_at.into(),
    }
}
