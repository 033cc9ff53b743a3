//! Cloud Native Buildpacks: any directory with a `buildpack.toml` that says `api`, named by its address,
//! or an image that carries some.
//!
//! The contract is the Buildpack API of <https://buildpacks.io>, in the versions that
//! [`descriptor::supported`] lists. All such buildpacks of an app follow each other and share one run of
//! the [`lifecycle`], in one container: `bin/detect` of each group until one passes, then `bin/build`
//! of its buildpacks. Their layers become layers of the app's image, below `/layers`; what a dyno has to
//! do for them at its start is written down there, too ([`launcher`]).
//!
//! What is refused: image extensions, builders, a registry of names.

mod built;
pub(crate) mod descriptor;
mod detection;
mod env;
pub(crate) mod errors;
mod export;
mod kept;
mod launch;
mod launcher;
mod lifecycle;
mod order;
mod plan;
pub(crate) mod sources;

use crate::build::{Compiled, Context};
use crate::container::{self, Phase, Pipe};
use crate::fetch::Fetched;
use crate::{BuildError, Builder};
use descriptor::{Descriptor, Platform};
use detection::Detection;
use domain::Digest;
use engine::Power;
use errors::CnbError;
use image::{Compression, Layer, PackOptions, View};
use kept::Restored;
use lifecycle::{Lifecycle, Shared, ended};
use order::BadOrder;
use std::collections::BTreeMap;
use std::path::Path;

/// Where the app is built, and where it runs.
const APP: &str = "/app";

/// Runs Cloud Native Buildpacks, in order, on the source.
pub(crate) async fn compile(context: &mut Context<'_>, fetched: &[Fetched]) -> Result<Compiled, BuildError> {
    let catalog = sources::read(fetched, &context.work.inside("buildpacks"))?;
    let descriptors: Vec<Descriptor> =
        catalog.components.iter().map(|component| component.descriptor.clone()).collect();
    let groups = order::groups(&descriptors, &catalog.entries).map_err(|bad| match bad {
        BadOrder::TooMuch => CnbError::Order,
        BadOrder::Missing { of, member } => {
            let trouble = catalog.troubles.into_iter().next();
            trouble.unwrap_or(CnbError::Missing { buildpack: of, member })
        }
    })?;
    let names: Vec<_> = catalog.entries.iter().map(|entry| descriptors[*entry].name.clone()).collect();
    let directories = descriptors.iter().map(Descriptor::directory).collect();
    let restored = Restored::find(context).only(&directories);
    let platform = platform(context)?;
    let variables = variables(&context.work.inside("env"))
        .map_err(BuildError::system("reading the config vars of a build"))?;
    write(context, &restored).map_err(BuildError::system("writing the build's programs"))?;

    let mut layers = vec![directories_layer(context.builder)?];
    layers.extend(fetched.iter().filter_map(|one| one.image.as_ref()).flat_map(|image| &image.layers));
    layers.extend(restored.image_layers());
    let image = context.build_image(layers).await?;
    let lifecycle = Lifecycle::new(catalog.components, Detection::new(groups), platform, variables, restored);
    let lifecycle = Shared::new(lifecycle);
    context.output.heading("Detecting Cloud Native Buildpacks").await;
    let mut done = run(context, image, &lifecycle).await?;
    if let Some(report) = lifecycle.with(|lifecycle| lifecycle.nothing.take()) {
        return Err(CnbError::Nothing(report).into());
    }
    if done.status != 0 {
        let step = done.told("step")?.unwrap_or_default();
        return Err(BuildError::Container(format!(
            "the lifecycle ended with status {} at {step}",
            done.status
        )));
    }
    export::take_over(context, &lifecycle, &mut done, fetched, &names).await
}

async fn run(
    context: &mut Context<'_>,
    image: Digest,
    lifecycle: &Shared,
) -> Result<container::Ended, BuildError> {
    let limit = context.builder.settings.limits.disk;
    let phase = Phase {
        image,
        script: "cnb.sh",
        env: context.env(APP),
        mounts: Vec::new(),
        pipes: vec![Pipe::tree("app", limit), Pipe::tree("layers", limit)],
        power: Power::Plain,
        decide: Some(Box::new(lifecycle.clone())),
    };
    let (builder, request) = (context.builder, context.request);
    container::run(builder, request, &context.work, phase, context.deadline, context.output).await
}

