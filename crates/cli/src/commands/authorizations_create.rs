//! `kigo authorizations:create`.

use super::shared::show_authorization;
use super::{Context, Ending, Result};
use wire::{NumberOrText, authorization};

/// Make a token for a program
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What it is for
    #[arg(short, long)]
    description: Option<String>,
    /// Scopes: global, read, write, read-protected, write-protected, identity
    #[arg(short, long, value_delimiter = ',')]
    scope: Option<Vec<String>>,
    /// Seconds until it ends
    #[arg(short, long)]
    expires_in: Option<i64>,
    /// Print the token only
    #[arg(short = 'S', long)]
    short: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let client = context.client()?;
    let action = context.printer.action("Creating OAuth Authorization");
    let input = authorization::Create {
        description: args.description,
        expires_in: args.expires_in.map(NumberOrText::Number),
        scope: args.scope,
    };
    let authorization = client.authorization_create(&input).await?;
    action.done();
    if args.short {
        let token = authorization.access_token.as_ref().map_or("", |access| access.token.as_str());
        context.printer.line(token)?;
    } else {
        show_authorization(context.printer, &authorization, args.json)?;
    }
    Ok(Ending::Done)
}
