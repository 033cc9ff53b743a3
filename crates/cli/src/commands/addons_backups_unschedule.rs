//! `kigo addons:backups:unschedule`.

use super::backups::addon;
use super::{AppArgs, Context, Ending, Result};
use anyhow::bail;

/// Have no backup of an add-on made every day any more
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The add-on: its name, an attachment like MARIADB, or a config var like MARIADB_URL
    #[arg(value_name = "ADDON")]
    addon: String,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let addon = addon(&client, &app, &args.addon).await?;
    let id = addon.id.to_string();
    let all = client.schedules(&id).await?;
    let Some(schedule) = all.iter().find(|one| one.addon_id == addon.id) else {
        bail!("{} has no daily backups.", addon.name);
    };
    let action = context.printer.action(format!("Unscheduling daily backups of {}", addon.name));
    client.schedule_remove(&id, schedule).await?;
    action.done();
    Ok(Ending::Done)
}
