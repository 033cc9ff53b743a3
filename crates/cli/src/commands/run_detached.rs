//! `kigo run:detached`: a one-off dyno in the background.

use super::run::DynoArgs;
use super::{Context, Ending, Result};
use wire::log_session;

/// Run a command in a one-off dyno; its output goes to the app's log
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    dyno: DynoArgs,
    /// Show its log
    #[arg(short, long)]
    tail: bool,
    /// Print JSON
    #[arg(long, conflicts_with = "tail")]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.dyno.app.resolve(context)?;
    let client = context.client()?;
    let command = args.dyno.command();
    let mut request = args.dyno.request(command.clone())?;
    request.attach = Some(false);
    let action = context.printer.action(format!("Running {command} on ⬢ {app}"));
    let dyno = client.dyno_create(&app, &request).await?;
    action.done_with(&dyno.name);
    if args.tail {
        let input = log_session::Create {
            dyno: Some(dyno.name.clone()),
            tail: Some(true),
            ..log_session::Create::default()
        };
        let session = client.log_session(&app, &input).await?;
        let mut lines = client.log_lines(&session.logplex_url, true);
        while let Some(line) = lines.next().await? {
            context.printer.line(line)?;
        }
    } else if args.json {
        context.printer.json(&dyno)?;
    } else {
        context.printer.line(format!("Run kigo logs --app {app} --dyno-name {} to view the output.", dyno.name))?;
    }
    Ok(Ending::Done)
}
