//! Static sites, with nginx.
//!
//! nginx is Debian's. What an app says in `static.json`, as Heroku's buildpack for static sites has
//! it, becomes nginx's configuration during the build; what only a dyno knows (`$PORT`, config vars
//! that the app's addresses mention, passwords) is added by `bin/boot`, which starts nginx. An app
//! without `static.json` is served as it is.

mod app;
mod nginx;
mod ordered;
mod words;

use crate::BuildError;
use crate::build::{Compiled, Context, built_in};
use crate::container::{self, Phase, Pipe};
use crate::languages::Language;
use app::App;
use domain::ProcessType;
use engine::Power;
use std::collections::BTreeMap;
use std::path::Path;
use words::SiteError;

/// What an app is called.
pub(crate) const KIND: &str = "Static HTML";

fn failed(error: SiteError) -> BuildError {
    BuildError::of(KIND)(error)
}

/// Whether an app has a `static.json`, or an index.html where sites have it.
pub(crate) fn detect(tree: &Path) -> bool {
    app::recognise(tree)
}

/// Puts nginx's configuration beside the app in the context's source directory.
pub(crate) async fn compile(context: &mut Context<'_>) -> Result<Compiled, BuildError> {
    let app = App::determine(&context.work.source()).map_err(failed)?;
    let Some(runtime) = context.stack.runtimes("nginx").next().cloned() else {
        return Err(failed(SiteError::NoNginx(context.stack.name.clone())));
    };
    context.run_packages.extend(runtime.run);
    context.output.heading(format!("Using nginx {}", runtime.version)).await;
    app.tell(context.output).await;

    let mut ended = run(context, &app).await?;
    Ok(Compiled {
        tree: ended.required_tree("app")?,
        layers: Vec::new(),
        description: KIND.into(),
        used: vec![built_in(Language::Static)],
        process_types: BTreeMap::from([(ProcessType::web(), "bin/boot".to_owned())]),
        config_vars: BTreeMap::new(),
        addons: Vec::new(),
        labels: BTreeMap::new(),
        kept: Vec::new(),
    })
}

/// Runs the build's program in a container.
async fn run(context: &mut Context<'_>, app: &App) -> Result<container::Ended, BuildError> {
    let (configuration, values) = (nginx::configuration(app), nginx::values(app));
    let files = [
        ("common.sh", include_str!("../scripts/common.sh")),
        ("site.sh", include_str!("site/build.sh")),
        ("site-boot.sh", include_str!("site/boot.sh")),
        ("nginx.conf", &configuration),
        ("values", &values),
    ];
    let written = files.iter().try_for_each(|(name, text)| context.work.write(name, text));
    written.map_err(BuildError::system("writing the build's programs"))?;
    let image = context.build_image(None).await?;
    let mut env = context.env(&context.build_directory());
    env.insert("KIGO_ROOT".into(), app.root.clone());
    let disk = context.builder.settings.limits.disk;
    let phase = Phase {
        image,
        script: "site.sh",
        env,
        mounts: Vec::new(),
        pipes: vec![Pipe::tree("app", disk)],
        power: Power::Plain,
        decide: None,
    };
    let (builder, request) = (context.builder, context.request);
    let ended =
        container::run(builder, request, &context.work, phase, context.deadline, context.output).await?;
    match ended.told("step")?.unwrap_or_default() {
        _ if ended.status == 0 => Ok(ended),
        step if step == "root" => Err(failed(SiteError::NoRoot(app.root.clone()))),
        _ => Err(failed(SiteError::Copy(ended.status))),
    }
}
