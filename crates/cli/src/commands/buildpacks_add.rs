//! `kigo buildpacks:add`.

use super::shared::{order, replace};
use anyhow::bail;
use super::{AppArgs, Context, Ending, Result};

/// Add a buildpack to those of an app
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
    if order.contains(&args.buildpack) {
        bail!("The buildpack {} is already set on {app}.", args.buildpack);
    }
    let place = args.index.map_or(order.len(), |index| index.saturating_sub(1).min(order.len()));
    order.insert(place, args.buildpack);
    replace(context, &client, &app, order, "added").await?;
    Ok(Ending::Done)
}
