//! What a push means: its rules, its build and all words that the user reads meanwhile. The words
//! are Heroku's wherever it has some.

use crate::Git;
use crate::backend::{BackendError, Known, NewBuild, Progress};
use crate::hook::{Answer, Request};
use crate::repositories::run;
use crate::sessions::Session;
use bytes::{Bytes, BytesMut};
use domain::BuildId;
use std::io;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStdout};
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;

/// The branches that are built.
const BUILT: [&str; 2] = ["refs/heads/main", "refs/heads/master"];

/// Prints on the pusher's terminal.
pub(crate) struct Printer(mpsc::Sender<Answer>);

impl Printer {
    pub(crate) fn new(sender: mpsc::Sender<Answer>) -> Self {
        Self(sender)
    }

    async fn print(&self, text: impl Into<String>) {
        // A failure means that nobody reads any more, which ends nothing.
        let _ = self.0.send(Answer::Print(text.into())).await;
    }

    async fn line(&self, text: &str) {
        self.print(format!("{text}\n")).await;
    }

    /// An error, as Heroku marks them.
    async fn complain(&self, text: &str) {
        for line in text.lines() {
            self.line(&format!(" !     {line}")).await;
        }
    }
}

/// Why a push is not accepted: what to tell.
struct Refusal(String);

impl From<BackendError> for Refusal {
    fn from(error: BackendError) -> Self {
        if let BackendError::Internal(source) = &error {
            tracing::error!(error = %chain(source.as_ref()), "a push failed");
            return Self("The server failed. Its operator finds the reason in its log.".into());
        }
        Self(error.to_string())
    }
}

impl From<crate::RepositoryError> for Refusal {
    fn from(error: crate::RepositoryError) -> Self {
        BackendError::Internal(Box::new(error)).into()
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// One ref that a push wants to change.
#[derive(Debug, PartialEq, Eq)]
struct Update<'r> {
    old: &'r str,
    new: &'r str,
    name: &'r str,
}

impl Update<'_> {
    fn is_built(&self) -> bool {
        BUILT.contains(&self.name)
    }

    fn deletes(&self) -> bool {
        self.new.bytes().all(|byte| byte == b'0')
    }

    fn branch(&self) -> &str {
        self.name.trim_start_matches("refs/heads/")
    }
}

/// Decides about a push, building on the way. Returns whether git may move the refs.
pub(crate) async fn pre_receive(git: &Git, session: &Session, request: &Request, out: &Printer) -> bool {
    let updates = parse(&request.updates);
    let push = Push { git, session, quarantine: request.quarantine.as_deref(), out };
    let result = match choose(&updates) {
        Ok(None) => {
            if updates.iter().any(|update| !update.deletes()) {
                out.line("Pushed to non-main branch, skipping build.").await;
            }
            Ok(true)
        }
        Ok(Some(update)) => push.deploy(update).await,
        Err(refusal) => Err(refusal),
    };
    match result {
        Ok(accepted) => accepted,
        Err(Refusal(words)) => {
            out.complain(&words).await;
            out.print(rejected(session)).await;
            false
        }
    }
}

fn parse(updates: &str) -> Vec<Update<'_>> {
    let line = |line| {
        let mut words = str::splitn(line, 3, ' ');
        Some(Update { old: words.next()?, new: words.next()?, name: words.next()? })
    };
    updates.lines().filter_map(line).collect()
}

/// The update to build, if any.
fn choose<'u>(updates: &'u [Update<'u>]) -> Result<Option<&'u Update<'u>>, Refusal> {
    if let Some(update) = updates.iter().find(|update| update.is_built() && update.deletes()) {
        return Err(Refusal(format!("The branch {} is deployed and cannot be deleted.", update.branch())));
    }
    let mut built = updates.iter().filter(|update| update.is_built());
    let first = built.next();
    match (first, built.next()) {
        (Some(first), Some(second)) if first.new != second.new => {
            Err(Refusal("main and master are different commits. Push the one to be deployed alone.".into()))
        }
        _ => Ok(first),
    }
}

struct Push<'p> {
    git: &'p Git,
    session: &'p Session,
    quarantine: Option<&'p Path>,
    out: &'p Printer,
}

