//! `kigo git:credentials`: git's credential helper (gitcredentials(7)).

use super::{Context, Ending, Result};
use std::collections::HashMap;
use std::io::Read;

/// Answer git's question for the token; called by git itself
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub(crate) struct Args {
    /// get, store or erase; only get is answered
    operation: String,
}

#[expect(clippy::unused_async, reason = "all commands are called alike")]
pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    if args.operation != "get" {
        return Ok(Ending::Done);
    }
    let mut question = String::new();
    std::io::stdin().read_to_string(&mut question)?;
    // Whoever else asks is not told.
    if is_ours(&question, &context.settings.git_host)
        && let Some(token) = context.settings.token()?
    {
        context.printer.line(format!("username=heroku\npassword={token}"))?;
    }
    Ok(Ending::Done)
}

/// Whether git asks for this server, over TLS.
fn is_ours(question: &str, git_host: &str) -> bool {
    let fields: HashMap<&str, &str> = question.lines().filter_map(|line| line.split_once('=')).collect();
    fields.get("protocol") == Some(&"https") && fields.get("host") == Some(&git_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_server_gets_the_token() {
        for (question, ours) in [
            ("protocol=https\nhost=localhost:5000\n", true),
            ("protocol=http\nhost=localhost:5000\n", false),
            ("protocol=https\nhost=localhost\n", false),
            ("protocol=https\nhost=evil.example\npath=localhost:5000\n", false),
            ("", false),
        ] {
            assert_eq!(is_ours(question, "localhost:5000"), ours, "{question:?}");
        }
    }
}
