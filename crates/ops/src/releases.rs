//! Releases: the numbered ledger of what runs. Every deploy, config change and rollback adds one here,
//! in the transaction that makes the change, so versions have no gaps and a release never speaks of a
//! change that did not happen.
//!
//! A release whose slug has a `release` process type stays pending until that command has ended
//! ([`start_command`], [`finish_command`]); others are current at once.

use crate::{
    Actor, AppRef, Error, Ops, Permission, Result, UserRef, access, accounts, formation, random, text,
};
use access::Role;
use domain::{
    Account, App, AppId, Dyno, DynoId, DynoKind, DynoName, DynoSize, DynoState, ProcessType, Release,
    ReleaseId, ReleaseStatus, Slug, SlugId,
};
use jiff::Timestamp;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use store::configs::ConfigId;
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
    /// Id of a slug of this app.
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
    let with_image: HashSet<_> =
        slugs.iter().filter(|slug| slug.image.is_some()).map(|slug| slug.id).collect();
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
    let slug = match input.slug.parse::<SlugId>() {
        Ok(id) => store::slugs::by_id(&mut write, id).await?.filter(|slug| slug.app == app.id),
        Err(_) => None,
    };
    let slug = slug.ok_or_else(|| Error::not_found("slug"))?;
    if slug.image.is_none() {
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
    let config = store::configs::id_of_app(&mut write, app.id).await?;
    let new = New { user: &actor.account, description, slug: Some(slug), config, trigger: Trigger::Deploy };
    let made = insert(ops, &mut write, &mut app, new).await?;
    let info = describe(&mut write, &app, made.release.clone()).await?;
    write.commit().await?;
    made.announce(ops);
    Ok(info)
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
    if slug.image.is_none() {
        return Err(refuse("its slug has expired"));
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
    write.commit().await?;
    made.announce(ops);
    Ok(info)
}

/// Makes the one-off dyno that runs a pending release's command. Called by the loop that runs release
/// commands. There is only ever one such dyno for a release: later calls return the same one while its
/// row exists, and `None` when there is nothing (more) to run.
pub async fn start_command(ops: &Ops, id: ReleaseId) -> Result<Option<Dyno>> {
    let mut write = ops.store().write().await?;
    let Some(release) = store::releases::by_id(&mut write, id).await? else { return Ok(None) };
    if let Some(dyno) = store::releases::command_dyno(&mut write, id).await? {
        return Ok(store::dynos::by_id(&mut write, dyno).await?);
    }
    let slug = match release.slug {
        Some(id) => store::slugs::by_id(&mut write, id).await?,
        None => None,
    };
    let command = slug.as_ref().and_then(|slug| slug.process_types.get(&ProcessType::release()));
    let (ReleaseStatus::Pending, Some(command)) = (release.status, command) else { return Ok(None) };
    let formation = store::formation::list(&mut write, release.app).await?;
    let size = formation.iter().find(|row| row.process_type == ProcessType::release()).map(|row| row.size);
    let now = ops.now();
    let dyno = Dyno {
        name: free_number(&mut write, release.app, ProcessType::release()).await?,
        kind: DynoKind::Release,
        size: size.unwrap_or(DynoSize::DEFAULT),
        user: Some(release.user),
        // Heroku's limit for release commands.
        time_limit: Some(3600),
        ..blank_dyno(release.app, release.id, command.clone(), now)
    };
    store::dynos::insert(&mut write, &dyno).await?;
    store::releases::set_command_dyno(&mut write, id, dyno.id).await?;
    let user = accounts::mention(&mut write, release.user).await?;
    write.commit().await?;
    ops.say(release.app, format!("Starting process with command `{command}` by user {}", user.email));
    Ok(Some(dyno))
}

/// Ends a pending release: with success it becomes current, unless a later one already is. Called by
/// the loop that runs release commands; doing it twice does nothing more.
pub async fn finish_command(ops: &Ops, id: ReleaseId, success: bool) -> Result<Option<Release>> {
    let mut write = ops.store().write().await?;
    let Some(mut release) = store::releases::by_id(&mut write, id).await? else { return Ok(None) };
    if release.status != ReleaseStatus::Pending {
        return Ok(Some(release));
    }
    let Some(mut app) = store::apps::by_id(&mut write, release.app).await? else { return Ok(None) };
    release.status = if success { ReleaseStatus::Succeeded } else { ReleaseStatus::Failed };
    release.updated_at = ops.now();
    store::releases::set_status(&mut write, id, release.status, release.updated_at).await?;
    let mut lines = Vec::new();
    let user = accounts::mention(&mut write, release.user).await?;
    if success {
        let slug = match release.slug {
            Some(id) => store::slugs::by_id(&mut write, id).await?,
            None => None,
        };
        lines.push(format!("Release v{} created by user {}", release.version, user.email));
        lines.extend(make_current(ops, &mut write, &mut app, &release, slug.as_ref(), &user.email).await?);
    } else {
        lines.push(format!("Release v{} command failed", release.version));
    }
    write.commit().await?;
    for line in lines {
        ops.say(release.app, line);
    }
    Ok(Some(release))
}

/// Gives up the images of slugs that only releases further back than the `keep` newest use. Called by
/// the loop that clears away. Returns how many.
pub async fn expire_old(ops: &Ops, app: AppId, keep: usize) -> Result<usize> {
    let mut write = ops.store().write().await?;
    let releases = store::releases::list(&mut write, app).await?;
    let Some(row) = store::apps::by_id(&mut write, app).await? else { return Ok(0) };
    let kept: Vec<SlugId> = releases
        .iter()
        .rev()
        .enumerate()
        .filter(|(back, release)| {
            *back < keep
                || release.status == ReleaseStatus::Pending
                || row.current_release == Some(release.id)
        })
        .filter_map(|(_, release)| release.slug)
        .collect();
    let mut in_use: Vec<SlugId> = kept;
    for dyno in store::dynos::list(&mut write, app).await? {
        in_use.extend(
            releases.iter().find(|release| release.id == dyno.release).and_then(|release| release.slug),
        );
    }
    let mut count = 0;
    for slug in store::slugs::list(&mut write, app).await? {
        let released = releases.iter().any(|release| release.slug == Some(slug.id));
        if slug.image.is_some() && released && !in_use.contains(&slug.id) {
            store::slugs::expire(&mut write, slug.id, ops.now()).await?;
            count += 1;
        }
    }
    if count > 0 {
        write.commit().await?;
    }
    Ok(count)
}

/// What makes a release, which decides the order of its log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    Deploy,
    Config,
    Platform,
}

