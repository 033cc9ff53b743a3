//! What commands about backups of add-ons do alike.

use super::{Context, Result};
use anyhow::{Context as _, bail};
use client::Client;
use std::time::Duration;
use wire::addon::Addon;
use wire::data::transfer::Transfer;

/// A transfer is looked at so often until it has ended.
const PERIOD: Duration = Duration::from_secs(1);
/// Lines that tell why one has failed.
const LAST: usize = 5;

/// The one add-on that is meant.
pub(crate) async fn addon(client: &Client, app: &str, identity: &str) -> Result<Addon> {
    let mut found = client.addons_resolve(app, identity).await?;
    match (found.pop(), found.len()) {
        (Some(addon), 0) => Ok(addon),
        (last, _) => {
            let names: Vec<_> = found.iter().chain(&last).map(|addon| addon.name.as_str()).collect();
            bail!("{identity} may mean several add-ons: {}. Name one of them.", names.join(", "))
        }
    }
}

/// `b001`, as the official CLI calls it.
pub(crate) fn name(one: &Transfer) -> String {
    let letter = match (one.to_type.as_str(), one.from_type.as_str()) {
        ("gof3r", _) if one.schedule.is_some() => 'a',
        ("gof3r", _) => 'b',
        (_, "gof3r" | "htstream") => 'r',
        _ => 'c',
    };
    format!("{letter}{:03}", one.num)
}

/// `b001` of the app, or `other-app::b001`: the app and the number.
pub(crate) fn number(app: &str, identity: &str) -> Result<(String, u32)> {
    let (app, name) = identity.split_once("::").unwrap_or((app, identity));
    let digits = name.strip_prefix(['a', 'b', 'c', 'r']).unwrap_or(name);
    let number = digits.parse().with_context(|| {
        format!("{identity:?} is no backup's name, like b001. kigo addons:backups lists them.")
    })?;
    Ok((app.to_owned(), number))
}

/// Whether it is a backup, of one add-on or of any.
pub(crate) fn is_backup(one: &Transfer, addon: Option<&str>) -> bool {
    one.to_type == "gof3r" && addon.is_none_or(|addon| one.from_name == addon)
}

/// Where it stands, in words.
pub(crate) fn status(one: &Transfer) -> String {
    let ended = one.finished_at.as_deref().unwrap_or_default();
    match one.succeeded {
        Some(true) => format!("Completed {ended}"),
        Some(false) if one.canceled_at.is_some() => format!("Cancelled {ended}"),
        Some(false) => format!("Failed {ended}"),
        None if one.started_at.is_some() => format!("Running ({})", size(one.processed_bytes)),
        None => "Waiting".to_owned(),
    }
}

/// `1.25MB`, as the official CLI has it.
#[expect(clippy::cast_precision_loss, reason = "for people")]
pub(crate) fn size(bytes: u64) -> String {
    let (mut size, mut unit) = (bytes as f64, "B");
    for larger in ["KB", "MB", "GB", "TB"] {
        if size < 1024.0 {
            break;
        }
        (size, unit) = (size / 1024.0, larger);
    }
    if unit == "B" { format!("{bytes}B") } else { format!("{size:.2}{unit}") }
}

/// Waits for the end of one and says what it was.
pub(crate) async fn follow(
    context: &Context<'_>,
    client: &Client,
    app: &str,
    begun: &Transfer,
) -> Result<Transfer> {
    let name = name(begun);
    let action = context.printer.action(format!("{name}: from {} to {}", begun.from_name, begun.to_name));
    loop {
        let seen = client.transfer(app, begun.num).await?;
        match seen.succeeded {
            None => tokio::time::sleep(PERIOD).await,
            Some(true) => {
                action.done_with(size(seen.processed_bytes));
                return Ok(seen);
            }
            Some(false) => {
                drop(action);
                let lines = seen.logs.as_deref().unwrap_or_default();
                let last = lines.get(lines.len().saturating_sub(LAST)..).unwrap_or_default();
                let last: Vec<_> = last.iter().map(|line| line.message.as_str()).collect();
                bail!("{name}: {}\n{}", status(&seen), last.join("\n"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backups_are_named_with_or_without_their_app() {
        for (identity, expected) in [
            ("b001", Some(("my-app", 1))),
            ("a1017", Some(("my-app", 1017))),
            ("7", Some(("my-app", 7))),
            ("other::b002", Some(("other", 2))),
            ("DATABASE", None),
            ("other::", None),
        ] {
            let found = number("my-app", identity).ok();
            assert_eq!(found, expected.map(|(app, number)| (app.to_owned(), number)), "{identity}");
        }
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [(0, "0B"), (1023, "1023B"), (1024, "1.00KB"), (1_310_720, "1.25MB")] {
            assert_eq!(size(bytes), text);
        }
    }
}
