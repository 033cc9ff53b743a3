//! `kigo addons:backups:download`.

use super::backups::{number, size};
use super::{AppArgs, Context, Ending, Result};
use anyhow::{Context as _, bail};
use futures_util::TryStreamExt;
use std::path::PathBuf;
use tokio::fs::OpenOptions;
use tokio::io::AsyncWriteExt;

/// Download a backup
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its name, like b001
    #[arg(value_name = "BACKUP")]
    backup: String,
    /// The file, which must not be there yet [default: latest.dump]
    #[arg(short, long, value_name = "FILE", default_value = "latest.dump", hide_default_value = true)]
    output: PathBuf,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let (app, number) = number(&args.app.resolve(context)?, &args.backup)?;
    let shown = args.output.display().to_string();
    let (expected, mut pieces) = context.client()?.dump(&app, number).await?;
    let action = context.printer.action(format!("Getting backup from ⬢ {app}"));
    // It holds what config vars protect, and more.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&args.output).await;
    let mut file = file.with_context(|| format!("cannot make {shown}"))?;
    let mut written = 0_u64;
    while let Some(piece) = pieces.try_next().await.context("the download broke off")? {
        file.write_all(&piece).await.with_context(|| format!("cannot write {shown}"))?;
        written = written.saturating_add(piece.len() as u64);
    }
    file.flush().await.with_context(|| format!("cannot write {shown}"))?;
    if let Some(expected) = expected.filter(|expected| *expected != written) {
        bail!("the download broke off: {shown} has {written} bytes of {expected}");
    }
    action.done_with(format!("{shown}, {}", size(written)));
    Ok(Ending::Done)
}
