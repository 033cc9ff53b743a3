//! Ways to log in at add-ons. What is asked for here is a wish: a loop tells the service of it, and says
//! with [`done`] and [`later`] how far it is.

mod followers;

use crate::addons::{self, AddonInfo};
use crate::{Actor, Error, Ops, Permission, Result, attachments, text};
use domain::{Addon, AddonId, AddonState, AppId, Credential, CredentialId};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;
use store::{Table, Write};

/// An add-on's credentials, its own first.
pub async fn list(ops: &Ops, actor: &Actor, addon: &str) -> Result<Vec<Credential>> {
    let mut tx = ops.store().read().await?;
    let addon = addons::find(&mut tx, actor, addon, Permission::ReadProtected).await?;
    let mut list = store::credentials::of_addon(&mut tx, addon.id).await?;
    list.sort_by_key(|one| one.name != Credential::DEFAULT);
    Ok(list)
}

/// One by name.
pub async fn info(ops: &Ops, actor: &Actor, addon: &str, name: &str) -> Result<Credential> {
    let all = list(ops, actor, addon).await?;
    all.into_iter().find(|one| one.name == name).ok_or_else(|| missing(name))
}

/// Adds one. `user` is its name in the service; `None` for a random one.
pub async fn create(
    ops: &Ops,
    actor: &Actor,
    addon: &str,
    name: &str,
    user: Option<&str>,
) -> Result<AddonInfo> {
    check_name(name)?;
    let mut write = ops.store().write().await?;
    let addon = change(&mut write, actor, addon).await?;
    let service = ops.settings().catalog.service(&addon.service).ok_or_else(addons::missing)?;
    let there = store::credentials::of_addon(&mut write, addon.id).await?;
    let own = there.iter().find(|one| one.name == Credential::DEFAULT).ok_or_else(|| missing("default"))?;
    let mut values = service.make_further_values(&own.values);
    if let Some(user) = user {
        values.insert("user".into(), user.into());
    }
    let taken =
        |one: &Credential| one.name == name || user.is_some() && one.values.get("user") == values.get("user");
    if there.iter().any(taken) {
        return Err(Error::invalid(format!("{} has a credential {name} already.", addon.name)));
    }
    let credential = Credential {
        id: CredentialId::new(),
        addon: addon.id,
        name: name.into(),
        values,
        active: false,
        next: None,
        removed: false,
        attempts: 0,
        retry_at: None,
        created_at: ops.now(),
    };
    store::credentials::insert(&mut write, &credential).await?;
    told(ops, write, actor, addon, &format!("Create credential {name}")).await
}

/// Gives one a new password, or for `None` all of them.
pub async fn rotate(ops: &Ops, actor: &Actor, addon: &str, name: Option<&str>) -> Result<AddonInfo> {
    let mut write = ops.store().write().await?;
    let addon = change(&mut write, actor, addon).await?;
    let service = ops.settings().catalog.service(&addon.service).ok_or_else(addons::missing)?;
    let mut found = store::credentials::of_addon(&mut write, addon.id).await?;
    found.retain(|one| !one.removed && name.is_none_or(|name| one.name == name));
    if let (true, Some(name)) = (found.is_empty(), name) {
        return Err(missing(name));
    }
    if let Some(busy) = found.iter().find(|one| one.is_pending()) {
        let state = busy.state();
        return Err(Error::Conflict(format!(
            "The credential {} is {state}: try again when it is active.",
            busy.name
        )));
    }
    for mut credential in found {
        credential.next = Some(service.make_rotated_values(&credential.values));
        (credential.attempts, credential.retry_at) = (0, None);
        store::credentials::update(&mut write, &credential).await?;
    }
    let what = name.map_or_else(|| "all credentials".to_owned(), |name| format!("credential {name}"));
    told(ops, write, actor, addon, &format!("Rotate {what}")).await
}

/// Takes one away that no app uses.
pub async fn destroy(ops: &Ops, actor: &Actor, addon: &str, name: &str) -> Result<AddonInfo> {
    let mut write = ops.store().write().await?;
    let addon = change(&mut write, actor, addon).await?;
    if name == Credential::DEFAULT {
        return Err(Error::invalid("The default credential cannot be destroyed: it goes with the add-on."));
    }
    let found = store::credentials::by_name(&mut write, addon.id, name).await?;
    let mut credential = found.ok_or_else(|| missing(name))?;
    let mut attachments = Vec::new();
    for one in followers::family(&mut write, addon.id).await? {
        attachments.extend(store::attachments::of_addon(&mut write, one).await?);
    }
    if let Some(one) = attachments.iter().find(|one| one.credential() == name) {
        let app = store::apps::by_id(&mut write, one.app).await?;
        let app = app.map_or_else(String::new, |app| app.name.to_string());
        return Err(Error::invalid(format!(
            "The app {app} is attached with the credential {name} as {}. Detach it first.",
            one.name
        )));
    }
    credential.removed = true;
    (credential.attempts, credential.retry_at) = (0, None);
    store::credentials::update(&mut write, &credential).await?;
    told(ops, write, actor, addon, &format!("Destroy credential {name}")).await
}

