//! `kigo authorizations:info`.

use super::shared::show_authorization;
use super::{Context, Ending, Result};

/// Show an authorization
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its id
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let authorization = context.client()?.authorization(&args.id).await?;
    show_authorization(context.printer, &authorization, args.json)?;
    Ok(Ending::Done)
}
