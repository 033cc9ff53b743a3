//! OAuth authorizations: what a token is for, and the token itself, which is shown once.

use crate::actor::SCOPES;
use crate::{Actor, Error, Ops, Permission, Result, random, text};
use domain::{AccountId, Authorization, AuthorizationId, AuthorizationKind};
use jiff::{SignedDuration, Timestamp};
use store::{Tx, Write};

/// What is asked of a new authorization.
#[derive(Clone, Debug, Default)]
pub struct Create {
    pub description: Option<String>,
    /// Seconds; `None` is for ever.
    pub expires_in: Option<i64>,
    /// Empty: `global`.
    pub scope: Vec<String>,
}

/// An authorization with its token, which cannot be had again.
#[derive(Clone)]
pub struct Issued {
    pub authorization: Authorization,
    pub token: String,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").field("authorization", &self.authorization).finish_non_exhaustive()
    }
}

/// Recognises somebody by a token.
pub async fn authenticate(ops: &Ops, token: &str) -> Result<Actor> {
    let refused = || Error::Unauthorized("Invalid credentials provided.".into());
    let mut tx = ops.store().read().await?;
    let authorization = store::authorizations::by_token(&mut tx, token).await?.ok_or_else(refused)?;
    if authorization.expires_at.is_some_and(|end| end <= ops.now()) {
        return Err(refused());
    }
    let account = store::accounts::by_id(&mut tx, authorization.account).await?.ok_or_else(refused)?;
    Ok(Actor { account, authorization: Some(authorization) })
}

/// Makes an authorization for oneself: after a password, or with a token of scope `global`.
pub async fn create(ops: &Ops, actor: &Actor, input: Create) -> Result<Issued> {
    create_as(ops, actor, input, AuthorizationKind::Direct).await
}

/// As [`create`], for a login with a browser; it is listed among the sessions.
pub async fn create_session(ops: &Ops, actor: &Actor, input: Create) -> Result<Issued> {
    create_as(ops, actor, input, AuthorizationKind::Session).await
}

async fn create_as(ops: &Ops, actor: &Actor, input: Create, kind: AuthorizationKind) -> Result<Issued> {
    actor.require(Permission::Global)?;
    let description = input.description.unwrap_or_else(|| "Long-lived user authorization".into());
    text::check("Description", &description, 255, &[])?;
    let new = New {
        account: actor.account.id,
        kind,
        description,
        scope: check_scope(input.scope)?,
        expires_at: input.expires_in.map(|seconds| expiry(ops.now(), seconds)).transpose()?,
    };
    let mut write = ops.store().write().await?;
    // Each login leaves one behind; nobody needs those that ran out.
    store::authorizations::delete_expired(&mut write, actor.account.id, ops.now()).await?;
    let issued = issue(ops, &mut write, new, &random::token()).await?;
    write.commit().await?;
    Ok(issued)
}

/// One's authorizations, oldest first, without sessions.
pub async fn list(ops: &Ops, actor: &Actor) -> Result<Vec<Authorization>> {
    actor.require(Permission::Global)?;
    let mut all = store::authorizations::list(&mut ops.store().read().await?, actor.account.id).await?;
    all.retain(|authorization| authorization.kind != AuthorizationKind::Session);
    Ok(all)
}

/// One of one's authorizations by its id, its token's id, or `~` for the account's API key.
pub async fn info(ops: &Ops, actor: &Actor, identity: &str) -> Result<Authorization> {
    actor.require(Permission::Global)?;
    find(&mut ops.store().read().await?, actor, identity).await
}

/// Changes the description.
pub async fn update(
    ops: &Ops,
    actor: &Actor,
    identity: &str,
    description: Option<String>,
) -> Result<Authorization> {
    actor.require(Permission::Global)?;
    let mut write = ops.store().write().await?;
    let mut authorization = find(&mut write, actor, identity).await?;
    if let Some(description) = description {
        text::check("Description", &description, 255, &[])?;
        authorization.description = description;
        authorization.updated_at = ops.now();
        store::authorizations::update(&mut write, &authorization, None).await?;
        write.commit().await?;
    }
    Ok(authorization)
}

/// Ends an authorization; its token stops working at once.
pub async fn destroy(ops: &Ops, actor: &Actor, identity: &str) -> Result<Authorization> {
    actor.require(Permission::Global)?;
    let mut write = ops.store().write().await?;
    let authorization = find(&mut write, actor, identity).await?;
    store::authorizations::delete(&mut write, authorization.id).await?;
    write.commit().await?;
    Ok(authorization)
}

/// Replaces the token by a fresh one that lasts as long as the old one was meant to.
pub async fn regenerate(ops: &Ops, actor: &Actor, identity: &str) -> Result<Issued> {
    actor.require(Permission::Global)?;
    let mut write = ops.store().write().await?;
    let mut authorization = find(&mut write, actor, identity).await?;
    let token = random::token();
    let now = ops.now();
    authorization.expires_at = authorization
        .expires_at
        .and_then(|end| now.checked_add(end.duration_since(authorization.updated_at)).ok());
    authorization.token_id = uuid::Uuid::new_v4();
    authorization.token_hint = hint(&token);
    authorization.updated_at = now;
    store::authorizations::update(&mut write, &authorization, Some(&token)).await?;
    write.commit().await?;
    Ok(Issued { authorization, token })
}

/// What [`issue`] needs to know.
pub(crate) struct New {
    pub(crate) account: AccountId,
    pub(crate) kind: AuthorizationKind,
    pub(crate) description: String,
    pub(crate) scope: Vec<String>,
    pub(crate) expires_at: Option<Timestamp>,
}

/// Writes an authorization that `token` is good for.
pub(crate) async fn issue(ops: &Ops, write: &mut Write, new: New, token: &str) -> Result<Issued> {
    let now = ops.now();
    let authorization = Authorization {
        id: AuthorizationId::new(),
        account: new.account,
        kind: new.kind,
        description: new.description,
        scope: new.scope,
        token_hint: hint(token),
        token_id: uuid::Uuid::new_v4(),
        expires_at: new.expires_at,
        created_at: now,
        updated_at: now,
    };
    store::authorizations::insert(write, &authorization, token).await?;
    Ok(Issued { authorization, token: token.to_owned() })
}

async fn find(tx: &mut Tx, actor: &Actor, identity: &str) -> Result<Authorization> {
    let fits = |authorization: &Authorization| match identity {
        "~" => authorization.kind == AuthorizationKind::Default,
        _ => authorization.id.to_string() == identity || authorization.token_id.to_string() == identity,
    };
    let all = store::authorizations::list(tx, actor.account.id).await?;
    all.into_iter().find(fits).ok_or_else(|| Error::not_found("authorization"))
}

/// The last four characters tell tokens apart and give nothing away.
fn hint(token: &str) -> String {
    let count = token.chars().count();
    token.chars().skip(count.saturating_sub(4)).collect()
}

fn check_scope(scope: Vec<String>) -> Result<Vec<String>> {
    if let Some(unknown) = scope.iter().find(|word| !SCOPES.contains(&word.as_str())) {
        return Err(Error::invalid(format!("Scope {unknown:?} is not one of: {}.", SCOPES.join(", "))));
    }
    Ok(if scope.is_empty() { vec!["global".into()] } else { scope })
}

fn expiry(now: Timestamp, seconds: i64) -> Result<Timestamp> {
    let end = (seconds > 0).then(|| now.checked_add(SignedDuration::from_secs(seconds)).ok()).flatten();
    end.ok_or_else(|| Error::invalid("expires_in must be a positive number of seconds."))
}
