//! `kigo ci:run`.

use super::shared::{print_output_from, variables};
use super::{AppArgs, Context, Ending, Result};
use crate::git;
use anyhow::{Context as _, bail};
use client::Client;
use std::path::{Path, PathBuf};
use std::time::Duration;
use wire::build::SourceBlob;
use wire::test_build::{Create, TestBuild};

/// Run the tests of what is committed here, in a build of an app
///
/// Ends with the status of the tests. Ctrl-C cancels them. They are not given the app's config vars.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Environment of the tests, in place of what app.json says: A=1;B=2
    #[arg(short, long, value_name = "VARS")]
    env: Option<String>,
    #[command(flatten)]
    app: AppArgs,
}

/// Rest before an output that broke off is asked for again, and how often in a row that may be.
const REST: Duration = Duration::from_secs(1);
const ATTEMPTS: u32 = 30;
/// A shell's status of what Ctrl-C ended.
const INTERRUPTED: u8 = 130;

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let env = variables(args.env.as_deref())?;
    let commit = Commit::of_head(context.settings.directory.as_deref())?;
    if commit.has_changes {
        context.printer.warn("What is not committed is not tested.");
    }
    let client = context.client()?;
    let action = context.printer.action(format!("Sending the source to ⬢ {app}"));
    let source = client.source_create().await?.source_blob;
    client.upload(&source.put_url, commit.archive).await?;
    let source_blob =
        SourceBlob { url: source.get_url, version: Some(commit.id), ..SourceBlob::default() };
    let build = client.test_build_create(&app, &Create { source_blob, branch: commit.branch, env }).await?;
    action.done();
    let ended = tokio::select! {
        ended = follow(context, &client, &app, &build) => ended?,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.context("cannot wait for Ctrl-C")?;
            client.test_build_cancel(&app, &build.id.to_string()).await?;
            context.printer.note("The tests are cancelled.");
            return Ok(Ending::Status(INTERRUPTED));
        }
    };
    match (ended.status.as_str(), ended.exit_code) {
        ("succeeded", _) => Ok(Ending::Done),
        ("failed", Some(code)) => Ok(Ending::Status(u8::try_from(code).unwrap_or(1))),
        ("cancelled", _) => bail!("The tests were cancelled."),
        _ => bail!("The tests did not run. The output above says why."),
    }
}

/// Shows what is printed until the tests are over. An output that breaks off, because the server is
/// restarted say, goes on where it was.
async fn follow(context: &Context<'_>, client: &Client, app: &str, build: &TestBuild) -> Result<TestBuild> {
    let (mut seen, mut failures) = (0, 0);
    loop {
        let before = seen;
        let outcome = print_output_from(context, client, &build.output_stream_url, &mut seen).await;
        let whole = matches!(outcome, Ok(true));
        let now = client.test_build(app, &build.id.to_string()).await;
        match now {
            // Nothing was printed if it was cancelled before it began.
            Ok(now) if now.status != "pending" && (whole || matches!(outcome, Ok(false))) => return Ok(now),
            _ if seen > before => failures = 0,
            _ => failures += 1,
        }
        if failures > ATTEMPTS {
            now?;
            outcome?;
            bail!("The output of the tests ended before they did.");
        }
        tokio::time::sleep(REST).await;
    }
}

/// What is committed.
struct Commit {
    id: String,
    /// `None` when none is checked out.
    branch: Option<String>,
    /// A gzipped tarball.
    archive: Vec<u8>,
    /// Whether files are otherwise than they are committed.
    has_changes: bool,
}

impl Commit {
    fn of_head(directory: Option<&Path>) -> Result<Self> {
        let Ok(root) = git::git(directory, &["rev-parse", "--show-toplevel"]) else {
            bail!("There is no git repository here. Run this command from an app folder.");
        };
        let root = PathBuf::from(root.trim_end_matches('\n'));
        let git = |words: &[&str]| git::git(Some(&root), words).map(|text| text.trim().to_owned());
        let Ok(id) = git(&["rev-parse", "--verify", "HEAD"]) else {
            bail!("Nothing is committed here yet.");
        };
        Ok(Self {
            branch: git(&["symbolic-ref", "--short", "--quiet", "HEAD"]).ok(),
            has_changes: !git(&["status", "--porcelain"])?.is_empty(),
            archive: git::bytes(Some(&root), &["archive", "--format=tar.gz", &id])?,
            id,
        })
    }
}
