//! `kigo domains:add`.

use super::{AppArgs, Context, Ending, Result};

/// Add a domain to an app
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The host name
    hostname: String,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let action = context.printer.action(format!("Adding {} to ⬢ {app}", args.hostname));
    let domain = client.domain_add(&app, &args.hostname).await?;
    action.done();
    if let Some(target) = domain.cname {
        context.printer.line(format!("Point the DNS record of {} to {target}.", domain.hostname))?;
    }
    Ok(Ending::Done)
}
