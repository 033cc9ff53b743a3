//! `kigo addons:unregister`.

use super::{Context, Ending, Result};

/// Take a partner's service out of the marketplace
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The service's name
    #[arg(value_name = "SERVICE")]
    service: String,
    /// Forget add-ons that were destroyed and that the partner does not take back
    #[arg(long)]
    force: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let gone = context.client()?.partner_unregister(&args.service, args.force).await?;
    context.printer.line(format!("{} is not offered any more.", gone.name))?;
    Ok(Ending::Done)
}
