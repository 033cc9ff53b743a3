//! `kigo buildpacks:remove`.

use super::shared::{order, replace};
use anyhow::bail;
use super::{AppArgs, Context, Ending, Result};

/// Remove a buildpack from those of an app
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name or address
    #[arg(required_unless_present = "index")]
    buildpack: Option<String>,
    /// Its place, from 1
    #[arg(short, long, conflicts_with = "buildpack")]
    index: Option<usize>,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let mut order = order(&client, &app).await?;
    let place = match (&args.buildpack, args.index) {
        (Some(buildpack), _) => order.iter().position(|one| one == buildpack),
        (None, index) => index.and_then(|index| index.checked_sub(1)).filter(|place| *place < order.len()),
    };
    let Some(place) = place else { bail!("Buildpack not found on {app}. Nothing was removed.") };
    order.remove(place);
    replace(context, &client, &app, order, "removed").await?;
    Ok(Ending::Done)
}