/// Waits until nothing is being done about an add-on's credentials, or for so long.
pub async fn settled(ops: &Ops, addon: AddonId, patience: Duration) -> Result<()> {
    let mut changes = ops.store().changes_of(Table::Addons);
    let wait = async {
        loop {
            changes.mark_unchanged();
            let mut tx = ops.store().read().await?;
            let all = store::credentials::of_addon(&mut tx, addon).await?;
            if !all.iter().any(Credential::is_pending) {
                return Ok(());
            }
            drop(tx);
            if changes.changed().await.is_err() {
                return Ok(());
            }
        }
    };
    tokio::time::timeout(patience, wait).await.unwrap_or(Ok(()))
}

/// The service knows what was wished for a credential as it was then. Takes no actor.
pub async fn done(ops: &Ops, then: &Credential) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some(mut credential) = store::credentials::by_id(&mut write, then.id).await? else { return Ok(()) };
    if then.removed {
        store::credentials::delete(&mut write, then.id).await?;
        followers::forget(&mut write, then).await?;
        return Ok(write.commit().await?);
    }
    credential.active = true;
    if then.next.is_some() && credential.next == then.next {
        credential.values = credential.next.take().unwrap_or_default();
    }
    (credential.attempts, credential.retry_at) = (0, None);
    store::credentials::update(&mut write, &credential).await?;
    let mut said = refresh(ops, &mut write, &credential).await?;
    said.extend(followers::learn(ops, &mut write, &credential).await?);
    ops.commit_all(write, said).await
}

/// An attempt failed and is repeated later. Takes no actor.
pub async fn later(ops: &Ops, id: CredentialId, retry_at: Timestamp) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some(mut credential) = store::credentials::by_id(&mut write, id).await? else { return Ok(()) };
    credential.attempts = credential.attempts.saturating_add(1);
    credential.retry_at = Some(retry_at);
    store::credentials::update(&mut write, &credential).await?;
    Ok(write.commit().await?)
}

/// Gives the apps that are attached with a credential its values.
async fn refresh(ops: &Ops, write: &mut Write, credential: &Credential) -> Result<Vec<(AppId, Vec<String>)>> {
    let Some(addon) = store::addons::by_id(write, credential.addon).await? else { return Ok(Vec::new()) };
    let mut names: BTreeMap<AppId, Vec<String>> = BTreeMap::new();
    for one in store::attachments::of_addon(write, addon.id).await? {
        if one.credential() == credential.name {
            names.entry(one.app).or_default().push(one.name);
        }
    }
    let mut said = Vec::new();
    for (app, names) in names {
        let Some(mut app) = store::apps::by_id(write, app).await? else { continue };
        let Some(user) = addons::in_whose_name(write, &addon, &app).await? else { continue };
        let what = format!("Update {} by {}", names.join(", "), addon.service);
        said.push((app.id, attachments::refresh(ops, write, &mut app, &user, vec![what]).await?));
    }
    Ok(said)
}

async fn change(write: &mut Write, actor: &Actor, addon: &str) -> Result<Addon> {
    let addon = addons::find(write, actor, addon, Permission::WriteProtected).await?;
    addons::writable(write, &addon).await?;
    if addon.state == AddonState::Provisioned {
        return Ok(addon);
    }
    Err(Error::Conflict(format!("{} is not yet provisioned. Wait with `heroku addons:wait`.", addon.name)))
}

async fn told(ops: &Ops, mut write: Write, actor: &Actor, addon: Addon, what: &str) -> Result<AddonInfo> {
    let line = text::by(&actor.account, format!("{what} of {}", addon.name));
    let info = addons::with_app(ops, &mut write, addon).await?;
    ops.commit(write, info.app.id, vec![line]).await?;
    Ok(info)
}

fn check_name(name: &str) -> Result<()> {
    let tail = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let head = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    if head && tail && name.len() <= 50 {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "Credential name {name:?} is not valid: start with a letter and use at most 50 letters, digits, dashes and underscores."
    )))
}

fn missing(name: &str) -> Error {
    Error::NotFound { resource: "credential", message: format!("There is no credential {name}.") }
}
