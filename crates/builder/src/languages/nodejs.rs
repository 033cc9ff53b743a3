//! Node.js, with npm.
//!
//! A build goes through types, one for each state of knowledge: [`App`] (what the app says) →
//! [`Versions`] (what will be used) → [`Runtime`] (layers with it) → [`Dependencies`] (what of
//! `node_modules` is there already) → the container, which installs, builds and prunes. What the
//! steps are called and when they run follows Heroku's Node.js buildpack.
//!
//! Installed dependencies are layers of their own. As long as the lockfile, the versions and what
//! else decides them stay the same, a build installs nothing, and the image refers to the same
//! layer as before.

mod app;
mod dependencies;
mod runtime;
mod versions;
mod words;

use crate::BuildError;
use crate::build::{Compiled, Context, built_in, pack_tree};
use crate::container::{self, Ended, Phase, Pipe};
use crate::languages::Language;
use crate::registry::Registry;
use app::{App, Install};
use dependencies::Dependencies;
use domain::ProcessType;
use engine::Power;
use image::Layer;
use runtime::Runtime;
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
    let app = App::determine(&context.work.source()).map_err(failed)?;
    app.warn(output).await;
    if app.has_installed_modules && app.install == Install::Locked {
        // They would be removed by `npm ci` in any case.
        let modules = context.work.source().join("node_modules");
        std::fs::remove_dir_all(modules).map_err(BuildError::system("removing node_modules"))?;
    }

    output.heading("Installing binaries").await;
    let registry = Registry::new(&context.builder.settings.host.npmrc, &context.builder.data)
        .map_err(BuildError::Registry)?;
    let versions = Versions::resolve(&app, &registry, output).await?;
    let runtime = Runtime::install(context.builder, &registry, &versions, output).await?;

    let dependencies = Dependencies::find(context, &app, &versions);
    let ended = run(context, &app, &runtime, &dependencies).await?;
    collect(context, runtime, &dependencies, ended).await
}

/// Runs the build's program in a container.
async fn run(
    context: &mut Context<'_>,
    app: &App,
    runtime: &Runtime,
    dependencies: &Dependencies,
) -> Result<Ended, BuildError> {
    let builder = context.builder;
    let files = [
        ("common.sh", include_str!("../scripts/common.sh")),
        ("nodejs.sh", include_str!("nodejs/build.sh")),
        ("nodejs-profile.sh", include_str!("nodejs/profile.sh")),
        ("nodejs-concurrency.sh", include_str!("nodejs/concurrency.sh")),
    ];
    let written = files.iter().try_for_each(|(name, text)| context.work.write(name, text));
    written.map_err(BuildError::system("writing the build's programs"))?;

    let own = [runtime.headers, runtime.node].into_iter().chain(dependencies.for_build());
    let image = context.build_image(own).await?;

    let mut env = context.env(&context.build_directory());
    // Not the build directory: what programs leave in their home is no part of the app.
    env.insert("HOME".into(), if context.alone { "/tmp/home".into() } else { "/app".into() });
    env.extend(app.plan().into_iter().chain(dependencies.plan()));
    env.insert("KIGO_ALONE".into(), u8::from(context.alone).to_string());
    let disk = builder.settings.limits.disk;
    let phase = Phase {
        image,
        script: "nodejs.sh",
        env,
        mounts: Vec::new(),
        pipes: ["full", "pruned", "app"].map(|name| Pipe::tree(name, disk)).into(),
        power: Power::Plain,
    };
    let ended =
        container::run(builder, context.request, &context.work, phase, context.deadline, context.output)
            .await?;
    if ended.status == 0 {
        return Ok(ended);
    }
    let step = ended.told("step")?.unwrap_or_default();
    Err(failed(NodeError::Step { step, status: ended.status }))
}

/// Takes over what came out of the container.
async fn collect(
    context: &mut Context<'_>,
    runtime: Runtime,
    dependencies: &Dependencies,
    mut ended: Ended,
) -> Result<Compiled, BuildError> {
    let shared = ended.told("node_modules")?.as_deref() == Some("shared");
    let full = layer_of(context, &mut ended, "full").await?;
    let pruned = layer_of(context, &mut ended, "pruned").await?;
    let mut layers = vec![runtime.node];
    if shared {
        let installed = pruned.or(dependencies.pruned());
        let missing = || BuildError::Container("it ended without sending its dependencies".into());
        layers.push(installed.ok_or_else(missing)?);
    }
    let kept = dependencies.keep(context, full, pruned)?;
    context.add_export(runtime::EXPORT)?;
    let mut process_types = BTreeMap::new();
    process_types.insert(ProcessType::web(), "npm start".to_owned());
    Ok(Compiled {
        tree: ended.required_tree("app")?,
        layers,
        description: Language::NodeJs.description().into(),
        used: vec![built_in(Language::NodeJs)],
        process_types,
        config_vars: BTreeMap::new(),
        kept,
    })
}

async fn layer_of(context: &Context<'_>, ended: &mut Ended, name: &str) -> Result<Option<Layer>, BuildError> {
    let Some(tree) = ended.tree(name) else { return Ok(None) };
    pack_tree(context.builder, tree, "app/node_modules", context.source_time).await.map(Some)
}