fn write(context: &Context<'_>, restored: &Restored) -> std::io::Result<()> {
    let list = ended(restored.with_content().into_iter(), "\n");
    let texts = [
        ("common.sh", include_str!("scripts/common.sh")),
        ("ask.sh", include_str!("scripts/ask.sh")),
        ("cnb.sh", include_str!("scripts/cnb.sh")),
        ("restored", &list),
    ];
    texts.iter().try_for_each(|(name, text)| context.work.write(name, text))
}

/// Directories that programs write to, or find things in, and that no build could make.
fn directories_layer(builder: &Builder) -> Result<Layer, BuildError> {
    let make = || {
        let tree = tempfile::tempdir()?;
        ["layers", "platform"].iter().try_for_each(|name| std::fs::create_dir(tree.path().join(name)))?;
        Ok(tree)
    };
    let tree = make().map_err(BuildError::system("making a build's directories"))?;
    let options = PackOptions { prefix: "".into(), ..PackOptions::app(0) };
    Ok(builder.images.add_layer_from_directory(tree.path(), &options, Compression::Zstd)?)
}

/// What apps of a stack run on.
fn platform(context: &Context<'_>) -> Result<Platform, BuildError> {
    let images = &context.builder.images;
    let image = images.image(&context.stack.build)?;
    let view = View::new(images.layers(&context.stack.build)?);
    let text = view
        .read("usr/lib/os-release", 64 << 10)
        .map_err(BuildError::system("reading what the stack is"))?
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    Ok(Platform {
        arch: image.architecture,
        distro: (os_release(&text, "ID"), os_release(&text, "VERSION_ID")),
        stack: context.stack.classic_alias.clone(),
    })
}

fn os_release(text: &str, name: &str) -> String {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
}

/// Config vars, as they were written down for programs.
fn variables(directory: &Path) -> std::io::Result<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let value = String::from_utf8_lossy(&std::fs::read(entry.path())?).into_owned();
        all.insert(entry.file_name().to_string_lossy().into_owned(), value);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_is_read() {
        let text = "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nVERSION_ID=\"13\"\nID=debian\nIDX=x\n";
        assert_eq!(
            (os_release(text, "ID").as_str(), os_release(text, "VERSION_ID").as_str()),
            ("debian", "13")
        );
        assert_eq!(os_release("", "ID"), "");
    }

    #[tokio::test]
    async fn every_failure_says_what_happened_why_and_what_to_do() {
        let (one, why) = (|| "acme/one 1.0.0".to_owned(), || "line 3, column 1: something".to_owned());
        let report = |is_fault| detection::Report {
            lines: vec![
                "acme/one 1.0.0: fail".into(),
                "acme/two 2.0.0: not for this stack, but for windows/any".into(),
            ],
            is_fault,
        };
        let errors = [
            CnbError::Descriptor { buildpack: "https://x.example/a.tgz".into(), why: why() },
            CnbError::Api { buildpack: "https://x.example/a.tgz".into(), api: "0.4".into() },
            CnbError::Program { buildpack: "https://x.example/a.tgz".into(), program: "bin/build" },
            CnbError::Missing { buildpack: one(), member: "acme/two 2.0.0".into() },
            CnbError::Order,
            CnbError::Several("https://x.example/a.git".into()),
            CnbError::Apart,
            CnbError::Image { image: "localhost:5000/a/b:v1".into(), why: "It has no layers.".into() },
            CnbError::Nothing(report(false)),
            CnbError::Nothing(report(true)),
            CnbError::Build { buildpack: one(), status: 2 },
            CnbError::File { buildpack: one(), file: "launch.toml".into(), why: why() },
            CnbError::LayerName { buildpack: one(), name: "..".into() },
            CnbError::NoLayer { buildpack: one(), layer: "deps".into() },
            CnbError::TooMany { buildpack: one(), what: "layers", limit: 100 },
        ];
        insta::assert_snapshot!(crate::errors::tests::told(errors.map(BuildError::from)).await);
    }
}