impl Push<'_> {
    fn git_command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command =
            self.git.repositories.command_in_quarantine(&self.session.repository, self.quarantine);
        command.args(arguments);
        command
    }

    async fn deploy(&self, update: &Update<'_>) -> Result<bool, Refusal> {
        self.check_quarantine()?;
        let kind = run(self.git_command(&["cat-file", "-t", update.new])).await?;
        if kind.trim() != "commit" {
            return Err(Refusal(format!(
                "What was pushed is a {}, not a commit. Push a tag as `git push <remote> v1.0^{{}}:main`.",
                kind.trim()
            )));
        }
        self.take_turn().await?;
        self.check_unmoved(update).await?;
        let target = &self.session.target;
        let build = match self.git.backend.known(target, update.new).await? {
            Known::Live => {
                let words = format!("Commit {} is live already, skipping build.", short(update.new));
                self.out.line(&words).await;
                return Ok(true);
            }
            Known::Building(build) => {
                self.out.line(&format!("Commit {} is being built already.", short(update.new))).await;
                build
            }
            Known::Nothing => self.start_build(update).await?,
        };
        self.follow(build).await
    }

    /// The quarantine's path comes from the hook; it can only be one of this repository.
    fn check_quarantine(&self) -> Result<(), Refusal> {
        let objects = self.session.repository.join("objects");
        let resolve = |path: &Path| path.canonicalize().ok();
        match self.quarantine {
            None => Ok(()),
            Some(path) if resolve(path).is_some_and(|path| path.parent() == resolve(&objects).as_deref()) => {
                Ok(())
            }
            Some(_) => Err(Refusal("The received objects are not where they should be.".into())),
        }
    }

    async fn take_turn(&self) -> Result<(), Refusal> {
        if self.session.try_turn() {
            return Ok(());
        }
        let name = &self.session.target.name;
        self.out.line(&format!("Waiting for another push to {name} to end...")).await;
        tokio::select! {
            () = self.session.wait_for_turn() => Ok(()),
            () = self.git.stopping.cancelled() => Err(stopping(false)),
        }
    }

    /// Git itself would notice only after the build that another push was faster.
    async fn check_unmoved(&self, update: &Update<'_>) -> Result<(), Refusal> {
        let mut command = self.git.repositories.command(&self.session.repository);
        command.args(["for-each-ref", "--format=%(objectname)", update.name]);
        let current = run(command).await?;
        let current = current.trim();
        let branch = update.branch();
        let expected = if update.old.bytes().all(|byte| byte == b'0') { "" } else { update.old };
        if current == expected {
            return Ok(());
        }
        if current == update.new {
            return Err(Refusal(format!(
                "Another push has deployed commit {} to {branch} meanwhile. Nothing is left to do.",
                short(update.new)
            )));
        }
        Err(Refusal(format!(
            "Another push has moved {branch} to commit {} meanwhile.\nFetch it, integrate your changes and push again.",
            short(if current.is_empty() { "none" } else { current })
        )))
    }

    async fn start_build(&self, update: &Update<'_>) -> Result<BuildId, Refusal> {
        let subject = run(self.git_command(&["show", "--no-patch", "--format=%s", update.new, "--"])).await?;
        self.warn_of_submodules(update.new).await?;
        self.out.print("Compressing source files... ").await;
        let mut command = self.git_command(&["archive", "--format=tar", update.new]);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(crate::RepositoryError::Spawn)?;
        let Some(stdout) = child.stdout.take() else {
            return Err(Refusal("The archive cannot be read.".into()));
        };
        let build = NewBuild {
            pusher: self.session.pusher.clone(),
            target: self.session.target.clone(),
            commit: update.new.to_owned(),
            description: subject.trim().chars().take(256).collect(),
        };
        let started = self.git.backend.start_build(build, Box::new(archive(stdout, child))).await;
        self.out.line(if started.is_ok() { "done." } else { "failed." }).await;
        Ok(started?)
    }

    async fn warn_of_submodules(&self, commit: &str) -> Result<(), Refusal> {
        let modules = run(self.git_command(&["ls-tree", commit, "--", ".gitmodules"])).await?;
        if !modules.is_empty() {
            self.out
                .complain("This repository has submodules. They are not fetched: their directories are empty in the build.")
                .await;
        }
        Ok(())
    }

    /// Tails a build and its release to their end.
    async fn follow(&self, build: BuildId) -> Result<bool, Refusal> {
        self.out.print("Building source:\n\n").await;
        let mut steps = self.git.backend.follow(build).await?;
        let mut text = Text::default();
        let mut built = None;
        loop {
            let step = tokio::select! {
                step = steps.recv() => step,
                () = self.git.stopping.cancelled() => None,
            };
            match step {
                Some(Progress::Output(bytes) | Progress::ReleaseOutput(bytes)) => {
                    self.out.print(text.push(&bytes)).await;
                }
                Some(Progress::Built { succeeded: true }) => {
                    built = Some(true);
                    self.out.print(format!("{}\nVerifying deploy... done.\n", text.end())).await;
                }
                Some(Progress::Built { succeeded: false }) => {
                    let words = format!("{}Verifying deploy...\n{}", text.end(), rejected(self.session));
                    self.out.print(words).await;
                    return Ok(false);
                }
                Some(Progress::ReleaseCommand) => self.out.line("Running release command...").await,
                Some(Progress::Released { succeeded }) => {
                    // Heroku accepts the push even then: the slug is good, the old release stays.
                    let end = if succeeded { "done." } else { "failed." };
                    self.out.print(format!("{}Waiting for release.... {end}\n", text.end())).await;
                    return Ok(true);
                }
                None => match built {
                    Some(_) => return Ok(true),
                    None => return Err(stopping(true)),
                },
            }
        }
    }
}

