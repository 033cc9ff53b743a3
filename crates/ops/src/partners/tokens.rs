//! What partners show: a grant that goes with an order, and tokens that are had for it. Each is good for
//! one add-on. Of all of them only hashes are kept.

use crate::{Error, Ops, Result, random};
use ::addons::partner::Grant;
use domain::{Addon, AddonId, PartnerToken, PartnerTokenId, PartnerTokenKind};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use store::Write;

/// How long a grant and an access token are good (Heroku's figures).
const GRANT_LIFE: SignedDuration = SignedDuration::from_mins(5);
const ACCESS_LIFE: SignedDuration = SignedDuration::from_hours(8);
/// Access tokens of one add-on at a time; with a further one the oldest goes.
const ACCESS_TOKENS: usize = 10;

/// What a partner asks for.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// `authorization_code` or `refresh_token`.
    pub grant_type: String,
    /// The code, or the refresh token.
    pub shown: String,
    pub client_secret: String,
}

/// What it gets.
#[derive(Clone)]
pub struct Issued {
    pub addon: AddonId,
    pub access_token: String,
    pub refresh_token: String,
    /// Seconds.
    pub expires_in: i64,
}

/// A grant for an order. Takes no actor: the loop that orders calls it, each time anew.
pub async fn grant(ops: &Ops, addon: AddonId) -> Result<Grant> {
    let mut write = ops.store().write().await?;
    store::partner_tokens::delete_expired(&mut write, addon, ops.now()).await?;
    let code = random::key();
    let until = insert(ops, &mut write, addon, PartnerTokenKind::Grant, Some(GRANT_LIFE), &code).await?;
    write.commit().await?;
    let expires_at = until.map(|until| until.to_string()).unwrap_or_default();
    Ok(Grant { code, expires_at, kind: "authorization_code" })
}

/// Trades a grant, which is good once, or a refresh token for an access token.
pub async fn exchange(ops: &Ops, input: &Exchange) -> Result<Issued> {
    let kind = match input.grant_type.as_str() {
        "authorization_code" => PartnerTokenKind::Grant,
        "refresh_token" => PartnerTokenKind::Refresh,
        other => {
            return Err(Error::BadRequest(format!(
                "The grant type {other:?} is not known; use authorization_code or refresh_token."
            )));
        }
    };
    let mut write = ops.store().write().await?;
    let shown = store::partner_tokens::by_secret(&mut write, &input.shown).await?;
    let shown = shown.filter(|token| token.kind == kind && is_good(token, ops.now()));
    let refused = || Error::Unauthorized("The grant, or the client secret, is not good (any more).".into());
    let shown = shown.ok_or_else(refused)?;
    let addon = store::addons::by_id(&mut write, shown.addon).await?.ok_or_else(refused)?;
    if !is_secret_of(&mut write, &addon, &input.client_secret).await? {
        return Err(refused());
    }
    let (access_token, mut refresh_token) = (random::token(), input.shown.clone());
    if kind == PartnerTokenKind::Grant {
        store::partner_tokens::delete(&mut write, shown.id).await?;
        refresh_token = random::token();
        insert(ops, &mut write, addon.id, PartnerTokenKind::Refresh, None, &refresh_token).await?;
    }
    store::partner_tokens::delete_expired(&mut write, addon.id, ops.now()).await?;
    store::partner_tokens::keep_newest(&mut write, addon.id, PartnerTokenKind::Access, ACCESS_TOKENS - 1)
        .await?;
    store::partner_tokens::keep_newest(&mut write, addon.id, PartnerTokenKind::Refresh, ACCESS_TOKENS)
        .await?;
    let life = Some(ACCESS_LIFE);
    insert(ops, &mut write, addon.id, PartnerTokenKind::Access, life, &access_token).await?;
    write.commit().await?;
    Ok(Issued { addon: addon.id, access_token, refresh_token, expires_in: ACCESS_LIFE.as_secs() })
}

async fn insert(
    ops: &Ops,
    write: &mut Write,
    addon: AddonId,
    kind: PartnerTokenKind,
    life: Option<SignedDuration>,
    secret: &str,
) -> Result<Option<Timestamp>> {
    let now = ops.now();
    let expires_at = life.and_then(|life| now.checked_add(life).ok());
    let token = PartnerToken { id: PartnerTokenId::new(), addon, kind, expires_at, created_at: now };
    store::partner_tokens::insert(write, &token, secret).await?;
    Ok(expires_at)
}

/// Whether a token has not run out.
pub(super) fn is_good(token: &PartnerToken, now: Timestamp) -> bool {
    token.expires_at.is_none_or(|end| now < end)
}

async fn is_secret_of(write: &mut Write, addon: &Addon, secret: &str) -> Result<bool> {
    let partner = store::partners::by_name(write, &addon.service).await?;
    Ok(partner.is_some_and(|partner| same(&partner.client_secret, secret)))
}

/// Compares hashes, so that how long it takes tells nothing about the secret.
pub(super) fn same(one: &str, other: &str) -> bool {
    Sha256::digest(one.as_bytes()) == Sha256::digest(other.as_bytes())
}
