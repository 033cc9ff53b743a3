//! `kigo logs`.

use super::{AppArgs, Context, Ending, Result};
use wire::log_session;

/// Show the log of an app
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many past lines
    #[arg(short, long, default_value_t = 100)]
    num: u32,
    /// Go on with new lines
    #[arg(short, long)]
    tail: bool,
    /// Lines of one dyno or process type only: web.1, worker
    #[arg(short, long, visible_alias = "ps", short_alias = 'p', value_name = "DYNO")]
    dyno_name: Option<String>,
    /// Lines of one process type only
    #[arg(long)]
    process_type: Option<String>,
    /// Lines of the app or of heroku (the platform) only
    #[arg(short, long)]
    source: Option<String>,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let input = log_session::Create {
        dyno: args.dyno_name.or(args.process_type),
        process_type: None,
        lines: Some(args.num),
        source: args.source,
        tail: Some(args.tail),
    };
    let session = client.log_session(&app, &input).await?;
    let mut lines = client.log_lines(&session.logplex_url, args.tail);
    while let Some(line) = lines.next().await? {
        context.printer.line(line)?;
    }
    Ok(Ending::Done)
}
