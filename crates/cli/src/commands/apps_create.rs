//! `kigo create`.

use super::shared::add_remote;
use super::{Context, Ending, Result};
use wire::app;

/// Create an app
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A name; without one the server makes one up
    name: Option<String>,
    /// The stack
    #[arg(short, long)]
    stack: Option<String>,
    /// The region
    #[arg(long)]
    region: Option<String>,
    /// A buildpack, by name or address
    #[arg(short, long)]
    buildpack: Option<String>,
    /// Name of the git remote to make
    #[arg(short, long, default_value = "heroku")]
    remote: String,
    /// Make no git remote
    #[arg(short, long)]
    no_remote: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let client = context.client()?;
    let what = args.name.as_deref().map_or("app".to_owned(), |name| format!("⬢ {name}"));
    let action = context.printer.action(format!("Creating {what}"));
    let input = app::Create {
        name: args.name,
        stack: args.stack.as_deref().map(Into::into),
        region: args.region.as_deref().map(Into::into),
        ..app::Create::default()
    };
    let app = client.app_create(&input).await?;
    action.done_with(format!("⬢ {}", app.name));
    if let Some(buildpack) = args.buildpack {
        let action = context.printer.action(format!("Setting buildpack to {buildpack}"));
        client.buildpacks_update(&app.name, vec![buildpack]).await?;
        action.done();
    }
    if !args.no_remote {
        add_remote(context, &args.remote, &app)?;
    }
    if args.json {
        context.printer.json(&app)?;
    } else {
        context.printer.line(format!("{} | {}", app.web_url.as_deref().unwrap_or("-"), app.git_url))?;
    }
    Ok(Ending::Done)
}
