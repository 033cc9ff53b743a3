//! Node.js, with npm, Yarn or pnpm.
//!
//! A build goes through types, one for each state of knowledge: [`App`] (what the app says) →
//! [`Versions`] (what will be used) → [`Runtime`] (layers with it) → [`Dependencies`] (which packages
//! are there already) → the container, which installs, builds and prunes. What the steps are called
//! and when they run follows Heroku's Node.js buildpack. What a package manager is and does is in its
//! own two files in `managers/`; the rest knows none of them by name.
//!
//! Installed packages are layers of their own, all that an installation made, be it one
//! `node_modules`, several in a workspace, or Plug'n'Play's files. As long as the lockfile, the
//! versions and what else decides them stay the same, a build installs nothing, and the image refers
//! to the same layer as before.

mod app;
mod corepack;
mod dependencies;
mod fingerprint;
mod locals;
mod manager;
mod managers;
mod package;
mod ranges;
mod runtime;
mod settings;
mod versions;
mod warnings;
mod words;

use crate::build::{Compiled, Context, blocking, built_in};
use crate::cache::Directory;
use crate::container::{self, Ended, Phase, Pipe};
use crate::languages::Language;
use crate::registry::Registry;
use crate::{BuildError, procfile};
use app::App;
use dependencies::Dependencies;
use domain::ProcessType;
use engine::Power;
use runtime::Runtime;
use settings::Selection;
use std::collections::BTreeMap;
use versions::Versions;
use words::NodeError;

/// What an app is called.
pub(crate) const KIND: &str = "Node.js";

fn failed(error: NodeError) -> BuildError {
    BuildError::of(KIND)(error)
}

/// Builds the app in the context's source directory.
pub(crate) async fn compile(context: &mut Context<'_>) -> Result<Compiled, BuildError> {
    let output = context.output;
    let tree = context.work.source();
    let app = blocking(move || App::determine(&tree).map_err(failed)).await?;
    let config = &context.request.config_vars.0;
    let selection = Selection::of(app.manager, config).map_err(failed)?;
    for warning in &app.warnings {
        warning.tell(output).await;
    }
    if app.has_installed_modules && app.lockfile.is_some() {
        // `npm ci` would remove them in any case.
        let modules = context.work.source().join("node_modules");
        std::fs::remove_dir_all(modules).map_err(BuildError::system("removing node_modules"))?;
    }

    output.heading("Installing binaries").await;
    let registry = Registry::new(&context.builder.settings.host.npmrc, &context.builder.data)
        .map_err(BuildError::Registry)?;
    let versions = Versions::resolve(&app, config, &registry, output).await?;
    let runtime = Runtime::install(context.builder, &registry, &versions, output).await?;

    let dependencies = Dependencies::find(context, &app, &versions, &selection);
    let caches = selection.cached && app.caches_directories();
    let caches = caches.then(|| Directory::find(context, "nodecache", "")).transpose()?;
    let ended = run(context, &app, &selection, &runtime, &dependencies, caches.as_ref()).await?;
    collect(context, &app, runtime, &dependencies, caches, ended).await
}

