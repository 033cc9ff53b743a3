//! `kigo logs:search`.

use super::{AppArgs, Context, Ending, Result};
use anyhow::{Context as _, bail};
use jiff::{SignedDuration, Timestamp};
use wire::papertrail::Look;

/// Search the log of an app that has the add-on papertrail
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to look for: words, "phrases", AND, OR, -without, (parentheses), program:app/web.1
    #[arg(value_name = "QUERY", allow_hyphen_values = true)]
    query: String,
    /// How many of the newest lines that match
    #[arg(short, long, default_value_t = 100)]
    num: u32,
    /// Go on with new lines
    #[arg(short, long, conflicts_with = "until")]
    tail: bool,
    /// Nothing older: a time like 2026-01-31T08:00:00Z, or a span like 90m, 12h, 2d
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Nothing from then on: a time, or how long ago
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let now = Timestamp::now();
    let look = Look {
        query: args.query,
        since: args.since.as_deref().map(|text| time(text, now)).transpose()?.map(Into::into),
        until: args.until.as_deref().map(|text| time(text, now)).transpose()?.map(Into::into),
        lines: Some(args.num),
        tail: Some(args.tail),
    };
    let session = client.log_search(&app, &look).await?;
    let mut lines = client.log_lines(&session.logplex_url, args.tail);
    while let Some(line) = lines.next().await? {
        context.printer.line(line)?;
    }
    Ok(Ending::Done)
}

/// A time, or a span before now.
fn time(text: &str, now: Timestamp) -> Result<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    // A day is 24 hours here.
    let days = text.strip_suffix('d').and_then(|days| days.parse::<i64>().ok());
    let span = match days {
        Some(days) => days.checked_mul(24).map(SignedDuration::from_hours),
        None => text.parse::<SignedDuration>().ok(),
    };
    let Some(span) = span.filter(|span| !span.is_negative()) else {
        bail!("{text:?} is neither a time like 2026-01-31T08:00:00Z nor a span like 90m, 12h or 2d.");
    };
    now.checked_sub(span).context("that is too long ago")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_spans() {
        let now: Timestamp = "2026-01-31T08:00:00Z".parse().expect("a time");
        for (text, expected) in [
            ("2026-01-01T00:00:00Z", Some("2026-01-01T00:00:00Z")),
            ("2026-01-01T01:00:00+01:00", Some("2026-01-01T00:00:00Z")),
            ("90m", Some("2026-01-31T06:30:00Z")),
            ("12h", Some("2026-01-30T20:00:00Z")),
            ("2d", Some("2026-01-29T08:00:00Z")),
            ("-2h", None),
            ("yesterday", None),
            ("9999999999999d", None),
        ] {
            assert_eq!(time(text, now).ok().map(|time| time.to_string()).as_deref(), expected, "{text}");
        }
    }
}
