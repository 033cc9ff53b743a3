//! `kigo config:get`.

use super::shared::quote;
use super::{AppArgs, Context, Ending, Result};

/// Print one config var
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its name
    key: String,
    #[command(flatten)]
    app: AppArgs,
    /// Print KEY=value for a shell
    #[arg(short, long)]
    shell: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let vars = context.client()?.config_vars(&app).await?;
    let Some(value) = vars.get(&args.key) else {
        if args.json {
            context.printer.json(&serde_json::Value::Null)?;
        }
        return Ok(Ending::Status(1));
    };
    if args.json {
        context.printer.json(value)?;
    } else if args.shell {
        context.printer.line(format!("{}={}", args.key, quote(value)))?;
    } else {
        context.printer.line(value)?;
    }
    Ok(Ending::Done)
}