/// Runs the build's program in a container.
async fn run(
    context: &mut Context<'_>,
    app: &App,
    selection: &Selection,
    runtime: &Runtime,
    dependencies: &Dependencies,
    caches: Option<&Directory>,
) -> Result<Ended, BuildError> {
    let builder = context.builder;
    let files = [
        ("common.sh", include_str!("../scripts/common.sh")),
        ("nodejs.sh", include_str!("nodejs/build.sh")),
        ("nodejs-manager.sh", app.manager.program),
        ("nodejs-profile.sh", include_str!("nodejs/profile.sh")),
        ("nodejs-concurrency.sh", include_str!("nodejs/concurrency.sh")),
    ];
    let lists = app.lists();
    let lists = lists.iter().map(|(name, text)| (*name, text.as_str()));
    let written = files.into_iter().chain(lists).try_for_each(|(name, text)| context.work.write(name, text));
    written.map_err(BuildError::system("writing the build's programs"))?;

    let own = runtime.programs.iter().copied().chain([runtime.headers]).chain(dependencies.for_build());
    let own = own.chain(caches.into_iter().flat_map(Directory::layers).copied());
    let image = context.build_image(own).await?;

    let mut env = context.env(&context.build_directory());
    // Not the build directory: what programs leave in their home is no part of the app.
    env.insert("HOME".into(), if context.alone { "/tmp/home".into() } else { "/app".into() });
    env.extend(app.plan().into_iter().chain(selection.plan(&app.facts)).chain(dependencies.plan()));
    env.insert("KIGO_CACHED".into(), u8::from(caches.is_some()).to_string());
    env.extend(caches.map(Directory::plan));
    env.insert("KIGO_MANAGER_VERSION".into(), runtime.manager_version.clone());
    env.insert("KIGO_ALONE".into(), u8::from(context.alone).to_string());
    env.insert("KIGO_REGISTRY".into(), builder.settings.host.npmrc.without_credentials().registry());
    let disk = builder.settings.limits.disk;
    let place = context.build_directory();
    let packages = |name| Pipe::packed(name, disk, place.trim_start_matches('/'), context.source_time);
    let pipes = [packages("full"), packages("pruned"), Pipe::tree("app", disk)].into_iter();
    let phase = Phase {
        image,
        script: "nodejs.sh",
        env,
        mounts: Vec::new(),
        pipes: pipes.chain(caches.map(Directory::pipe)).collect(),
        power: Power::Plain,
        decide: None,
    };
    let ended =
        container::run(builder, context.request, &context.work, phase, context.deadline, context.output)
            .await?;
    if ended.status == 0 {
        return Ok(ended);
    }
    let step = ended.told("step")?.unwrap_or_default();
    Err(failed(NodeError::Step { manager: app.manager, step, status: ended.status }))
}

/// Takes over what came out of the container.
async fn collect(
    context: &mut Context<'_>,
    app: &App,
    runtime: Runtime,
    dependencies: &Dependencies,
    caches: Option<Directory>,
    mut ended: Ended,
) -> Result<Compiled, BuildError> {
    let shared = ended.told("packages")?.as_deref() == Some("shared");
    let scripted = ended.told("scripts")?.map(|scripts| scripts != "none");
    let (full, pruned) = (ended.layer("full"), ended.layer("pruned"));
    let mut layers = runtime.programs;
    if shared {
        let installed = pruned.or(dependencies.pruned());
        let missing = || BuildError::Container("it ended without sending its dependencies".into());
        layers.push(installed.ok_or_else(missing)?);
    }
    let mut kept = dependencies.keep(context, scripted, full, pruned)?;
    if let Some(caches) = caches {
        kept.extend(caches.keep(context, &mut ended).await?);
    }
    context.add_export(runtime::EXPORT)?;
    Ok(Compiled {
        tree: ended.required_tree("app")?,
        layers,
        description: Language::NodeJs.description().into(),
        used: vec![built_in(Language::NodeJs)],
        process_types: default_process_types(context, app)?,
        config_vars: BTreeMap::new(),
        addons: Vec::new(),
        labels: BTreeMap::new(),
        kept,
    })
}

/// What runs without a Procfile. As on Heroku, an app with a process type for the Model Context
/// Protocol has no other by itself.
fn default_process_types(
    context: &Context<'_>,
    app: &App,
) -> Result<BTreeMap<ProcessType, String>, BuildError> {
    let declared = procfile::read(&context.work.source())?.unwrap_or_default().0;
    let mut process_types = BTreeMap::new();
    if !declared.keys().any(|name| name.as_str().starts_with("mcp")) {
        // npm knows nothing of Plug'n'Play.
        let command = if app.facts.has_node_modules { "npm" } else { app.manager.command };
        process_types.insert(ProcessType::web(), format!("{command} start"));
    }
    Ok(process_types)
}
