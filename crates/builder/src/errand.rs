//! A program of ours that a build runs for all apps: to fetch a toolchain, say. It runs in a
//! container without anything of the app's in its environment, and what it makes may be shared.

use crate::BuildError;
use crate::build::Context;
use crate::cache::{Found, Shared};
use crate::container::{self, Ended, Phase, Pipe};
use crate::packages::{self, Packages};
use engine::Power;
use image::{ImageSpec, Layer};
use std::collections::BTreeMap;

/// What to run, and on what.
pub(crate) struct Errand {
    /// The name of the program and its text.
    pub(crate) script: (&'static str, &'static str),
    /// Besides what every program of a build gets.
    pub(crate) env: BTreeMap<String, String>,
    /// Debian packages on the stack.
    pub(crate) packages: Packages,
    /// Layers on top of them.
    pub(crate) layers: Vec<Layer>,
    /// Layers that it may send.
    pub(crate) pipes: Vec<Pipe>,
}

/// By which pipe a program sends what all apps share.
const PIPE: &str = "shared";

/// The layer `shared`, which the errand sends through the pipe `shared` if it is not there. Of several
/// builds that want it at once, one makes it, and says so, and the others wait. `Err` inside is how
/// the program failed.
pub(crate) async fn once(
    context: &mut Context<'_>,
    shared: &Shared,
    making: &str,
    mut errand: Errand,
) -> Result<Result<Layer, Ended>, BuildError> {
    let builder = context.builder;
    let _making = match shared.find_or_make(context).await? {
        Found::There(layer) => return Ok(Ok(layer)),
        Found::ToMake(making) => making,
    };
    context.output.detail(making).await;
    errand.pipes.push(Pipe::layer(PIPE));
    let mut ended = run(context, errand).await?;
    match ended.layer(PIPE) {
        Some(layer) if ended.status == 0 => {
            shared.keep(builder, layer)?;
            Ok(Ok(layer))
        }
        _ => Ok(Err(ended)),
    }
}

/// Runs it. A program that fails is no error here.
pub(crate) async fn run(context: &mut Context<'_>, errand: Errand) -> Result<Ended, BuildError> {
    let (name, text) = errand.script;
    [("common.sh", include_str!("scripts/common.sh")), (name, text)]
        .iter()
        .try_for_each(|(name, text)| context.work.write(name, text))
        .map_err(BuildError::system("writing the build's programs"))?;
    let mut layers = context.builder.images.image(&context.stack.build)?.spec.layers;
    layers.extend(packages::layer(context, context.stack.build, &errand.packages).await?);
    layers.extend(errand.layers);
    let image = context.put_image(&ImageSpec { layers, ..ImageSpec::default() })?;
    let mut env = context.env("/tmp");
    env.insert("HOME".into(), "/tmp/home".into());
    env.extend(errand.env);
    let phase = Phase {
        image,
        script: name,
        env,
        mounts: Vec::new(),
        pipes: errand.pipes,
        power: Power::Plain,
        decide: None,
    };
    let (builder, request) = (context.builder, context.request);
    container::run(builder, request, &context.work, phase, context.deadline, context.output).await
}
