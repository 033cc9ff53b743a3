//! The steps of a setup. Called by the loop that carries setups; doing one twice does nothing more.

use super::manifest::{self, Decision, Limits};
use crate::one_offs::{blank_dyno, free_number};
use crate::releases::{self, Trigger};
use crate::{Ops, Result, accounts, addons, builds, config_vars, formation, text};
use domain::app_json::AppJson;
use domain::{
    Account, AddonState, App, AppSetup, AppSetupId, Build, BuildId, BuildStatus, Digest, Dyno, DynoSize,
    ProcessType, ReleaseId, ReleaseStatus, SetupPlan, SetupStatus,
};
use store::Write;

/// What a setup that was advanced waits for.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Its add-ons.
    Addons,
    /// Its build, or its release command.
    Deploy,
    /// The end of the dyno that runs `postdeploy`.
    Postdeploy(Box<Dyno>),
    /// That dyno is gone and nobody knows how it ended.
    Lost,
    /// Nothing: it has ended, or its app was destroyed.
    Nothing,
}

/// How long `postdeploy` may run, in seconds: as long as a one-off dyno.
const TIME_LIMIT: u32 = 86_400;

/// The rows that every step looks at.
struct Rows {
    setup: AppSetup,
    app: App,
    user: Account,
}

/// `None` when there is nothing more to do.
async fn pending(ops: &Ops, write: &mut Write, id: AppSetupId) -> Result<Option<Rows>> {
    let Some(setup) = store::app_setups::by_id(write, id).await? else { return Ok(None) };
    if setup.status != SetupStatus::Pending {
        return Ok(None);
    }
    let Some(app) = store::apps::by_id(write, setup.app).await? else { return Ok(None) };
    let user = store::accounts::by_id(write, setup.user).await?;
    let user = user.unwrap_or_else(|| accounts::gone(ops, setup.user));
    Ok(Some(Rows { setup, app, user }))
}

/// Does what `app.json` says before a build, and asks for the build of `source`, which is in the
/// blob store; with add-ons, [`advance`] asks for it once they are there, so that they are there for
/// release commands and `postdeploy`. An `app.json` that cannot be followed fails the setup.
pub async fn begin(ops: &Ops, id: AppSetupId, source: Digest, app_json: AppJson) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some(Rows { setup, mut app, user }) = pending(ops, &mut write, id).await? else { return Ok(()) };
    if setup.plan.is_some() {
        return Ok(());
    }
    let (settings, catalog) = (ops.settings(), ops.catalog());
    let limits = Limits {
        catalog: &catalog,
        buildpacks: settings.max_buildpacks,
        config_bytes: settings.max_config_bytes,
        quantity: settings.max_quantity,
    };
    let decision = match manifest::decide(app_json, &setup.overrides, &limits) {
        Ok(decision) => decision,
        Err(errors) => return end(ops, write, setup, Err(("invalid app.json".into(), errors))).await,
    };
    let mut plan = decision.plan.clone();
    let mut lines = match order(ops, &mut write, &mut app, &user, &decision.addons).await {
        Ok((names, lines)) => {
            plan.addons = names;
            lines
        }
        Err(error) if error.status() >= 500 => return Err(error),
        Err(error) => {
            // Nothing of what was ordered so far stays.
            drop(write);
            return fail(ops, id, "the add-ons cannot be had".into(), vec![format!("addons: {error}")]).await;
        }
    };
    lines.extend(follow(ops, &mut write, &mut app, &user, &decision).await?);
    let build = if plan.addons.is_empty() {
        lines.push(text::by(&user, "Build started"));
        Some(build(ops, &mut write, &setup, &app, &user, source).await?)
    } else {
        None
    };
    store::app_setups::set_plan(&mut write, id, source, &plan, build, ops.now()).await?;
    ops.commit(write, app.id, lines).await
}

/// Orders add-ons, and returns their names and what the log is to say.
async fn order(
    ops: &Ops,
    write: &mut Write,
    app: &mut App,
    user: &Account,
    orders: &[addons::Create],
) -> Result<(Vec<String>, Vec<String>)> {
    let (mut names, mut said) = (Vec::new(), Vec::new());
    for order in orders {
        let (addon, lines) = addons::insert(ops, write, user, app, order.clone(), None).await?;
        names.push(addon.name);
        said.extend(lines);
    }
    Ok((names, said))
}

