//! Accounts: who can log in. The first one is the installation's administrator, who makes the others.

use crate::authorizations::{self, Issued};
use crate::{Actor, Error, Ops, Permission, Result, passwords, random, rate_limits, text};
use domain::{Account, AccountId, AuthorizationKind};
use store::{Tx, Write, apps, collaborators};

/// How the administrator of a new installation is to be.
#[derive(Clone, Debug, Default)]
pub struct Bootstrap {
    /// `None`: `admin@localhost`.
    pub email: Option<String>,
    /// `None`: one is generated.
    pub password: Option<String>,
    /// `None`: one is generated. At least 20 characters, no white space.
    pub token: Option<String>,
}

/// The administrator that [`bootstrap`] made, to be told once.
#[derive(Clone)]
pub struct Bootstrapped {
    pub account: Account,
    pub password: String,
    /// The account's API key.
    pub token: String,
}

/// What an administrator says about a new account.
#[derive(Clone, Debug)]
pub struct Create {
    pub email: String,
    pub name: Option<String>,
    pub password: String,
}

/// Makes the administrator if there is no account yet; otherwise does nothing. Called by the server
/// at its start, on nobody's behalf.
pub async fn bootstrap(ops: &Ops, input: Bootstrap) -> Result<Option<Bootstrapped>> {
    if !store::accounts::list(&mut ops.store().read().await?).await?.is_empty() {
        return Ok(None);
    }
    let email = check_email(input.email.as_deref().unwrap_or("admin@localhost"))?;
    let password = input.password.unwrap_or_else(random::password);
    passwords::check(&password)?;
    let token = input.token.unwrap_or_else(random::token);
    if token.len() < 20 || token.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Error::invalid("An API token needs at least 20 characters and no white space."));
    }
    let hash = passwords::hash(&password).await?;
    let mut write = ops.store().write().await?;
    if !store::accounts::list(&mut write).await?.is_empty() {
        return Ok(None);
    }
    let account = new_account(ops, email, None, true);
    store::accounts::insert(&mut write, &account, Some(&hash)).await?;
    insert_api_key(ops, &mut write, account.id, &token).await?;
    write.commit().await?;
    Ok(Some(Bootstrapped { account, password, token }))
}

/// Recognises somebody by address and password. After many wrong ones it looks at few more.
pub async fn log_in(ops: &Ops, email: &str, password: &str) -> Result<Actor> {
    let email = email.trim().to_lowercase();
    let refused = || Error::Unauthorized("Invalid credentials provided.".into());
    // Longer than any address (RFC 5321, 4.5.3.1.3): nobody's, and not worth remembering.
    if email.len() > 254 {
        return Err(refused());
    }
    rate_limits::try_password(ops, &email)?;
    let mut tx = ops.store().read().await?;
    let account = store::accounts::by_email(&mut tx, &email).await?;
    let hash = match &account {
        Some(account) => store::accounts::password_hash(&mut tx, account.id).await?,
        None => None,
    };
    drop(tx);
    let fits = passwords::verify(password, hash).await?;
    match account {
        Some(account) if fits => {
            rate_limits::forget_passwords(ops, &email);
            let mut write = ops.store().write().await?;
            // Read again: it may have changed, or gone, while the password was looked at.
            let account = store::accounts::by_id(&mut write, account.id).await?;
            let mut account = account.ok_or_else(refused)?;
            account.last_login = Some(ops.now());
            store::accounts::update(&mut write, &account).await?;
            write.commit().await?;
            Ok(Actor { account, authorization: None })
        }
        _ => Err(refused()),
    }
}

/// An account whose owner was recognised by other means than a password or a token.
pub async fn visitor(ops: &Ops, id: AccountId) -> Result<Actor> {
    let account = store::accounts::by_id(&mut ops.store().read().await?, id).await?;
    let account = account.ok_or_else(|| Error::Unauthorized("Invalid credentials provided.".into()))?;
    Ok(Actor { account, authorization: None })
}

/// Makes an account with an API key of its own. Administrators only.
pub async fn create(ops: &Ops, actor: &Actor, input: Create) -> Result<Account> {
    actor.require(Permission::Global)?;
    actor.require_admin()?;
    let email = check_email(&input.email)?;
    passwords::check(&input.password)?;
    if let Some(name) = &input.name {
        text::check("Name", name, 200, &[])?;
    }
    let hash = passwords::hash(&input.password).await?;
    let mut write = ops.store().write().await?;
    if store::accounts::by_email(&mut write, &email).await?.is_some() {
        return Err(Error::invalid("Email address is already in use."));
    }
    let account = new_account(ops, email, input.name, false);
    store::accounts::insert(&mut write, &account, Some(&hash)).await?;
    insert_api_key(ops, &mut write, account.id, &random::token()).await?;
    write.commit().await?;
    Ok(account)
}

/// One account: one's own (`~`, id or address), or any for an administrator.
pub async fn info(ops: &Ops, actor: &Actor, identity: &str) -> Result<Account> {
    actor.require(Permission::Identity)?;
    find(&mut ops.store().read().await?, actor, identity).await
}

/// All accounts, oldest first. Administrators only.
pub async fn list(ops: &Ops, actor: &Actor) -> Result<Vec<Account>> {
    actor.require(Permission::Read)?;
    actor.require_admin()?;
    Ok(store::accounts::list(&mut ops.store().read().await?).await?)
}

