//! Python, with pip.
//!
//! The interpreter is Debian's, a part of the stack, so that it is kept safe with it; a build makes
//! a virtual environment, `/app/.heroku/python`, with what the app requires. As long as that and
//! what else decides it stay the same, a build installs nothing, and the image refers to the same
//! layer as before. What the steps are called and when they run follows Heroku's Python buildpack.

mod app;
mod versions;
mod words;

use crate::BuildError;
use crate::build::{Compiled, Context, built_in, pack_tree};
use crate::cache::{Directory, Installed};
use crate::container::{self, Ended, Phase, Pipe};
use crate::languages::Language;
use app::App;
use engine::Power;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use versions::Version;
use words::PythonError;

/// What an app is called.
pub(crate) const KIND: &str = "Python";

/// Counts up when the same inputs would be installed into something else.
const RECIPE: u32 = 1;

/// Where the virtual environment is, in builds and dynos.
const PLACE: &str = "app/.heroku/python";

/// What later buildpacks are given.
const EXPORT: &str = "export PATH=\"/app/.heroku/python/bin:$PATH\"";

fn failed(error: PythonError) -> BuildError {
    BuildError::of(KIND)(error)
}

/// Whether an app has one of the files by which Heroku's buildpack recognises Python.
pub(crate) fn detect(tree: &Path) -> bool {
    app::recognise(tree)
}

/// Builds the app in the context's source directory.
pub(crate) async fn compile(context: &mut Context<'_>) -> Result<Compiled, BuildError> {
    let app = App::determine(&context.work.source()).map_err(failed)?;
    let version = Version::resolve(&app, &context.stack).map_err(failed)?;
    version.tell(context.output).await;
    context.build_packages.extend(version.runtime.build.iter().cloned());
    context.run_packages.extend(version.runtime.run.iter().cloned());

    let key = app.is_reproducible.then(|| key(context, &app, &version));
    let dependencies = Installed::find(context, "python", key);
    let downloads = Directory::find(context, "pip", "")?;
    let ended = run(context, &app, &dependencies, &downloads).await?;
    collect(context, &dependencies, downloads, ended).await
}

fn key(context: &Context<'_>, app: &App, version: &Version) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{RECIPE}\n{}\npython {}\n", context.stack.build, version.runtime.version));
    for (name, value) in &context.request.config_vars.0 {
        if name.starts_with("PIP_") {
            hash.update(format!("{name} {} {value}\n", value.len()));
        }
    }
    hash.update(&app.inputs);
    hex::encode(hash.finalize())
}

/// Runs the build's program in a container.
async fn run(
    context: &mut Context<'_>,
    app: &App,
    dependencies: &Installed,
    downloads: &Directory,
) -> Result<Ended, BuildError> {
    let files = [
        ("common.sh", include_str!("../scripts/common.sh")),
        ("python.sh", include_str!("python/build.sh")),
        ("python-profile.sh", include_str!("python/profile.sh")),
        ("python-concurrency.sh", include_str!("python/concurrency.sh")),
    ];
    let written = files.iter().try_for_each(|(name, text)| context.work.write(name, text));
    written.map_err(BuildError::system("writing the build's programs"))?;
    let own = downloads.layers().iter().copied().chain(dependencies.layer());
    let image = context.build_image(own).await?;
    let mut env = context.env(&context.build_directory());
    let flag = |truth: bool| u8::from(truth).to_string();
    env.extend([
        downloads.plan(),
        ("PIP_CACHE_DIR".into(), downloads.path()),
        ("KIGO_DJANGO".into(), flag(app.is_django)),
        ("KIGO_INSTALLED".into(), flag(dependencies.is_there())),
        ("KIGO_SHARE".into(), flag(dependencies.is_kept())),
    ]);
    let disk = context.builder.settings.limits.disk;
    let phase = Phase {
        image,
        script: "python.sh",
        env,
        mounts: Vec::new(),
        pipes: vec![Pipe::tree("installed", disk), Pipe::tree("app", disk), downloads.pipe(context)],
        power: Power::Plain,
    };
    let (builder, request) = (context.builder, context.request);
    let ended =
        container::run(builder, request, &context.work, phase, context.deadline, context.output).await?;
    if ended.status == 0 {
        return Ok(ended);
    }
    let step = ended.told("step")?.unwrap_or_default();
    Err(failed(PythonError::Step { step, status: ended.status }))
}

/// Takes over what came out of the container.
async fn collect(
    context: &mut Context<'_>,
    dependencies: &Installed,
    downloads: Directory,
    mut ended: Ended,
) -> Result<Compiled, BuildError> {
    let shared = ended.told("environment")?.as_deref() == Some("shared");
    let new = match ended.tree("installed") {
        Some(tree) => Some(pack_tree(context.builder, tree, PLACE, context.source_time).await?),
        None => None,
    };
    let mut layers = Vec::new();
    if shared {
        let missing = || BuildError::Container("it ended without sending its dependencies".into());
        layers.push(new.or(dependencies.layer()).ok_or_else(missing)?);
    }
    let kept = dependencies.keep(context, new)?.into_iter();
    let kept = kept.chain(downloads.keep(context, &mut ended).await?).collect();
    context.add_export(EXPORT)?;
    Ok(Compiled {
        tree: ended.required_tree("app")?,
        layers,
        description: KIND.into(),
        used: vec![built_in(Language::Python)],
        process_types: BTreeMap::new(),
        config_vars: BTreeMap::new(),
        kept,
    })
}
