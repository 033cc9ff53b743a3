//! One `git push`, timed line by line.

use anyhow::{Context, Result, ensure};
use e2e::App;
use std::io::{BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Instant;

/// A push that succeeded.
pub(crate) struct Push {
    /// What it printed, each line with when it began, in seconds from the start.
    pub(crate) lines: Vec<(f64, String)>,
    /// When git returned.
    pub(crate) took: f64,
}

impl Push {
    /// `git push`, ready to run, with the token in the address, as from a netrc: the official CLI,
    /// which git would ask for it, takes longer than all that follows.
    pub(crate) fn command(app: &App<'_>) -> Result<Command> {
        let address = app.git(&["remote", "get-url", "heroku"])?.ok()?.stdout;
        let address = address.trim();
        let host = address.strip_suffix(&format!("/{}.git", app.name)).context("the remote's host")?;
        let nobody = format!("credential.{host}.helper=");
        let address = address.replace("https://", &format!("https://heroku:{}@", e2e::server::TOKEN));
        let mut command = Command::new("git");
        command.args(["-c", &nobody, "push", &address, "main"]);
        command.current_dir(&app.checkout).envs(app.server.client_env()?);
        Ok(command)
    }

    /// Runs it to its end.
    pub(crate) fn watch(mut command: Command, start: Instant) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("git")?;
        let mut lines: Vec<(f64, String)> = Vec::new();
        let mut line = Vec::new();
        for byte in BufReader::new(child.stderr.take().context("git's words")?).bytes() {
            let byte = byte?;
            // A line counts from when it begins: one with progress ends late.
            if line.is_empty() {
                lines.push((start.elapsed().as_secs_f64(), String::new()));
            }
            line.push(byte);
            if let Some((_, text)) = lines.last_mut() {
                *text = String::from_utf8_lossy(&line).into_owned();
            }
            if byte == b'\n' || byte == b'\r' {
                line.clear();
            }
        }
        let status = child.wait()?;
        let said = || lines.iter().map(|(_, line)| line.as_str()).collect::<String>();
        ensure!(status.success(), "git push ended with {status}:\n{}", said());
        Ok(Self { lines, took: start.elapsed().as_secs_f64() })
    }

    /// Pushes what is committed.
    pub(crate) fn of(app: &App<'_>) -> Result<Self> {
        Self::watch(Self::command(app)?, Instant::now())
    }

    /// When a line with these words began.
    pub(crate) fn mark(&self, words: &str) -> Result<f64> {
        let found = self.lines.iter().find(|(_, line)| line.contains(words));
        found.map(|(at, _)| *at).with_context(|| format!("the push never said {words:?}: {:?}", self.lines))
    }
}