/// What [`insert`] needs to know.
pub(crate) struct New<'a> {
    pub(crate) user: &'a Account,
    pub(crate) description: String,
    pub(crate) slug: Option<Slug>,
    pub(crate) config: Option<ConfigId>,
    pub(crate) trigger: Trigger,
}

/// A release that was made, and what the app's log is to say about it once that lasts.
pub(crate) struct Made {
    pub(crate) release: Release,
    lines: Vec<String>,
}

impl Made {
    /// Tells the app's log. After the commit.
    pub(crate) fn announce(self, ops: &Ops) {
        for line in self.lines {
            ops.say(self.release.app, line);
        }
    }
}

/// Adds the app's next release, and makes it current unless a release command comes first. `app` is
/// brought up to date.
pub(crate) async fn insert(ops: &Ops, write: &mut Write, app: &mut App, new: New<'_>) -> Result<Made> {
    let now = ops.now();
    let command =
        new.slug.as_ref().is_some_and(|slug| slug.process_types.contains_key(&ProcessType::release()));
    let release = Release {
        id: ReleaseId::new(),
        app: app.id,
        version: store::releases::next_version(write, app.id).await?,
        description: new.description,
        user: new.user.id,
        slug: new.slug.as_ref().map(|slug| slug.id),
        status: if command { ReleaseStatus::Pending } else { ReleaseStatus::Succeeded },
        output_key: command.then(random::key),
        created_at: now,
        updated_at: now,
    };
    store::releases::insert(write, &release, new.config).await?;

    let email = &new.user.email;
    let what = format!("{} by user {email}", release.description);
    let version = release.version;
    let created = if command {
        format!("Running release v{version} commands by user {email}")
    } else {
        format!("Release v{version} created by user {email}")
    };
    let mut lines = if new.trigger == Trigger::Deploy { vec![what, created] } else { vec![created, what] };
    if !command {
        lines.extend(make_current(ops, write, app, &release, new.slug.as_ref(), email).await?);
    }
    Ok(Made { release, lines })
}

