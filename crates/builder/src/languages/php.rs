//! PHP, with Composer.
//!
//! PHP, its extensions, Composer and the web servers are Debian's. Composer runs in every build,
//! because the classes of the app itself are a part of what it generates; as long as what decides
//! its packages stays the same it finds them installed, in a layer that the image refers to, and
//! only what it changed there goes into the app's own. What the steps are called and when they run
//! follows Heroku's PHP buildpack, and so do `heroku-php-apache2` and `heroku-php-nginx`, which serve
//! the app.

mod app;
mod extensions;
mod server;
mod versions;
mod words;

use crate::BuildError;
use crate::build::{Compiled, Context, built_in};
use crate::cache::{Directory, Installed};
use crate::container::{self, Ended, Phase, Pipe};
use crate::languages::Language;
use app::App;
use domain::ProcessType;
use engine::Power;
use server::Servers;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use versions::Platform;
use words::PhpError;

/// What an app is called.
pub(crate) const KIND: &str = "PHP";

/// Counts up when the same inputs would be installed into something else.
const RECIPE: u32 = 1;

/// What later buildpacks are given.
const EXPORT: &str = "export PATH=\"$HOME/.heroku/php/bin:$PATH\"";

fn failed(error: PhpError) -> BuildError {
    BuildError::of(KIND)(error)
}

/// Whether an app has one of the files by which Heroku's buildpack recognises PHP.
pub(crate) fn detect(tree: &Path) -> bool {
    app::recognise(tree)
}

/// Builds the app in the context's source directory.
pub(crate) async fn compile(context: &mut Context<'_>) -> Result<Compiled, BuildError> {
    let app = App::determine(&context.work.source(), &context.request.config_vars).map_err(failed)?;
    app.warn(context.output).await;
    let servers = Servers::of(&context.work.source(), &context.stack)?;
    let platform = Platform::resolve(&app, servers, &context.stack).map_err(failed)?;
    platform.tell(context.output).await;
    context.build_packages.extend(platform.build_packages());
    context.run_packages.extend(platform.run_packages());

    let base = format!("{RECIPE} {} php {} {}", context.stack.build, platform.php.version, app.vendor);
    let key = app.keeps_packages().then(|| key(context, &base, &app, &platform));
    let packages = Installed::find(context, "vendor", key);
    let packages = if app.keeps_packages() { packages.or_like(context, &base) } else { packages };
    let downloads = Directory::find(context, "composer", "")?;
    let ended = run(context, &app, &platform, &packages, &downloads).await?;
    collect(context, &packages, downloads, ended).await
}

fn key(context: &Context<'_>, base: &str, app: &App, platform: &Platform) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{:?}\n", platform.build_packages()));
    for (name, value) in &context.request.config_vars.0 {
        if name.starts_with("COMPOSER") {
            hash.update(format!("{name} {} {value}\n", value.len()));
        }
    }
    hash.update(if context.test.is_some() { "development" } else { "" });
    hash.update(&app.inputs);
    format!("{base} {}", hex::encode(hash.finalize()))
}

/// Runs the build's program in a container.
async fn run(
    context: &mut Context<'_>,
    app: &App,
    platform: &Platform,
    packages: &Installed,
    downloads: &Directory,
) -> Result<Ended, BuildError> {
    let files = [
        ("common.sh", include_str!("../scripts/common.sh")),
        ("php.sh", include_str!("php/build.sh")),
        ("php-profile.sh", include_str!("php/profile.sh")),
        ("heroku.ini", include_str!("php/heroku.ini")),
        ("php-serve.sh", include_str!("php/serve.sh")),
        ("apache2.conf", include_str!("php/apache2.conf")),
        ("nginx.conf", include_str!("php/nginx.conf")),
    ];
    let written = files.iter().try_for_each(|(name, text)| context.work.write(name, text));
    written.map_err(BuildError::system("writing the build's programs"))?;
    let own = downloads.layers().iter().copied().chain(packages.start());
    let image = context.build_image(own).await?;
    let mut env = context.env(&context.build_directory());
    let flag = |truth: bool| u8::from(truth).to_string();
    env.extend([
        downloads.plan(),
        ("COMPOSER_CACHE_DIR".into(), downloads.path()),
        ("KIGO_PHP".into(), platform.php.version.clone()),
        ("KIGO_COMPOSER".into(), app.file.clone()),
        ("KIGO_COMPOSER_INSTALLS".into(), flag(app.installs)),
        ("KIGO_COMPOSER_COMPILES".into(), flag(app.compiles)),
        ("KIGO_VENDOR".into(), app.vendor.clone()),
        ("KIGO_BIN".into(), app.bin.clone()),
        ("KIGO_INSTALLED".into(), flag(packages.is_there())),
        ("KIGO_SHARE".into(), flag(app.keeps_packages())),
    ]);
    let disk = context.builder.settings.limits.disk;
    let place = format!("app/{}", app.vendor);
    let phase = Phase {
        image,
        script: "php.sh",
        env,
        mounts: Vec::new(),
        pipes: vec![
            Pipe::packed("installed", disk, &place, context.source_time),
            Pipe::tree("app", disk),
            downloads.pipe(),
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
    Err(failed(PhpError::Step { step, status: ended.status }))
}

/// Takes over what came out of the container.
async fn collect(
    context: &mut Context<'_>,
    packages: &Installed,
    downloads: Directory,
    mut ended: Ended,
) -> Result<Compiled, BuildError> {
    let shared = ended.told("vendor")?.as_deref() == Some("shared");
    let new = ended.layer("installed");
    let mut layers = Vec::new();
    if shared {
        let missing = || BuildError::Container("it ended without sending its packages".into());
        layers.push(new.or(packages.layer()).ok_or_else(missing)?);
    }
    let kept = packages.keep(context, new)?.into_iter();
    let kept = kept.chain(downloads.keep(context, &mut ended).await?).collect();
    context.add_export(EXPORT)?;
    Ok(Compiled {
        tree: ended.required_tree("app")?,
        layers,
        description: KIND.into(),
        used: vec![built_in(Language::Php)],
        process_types: BTreeMap::from([(ProcessType::web(), server::DEFAULT.to_owned())]),
        config_vars: BTreeMap::new(),
        addons: Vec::new(),
        labels: BTreeMap::new(),
        kept,
    })
}