fn rejected(session: &Session) -> String {
    format!("\n!\tPush rejected to {}.\n\n", session.target.name)
}

fn stopping(building: bool) -> Refusal {
    Refusal(if building {
        "The server is stopping. The build goes on when it is back.\nPush the same commit again to see how it ended.".into()
    } else {
        "The server is stopping. Push again when it is back.".into()
    })
}

fn short(commit: &str) -> &str {
    commit.get(..8).unwrap_or(commit)
}

/// Bytes on their way to becoming text: characters may come in two pieces.
#[derive(Default)]
struct Text {
    rest: Vec<u8>,
    open_line: bool,
}

impl Text {
    /// The text that is complete now.
    fn push(&mut self, bytes: &Bytes) -> String {
        self.rest.extend_from_slice(bytes);
        let complete = match std::str::from_utf8(&self.rest) {
            // The end of the input is in the middle of a character.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Ok(_) | Err(_) => self.rest.len(),
        };
        let text = String::from_utf8_lossy(&self.rest[..complete]).into_owned();
        self.rest.drain(..complete);
        if let Some(last) = text.chars().last() {
            self.open_line = last != '\n';
        }
        text
    }

    /// What remains, and the end of a line that was left open.
    fn end(&mut self) -> String {
        let mut text = String::from_utf8_lossy(&std::mem::take(&mut self.rest)).into_owned();
        if std::mem::take(&mut self.open_line) || !text.is_empty() {
            text.push('\n');
        }
        text
    }
}

/// The output of `git archive`, which ends in an error when git failed: a source that was cut short
/// must not look whole.
fn archive(stdout: ChildStdout, child: Child) -> impl AsyncRead + Send + Unpin {
    let pieces = futures_util::stream::try_unfold((stdout, child), |(mut stdout, mut child)| async {
        let mut piece = BytesMut::with_capacity(64 << 10);
        if stdout.read_buf(&mut piece).await? > 0 {
            return Ok(Some((piece.freeze(), (stdout, child))));
        }
        let status = child.wait().await?;
        if status.success() {
            Ok(None)
        } else {
            Err(io::Error::other(format!("git archive ended with {status}")))
        }
    });
    StreamReader::new(Box::pin(pieces))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    #[test]
    fn chooses_the_one_commit_to_build() {
        let line = |old: &str, new: &str, branch: &str| format!("{old} {new} refs/heads/{branch}\n");
        for (updates, expected) in [
            (line(ZERO, A, "main"), Ok(Some(A))),
            (line(A, B, "master"), Ok(Some(B))),
            (line(ZERO, A, "feature"), Ok(None)),
            (line(ZERO, A, "feature/main"), Ok(None)),
            (line(A, ZERO, "feature"), Ok(None)),
            (line(ZERO, A, "feature") + &line(A, B, "main"), Ok(Some(B))),
            (line(ZERO, A, "main") + &line(ZERO, A, "master"), Ok(Some(A))),
            (line(ZERO, A, "main") + &line(ZERO, B, "master"), Err("different commits")),
            (line(A, ZERO, "main"), Err("main is deployed and cannot be deleted")),
            (line(A, B, "main") + &line(A, ZERO, "master"), Err("master is deployed")),
            (format!("{ZERO} {A} refs/tags/main\n"), Ok(None)),
        ] {
            let updates = parse(&updates);
            match (choose(&updates), expected) {
                (Ok(update), Ok(commit)) => assert_eq!(update.map(|update| update.new), commit),
                (Err(Refusal(words)), Err(part)) => assert!(words.contains(part), "{words}"),
                (_, expected) => panic!("{updates:?}: {expected:?}"),
            }
        }
    }

    #[test]
    fn characters_in_two_pieces_stay_whole() {
        let mut text = Text::default();
        let euro = "€".as_bytes();
        let pieces = [&b"a"[..], &euro[..1], &euro[1..], b"\xff!\n", b"open", &euro[..2]];
        let got: Vec<_> = pieces.iter().map(|piece| text.push(&Bytes::copy_from_slice(piece))).collect();
        assert_eq!(got, ["a", "", "€", "\u{fffd}!\n", "open", ""]);
        assert_eq!(text.end(), "\u{fffd}\n");
        assert_eq!(text.end(), "");
    }
}
