//! Python, with pip, uv, Poetry or Pipenv.
//!
//! A build goes through types, one for each state of knowledge: [`App`] (what the app says) →
//! [`Version`] (which Python will be used) → [`Interpreter`] and [`Tool`] (layers with it and with the
//! package manager, which all apps share) → [`Environment`] (what of the app's packages is there
//! already) → the container, which installs and collects static files. What the steps are called and
//! when they run follows Heroku's Python buildpack.
//!
//! The interpreter is Debian's where Debian has it, a part of the stack, so that it is kept safe with
//! it; the app's packages are in a virtual environment, `/app/.heroku/python`. As long as what decides
//! them stays the same, a build installs nothing, and the image refers to the same layer as before.

mod app;
mod asked;
mod constraint;
mod dependencies;
mod environment;
mod interpreter;
mod manager;
mod recipe;
mod requirements;
mod tools;
mod versions;
mod words;

use crate::BuildError;
use crate::build::{Compiled, Context, blocking, built_in};
use crate::cache::{Directory, Kept, Record};
use crate::container::{self, Ended, Phase, Pipe};
use crate::languages::Language;
use crate::source::has_file;
use crate::stack;
use app::App;
use asked::Series;
use engine::Power;
use environment::Environment;
use interpreter::Interpreter;
use manager::Manager;
use std::collections::BTreeMap;
use std::path::Path;
use tools::{ENVIRONMENT, Tool};
use versions::Version;
use words::PythonError;

/// What an app is called.
pub(crate) const KIND: &str = "Python";

/// The record with the version of the app's last build.
const LAST: &str = "python-version";

fn failed(error: PythonError) -> BuildError {
    BuildError::of(KIND)(error)
}

/// Whether an app has one of the files by which Heroku's buildpack recognises Python.
pub(crate) fn detect(tree: &Path) -> bool {
    app::recognise(tree)
}

/// Builds the app in the context's source directory.
pub(crate) async fn compile(context: &mut Context<'_>) -> Result<Compiled, BuildError> {
    prepare(context).await?;
    let tree = context.work.source();
    let tested = context.test.is_some();
    let app = blocking(move || App::determine(&tree, tested).map_err(failed)).await?;
    let last = Record::read_any(&context.cache(), LAST);
    let last = last.and_then(|record| Series::parse(&record.key));
    let version = Version::resolve(&app, &context.stack, last).map_err(failed)?;
    version.tell(&app, context.output).await;

    let interpreter = Interpreter::install(context, &version).await?;
    let tool = Tool::install(context, app.manager, &interpreter).await?;
    let environment = Environment::find(context, &app, &interpreter, &tool);
    let built = run(context, &app, &version, &interpreter, &tool, &environment).await?;
    collect(context, &version, &interpreter, &tool, &environment, built).await
}

/// Runs the hook that may write any of the app's files before they are looked at.
async fn prepare(context: &mut Context<'_>) -> Result<(), BuildError> {
    if !has_file(&context.work.source(), "bin/pre_compile") {
        return Ok(());
    }
    write(context)?;
    let image = context.build_image([]).await?;
    let env = env(context);
    let disk = context.builder.settings.limits.disk;
    let mut ended =
        container(context, image, "python-prepare.sh", env, vec![Pipe::tree("app", disk)], None).await?;
    let tree = ended.required_tree("app")?;
    let moved = context.work.replace_source(&tree);
    moved.map_err(BuildError::system("handing on what a hook made"))
}

fn write(context: &Context<'_>) -> Result<(), BuildError> {
    let files = [
        ("common.sh", include_str!("../scripts/common.sh")),
        ("python-common.sh", include_str!("python/common.sh")),
        ("python-prepare.sh", include_str!("python/prepare.sh")),
        ("python.sh", include_str!("python/build.sh")),
        ("python-compile.py", include_str!("python/compile.py")),
        ("python-install.sh", include_str!("python/install.sh")),
        ("python-profile.sh", include_str!("python/profile.sh")),
        ("python-gunicorn.sh", include_str!("python/gunicorn.sh")),
        ("python-concurrency.sh", include_str!("python/concurrency.sh")),
    ];
    let written = files.iter().try_for_each(|(name, text)| context.work.write(name, text));
    written.map_err(BuildError::system("writing the build's programs"))
}

