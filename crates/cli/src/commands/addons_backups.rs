//! `kigo addons:backups`.

use super::backups::{addon, is_backup, name, size, status};
use super::{AppArgs, Context, Ending, Result};

/// List the backups of an app's add-ons, and whether each could be restored
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only of this add-on: its name, an attachment like MARIADB, or a config var like MARIADB_URL
    #[arg(value_name = "ADDON")]
    addon: Option<String>,
    #[command(flatten)]
    app: AppArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    // They stand in the list of the app that pays for the add-on.
    let (app, of) = match &args.addon {
        Some(identity) => {
            let found = addon(&client, &app, identity).await?;
            (found.app.name, Some(found.name))
        }
        None => (app, None),
    };
    let mut list = client.transfers(&app).await?;
    list.retain(|one| is_backup(one, of.as_deref()));
    list.reverse();
    if args.json {
        context.printer.json(&list)?;
        return Ok(Ending::Done);
    }
    if list.is_empty() {
        context.printer.line(format!("{app} has no backups. Make one with kigo addons:backups:capture."))?;
        return Ok(Ending::Done);
    }
    context.printer.heading(format!("{app} Backups"))?;
    let head = ["ID", "ADD-ON", "CREATED", "SIZE", "STATUS"].map(str::to_owned).to_vec();
    let rows = list.iter().map(|one| {
        vec![name(one), one.from_name.clone(), one.created_at.clone(), size(one.processed_bytes), status(one)]
    });
    context.printer.table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())?;
    Ok(Ending::Done)
}
