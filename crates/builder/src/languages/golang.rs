//! Go, with modules.
//!
//! A build goes through types, one for each state of knowledge: [`App`] (what `go.mod` says) →
//! [`Asked`] (who wants which version) → [`Toolchain`] (layers with it) → the container, which
//! compiles into `bin/`. The module cache and the build cache are kept for the app's next build; a
//! slug has neither, nor a compiler. What the steps are called and when they run follows Heroku's Go
//! buildpack.

mod app;
#[cfg(test)]
mod credentials;
mod toolchain;
mod versions;
mod words;

use crate::BuildError;
use crate::build::{Compiled, Context, built_in};
use crate::cache::{Directory, Times};
use crate::container::{self, Ended, Phase, Pipe};
use crate::languages::Language;
use app::App;
use engine::Power;
use image::Layer;
use std::collections::BTreeMap;
use std::path::Path;
use toolchain::Toolchain;
use versions::{Asked, Origin};
use words::GoError;

/// What an app is called.
pub(crate) const KIND: &str = "Go";

/// Where the build cache is, in builds: the kept directory of that name.
const BUILD_CACHE: &str = "/kigo-cache/gobuild";

fn failed(error: GoError) -> BuildError {
    BuildError::of(KIND)(error)
}

/// Whether an app has the files by which Heroku's buildpack recognises Go.
pub(crate) fn detect(tree: &Path) -> bool {
    app::recognise(tree)
}

/// Builds the app in the context's source directory.
pub(crate) async fn compile(context: &mut Context<'_>) -> Result<Compiled, BuildError> {
    let output = context.output;
    let app = App::determine(&context.work.source()).map_err(failed)?;
    output.heading("Detected go modules via go.mod").await;
    output.heading(format!("Detected Module Name: {}", app.module)).await;
    let asked = Asked::of(&app, &context.request.config_vars).map_err(failed)?;
    if asked.origin == Origin::Nobody {
        words::tell_no_version(output).await;
    }
    let toolchain = Toolchain::install(context, &asked).await?;
    let standard = toolchain.standard_library(context).await?;
    context.test_layers.push(standard);
    context.build_packages.extend(toolchain.packages.iter().cloned());
    context.build_layers.extend(toolchain.layer);

    let caches = Caches {
        build: Directory::find(context, "gobuild", &toolchain.name)?.with_times(Times::Never),
        modules: Directory::find(context, "gomodules", "")?.with_times(Times::Never),
    };
    let ended = run(context, &app, &toolchain, standard, &caches).await?;
    collect(context, &toolchain, caches, ended).await
}

/// What is kept for the app's next build.
struct Caches {
    build: Directory,
    modules: Directory,
}

/// Whether the app wants Go itself in its dynos.
fn wants_tools(context: &Context<'_>) -> bool {
    context.request.config_vars.0.get("GO_INSTALL_TOOLS_IN_IMAGE").is_some_and(|value| value == "true")
}

/// Runs the build's program in a container.
async fn run(
    context: &mut Context<'_>,
    app: &App,
    toolchain: &Toolchain,
    standard: Layer,
    caches: &Caches,
) -> Result<Ended, BuildError> {
    let files = [
        ("common.sh", include_str!("../scripts/common.sh")),
        ("go.sh", include_str!("golang/build.sh")),
        ("go-credentials.sh", include_str!("golang/credentials.sh")),
        ("go-profile.sh", include_str!("golang/profile.sh")),
        ("go-tools.sh", include_str!("golang/tools.sh")),
    ];
    let written = files.iter().try_for_each(|(name, text)| context.work.write(name, text));
    written.map_err(BuildError::system("writing the build's programs"))?;
    let own = caches.build.layers().iter().chain(caches.modules.layers());
    let image = context.build_image([standard].into_iter().chain(own.copied())).await?;

    let mut env = context.env(&context.build_directory());
    // Not the build directory: what programs leave in their home is no part of the app.
    env.insert("HOME".into(), if context.alone { "/tmp/home".into() } else { "/app".into() });
    let flag = |truth: bool| u8::from(truth).to_string();
    env.extend([
        caches.build.plan(),
        caches.modules.plan(),
        ("KIGO_GO_ROOT".into(), toolchain.root.clone()),
        ("KIGO_GO_BUILD_CACHE".into(), caches.build.path()),
        ("KIGO_GO_MODULES".into(), caches.modules.path()),
        ("KIGO_GO_FLAGS".into(), toolchain.series.flags().into()),
        ("KIGO_GO_PACKAGES".into(), app.packages.clone().unwrap_or_default()),
        ("KIGO_GO_VENDORED".into(), flag(app.is_vendored)),
        ("KIGO_GO_TOOLS".into(), flag(wants_tools(context))),
    ]);
    let phase = Phase {
        image,
        script: "go.sh",
        env,
        mounts: Vec::new(),
        pipes: vec![
            Pipe::tree("app", context.builder.settings.limits.disk),
            caches.build.pipe(),
            caches.modules.pipe(),
        ],
        power: Power::Plain,
        decide: None,
    };
    let (builder, request) = (context.builder, context.request);
    let ended =
        container::run(builder, request, &context.work, phase, context.deadline, context.output).await?;
    if ended.status == 0 {
        return Ok(ended);
    }
    let step = ended.told("step")?.unwrap_or_default();
    Err(failed(GoError::Step { step, status: ended.status }))
}

/// Takes over what came out of the container.
async fn collect(
    context: &mut Context<'_>,
    toolchain: &Toolchain,
    caches: Caches,
    mut ended: Ended,
) -> Result<Compiled, BuildError> {
    let tree = ended.required_tree("app")?;
    let build = caches.build.keep(context, &mut ended).await?;
    let modules = caches.modules.keep(context, &mut ended).await?;
    let root = &toolchain.root;
    context.add_export(&format!("export GOROOT={root}\nexport PATH=\"{root}/bin:$PATH\""))?;
    let mut layers = Vec::new();
    if wants_tools(context) {
        layers.extend(toolchain.layer);
        context.run_packages.extend(toolchain.packages.iter().cloned());
    }
    Ok(Compiled {
        tree,
        layers,
        description: KIND.into(),
        used: vec![built_in(Language::Go)],
        process_types: BTreeMap::new(),
        config_vars: BTreeMap::new(),
        addons: Vec::new(),
        labels: BTreeMap::new(),
        kept: build.into_iter().chain(modules).collect(),
    })
}
