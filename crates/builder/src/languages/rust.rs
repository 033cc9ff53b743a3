//! Rust, with Cargo.
//!
//! Heroku has no buildpack for it; what users know from the one that most of them use, emk/rust,
//! works the same: `RustConfig`, and programs in `target/release/`. A build goes through types, one
//! for each state of knowledge: [`App`] (what the app says) → [`Version`] (what will be used, and
//! where it comes from) → the container, which compiles. Crates and what was compiled are kept for
//! the app's next build; a slug has neither, nor a compiler.

mod app;
mod rustup;
#[cfg(test)]
mod times;
mod versions;
mod words;

use crate::BuildError;
use crate::build::{Compiled, Context, built_in};
use crate::cache::{Directory, Times};
use crate::container::{self, Ended, Phase, Pipe};
use crate::languages::Language;
use app::App;
use domain::ProcessType;
use engine::Power;
use std::collections::BTreeMap;
use std::path::Path;
use versions::{Source, Version};
use words::RustError;

/// What an app is called.
pub(crate) const KIND: &str = "Rust";

fn failed(error: RustError) -> BuildError {
    BuildError::of(KIND)(error)
}

/// Whether an app has one of the files by which the buildpack emk/rust recognises it.
pub(crate) fn detect(tree: &Path) -> bool {
    ["Cargo.toml", "RustConfig", "rust-toolchain", "rust-toolchain.toml"]
        .iter()
        .any(|name| crate::source::has_file(tree, name))
}

/// Builds the app in the context's source directory.
pub(crate) async fn compile(context: &mut Context<'_>) -> Result<Compiled, BuildError> {
    let app = App::determine(&context.work.source(), &context.request.config_vars).map_err(failed)?;
    let version = Version::resolve(&app, &context.stack).map_err(failed)?;
    let toolchain = match &version.source {
        Source::Debian(runtime) => {
            context.build_packages.extend(runtime.build.iter().cloned());
            format!("Debian {}", runtime.version)
        }
        Source::Rustup(channel) => {
            let layer = rustup::install(context, &app, &version, channel).await?;
            context.build_layers.push(layer);
            format!("rustup {channel}")
        }
    };
    // Programs may have been told where they were compiled.
    let key = format!("{} {toolchain} {}", context.stack.build, context.build_directory());
    let caches = Caches {
        crates: Directory::find(context, "cargo", "")?.with_times(Times::Own),
        target: Directory::find(context, "target", key)?.with_times(Times::Own),
    };
    let ended = run(context, &app, &version, &caches).await?;
    collect(context, &app, &version, caches, ended).await
}

/// What is kept for the app's next build. Cargo goes by times, so they keep their own.
struct Caches {
    crates: Directory,
    target: Directory,
}

/// Runs the build's program in a container.
async fn run(
    context: &mut Context<'_>,
    app: &App,
    version: &Version,
    caches: &Caches,
) -> Result<Ended, BuildError> {
    let files = [
        ("common.sh", include_str!("../scripts/common.sh")),
        ("rust.sh", include_str!("rust/build.sh")),
        ("rust-times.py", include_str!("rust/times.py")),
        ("rust-profile.sh", include_str!("rust/profile.sh")),
    ];
    let written = files.iter().try_for_each(|(name, text)| context.work.write(name, text));
    written.map_err(BuildError::system("writing the build's programs"))?;
    let own = caches.crates.layers().iter().chain(caches.target.layers());
    let image = context.build_image(own.copied()).await?;

    let is_debian = matches!(version.source, Source::Debian(_));
    let flag = |truth: bool| u8::from(truth).to_string();
    let mut env = context.env(&context.build_directory());
    // Not the build directory: what programs leave in their home is no part of the app.
    env.insert("HOME".into(), if context.alone { "/tmp/home".into() } else { "/app".into() });
    env.extend([
        caches.crates.plan(),
        caches.target.plan(),
        ("KIGO_RUST_PATH".into(), app.path.clone()),
        ("KIGO_RUST_ROOT".into(), if is_debian { "/usr" } else { rustup::ROOT }.into()),
        ("KIGO_RUST_ORIGIN".into(), if is_debian { "Debian" } else { "" }.into()),
        ("KIGO_RUST_WANTED".into(), version.wanted().filter(|_| is_debian).unwrap_or_default()),
        ("KIGO_RUST_SKIP".into(), flag(app.skips_build)),
        ("KIGO_RUST_FLAGS".into(), app.flags.clone().unwrap_or_default()),
        ("KIGO_RUST_DIESEL".into(), flag(app.installs_diesel)),
        ("KIGO_RUST_DIESEL_FLAGS".into(), app.diesel_flags.clone()),
    ]);
    context.test_env.insert("KIGO_RUST_PATH".into(), app.path.clone());
    let phase = Phase {
        image,
        script: "rust.sh",
        env,
        mounts: Vec::new(),
        pipes: vec![
            Pipe::tree("app", context.builder.settings.limits.disk),
            caches.crates.pipe(),
            caches.target.pipe(),
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
    let found = ended.told("found")?.unwrap_or_default();
    Err(failed(match version.wanted() {
        Some(wanted) if step == "version" => RustError::MovedOn { wanted, found },
        _ => RustError::Step { step, status: ended.status },
    }))
}

/// Takes over what came out of the container.
async fn collect(
    context: &mut Context<'_>,
    app: &App,
    version: &Version,
    caches: Caches,
    mut ended: Ended,
) -> Result<Compiled, BuildError> {
    let binaries = ended.told("binaries")?.unwrap_or_default();
    let tree = ended.required_tree("app")?;
    let crates = caches.crates.keep(context, &mut ended).await?;
    let target = caches.target.keep(context, &mut ended).await?;
    if matches!(version.source, Source::Rustup(_)) {
        context.add_export(&format!("export PATH=\"{}/bin:$PATH\"", rustup::ROOT))?;
    }
    Ok(Compiled {
        tree,
        layers: Vec::new(),
        description: KIND.into(),
        used: vec![built_in(Language::Rust)],
        process_types: process_types(app, &binaries),
        config_vars: BTreeMap::new(),
        addons: Vec::new(),
        labels: BTreeMap::new(),
        kept: crates.into_iter().chain(target).collect(),
    })
}

/// The only program is the web process, or the one that `cargo run` would run.
fn process_types(app: &App, binaries: &str) -> BTreeMap<ProcessType, String> {
    let names: Vec<&str> = binaries.lines().collect();
    let web = match (names.as_slice(), &app.default_run) {
        ([only], _) => Some(*only),
        (several, Some(default)) => several.iter().find(|name| *name == default).copied(),
        _ => None,
    };
    let place = if app.path.is_empty() { String::new() } else { format!("{}/", app.path) };
    web.map(|name| (ProcessType::web(), format!("{place}target/release/{name}"))).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_program_or_the_default_is_the_web_process() {
        for (binaries, default_run, path, expected) in [
            ("", None, "", None),
            ("web-server", None, "", Some("target/release/web-server")),
            ("web-server", None, "a/b", Some("a/b/target/release/web-server")),
            ("one\ntwo", None, "", None),
            ("one\ntwo", Some("two"), "", Some("target/release/two")),
            ("one\ntwo", Some("three"), "", None),
        ] {
            let app =
                App { default_run: default_run.map(str::to_owned), path: path.into(), ..App::default() };
            let types = process_types(&app, binaries);
            assert_eq!(types.get(&ProcessType::web()).map(String::as_str), expected, "{binaries}");
        }
    }
}
