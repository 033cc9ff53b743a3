//! `kigo authorizations:rotate`.

use super::shared::show_authorization;
use super::{Context, Ending, Result};

/// Give an authorization a new token
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its id
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let client = context.client()?;
    let action = context.printer.action("Rotating OAuth Authorization");
    let authorization = client.authorization_rotate(&args.id).await?;
    action.done();
    show_authorization(context.printer, &authorization, args.json)?;
    Ok(Ending::Done)
}
