//! Ruby, with Bundler.
//!
//! The interpreter and Bundler are Debian's, a part of the stack; a build makes `vendor/bundle` with
//! the gems of Gemfile.lock. As long as that and what else decides it stay the same, a build installs
//! nothing, and the image refers to the same layer as before; when it changes, Bundler starts from
//! what the last build had. What the steps are called and when they run follows Heroku's Ruby
//! buildpack.

mod app;
mod gems;
mod lockfile;
mod versions;
mod words;

use crate::BuildError;
use crate::build::{Compiled, Context, built_in};
use crate::cache::{Directory, Installed};
use crate::container::{self, Ended, Phase, Pipe};
use crate::languages::Language;
use app::App;
use engine::Power;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use versions::Version;
use words::RubyError;

/// What an app is called.
pub(crate) const KIND: &str = "Ruby";

/// Counts up when the same inputs would be installed into something else.
const RECIPE: u32 = 1;

/// Where the gems are, in builds and dynos.
const PLACE: &str = "app/vendor/bundle";

fn failed(error: RubyError) -> BuildError {
    BuildError::of(KIND)(error)
}

/// Whether an app is recognised as one in Ruby.
pub(crate) fn detect(tree: &Path) -> bool {
    crate::source::has_file(tree, "Gemfile")
}

/// Builds the app in the context's source directory.
pub(crate) async fn compile(context: &mut Context<'_>) -> Result<Compiled, BuildError> {
    let app = App::determine(&context.work.source()).map_err(failed)?;
    let version = Version::resolve(&app, &context.stack).map_err(failed)?;
    version.tell(context.output).await;
    app.warn(context.output).await;
    let more = gems::packages(&app.lockfile);
    context.build_packages.extend(version.runtime.build.iter().cloned().chain(more.build));
    if context.test.is_some() {
        // Tests run where the app is built.
        context.build_packages.extend(more.run.iter().cloned());
    }
    context.run_packages.extend(version.runtime.run.iter().cloned().chain(more.run));

    let base = format!("{RECIPE} {} ruby {}", context.stack.build, version.runtime.version);
    let key = key(context, &base, &app);
    let gems = Installed::find(context, "gems", Some(key)).or_like(context, &base);
    let assets = Directory::find(context, "assets", "")?;
    let ended = run(context, &app, &version, &gems, &assets).await?;
    collect(context, &app, &gems, assets, ended).await
}

fn key(context: &Context<'_>, base: &str, app: &App) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{:?}\n", context.build_packages));
    for (name, value) in &context.request.config_vars.0 {
        if name.starts_with("BUNDLE_") {
            hash.update(format!("{name} {} {value}\n", value.len()));
        }
    }
    hash.update(&app.inputs);
    format!("{base} {}", hex::encode(hash.finalize()))
}

/// Runs the build's program in a container.
async fn run(
    context: &mut Context<'_>,
    app: &App,
    version: &Version,
    gems: &Installed,
    assets: &Directory,
) -> Result<Ended, BuildError> {
    let profile = app.profile();
    let files = [
        ("common.sh", include_str!("../scripts/common.sh")),
        ("ruby.sh", include_str!("ruby/build.sh")),
        ("ruby-version.rb", include_str!("ruby/version.rb")),
        ("ruby-profile.sh", &profile),
    ];
    let written = files.iter().try_for_each(|(name, text)| context.work.write(name, text));
    written.map_err(BuildError::system("writing the build's programs"))?;
    let own = assets.layers().iter().copied().chain(gems.start());
    let image = context.build_image(own).await?;
    let mut env = context.env(&context.build_directory());
    let flag = |truth: bool| u8::from(truth).to_string();
    env.extend([
        assets.plan(),
        ("KIGO_RUBY".into(), version.runtime.version.clone()),
        ("KIGO_INSTALLED".into(), flag(gems.is_there())),
        ("KIGO_RAILS".into(), flag(app.lockfile.has("railties"))),
        ("KIGO_NEEDS_NODE".into(), flag(app.needs_node)),
        ("KIGO_DATABASE_URL".into(), app.database_url().unwrap_or_default().into()),
    ]);
    let disk = context.builder.settings.limits.disk;
    let phase = Phase {
        image,
        script: "ruby.sh",
        env,
        mounts: Vec::new(),
        pipes: vec![
            Pipe::packed("installed", disk, PLACE, context.source_time),
            Pipe::tree("app", disk),
            assets.pipe(),
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
    if step == "version"
        && let Some(there) = ended.told("ruby")?
    {
        let asked = ended.told("asked")?.unwrap_or_default();
        return Err(failed(RubyError::OtherPatch { asked, there }));
    }
    Err(failed(RubyError::Step { step, status: ended.status }))
}

/// Takes over what came out of the container.
async fn collect(
    context: &mut Context<'_>,
    app: &App,
    gems: &Installed,
    assets: Directory,
    mut ended: Ended,
) -> Result<Compiled, BuildError> {
    let shared = ended.told("gems")?.as_deref() == Some("shared");
    let new = ended.layer("installed");
    let mut layers = Vec::new();
    if shared {
        let missing = || BuildError::Container("it ended without sending its gems".into());
        layers.push(new.or(gems.layer()).ok_or_else(missing)?);
    }
    let kept = gems.keep(context, new)?.into_iter();
    let kept = kept.chain(assets.keep(context, &mut ended).await?).collect();
    context.add_export(&app.export(&context.build_directory()))?;
    Ok(Compiled {
        tree: ended.required_tree("app")?,
        layers,
        description: KIND.into(),
        used: vec![built_in(Language::Ruby)],
        process_types: app.process_types(),
        config_vars: app.config_vars(),
        addons: Vec::new(),
        labels: BTreeMap::new(),
        kept,
    })
}

/// What an app signs its sessions with: made once, for its first release.
fn secret() -> String {
    let halves = [(); 4].map(|()| uuid::Uuid::new_v4().simple().to_string());
    halves.concat()
}

impl App {
    /// Config vars of an app's first release.
    fn config_vars(&self) -> BTreeMap<String, String> {
        let rails = self.lockfile.has("railties");
        rails.then(|| ("SECRET_KEY_BASE".to_owned(), secret())).into_iter().collect()
    }
}
