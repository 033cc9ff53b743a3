//! Classic buildpacks: any directory with `bin/detect` and `bin/compile`, named by its address.
//!
//! The contract is Heroku's Buildpack API. Buildpacks that follow each other run in one container;
//! they share the build directory, the cache and what earlier ones export.

pub(crate) mod release;

use crate::build::{Compiled, Context};
use crate::container::{self, Phase, Pipe};
use crate::fetch::Fetched;
use crate::request::BuildpackName;
use crate::{BuildError, cache};
use domain::BuildpackRef;
use engine::Power;
use release::Release;
use std::collections::BTreeMap;

/// The kept directory that is their `CACHE_DIR`.
const CACHE: &str = "classic";

/// Runs classic buildpacks, in order, on the source.
pub(crate) async fn compile(
    context: &mut Context<'_>,
    buildpacks: &[Fetched],
) -> Result<Compiled, BuildError> {
    let (builder, request) = (context.builder, context.request);
    let script = [
        ("common.sh", include_str!("scripts/common.sh")),
        ("classic.sh", include_str!("scripts/classic.sh")),
    ];
    script
        .iter()
        .try_for_each(|(name, text)| context.work.write(name, text))
        .map_err(BuildError::system("writing the build's programs"))?;
    let cache = cache::Directory::find(context, CACHE, "")?;
    let mut env = context.env(&context.build_directory());
    let numbers: Vec<_> = buildpacks.iter().map(|one| one.number.to_string()).collect();
    env.extend([cache.plan(), ("KIGO_BUILDPACKS".to_owned(), numbers.join(" "))]);
    let phase = Phase {
        image: context.build_image(cache.layers().iter().copied()).await?,
        script: "classic.sh",
        env,
        mounts: context.mounts.clone(),
        pipes: vec![Pipe::tree("app", builder.settings.limits.disk), cache.pipe()],
        power: Power::Plain,
        decide: None,
    };
    let mut ended =
        container::run(builder, request, &context.work, phase, context.deadline, context.output).await?;
    let told_number = |name: &str| -> Result<usize, BuildError> {
        Ok(ended.told(name)?.and_then(|text| text.parse().ok()).unwrap_or(0))
    };
    let current = told_number("buildpack")?.min(buildpacks.len().saturating_sub(1));
    let name = || buildpacks.get(current).map(|one| one.address.shown()).unwrap_or_default();
    for (index, one) in buildpacks.iter().enumerate() {
        if let Some(report) = ended.told(&format!("report.{index}"))? {
            let buildpack = one.address.shown();
            tracing::info!(build = %request.build, app = %request.app, buildpack, report, "a buildpack reports");
        }
    }
    if ended.status != 0 {
        let description = ended.told(&format!("detected.{current}"))?.unwrap_or_else(name);
        return Err(match ended.told("step")?.as_deref() {
            Some("check") => BuildError::NotABuildpack(name()),
            Some("detect") => BuildError::NotCompatible(name()),
            _ => BuildError::Compile { buildpack: name(), description, status: ended.status },
        });
    }
    let text = ended.told("release")?.unwrap_or_default();
    let release =
        Release::parse(&text).map_err(|source| BuildError::Release { buildpack: name(), source })?;
    let mut used = Vec::new();
    for (index, one) in buildpacks.iter().enumerate() {
        let description = ended.told(&format!("detected.{index}"))?.unwrap_or_default();
        used.push(BuildpackName { buildpack: BuildpackRef(one.address.entry().to_owned()), description });
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
        addons: release.addons,
        labels: BTreeMap::new(),
        layers: Vec::new(),
        kept: kept.into_iter().collect(),
    })
}
