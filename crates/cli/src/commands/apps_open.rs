//! `kigo open`.

use anyhow::{Context as _, bail};
use super::{AppArgs, Context, Ending, Result};
use std::process::{Command, Stdio};

/// Open an app in the web browser
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A path below the app's address
    path: Option<String>,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let Some(url) = context.client()?.app(&app).await?.web_url else {
        bail!("{app} has no address.");
    };
    let path = args.path.unwrap_or_default();
    let url = format!("{}/{}", url.trim_end_matches('/'), path.trim_start_matches('/'));
    context.printer.line(format!("Opening {url}"))?;
    let opener = std::env::var("BROWSER").unwrap_or_else(|_| "xdg-open".into());
    let opened = Command::new(&opener).arg(&url).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let opened = opened.with_context(|| format!("cannot start {opener}; open the address yourself"))?;
    if !opened.success() {
        bail!("{opener} could not open the address.");
    }
    Ok(Ending::Done)
}