fn env(context: &Context<'_>) -> BTreeMap<String, String> {
    let mut env = context.env(&context.build_directory());
    // Not the build directory: what programs leave in their home is no part of the app.
    env.insert("HOME".into(), if context.alone { "/tmp/home".into() } else { "/app".into() });
    env
}

/// Runs a program in a container; an error tells which of its steps failed.
async fn container(
    context: &Context<'_>,
    image: domain::Digest,
    script: &'static str,
    env: BTreeMap<String, String>,
    pipes: Vec<Pipe>,
    manager: Option<Manager>,
) -> Result<Ended, BuildError> {
    let phase = Phase { image, script, env, mounts: Vec::new(), pipes, power: Power::Plain, decide: None };
    let (builder, request) = (context.builder, context.request);
    let ended =
        container::run(builder, request, &context.work, phase, context.deadline, context.output).await?;
    if ended.status == 0 {
        return Ok(ended);
    }
    let step = ended.told("step")?.unwrap_or_default();
    let manage = ended.told("manage")?.unwrap_or_default();
    Err(failed(PythonError::Step { step, status: ended.status, manager, manage }))
}

/// What came out of the container.
struct Built {
    ended: Ended,
    downloads: Option<Directory>,
}

/// Runs the build's program in a container.
async fn run(
    context: &mut Context<'_>,
    app: &App,
    version: &Version,
    interpreter: &Interpreter,
    tool: &Tool,
    environment: &Environment,
) -> Result<Built, BuildError> {
    write(context)?;
    // uv and Poetry go on from what is installed; what they have downloaded is of no more use.
    let downloads = match app.manager {
        Manager::Pip | Manager::Pipenv if !environment.is_complete(app) => {
            Some(Directory::find(context, "pip", context.stack.name.clone())?)
        }
        _ => None,
    };
    if matches!(app.manager, Manager::Uv | Manager::Poetry) {
        context.build_layers.push(tool.layer);
    }
    let pipenv = (app.manager == Manager::Pipenv).then_some(tool.layer);
    let cache = downloads.iter().flat_map(|downloads| downloads.layers().to_vec());
    let own: Vec<_> =
        interpreter.layer.into_iter().chain(pipenv).chain(environment.start()).chain(cache).collect();
    let image = context.build_image(own).await?;

    let mut env = env(context);
    env.extend(environment.plan(app));
    env.extend([
        ("KIGO_MANAGER".into(), app.manager.command().into()),
        ("KIGO_PYTHON".into(), interpreter.path.clone()),
        ("KIGO_SOURCE_DATE".into(), stack::SOURCE_DATE.to_string()),
        ("KIGO_PINNED".into(), version.pinned().map(|asked| asked.text.clone()).unwrap_or_default()),
    ]);
    let disk = context.builder.settings.limits.disk;
    let mut pipes = vec![
        Pipe::packed("installed", disk, ENVIRONMENT, context.source_time),
        Pipe::tree("changed", disk),
        Pipe::tree("app", disk),
    ];
    if let Some(downloads) = &downloads {
        env.extend([downloads.plan(), ("PIP_CACHE_DIR".into(), downloads.path())]);
        pipes.push(downloads.pipe());
    }
    let ended = container(context, image, "python.sh", env, pipes, Some(app.manager)).await?;
    Ok(Built { ended, downloads })
}

/// Takes over what came out of the container.
async fn collect(
    context: &mut Context<'_>,
    version: &Version,
    interpreter: &Interpreter,
    tool: &Tool,
    environment: &Environment,
    built: Built,
) -> Result<Compiled, BuildError> {
    let Built { mut ended, downloads } = built;
    let pipenv = (tool.manager == Manager::Pipenv).then_some(tool.layer);
    let mut layers: Vec<_> = interpreter.layer.into_iter().chain(pipenv).collect();
    let (packages, installed) = environment.collect(context, &mut ended).await?;
    layers.extend(packages);
    let mut kept = vec![Kept { name: LAST, record: Record::of_key(&version.series.to_string()) }];
    kept.extend(installed);
    if let Some(downloads) = downloads {
        kept.extend(downloads.keep(context, &mut ended).await?);
    }
    if let Some(export) = ended.told("export")? {
        context.add_export(&export)?;
    }
    Ok(Compiled {
        tree: ended.required_tree("app")?,
        layers,
        description: KIND.into(),
        used: vec![built_in(Language::Python)],
        process_types: BTreeMap::new(),
        config_vars: BTreeMap::new(),
        addons: Vec::new(),
        labels: BTreeMap::new(),
        kept,
    })
}
