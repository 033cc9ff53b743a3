//! `kigo config`.

use super::shared::quote;
use super::{AppArgs, Context, Ending, Result};

/// Show the config vars of an app
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    app: AppArgs,
    /// Print KEY=value lines for a shell
    #[arg(short, long)]
    shell: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let vars = context.client()?.config_vars(&app).await?;
    if args.json {
        context.printer.json(&vars)?;
    } else if args.shell {
        for (key, value) in vars {
            context.printer.line(format!("{key}={}", quote(&value)))?;
        }
    } else {
        context.printer.heading(format!("{app} Config Vars"))?;
        context.printer.pairs(&vars.into_iter().collect::<Vec<_>>())?;
    }
    Ok(Ending::Done)
}