/// Asks for the build of a setup's source.
async fn build(
    ops: &Ops,
    write: &mut Write,
    setup: &AppSetup,
    app: &App,
    user: &Account,
    source: Digest,
) -> Result<BuildId> {
    let build = Build {
        source: Some(source),
        source_checksum: setup.source_checksum.clone(),
        source_version: setup.source_version.clone(),
        ..builds::blank(ops, app, user, setup.source_url.clone())
    };
    store::builds::insert(write, &build).await?;
    Ok(build.id)
}

/// Config vars, buildpacks, stack and features. Returns what the log is to say.
async fn follow(
    ops: &Ops,
    write: &mut Write,
    app: &mut App,
    user: &Account,
    decision: &Decision,
) -> Result<Vec<String>> {
    let mut lines = decision.notes.clone();
    if let Some(stack) = &decision.stack {
        app.build_stack.clone_from(stack);
        app.stack.clone_from(stack);
        store::apps::update(write, app).await?;
    }
    if !decision.buildpacks.is_empty() {
        store::buildpacks::set(write, app.id, &decision.buildpacks).await?;
    }
    for feature in &decision.features {
        store::features::set(write, app.id, feature, true, ops.now()).await?;
        lines.push(text::by(user, format!("Enable {feature} feature")));
    }
    // Somebody may have been quicker than this setup; what is there already stays.
    let mut vars = store::configs::own_of_app(write, app.id).await?;
    let all = store::configs::of_app(write, app.id).await?;
    let wanted = decision.vars.0.iter().filter(|(name, _)| !all.0.contains_key(*name));
    let wanted = wanted.map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
    if let Some(description) = config_vars::apply(&mut vars, wanted)? {
        let config = Some(store::configs::insert(write, app.id, &vars).await?);
        let new = releases::New { user, description, slug: None, config, trigger: Trigger::Config };
        lines.extend(releases::insert(ops, write, app, new).await?.lines);
    }
    Ok(lines)
}

/// Takes a setup as far as it goes once it has begun.
pub async fn advance(ops: &Ops, id: AppSetupId) -> Result<Next> {
    let mut write = ops.store().write().await?;
    let Some(rows) = pending(ops, &mut write, id).await? else { return Ok(Next::Nothing) };
    if rows.setup.build.is_none() {
        return await_addons(ops, write, rows).await;
    }
    let Rows { setup, app, user } = rows;
    if let Some(dyno) = setup.postdeploy {
        let dyno = store::dynos::by_id(&mut write, dyno).await?;
        return Ok(dyno.map_or(Next::Lost, |dyno| Next::Postdeploy(Box::new(dyno))));
    }
    let release = match deployed(&mut write, &setup).await? {
        Deployed::NotYet => return Ok(Next::Deploy),
        Deployed::Failed(why) => {
            end(ops, write, setup, Err((why.into(), Vec::new()))).await?;
            return Ok(Next::Nothing);
        }
        Deployed::As(release) => release,
    };
    let plan = setup.plan.clone().unwrap_or_default();
    let mut lines = match formation::set_up(ops, &mut write, &app, &plan.formation).await? {
        Ok(line) => line.map(|scaled| text::by(&user, scaled)).into_iter().collect(),
        Err(why) => {
            end(ops, write, setup, Err((format!("app.json: formation: {why}"), Vec::new()))).await?;
            return Ok(Next::Nothing);
        }
    };
    match postdeploy(ops, &mut write, &app, &plan, release).await? {
        None => {
            end(ops, write, setup, Ok(lines)).await?;
            Ok(Next::Nothing)
        }
        Some(dyno) => {
            let dyno = Dyno { user: Some(user.id), ..dyno };
            store::dynos::insert(&mut write, &dyno).await?;
            store::app_setups::set_postdeploy(&mut write, id, dyno.id, ops.now()).await?;
            lines.push(text::by(&user, format!("Starting process with command `{}`", dyno.command)));
            ops.commit(write, app.id, lines).await?;
            Ok(Next::Postdeploy(Box::new(dyno)))
        }
    }
}

/// Asks for the build as soon as all add-ons are there.
async fn await_addons(ops: &Ops, mut write: Write, rows: Rows) -> Result<Next> {
    let Rows { setup, app, user } = rows;
    let (Some(plan), Some(source)) = (&setup.plan, setup.source) else { return Ok(Next::Nothing) };
    let mut waits = false;
    for name in &plan.addons {
        let addon = store::addons::by_name(&mut write, name).await?;
        let why = match addon.as_ref().map(|addon| addon.state) {
            Some(AddonState::Provisioned) => continue,
            Some(AddonState::Provisioning) => {
                waits = true;
                continue;
            }
            Some(AddonState::Failed) => addon.and_then(|addon| addon.failure).unwrap_or_default(),
            Some(AddonState::Deprovisioning) | None => "it was destroyed before the build began".into(),
        };
        let message = format!("the add-on {name} could not be provisioned: {why}");
        end(ops, write, setup, Err((message, Vec::new()))).await?;
        return Ok(Next::Nothing);
    }
    if waits {
        return Ok(Next::Addons);
    }
    let build = build(ops, &mut write, &setup, &app, &user, source).await?;
    store::app_setups::set_plan(&mut write, setup.id, source, plan, Some(build), ops.now()).await?;
    ops.commit(write, app.id, vec![text::by(&user, "Build started")]).await?;
    Ok(Next::Deploy)
}

