//! `kigo config:unset`.

use super::shared::after_config_change;
use super::{AppArgs, Context, Ending, Result};

/// Remove config vars, which makes a release
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to remove
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let update: wire::config_vars::Update =
        args.keys.iter().map(|key| (key.clone(), serde_json::Value::Null)).collect();
    let client = context.client()?;
    let names = args.keys.join(", ");
    let action = context.printer.action(format!("Unsetting {names} and restarting ⬢ {app}"));
    client.config_vars_update(&app, &update).await?;
    after_config_change(&client, &app, action).await?;
    Ok(Ending::Done)
}
