//! Releases: the numbered ledger of what runs. Every deploy, config change and rollback adds one here,
//! in the transaction that makes the change, so versions have no gaps and a release never speaks of a
//! change that did not happen.
//!
//! A release whose slug has a `release` process type stays pending until that command has ended
//! ([`start_command`], [`finish_command`]); others are current at once.

mod commands;
mod expiry;
mod ledger;

pub use commands::{finish_command, start_command};
pub use expiry::expire_old;
pub(crate) use ledger::{Made, New, Trigger, base_slug, deploy_description, insert};

use crate::access::{self, Role};
use crate::{Actor, AppRef, Error, Ops, Permission, Result, UserRef, accounts, slugs, text};
use domain::{App, Release, ReleaseStatus, Slug, SlugId};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use store::{Tx, Write};

/// A release with what the API tells about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseInfo {
    pub release: Release,
    pub app: AppRef,
    pub user: UserRef,
    /// Its dynos are the ones that run.
    pub current: bool,
    /// It succeeded and its slug is still there.
    pub eligible_for_rollback: bool,
}

/// A release of a slug that is there already.
#[derive(Clone, Debug)]
pub struct Create {
    /// Id of a slug of this app, or of another one that the user may read.
    pub slug: String,
    pub description: Option<String>,
}

/// An app's releases, oldest first.
pub async fn list(ops: &Ops, actor: &Actor, app: &str) -> Result<Vec<ReleaseInfo>> {
    let mut tx = ops.store().read().await?;
    let app = access::read(&mut tx, actor, app).await?;
    let releases = store::releases::list(&mut tx, app.id).await?;
    // All at once: an app may have thousands of releases.
    let slugs = store::slugs::list(&mut tx, app.id).await?;
    let with_image: HashSet<_> = slugs.iter().filter(|slug| slug.has_image()).map(|slug| slug.id).collect();
    let mut users = HashMap::new();
    let mut list = Vec::with_capacity(releases.len());
    for release in releases {
        let user = match users.entry(release.user) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(accounts::mention(&mut tx, release.user).await?),
        };
        list.push(ReleaseInfo {
            app: (&app).into(),
            user: user.clone(),
            current: app.current_release == Some(release.id),
            eligible_for_rollback: release.status == ReleaseStatus::Succeeded
                && release.slug.is_some_and(|slug| with_image.contains(&slug)),
            release,
        });
    }
    Ok(list)
}

/// One release by id, by version (`12` or `v12`), or `current`.
pub async fn info(ops: &Ops, actor: &Actor, app: &str, identity: &str) -> Result<ReleaseInfo> {
    let mut tx = ops.store().read().await?;
    let app = access::read(&mut tx, actor, app).await?;
    let release = find(&mut tx, &app, identity).await?;
    describe(&mut tx, &app, release).await
}

/// Releases a slug with the app's present config vars.
pub async fn create(ops: &Ops, actor: &Actor, app: &str, input: Create) -> Result<ReleaseInfo> {
    let mut write = ops.store().write().await?;
    let mut app = access::write(&mut write, actor, app).await?;
    let slug = readable_slug(&mut write, actor, &input.slug).await?;
    if !slug.has_image() {
        return Err(Error::invalid(if slug.expired {
            "This slug has expired and can't be released any more."
        } else {
            "This slug was not uploaded yet."
        }));
    }
    let description = match input.description {
        Some(description) => {
            text::check("Description", &description, 255, &[])?;
            description
        }
        None => deploy_description(slug.commit.as_deref()),
    };
    let slug = if slug.app == app.id { slug } else { slugs::copy(ops, &mut write, &app, slug).await? };
    let config = store::configs::id_of_app(&mut write, app.id).await?;
    let new = New { user: &actor.account, description, slug: Some(slug), config, trigger: Trigger::Deploy };
    let made = insert(ops, &mut write, &mut app, new).await?;
    let info = describe(&mut write, &app, made.release.clone()).await?;
    ops.commit(write, app.id, made.lines).await?;
    Ok(info)
}

/// The slug of that id, if its app may be read. Who may not is not told that there is one.
async fn readable_slug(write: &mut Write, actor: &Actor, identity: &str) -> Result<Slug> {
    let slug = match identity.parse::<SlugId>() {
        Ok(id) => store::slugs::by_id(write, id).await?,
        Err(_) => None,
    };
    let slug = slug.ok_or_else(|| Error::not_found("slug"))?;
    match access::read(write, actor, &slug.app.to_string()).await {
        Ok(_) => Ok(slug),
        Err(Error::Forbidden(_)) => Err(Error::not_found("slug")),
        Err(error) => Err(error),
    }
}

/// Makes a new release with the slug and the config vars of an older one.
pub async fn rollback(ops: &Ops, actor: &Actor, app: &str, identity: &str) -> Result<ReleaseInfo> {
    let mut write = ops.store().write().await?;
    // The old config vars come back, so the permission to change them is needed.
    let mut app = access::app(&mut write, actor, app, Permission::WriteProtected, Role::Collaborator).await?;
    let target = find(&mut write, &app, identity).await?;
    let version = target.version;
    let refuse = |why: &str| Error::invalid(format!("Cannot rollback to v{version}: {why}."));
    if app.current_release == Some(target.id) {
        return Err(refuse("it is the current release"));
    }
    if target.status != ReleaseStatus::Succeeded {
        return Err(refuse(&format!("it is {}", target.status.as_str())));
    }
    let slug = match target.slug {
        Some(id) => store::slugs::by_id(&mut write, id).await?,
        None => None,
    };
    let slug = slug.ok_or_else(|| refuse("no code had been deployed then"))?;
    if !slug.has_image() {
        return Err(refuse(if slug.expired { "its slug has expired" } else { "it had nothing to run" }));
    }
    let config = store::configs::id_of_release(&mut write, target.id).await?;
    store::configs::point(&mut write, app.id, config).await?;
    let new = New {
        user: &actor.account,
        description: format!("Rollback to v{version}"),
        slug: Some(slug),
        config,
        trigger: Trigger::Deploy,
    };
    let made = insert(ops, &mut write, &mut app, new).await?;
    let info = describe(&mut write, &app, made.release.clone()).await?;
    ops.commit(write, app.id, made.lines).await?;
    Ok(info)
}

/// One release as the API tells about it.
pub(crate) async fn describe(tx: &mut Tx, app: &App, release: Release) -> Result<ReleaseInfo> {
    let slug = match release.slug {
        Some(id) => store::slugs::by_id(tx, id).await?,
        None => None,
    };
    Ok(ReleaseInfo {
        app: app.into(),
        user: accounts::mention(tx, release.user).await?,
        current: app.current_release == Some(release.id),
        eligible_for_rollback: release.status == ReleaseStatus::Succeeded
            && slug.is_some_and(|slug| slug.has_image()),
        release,
    })
}

/// A release of this app by id, version or `current`.
pub(crate) async fn find(tx: &mut Tx, app: &App, identity: &str) -> Result<Release> {
    let version = identity.strip_prefix('v').unwrap_or(identity).parse::<u32>();
    let found = if identity == "current" {
        match app.current_release {
            Some(id) => store::releases::by_id(tx, id).await?,
            None => None,
        }
    } else if let Ok(version) = version {
        store::releases::by_version(tx, app.id, version).await?
    } else if let Ok(id) = identity.parse() {
        store::releases::by_id(tx, id).await?.filter(|release| release.app == app.id)
    } else {
        None
    };
    found.ok_or_else(|| Error::not_found("release"))
}
