//! `kigo config:set`.

use super::shared::after_config_change;
use anyhow::bail;
use super::{AppArgs, Context, Ending, Result};

/// Set config vars, which makes a release
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to set, as KEY=value
    #[arg(required = true, value_name = "KEY=VALUE")]
    vars: Vec<String>,
    #[command(flatten)]
    app: AppArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let mut update = wire::config_vars::Update::new();
    for var in &args.vars {
        let Some((key, value)) = var.split_once('=') else {
            bail!("{var} is not of the form KEY=value.");
        };
        update.insert(key.to_owned(), value.into());
    }
    let names: Vec<&str> = update.keys().map(String::as_str).collect();
    let client = context.client()?;
    let action = context.printer.action(format!("Setting {} and restarting ⬢ {app}", names.join(", ")));
    let vars = client.config_vars_update(&app, &update).await?;
    after_config_change(&client, &app, action).await?;
    let set: Vec<_> = vars.into_iter().filter(|(key, _)| update.contains_key(key)).collect();
    if args.json {
        context.printer.json(&set.into_iter().collect::<wire::config_vars::ConfigVars>())?;
    } else {
        context.printer.pairs(&set)?;
    }
    Ok(Ending::Done)
}
