//! `kigo addons:backups:schedule`.

use super::backups::addon;
use super::{AppArgs, Context, Ending, Result};
use anyhow::{Context as _, bail};
use wire::NumberOrText;
use wire::data::transfer::SetSchedule;

/// Have a backup of an add-on made every day
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The add-on: its name, an attachment like MARIADB, or a config var like MARIADB_URL
    #[arg(value_name = "ADDON")]
    addon: String,
    /// The hour and its time zone, like "02:00 Europe/Berlin" [default zone: UTC]
    #[arg(long, value_name = "TIME")]
    at: String,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let (hour, timezone) = time(&args.at)?;
    let client = context.client()?;
    let addon = addon(&client, &app, &args.addon).await?;
    let action = context.printer.action(format!("Scheduling daily backups of {} at {}", addon.name, args.at));
    let input = SetSchedule {
        hour: NumberOrText::Text(hour.to_string()),
        timezone: timezone.to_owned(),
        schedule_name: addon.name.clone(),
    };
    client.schedule_set(&addon.id.to_string(), &input).await?;
    action.done();
    Ok(Ending::Done)
}

/// An hour of the day, and where.
fn time(text: &str) -> Result<(u8, &str)> {
    let mut words = text.split_whitespace();
    let (clock, zone) = (words.next().unwrap_or_default(), words.next().unwrap_or("UTC"));
    let hour = clock.split_once(':').map_or(clock, |(hour, _)| hour);
    let minutes = clock.split_once(':').map_or("00", |(_, minutes)| minutes);
    let hour = hour.parse::<u8>().ok().filter(|hour| *hour < 24 && words.next().is_none());
    let hour = hour.with_context(|| format!("{text:?} is no time like \"02:00 Europe/Berlin\"."))?;
    if minutes != "00" {
        bail!("Backups are made within an hour of the day: give it as {hour:02}:00.");
    }
    Ok((hour, zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_hours_with_a_zone() {
        for (text, expected) in [
            ("02:00 Europe/Berlin", Some((2, "Europe/Berlin"))),
            ("2:00", Some((2, "UTC"))),
            ("23", Some((23, "UTC"))),
            ("24:00", None),
            ("02:30", None),
            ("02:00 Europe/Berlin now", None),
            ("", None),
        ] {
            assert_eq!(time(text).ok(), expected, "{text}");
        }
    }
}
