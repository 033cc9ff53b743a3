//! `kigo buildpacks:set`.

use super::shared::{order, replace};
use anyhow::bail;
use super::{AppArgs, Context, Ending, Result};

/// Set the buildpack of an app, or the one at an index
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name or address
    buildpack: String,
    /// Its place, from 1
    #[arg(short, long)]
    index: Option<usize>,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let mut order = order(&client, &app).await?;
    let place = args.index.unwrap_or(1).saturating_sub(1);
    if order.iter().enumerate().any(|(at, one)| at != place && *one == args.buildpack) {
        bail!("The buildpack {} is already set on {app}.", args.buildpack);
    }
    match order.get_mut(place) {
        Some(old) => *old = args.buildpack,
        None => order.push(args.buildpack),
    }
    replace(context, &client, &app, order, "set").await?;
    Ok(Ending::Done)
}
