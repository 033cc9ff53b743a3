//! `kigo run`: a one-off dyno at the user's terminal.

use super::attach::{self, Marked};
use super::{AppArgs, Context, Ending, Result};
use crate::terminal;
use anyhow::bail;
use serde_json::Value;
use std::io::IsTerminal;
use wire::dyno;

/// Run a command in a one-off dyno, attached to this terminal
///
/// What comes after `--` is the command, whatever it looks like.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) dyno: DynoArgs,
    /// End with the command's own status
    #[arg(short = 'x', long)]
    exit_code: bool,
    /// No pseudo-terminal in the dyno
    #[arg(long)]
    no_tty: bool,
}

/// What a one-off dyno runs, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct DynoArgs {
    /// The command, or a process type of the Procfile
    #[arg(required = true, value_name = "COMMAND")]
    command: Vec<String>,
    /// The dyno's size
    #[arg(short, long)]
    size: Option<String>,
    /// The process type whose settings apply
    #[arg(long = "type", value_name = "TYPE")]
    process_type: Option<String>,
    /// More environment: A=1;B=2
    #[arg(short, long, value_name = "VARS")]
    env: Option<String>,
    #[command(flatten)]
    pub(crate) app: AppArgs,
}

impl DynoArgs {
    /// The command as one line for a shell.
    pub(crate) fn command(&self) -> String {
        match self.command.as_slice() {
            [whole] => whole.clone(),
            words => words.iter().map(|word| super::shared::quote(word)).collect::<Vec<_>>().join(" "),
        }
    }

    pub(crate) fn request(&self, command: String) -> Result<dyno::Create> {
        let env = super::shared::variables(self.env.as_deref())?;
        let env = env.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
        Ok(dyno::Create {
            command,
            env: Some(env),
            size: self.size.clone(),
            process_type: self.process_type.clone(),
            ..dyno::Create::default()
        })
    }
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.dyno.app.resolve(context)?;
    let client = context.client()?;
    let command = args.dyno.command();
    let sent = if args.exit_code { Marked::command(&command) } else { command.clone() };
    let mut request = args.dyno.request(sent)?;
    request.attach = Some(true);
    request.force_no_tty = args.no_tty.then_some(true);
    let env = request.env.get_or_insert_default();
    env.insert("TERM".into(), std::env::var("TERM").unwrap_or_else(|_| "dumb".into()).into());
    if let Some((columns, lines)) = terminal::size() {
        env.insert("COLUMNS".into(), columns.into());
        env.insert("LINES".into(), lines.into());
    }
    let action = context.printer.action(format!("Running {command} on ⬢ {app}"));
    let dyno = client.dyno_create(&app, &request).await?;
    let Some(attach_url) = &dyno.attach_url else {
        bail!("The server gave no way of attaching to {}.", dyno.name);
    };
    let stream = client.attach(attach_url).await?;
    action.done_with(format!("{} ({})", dyno.name, dyno.size));
    let raw = terminal::raw()?;
    let status = attach::relay(context.printer, stream, std::io::stdout().is_terminal(), raw.is_some()).await;
    drop(raw);
    match (args.exit_code, status?) {
        (false, _) | (true, Some(0)) => Ok(Ending::Done),
        (true, Some(status)) => Ok(Ending::Status(status)),
        (true, None) => bail!("The dyno ended without saying how."),
    }
}
