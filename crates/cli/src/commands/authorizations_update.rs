//! `kigo authorizations:update`.

use super::shared::show_authorization;
use super::{Context, Ending, Result};
use wire::authorization;

/// Describe an authorization anew
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its id
    id: String,
    /// What it is for
    #[arg(short, long)]
    description: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let client = context.client()?;
    let action = context.printer.action("Updating OAuth Authorization");
    let input = authorization::Update { description: Some(args.description) };
    let authorization = client.authorization_update(&args.id, &input).await?;
    action.done();
    show_authorization(context.printer, &authorization, args.json)?;
    Ok(Ending::Done)
}
