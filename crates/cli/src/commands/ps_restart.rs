//! `kigo ps:restart`.

use super::{AppArgs, Context, Ending, Result};

/// Restart dynos
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A dyno (web.1) or a process type (web); without one, all
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
    let client = context.client()?;
    let target = args.target.or(args.dyno_name).or(args.process_type);
    let what = target.clone().map_or_else(|| "all dynos".to_owned(), |target| format!("dyno {target}"));
    let action = context.printer.action(format!("Restarting {what} on ⬢ {app}"));
    match target {
        None => client.dynos_restart(&app).await?,
        Some(dyno) if dyno.contains('.') => client.dyno_restart(&app, &dyno).await?,
        Some(process_type) => client.process_type_restart(&app, &process_type).await?,
    }
    action.done();
    Ok(Ending::Done)
}
