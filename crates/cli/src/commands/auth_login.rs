//! `kigo login`.

use crate::netrc::{Login, Netrc};
use crate::terminal;
use anyhow::bail;
use client::ClientError;
use super::{Context, Ending, Result};
use wire::{NumberOrText, authorization};

/// Seconds that a login lasts: 30 days, as with Heroku.
const LIFE: i64 = 2_592_000;

/// Log in with e-mail address and password
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Ask here; accepted for likeness with the official CLI, this is the only way
    #[arg(short, long)]
    interactive: bool,
    /// Seconds until the login ends
    #[arg(short, long)]
    expires_in: Option<i64>,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    if context.settings.token.is_some() {
        bail!("A token in the environment (KIGO_API_KEY or HEROKU_API_KEY) is in use; unset it to log in.");
    }
    let Some(path) = &context.settings.netrc else {
        bail!("There is no place to keep the login: HOME is not set.");
    };
    let client = context.client_without_token()?;
    context.printer.note(&format!("Logging in at {}", client.api_url()));
    let email = terminal::ask("Email")?;
    let password = terminal::ask_hidden("Password")?;
    let input = authorization::Create {
        description: Some(format!("Kigo CLI login from {}", host_name())),
        expires_in: Some(NumberOrText::Number(args.expires_in.unwrap_or(LIFE))),
        scope: Some(vec!["global".into()]),
    };
    let mut outcome = client.log_in(&email, &password, None, &input).await;
    if outcome.as_ref().err().and_then(ClientError::id) == Some("two_factor") {
        let code = terminal::ask_hidden("Two-factor code")?;
        outcome = client.log_in(&email, &password, Some(&code), &input).await;
    }
    let authorization = outcome?;
    let Some(token) = authorization.access_token else {
        bail!("The server gave no token.");
    };
    let login = Login { login: authorization.user.email.clone(), password: token.token };
    let mut netrc = Netrc::read(path)?;
    netrc.set(context.settings.machine(), &login)?;
    if context.settings.git_host != context.settings.machine() {
        netrc.set(&context.settings.git_host, &login)?;
    }
    context.printer.line(format!("Logged in as {}", authorization.user.email))?;
    Ok(Ending::Done)
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
