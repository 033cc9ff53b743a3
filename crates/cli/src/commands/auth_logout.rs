//! `kigo logout`.

use crate::netrc::Netrc;
use super::{Context, Ending, Result};

/// Log out, and forget the token here and on the server
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
}

pub(crate) async fn run(context: &Context<'_>, _: Args) -> Result<Ending> {
    if let Some(token) = context.settings.token()? {
        let client = context.client()?;
        let action = context.printer.action("Logging out");
        revoke(&client, &token).await?;
        action.done();
    }
    if let Some(path) = &context.settings.netrc {
        let mut netrc = Netrc::read(path)?;
        netrc.remove(context.settings.machine())?;
        netrc.remove(&context.settings.git_host)?;
    }
    Ok(Ending::Done)
}

/// Takes the token back on the server. One that is not known there any more is no reason to keep
/// it here.
async fn revoke(client: &client::Client, token: &str) -> Result<()> {
    let gone = |error: &client::ClientError| matches!(error.status(), Some(401 | 404));
    match client.log_out().await {
        Err(error) if !gone(&error) => return Err(error.into()),
        _ => {}
    }
    let authorizations = match client.authorizations().await {
        Err(error) if gone(&error) => return Ok(()),
        authorizations => authorizations?,
    };
    let ours = |one: &&wire::authorization::Authorization| {
        one.access_token.as_ref().is_some_and(|access| access.token == token)
    };
    if let Some(own) = authorizations.iter().find(ours) {
        client.authorization_revoke(&own.id.to_string()).await?;
    }
    Ok(())
}
