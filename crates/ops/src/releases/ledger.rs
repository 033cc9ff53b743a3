//! Adding to the ledger: the one place that numbers a release and makes one current.

use crate::{Ops, Result, formation, random, text};
use domain::{Account, App, AppId, ProcessType, Release, ReleaseId, ReleaseStatus, Slug};
use store::Write;
use store::configs::ConfigId;

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
    pub(crate) lines: Vec<String>,
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
pub(crate) async fn make_current(
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
