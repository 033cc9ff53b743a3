//! `kigo releases:info`.

use super::shared::{quote, release_or_current};
use crate::time::since;
use super::{AppArgs, Context, Ending, Result};
use jiff::Timestamp;
use serde_json::json;

/// Show a release
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// v42, or an id; without one, the current release
    release: Option<String>,
    /// Print the config vars as KEY=value lines for a shell
    #[arg(short, long)]
    shell: bool,
    #[command(flatten)]
    app: AppArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let release = release_or_current(&client, &app, args.release.as_deref()).await?;
    let vars = client.release_config_vars(&app, release.version).await?;
    if args.json {
        let value = json!({ "release": release, "config_vars": vars });
        context.printer.json(&value)?;
        return Ok(Ending::Done);
    }
    if args.shell {
        for (key, value) in vars {
            context.printer.line(format!("{key}={}", quote(&value)))?;
        }
        return Ok(Ending::Done);
    }
    context.printer.heading(format!("Release v{}", release.version))?;
    let pairs = [
        ("By", release.user.email.clone()),
        ("Change", release.description.clone()),
        ("Status", release.status.clone()),
        ("When", since(release.created_at, Timestamp::now())),
    ];
    context.printer.pairs(&pairs)?;
    context.printer.line("")?;
    context.printer.heading(format!("v{} Config vars", release.version))?;
    context.printer.pairs(&vars.into_iter().collect::<Vec<_>>())?;
    Ok(Ending::Done)
}
