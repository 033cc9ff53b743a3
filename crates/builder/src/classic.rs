//! Classic buildpacks: any directory with `bin/detect` and `bin/compile`, named by its address.
//!
//! The contract is Heroku's Buildpack API. Buildpacks that follow each other run in one container;
//! they share the build directory, the cache and what earlier ones export. They are fetched in that
//! container as well, so that an address reaches no further than a build does.

pub(crate) mod address;
pub(crate) mod release;

use crate::build::{Compiled, Context};
use crate::container::{self, Phase, Pipe};
use crate::request::BuildpackName;
use crate::{BuildError, cache};
use address::Address;
use domain::BuildpackRef;
use engine::{Mount, Power};
use release::Release;

/// The kept directory that is their `CACHE_DIR`.
const CACHE: &str = "classic";

/// Runs classic buildpacks, in order, on the source.
pub(crate) async fn compile(
    context: &mut Context<'_>,
    buildpacks: &[Address],
) -> Result<Compiled, BuildError> {
    let (builder, request) = (context.builder, context.request);
    let script = [
        ("common.sh", include_str!("scripts/common.sh")),
        ("classic.sh", include_str!("scripts/classic.sh")),
    ];
    let list: String = buildpacks.iter().map(Address::script_line).collect();
    let written = script.iter().try_for_each(|(name, text)| context.work.write(name, text));
    written
        .and_then(|()| context.work.write("buildpacks", &list))
        .map_err(BuildError::system("writing the build's programs"))?;
    let cache = cache::Directory::find(context, CACHE, "")?;
    let mut mounts = Vec::new();
    if let Some(local) = &builder.settings.local_buildpacks {
        mounts.push(Mount { source: local.clone(), target: address::LOCAL.into(), read_only: true });
    }
    let mut env = context.env(&context.build_directory());
    env.extend([cache.plan()]);
    let phase = Phase {
        image: context.build_image(cache.layers().iter().copied()).await?,
        script: "classic.sh",
        env,
        mounts,
        pipes: vec![Pipe::tree("app", builder.settings.limits.disk), cache.pipe()],
        power: Power::Plain,
    };
    let mut ended =
        container::run(builder, request, &context.work, phase, context.deadline, context.output).await?;
    let told_number = |name: &str| -> Result<usize, BuildError> {
        Ok(ended.told(name)?.and_then(|text| text.parse().ok()).unwrap_or(0))
    };
    let current = told_number("buildpack")?.min(buildpacks.len().saturating_sub(1));
    let name = || buildpacks.get(current).map(Address::shown).unwrap_or_default();
    for (index, address) in buildpacks.iter().enumerate() {
        if let Some(report) = ended.told(&format!("report.{index}"))? {
            let buildpack = address.shown();
            tracing::info!(build = %request.build, app = %request.app, buildpack, report, "a buildpack reports");
        }
    }
    if ended.status != 0 {
        let description = ended.told(&format!("detected.{current}"))?.unwrap_or_else(name);
        return Err(match ended.told("step")?.as_deref() {
            Some("fetch") => BuildError::BuildpackFetch(name()),
            Some("check") => BuildError::NotABuildpack(name()),
            Some("detect") => BuildError::NotCompatible(name()),
            _ => BuildError::Compile { buildpack: name(), description, status: ended.status },
        });
    }
    let text = ended.told("release")?.unwrap_or_default();
    let release =
        Release::parse(&text).map_err(|source| BuildError::Release { buildpack: name(), source })?;
    if !release.addons.is_empty() {
        let addons = release.addons.join(", ");
        let words =
            format!("The buildpack {} asks for add-ons, of which there are none yet: {addons}.", name());
        context.output.warning(words).await;
        context.output.warning("Set the config vars that they would set with `heroku config:set`.").await;
    }
    let mut used = Vec::new();
    for (index, address) in buildpacks.iter().enumerate() {
        let description = ended.told(&format!("detected.{index}"))?.unwrap_or_default();
        used.push(BuildpackName { buildpack: BuildpackRef(address.entry().to_owned()), description });
        if let Some(export) = ended.told(&format!("export.{index}"))? {
            context.add_export(&export)?;
        }
    }
    let kept = cache.keep(context, &mut ended).await?;
    Ok(Compiled {
        tree: ended.required_tree("app")?,
        description: used.last().map(|last| last.description.clone()).unwrap_or_default(),
        used,
        process_types: release.process_types,
        config_vars: release.config_vars,
        layers: Vec::new(),
        kept: kept.into_iter().collect(),
    })
}
