//! What commands about searches that are kept do alike.

use super::{Context, Result};
use wire::papertrail::{AlertSet, Search};

/// Who is told of what is found, and how often it is looked for.
#[derive(Debug, clap::Args)]
pub(crate) struct AlertArgs {
    /// Send an alert about what was found every minute, hour or day
    #[arg(short, long, value_name = "PERIOD", value_parser = ["minute", "hour", "day"])]
    every: Option<String>,
    /// Where it is posted, in the form of Papertrail's webhooks
    #[arg(short, long, value_name = "URL", conflicts_with = "email", requires = "every")]
    webhook: Option<String>,
    /// To whom it is mailed
    #[arg(long, value_name = "ADDRESS", requires = "every")]
    email: Option<String>,
}

impl AlertArgs {
    pub(crate) fn set(self) -> Option<AlertSet> {
        let Self { every, webhook, email } = self;
        every.map(|every| AlertSet { every, webhook, email })
    }
}

pub(crate) fn show(context: &Context<'_>, search: &Search, json: bool) -> Result<()> {
    if json {
        return context.printer.json(search);
    }
    context.printer.line(format!("{}: {}{}", search.name, search.query, told(search)))?;
    Ok(())
}

/// `, every hour to ada@example.com`; nothing for one that sends nothing.
pub(crate) fn told(search: &Search) -> String {
    let Some(alert) = &search.alert else { return String::new() };
    let to = alert.webhook.as_deref().or(alert.email.as_deref()).unwrap_or_default();
    let failure = alert.failure.as_ref().map_or_else(String::new, |why| format!(" (not sent: {why})"));
    format!(", every {} to {to}{failure}", alert.every)
}