/// Changes the display name; an empty one removes it.
pub async fn update(ops: &Ops, actor: &Actor, identity: &str, name: Option<String>) -> Result<Account> {
    actor.require(Permission::Global)?;
    let mut write = ops.store().write().await?;
    let mut account = find(&mut write, actor, identity).await?;
    if let Some(name) = name {
        if !name.is_empty() {
            text::check("Name", &name, 200, &[])?;
        }
        account.name = (!name.is_empty()).then_some(name);
        account.updated_at = ops.now();
        store::accounts::update(&mut write, &account).await?;
        write.commit().await?;
    }
    Ok(account)
}

/// Changes a password. One's own needs the old one; an administrator can set anybody else's.
pub async fn set_password(
    ops: &Ops,
    actor: &Actor,
    identity: &str,
    old: Option<&str>,
    new: &str,
) -> Result<Account> {
    actor.require(Permission::Global)?;
    passwords::check(new)?;
    let mut tx = ops.store().read().await?;
    let account = find(&mut tx, actor, identity).await?;
    let known = store::accounts::password_hash(&mut tx, account.id).await?;
    drop(tx);
    if account.id == actor.account.id && !passwords::verify(old.unwrap_or_default(), known).await? {
        return Err(Error::invalid("The current password is not right."));
    }
    let hash = passwords::hash(new).await?;
    let mut write = ops.store().write().await?;
    store::accounts::set_password(&mut write, account.id, &hash, ops.now()).await?;
    write.commit().await?;
    Ok(account)
}

/// Deletes an account that owns no app and is not the last administrator.
pub async fn destroy(ops: &Ops, actor: &Actor, identity: &str) -> Result<Account> {
    actor.require(Permission::Global)?;
    let mut write = ops.store().write().await?;
    let account = find(&mut write, actor, identity).await?;
    let owned =
        apps::list_of(&mut write, account.id).await?.into_iter().filter(|app| app.owner == account.id);
    let names: Vec<_> = owned.map(|app| app.name.to_string()).collect();
    if !names.is_empty() {
        return Err(Error::invalid(format!(
            "This account owns apps ({}). Destroy them first.",
            names.join(", ")
        )));
    }
    let admins = store::accounts::list(&mut write).await?.into_iter().filter(|other| other.admin).count();
    if account.admin && admins == 1 {
        return Err(Error::invalid("The last administrator of an installation can't be deleted."));
    }
    store::accounts::delete(&mut write, account.id).await?;
    write.commit().await?;
    Ok(account)
}

/// The accounts that may touch an app: owner and collaborators, by id or address.
pub(crate) async fn on_app(tx: &mut Tx, app: domain::AppId) -> Result<Vec<Account>> {
    let mut accounts = Vec::new();
    for place in collaborators::list(tx, app).await? {
        accounts.extend(store::accounts::by_id(tx, place.account).await?);
    }
    Ok(accounts)
}

/// Stands for an account that was deleted after its owner had asked for something.
pub(crate) fn gone(ops: &Ops, id: AccountId) -> Account {
    let now = ops.now();
    let email = "deleted-user".into();
    Account { id, email, name: None, admin: false, created_at: now, updated_at: now, last_login: None }
}

/// An account as other resources mention it, also after its end.
pub(crate) async fn mention(tx: &mut Tx, id: AccountId) -> Result<crate::UserRef> {
    let account = store::accounts::by_id(tx, id).await?;
    Ok(account.as_ref().map_or_else(|| crate::UserRef { id, email: String::new() }, Into::into))
}

async fn find(tx: &mut Tx, actor: &Actor, identity: &str) -> Result<Account> {
    let me = &actor.account;
    if identity == "~" || identity == me.id.to_string() || identity.eq_ignore_ascii_case(&me.email) {
        return store::accounts::by_id(tx, me.id).await?.ok_or_else(|| Error::not_found("account"));
    }
    if !me.admin {
        return Err(Error::not_found("account"));
    }
    let found = match identity.parse() {
        Ok(id) => store::accounts::by_id(tx, id).await?,
        Err(_) => store::accounts::by_email(tx, &identity.to_lowercase()).await?,
    };
    found.ok_or_else(|| Error::not_found("account"))
}

fn new_account(ops: &Ops, email: String, name: Option<String>, admin: bool) -> Account {
    let now = ops.now();
    Account { id: AccountId::new(), email, name, admin, created_at: now, updated_at: now, last_login: None }
}

async fn insert_api_key(ops: &Ops, write: &mut Write, account: AccountId, token: &str) -> Result<Issued> {
    authorizations::issue(
        ops,
        write,
        authorizations::New {
            account,
            kind: AuthorizationKind::Default,
            description: "Long-lived user authorization".into(),
            scope: vec!["global".into()],
            expires_at: None,
        },
        token,
    )
    .await
}

/// Lower-cases and checks an e-mail address: something, an @, something, and nothing odd. Whether it
/// exists only a mail would tell.
fn check_email(text: &str) -> Result<String> {
    let email = text.trim().to_lowercase();
    let good = email.len() <= 254
        && email.split_once('@').is_some_and(|(local, host)| {
            !local.is_empty() && !host.is_empty() && !host.contains('@') && !host.starts_with('.')
        })
        && !email.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, ':' | ',' | '<' | '>'));
    if good { Ok(email) } else { Err(Error::invalid("Email is not a valid e-mail address.")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(check_email(" Me@Example.Com ").unwrap(), "me@example.com");
        for bad in ["", "me", "@x", "me@", "me@x@y", "m e@x", "me:x@y", "me@.x", "me\n@x"] {
            assert!(check_email(bad).is_err(), "{bad:?}");
        }
    }
}
