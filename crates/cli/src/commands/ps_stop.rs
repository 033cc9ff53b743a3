//! `kigo ps:stop`.

use anyhow::bail;
use super::{AppArgs, Context, Ending, Result};

/// Stop dynos; those of the formation start again
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A dyno (web.1) or a process type (web)
    target: Option<String>,
    /// A dyno, in the official CLI's form
    #[arg(short, long, conflicts_with = "target")]
    dyno_name: Option<String>,
    /// A process type, in the official CLI's form
    #[arg(short, long, conflicts_with_all = ["target", "dyno_name"])]
    process_type: Option<String>,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let Some(target) = args.target.or(args.dyno_name).or(args.process_type) else {
        bail!("Name a dyno (web.1) or a process type (web).");
    };
    let client = context.client()?;
    let action = context.printer.action(format!("Stopping {target} on ⬢ {app}"));
    if target.contains('.') {
        client.dyno_stop(&app, &target).await?;
    } else {
        client.process_type_stop(&app, &target).await?;
    }
    action.done();
    Ok(Ending::Done)
}