/// Points the app at a release and fits its formation to it, unless it already runs a later one.
/// Returns what the log is to say.
async fn make_current(
    ops: &Ops,
    write: &mut Write,
    app: &mut App,
    release: &Release,
    slug: Option<&Slug>,
    email: &str,
) -> Result<Option<String>> {
    let current = match app.current_release {
        Some(id) => store::releases::by_id(write, id).await?,
        None => None,
    };
    if current.is_some_and(|current| current.version > release.version) {
        return Ok(None);
    }
    let now = ops.now();
    app.current_release = Some(release.id);
    app.released_at = Some(now);
    app.updated_at = now;
    let mut line = None;
    if let Some(slug) = slug {
        app.stack.clone_from(&slug.stack);
        app.slug_size = slug.size;
        app.buildpack_provided_description.clone_from(&slug.buildpack_provided_description);
        line = formation::fit(write, app, slug, now).await?.map(|scaled| format!("{scaled} by user {email}"));
    }
    store::apps::update(write, app).await?;
    Ok(line)
}

/// The slug that a release without a new one runs: that of the newest release that has not failed. A
/// release whose command still runs counts, so that what comes after it does not undo it.
pub(crate) async fn base_slug(write: &mut Write, app: AppId) -> Result<Option<Slug>> {
    let newest = store::releases::newest_not_failed(write, app).await?;
    match newest.and_then(|release| release.slug) {
        Some(id) => Ok(store::slugs::by_id(write, id).await?),
        None => Ok(None),
    }
}

/// `Deploy 954ab531`.
pub(crate) fn deploy_description(version: Option<&str>) -> String {
    match version.map(text::short_version) {
        Some(version) if !version.is_empty() => format!("Deploy {version}"),
        _ => "Deploy".into(),
    }
}

/// A one-off's name that no dyno of the app has.
pub(crate) async fn free_number(
    write: &mut Write,
    app: AppId,
    process_type: ProcessType,
) -> Result<DynoName> {
    let taken: Vec<_> = store::dynos::list(write, app).await?.into_iter().map(|dyno| dyno.name).collect();
    loop {
        let name = DynoName::new(process_type.clone(), random::dyno_number());
        if !taken.contains(&name) {
            return Ok(name);
        }
    }
}

/// A one-off that was wished for and of which nothing was seen yet.
pub(crate) fn blank_dyno(app: AppId, release: ReleaseId, command: String, now: Timestamp) -> Dyno {
    Dyno {
        id: DynoId::new(),
        app,
        name: DynoName::new(ProcessType::release(), 0),
        kind: DynoKind::OneOff,
        size: DynoSize::DEFAULT,
        release,
        command,
        state: DynoState::Starting,
        env: std::collections::BTreeMap::new(),
        attach_key: None,
        no_tty: false,
        user: None,
        time_limit: None,
        port: None,
        address: None,
        crashes: 0,
        retry_at: None,
        stop_requested_at: None,
        stopping_since: None,
        exit_status: None,
        started_at: None,
        state_changed_at: now,
        created_at: now,
        updated_at: now,
    }
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
            && slug.is_some_and(|slug| slug.image.is_some()),
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
