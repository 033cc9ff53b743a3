//! The end of a build, and the release it makes.

use crate::registry::{self, Built};
use crate::releases::{self, Trigger};
use crate::{Error, Ops, Result, accounts, config_vars, random};
use domain::{
    Account, App, Build, BuildId, BuildStatus, BuildpackRef, ConfigVars, Digest, ProcessType, Release, Slug,
    SlugId, TypeImage,
};
use std::collections::BTreeMap;
use store::{Tx, Write};

/// What a builder made.
#[derive(Clone, Debug)]
pub struct Success {
    /// What all process types run; `None` for a container app.
    pub image: Option<Digest>,
    /// What process types of a container app run.
    pub images: BTreeMap<ProcessType, TypeImage>,
    /// The same, as the app's repositories are to have them.
    pub built: Vec<Built>,
    /// `SHA256:<hex>` of the app layer.
    pub checksum: Option<String>,
    /// Compressed bytes of the app layer.
    pub size: u64,
    pub process_types: BTreeMap<ProcessType, String>,
    /// What was detected, for example `Node.js`.
    pub buildpack_provided_description: Option<String>,
    /// The buildpacks that ran. An app that had none chosen keeps them from its first deploy on.
    pub buildpacks: Vec<BuildpackRef>,
    /// What the last buildpack wants set on an app's first deploy; vars that exist stay as they are.
    pub config_vars: BTreeMap<String, String>,
}

/// How a build ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    Succeeded(Box<Success>),
    Failed,
    /// The tests of a build for tests have ended with this status.
    Tested(i32),
}

/// A build that has ended, and the release it made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    pub build: Build,
    pub release: Option<Release>,
}

/// Ends a build. Success makes the slug and the release, on the first deploy scales `web` to one, and
/// drops process types that are gone. A build that was to be cancelled fails, whatever came of it.
/// Called by the loop that builds; doing it twice returns what the first time did. `None` if the app
/// was destroyed meanwhile.
pub async fn finish(ops: &Ops, id: BuildId, outcome: Outcome) -> Result<Option<Finished>> {
    let mut write = ops.store().write().await?;
    let Some(build) = store::builds::by_id(&mut write, id).await? else { return Ok(None) };
    let Some(mut app) = store::apps::by_id(&mut write, build.app).await? else { return Ok(None) };
    if build.status != BuildStatus::Pending {
        return Ok(Some(finished(&mut write, build.id).await?));
    }
    let (mut made, mut kept) = (Vec::new(), Vec::new());
    let mut ended = None;
    let status = match outcome {
        Outcome::Succeeded(mut success) if !build.cancel_requested => {
            let built = std::mem::take(&mut success.built);
            kept = registry::keep_built(ops, &mut write, &app, built).await?;
            let user = store::accounts::by_id(&mut write, build.user).await?;
            // Who deleted their account meanwhile did want this release.
            let user = user.unwrap_or_else(|| accounts::gone(ops, build.user));
            let slug = insert_slug(ops, &mut write, &build, &success).await?;
            made = release(ops, &mut write, &mut app, &build, &user, &slug, *success).await?;
            ended = made.last().map(|made| (made.release.id, slug.id));
            BuildStatus::Succeeded
        }
        Outcome::Tested(code) if !build.cancel_requested => {
            store::builds::set_exit_code(&mut write, id, code).await?;
            if code == 0 { BuildStatus::Succeeded } else { BuildStatus::Failed }
        }
        Outcome::Succeeded(_) | Outcome::Tested(_) | Outcome::Failed => BuildStatus::Failed,
    };
    store::builds::finish(&mut write, id, status, ended, ops.now()).await?;
    let result = finished(&mut write, id).await?;
    let mut lines: Vec<_> = made.into_iter().flat_map(|made| made.lines).chain(kept).collect();
    let (what, place) = if build.test.is_some() { ("Tests", "test-builds") } else { ("Build", "builds") };
    lines.push(if status == BuildStatus::Succeeded {
        format!("{what} succeeded")
    } else {
        let address = format!("{}/apps/{}/{place}/{id}", ops.settings().api_origin, app.id);
        format!("{what} failed -- check your build output: {address}")
    });
    ops.commit(write, app.id, lines).await?;
    Ok(Some(result))
}

async fn finished(tx: &mut Tx, id: BuildId) -> Result<Finished> {
    let build = store::builds::by_id(tx, id).await?.ok_or_else(|| Error::not_found("build"))?;
    let release = match build.release {
        Some(id) => store::releases::by_id(tx, id).await?,
        None => None,
    };
    Ok(Finished { build, release })
}

async fn insert_slug(ops: &Ops, write: &mut Write, build: &Build, success: &Success) -> Result<Slug> {
    let now = ops.now();
    let slug = Slug {
        id: SlugId::new(),
        app: build.app,
        image: success.image,
        images: success.images.clone(),
        checksum: success.checksum.clone(),
        size: Some(success.size),
        commit: build.source_version.clone(),
        commit_description: build.source_version_description.clone(),
        buildpack_provided_description: success.buildpack_provided_description.clone(),
        process_types: success.process_types.clone(),
        stack: build.stack.clone(),
        upload_key: random::key(),
        expired: false,
        created_at: now,
        updated_at: now,
    };
    store::slugs::insert(write, &slug).await?;
    Ok(slug)
}

/// The releases of a successful build: on a first deploy perhaps one for config vars, then the deploy.
async fn release(
    ops: &Ops,
    write: &mut Write,
    app: &mut App,
    build: &Build,
    user: &Account,
    slug: &Slug,
    success: Success,
) -> Result<Vec<releases::Made>> {
    let mut made = Vec::new();
    if store::releases::count_with_slug(write, app.id).await? == 0 {
        made.extend(first_config_vars(ops, write, app, user, success.config_vars).await?);
        if build.buildpacks.is_empty() && store::buildpacks::of(write, app.id).await?.is_empty() {
            store::buildpacks::set(write, app.id, &success.buildpacks).await?;
        }
    }
    let new = releases::New {
        user,
        description: releases::deploy_description(build.source_version.as_deref()),
        slug: Some(slug.clone()),
        config: store::configs::id_of_app(write, app.id).await?,
        trigger: Trigger::Deploy,
    };
    made.push(releases::insert(ops, write, app, new).await?);
    Ok(made)
}

async fn first_config_vars(
    ops: &Ops,
    write: &mut Write,
    app: &mut App,
    user: &Account,
    wanted: BTreeMap<String, String>,
) -> Result<Option<releases::Made>> {
    let mut vars: ConfigVars = store::configs::own_of_app(write, app.id).await?;
    let all = store::configs::of_app(write, app.id).await?;
    let missing = wanted.into_iter().filter(|(name, _)| !all.0.contains_key(name));
    let missing = missing.map(|(name, value)| (name, Some(value))).collect();
    // A buildpack that wants nonsense set does not make the deploy fail.
    let Ok(Some(description)) = config_vars::apply(&mut vars, missing) else { return Ok(None) };
    if config_vars::check_size(&vars, ops.settings().max_config_bytes).is_err() {
        return Ok(None);
    }
    let config = Some(store::configs::insert(write, app.id, &vars).await?);
    let new = releases::New { user, description, slug: None, config, trigger: Trigger::Config };
    Ok(Some(releases::insert(ops, write, app, new).await?))
}