enum Deployed {
    NotYet,
    As(ReleaseId),
    Failed(&'static str),
}

async fn deployed(write: &mut Write, setup: &AppSetup) -> Result<Deployed> {
    let build = match setup.build {
        Some(id) => store::builds::by_id(write, id).await?,
        None => return Ok(Deployed::NotYet),
    };
    let Some(build) = build else { return Ok(Deployed::Failed("the build is gone")) };
    match (build.status, build.release) {
        (BuildStatus::Pending, _) => return Ok(Deployed::NotYet),
        (BuildStatus::Succeeded, Some(id)) => {
            let status = store::releases::by_id(write, id).await?.map(|release| release.status);
            match status {
                Some(ReleaseStatus::Pending) => return Ok(Deployed::NotYet),
                Some(ReleaseStatus::Succeeded) => return Ok(Deployed::As(id)),
                _ => return Ok(Deployed::Failed("the release command failed")),
            }
        }
        _ => {}
    }
    Ok(Deployed::Failed(if build.cancel_requested { "the build was canceled" } else { "the build failed" }))
}

/// The row of the dyno that runs `postdeploy`, if there is one to run.
async fn postdeploy(
    ops: &Ops,
    write: &mut Write,
    app: &App,
    plan: &SetupPlan,
    release: ReleaseId,
) -> Result<Option<Dyno>> {
    let Some(script) = &plan.postdeploy else { return Ok(None) };
    let formation = store::formation::list(write, app.id).await?;
    let usual = formation.iter().find(|row| row.process_type.is_web()).map(|row| row.size);
    Ok(Some(Dyno {
        name: free_number(write, app.id, ProcessType::postdeploy()).await?,
        size: script.size.or(usual).unwrap_or(DynoSize::DEFAULT),
        time_limit: Some(TIME_LIMIT),
        ..blank_dyno(app.id, release, script.command.clone(), ops.now())
    }))
}

/// Ends a setup whose `postdeploy` has ended with `exit_code`; `None` if nobody knows.
pub async fn finish_postdeploy(ops: &Ops, id: AppSetupId, exit_code: Option<i32>) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some(Rows { mut setup, .. }) = pending(ops, &mut write, id).await? else { return Ok(()) };
    setup.exit_code = exit_code;
    let outcome = match exit_code {
        Some(0) => Ok(Vec::new()),
        Some(code) => Err((format!("the postdeploy script exited with code {code}"), Vec::new())),
        None => Err(("the dyno that ran the postdeploy script was lost".into(), Vec::new())),
    };
    end(ops, write, setup, outcome).await
}

/// Fails a setup that has not ended.
pub async fn fail(ops: &Ops, id: AppSetupId, message: String, manifest_errors: Vec<String>) -> Result<()> {
    let mut write = ops.store().write().await?;
    match pending(ops, &mut write, id).await? {
        Some(Rows { setup, .. }) => end(ops, write, setup, Err((message, manifest_errors))).await,
        None => Ok(()),
    }
}

/// Ends it: with what the log is to say before, or with a message and what is wrong with `app.json`.
async fn end(
    ops: &Ops,
    mut write: Write,
    mut setup: AppSetup,
    outcome: std::result::Result<Vec<String>, (String, Vec<String>)>,
) -> Result<()> {
    setup.updated_at = ops.now();
    let lines = match outcome {
        Ok(mut lines) => {
            setup.status = SetupStatus::Succeeded;
            lines.push("App setup succeeded".into());
            lines
        }
        Err((message, errors)) => {
            setup.status = SetupStatus::Failed;
            let mut lines = vec![format!("App setup failed: {message}")];
            lines.extend(errors.iter().map(|error| format!("App setup: {error}")));
            setup.failure_message = Some(message);
            setup.manifest_errors = errors;
            lines
        }
    };
    store::app_setups::finish(&mut write, &setup).await?;
    ops.commit(write, setup.app, lines).await
}
