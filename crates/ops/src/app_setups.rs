//! App setups: an app from a source with an `app.json`.
//!
//! The app is there when [`create`] returns. What follows is taken on by a loop, step by step, and
//! each step is one transaction that finds out from the rows whether it is still to be done:
//! [`begin`] does what `app.json` says before the build, [`advance`] what it says after, and
//! [`finish_postdeploy`] ends it. A setup that fails keeps its app, as it then is.

mod manifest;
mod steps;

pub use steps::{Next, advance, begin, fail, finish_postdeploy};

use crate::{
    Actor, AppRef, Error, Ops, Permission, Result, access, apps, buildpacks, builds, config_vars, slugs, text,
};
use domain::{App, AppSetup, AppSetupId, Build, ConfigVars, SetupOverrides, SetupStatus};
use std::collections::BTreeMap;
use store::Tx;

/// A setup with what the API tells about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupInfo {
    pub setup: AppSetup,
    pub app: AppRef,
    /// Once there is one, and as long as it is remembered.
    pub build: Option<Build>,
}

/// What is asked of a new setup.
#[derive(Clone, Debug, Default)]
pub struct Create {
    /// http(s) address of a tar archive, or one that a source upload gave.
    pub source_url: String,
    pub checksum: Option<String>,
    pub version: Option<String>,
    pub app: apps::Create,
    /// Config vars that take the place of those of `app.json`.
    pub env: BTreeMap<String, String>,
    /// Buildpacks that take the place of those of `app.json`, if there are any.
    pub buildpacks: Vec<String>,
}

/// Makes the app and asks for it to be set up.
pub async fn create(ops: &Ops, actor: &Actor, input: Create) -> Result<SetupInfo> {
    // Whoever writes an app.json decides what runs with the config vars.
    actor.require(Permission::WriteProtected)?;
    let buildpacks = buildpacks::check_all(&input.buildpacks, ops.settings().max_buildpacks)?;
    let checksum = input.checksum.as_deref().map(slugs::check_checksum).transpose()?;
    if let Some(version) = input.version.as_ref().filter(|version| !version.is_empty()) {
        text::check("Source version", version, 1024, &['\n', '\t'])?;
    }
    let mut vars = ConfigVars::default();
    config_vars::apply(&mut vars, input.env.into_iter().map(|(name, value)| (name, Some(value))).collect())?;
    config_vars::check_size(&vars, ops.settings().max_config_bytes)?;

    let mut write = ops.store().write().await?;
    let source = builds::uploaded_source(&mut write, &input.source_url, checksum.as_deref()).await?;
    let stack = input.app.stack.is_some();
    let (app, lines) = apps::insert(ops, &mut write, actor, input.app).await?;
    let now = ops.now();
    let setup = AppSetup {
        id: AppSetupId::new(),
        app: app.id,
        user: actor.account.id,
        status: SetupStatus::Pending,
        source,
        source_url: input.source_url,
        source_checksum: checksum,
        source_version: input.version,
        overrides: SetupOverrides { env: vars.0, buildpacks, stack },
        plan: None,
        build: None,
        postdeploy: None,
        exit_code: None,
        failure_message: None,
        manifest_errors: Vec::new(),
        created_at: now,
        updated_at: now,
    };
    store::app_setups::insert(&mut write, &setup).await?;
    let info = describe(&mut write, &app, setup).await?;
    ops.commit(write, app.id, lines).await?;
    Ok(info)
}

/// One setup, to whoever may see its app.
pub async fn info(ops: &Ops, actor: &Actor, identity: &str) -> Result<SetupInfo> {
    actor.require(Permission::Read)?;
    let mut tx = ops.store().read().await?;
    let setup = match identity.parse() {
        Ok(id) => store::app_setups::by_id(&mut tx, id).await?,
        Err(_) => None,
    };
    let missing = || Error::not_found("app_setup");
    let setup = setup.ok_or_else(missing)?;
    let app = match access::read(&mut tx, actor, &setup.app.to_string()).await {
        Ok(app) => app,
        // Who may not see it is not told that there is one.
        Err(Error::Forbidden(_)) => return Err(missing()),
        Err(error) => return Err(error),
    };
    describe(&mut tx, &app, setup).await
}

async fn describe(tx: &mut Tx, app: &App, setup: AppSetup) -> Result<SetupInfo> {
    let build = match setup.build {
        Some(id) => store::builds::by_id(tx, id).await?,
        None => None,
    };
    Ok(SetupInfo { app: app.into(), build, setup })
}
