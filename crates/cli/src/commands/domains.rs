//! `kigo domains`.

use super::{AppArgs, Context, Ending, Result};

/// List the domains of an app
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    app: AppArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let domains = context.client()?.domains(&app).await?;
    if args.json {
        context.printer.json(&domains)?;
        return Ok(Ending::Done);
    }
    for domain in domains.iter().filter(|domain| domain.kind == "heroku") {
        context.printer.heading(format!("⬢ {app} Default Domain"))?;
        context.printer.line(&domain.hostname)?;
    }
    let custom = domains.iter().filter(|domain| domain.kind != "heroku");
    let rows: Vec<_> =
        custom.map(|one| vec![one.hostname.clone(), one.cname.clone().unwrap_or_default()]).collect();
    if !rows.is_empty() {
        context.printer.line("")?;
        context.printer.heading(format!("⬢ {app} Custom Domains"))?;
        context.printer.table(&rows)?;
    }
    Ok(Ending::Done)
}
