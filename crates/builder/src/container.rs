//! Runs one phase of a build in a one-off container and passes on what it prints.

use crate::dialog::{Decide, Dialog};
pub(crate) use crate::export::Pipe;
use crate::export::{Open, Sent};
use crate::output::Output;
use crate::source::OWNER;
use crate::work::Work;
use crate::{BuildError, BuildRequest, Builder};
use domain::{BuildId, Digest};
use engine::{ContainerSpec, Engine, EngineError, Exit, Mount, OutputContent, Power, Terminal};
use image::Layer;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// The label that carries the build's id.
const BUILD_LABEL: &str = "build";

/// The kind of these containers, among the labels.
const KIND: &str = "build";

/// Bytes that a phase may tell besides archives: names, a Procfile, what `bin/release` printed.
const RESULT_LIMIT: u64 = 32 << 20;

/// How programs say that there is no space left; no exit status does.
const DISK_FULL: [&str; 2] = ["No space left on device", "ENOSPC"];

/// Bytes that are printed between two acknowledgements: often enough that the container's buffer
/// never fills, and not so often that a build which prints without end keeps this machine busy.
const ACKNOWLEDGED: usize = 1 << 20;

/// How long a build may go on after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// One phase.
pub(crate) struct Phase {
    pub(crate) image: Digest,
    /// A program below `/kigo`, run by bash.
    pub(crate) script: &'static str,
    pub(crate) env: BTreeMap<String, String>,
    /// Besides `/kigo`.
    pub(crate) mounts: Vec<Mount>,
    /// Archives that the program may send besides its result.
    pub(crate) pipes: Vec<Pipe>,
    pub(crate) power: Power,
    /// Who answers what the program asks, if it does (`ask.sh`).
    pub(crate) decide: Option<Box<dyn Decide>>,
}

/// How a phase ended. What was sent is there whether or not the program succeeded.
pub(crate) struct Ended {
    pub(crate) status: i32,
    /// Small files by which the program tells what it found and how far it got.
    result: Option<PathBuf>,
    sent: BTreeMap<&'static str, Sent>,
    /// Archives that it can do without, and that were not taken.
    refused: BTreeSet<&'static str>,
}

impl Ended {
    /// A small text that the program told.
    pub(crate) fn told(&self, name: &str) -> Result<Option<String>, BuildError> {
        let Some(result) = &self.result else { return Ok(None) };
        let bytes = crate::source::read_file(result, name)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).trim_end().to_owned()))
    }

    /// An archive that was sent, unpacked.
    pub(crate) fn tree(&mut self, name: &str) -> Option<PathBuf> {
        self.sized_tree(name).map(|(tree, _)| tree)
    }

    /// The same, with the bytes of its files.
    pub(crate) fn sized_tree(&mut self, name: &str) -> Option<(PathBuf, u64)> {
        match self.sent.remove(name) {
            Some(Sent::Tree(tree, bytes)) => Some((tree, bytes)),
            Some(Sent::Layer(_)) | None => None,
        }
    }

    /// Whether an archive was sent that was not taken.
    pub(crate) fn is_refused(&self, name: &str) -> bool {
        self.refused.contains(name)
    }

    /// A layer that was sent.
    pub(crate) fn layer(&mut self, name: &str) -> Option<Layer> {
        match self.sent.remove(name) {
            Some(Sent::Layer(layer)) => Some(layer),
            Some(Sent::Tree(..)) | None => None,
        }
    }

    /// An archive without which the phase did not do its work.
    pub(crate) fn required_tree(&mut self, name: &str) -> Result<PathBuf, BuildError> {
        self.tree(name).ok_or_else(|| missing(name))
    }

    /// A layer without which the phase did not do its work.
    pub(crate) fn required_layer(&mut self, name: &str) -> Result<Layer, BuildError> {
        self.layer(name).ok_or_else(|| missing(name))
    }
}

fn missing(name: &str) -> BuildError {
    BuildError::Container(format!("it ended without sending {name:?}"))
}

/// When the whole build must be over.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(pub(crate) Instant);

/// Runs a phase. A program that fails is no error here; one that was stopped from outside is.
pub(crate) async fn run(
    builder: &Builder,
    request: &BuildRequest,
    work: &Work,
    mut phase: Phase,
    deadline: Deadline,
    output: &Output,
) -> Result<Ended, BuildError> {
    let settings = &builder.settings;
    let pipes = phase.pipes.iter().cloned().chain([Pipe::tree("result", RESULT_LIMIT)]);
    let pipes: Vec<_> =
        pipes.map(|pipe| Open::make(builder, work, pipe)).collect::<Result<_, BuildError>>()?;
    let dialog = phase.decide.take().map(|decide| Dialog::open(work, decide)).transpose()?;
    let spec = spec(builder, request, work, phase, deadline);
    let id = spec.id;
    let ended = follow(builder, request, spec, output).await;
    let removed = builder.engine.remove(id).await;
    let decided = match dialog {
        Some(dialog) => dialog.finish().await,
        None => Ok(()),
    };
    let (mut sent, mut refused) = (BTreeMap::new(), BTreeSet::new());
    let mut broken = None;
    for open in pipes {
        let (name, optional) = (open.pipe.name, open.pipe.optional);
        match open.finish().await {
            Ok(Some(one)) => drop(sent.insert(name, one)),
            Ok(None) => {}
            Err(_) if optional => {
                refused.insert(name);
                output.detail("The build cache is not kept: it is too large.").await;
            }
            Err(error) => broken = Some(error),
        }
    }
    let exit = ended?;
    removed?;
    judge(&exit, settings)?;
    decided?;
    if let Some(error) = broken.filter(|_| exit.code == 0) {
        return Err(error);
    }
    let mut ended = Ended { status: exit.code, result: None, sent, refused };
    ended.result = ended.tree("result");
    Ok(ended)
}

fn spec(
    builder: &Builder,
    request: &BuildRequest,
    work: &Work,
    phase: Phase,
    deadline: Deadline,
) -> ContainerSpec {
    let labels = [
        ("kind", KIND.to_owned()),
        ("app", request.app.to_string()),
        (BUILD_LABEL, request.build.to_string()),
    ];
    let mut mounts = vec![work.mount()];
    mounts.extend(phase.mounts);
    ContainerSpec {
        id: Uuid::new_v4(),
        labels: labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        image: phase.image,
        command: vec!["/bin/bash".into(), format!("/kigo/{}", phase.script)],
        env: phase.env,
        working_dir: "/app".into(),
        hostname: "build".into(),
        user: if phase.power == Power::Plain { OWNER } else { 0 },
        group: None,
        power: phase.power,
        limits: builder.settings.limits,
        terminal: Terminal::Log,
        mounts,
        volumes: Vec::new(),
        address: None,
        reach: Vec::new(),
        watch_port: None,
        time_limit: Some(deadline.0.saturating_duration_since(Instant::now())),
    }
}

/// Starts a container, passes on what it prints until it has exited, and tells how.
async fn follow(
    builder: &Builder,
    request: &BuildRequest,
    spec: ContainerSpec,
    output: &Output,
) -> Result<Exit, BuildError> {
    let engine = &builder.engine;
    let id = spec.id;
    engine.start(spec).await?;
    let mut lines = engine.output(id, 0).await?;
    let mut cancelled = false;
    let mut disk_full = false;
    let mut unacknowledged = 0;
    let mut indenting = Indenting::default();
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                Some(line) => {
                    let text = shown(line.content);
                    // With about as much for what is kept beside a line.
                    unacknowledged += text.len() + 64;
                    disk_full |= DISK_FULL.iter().any(|words| text.contains(words));
                    if let Some(text) = indenting.line(&text) {
                        output.line(text).await;
                    }
                    if unacknowledged > ACKNOWLEDGED {
                        engine.acknowledge(id, line.sequence).await?;
                        unacknowledged = 0;
                    }
                }
                None => break,
            },
            () = request.cancel.cancelled(), if !cancelled => {
                cancelled = true;
                engine.stop(id, GRACE).await?;
            }
        }
    }
    let exit = engine.wait(id).await?;
    if cancelled {
        return Err(BuildError::Cancelled);
    }
    if disk_full && exit.code != 0 && !exit.timed_out && !exit.out_of_memory {
        return Err(BuildError::DiskFull { limit: builder.settings.limits.disk });
    }
    Ok(exit)
}

/// Indents what a program prints between two marks (`indented` in `common.sh`).
#[derive(Default)]
struct Indenting {
    on: bool,
}

impl Indenting {
    const BEGIN: &str = "\u{2}indent";
    const END: &str = "\u{3}indent";

    /// What to show of a line; nothing of a mark. The closing one may be at the end of a line that
    /// the program did not end.
    fn line(&mut self, text: &str) -> Option<String> {
        if text == Self::BEGIN {
            self.on = true;
            return None;
        }
        let (text, ended) = text.strip_suffix(Self::END).map_or((text, false), |before| (before, true));
        let shown = if self.on { format!("       {text}") } else { text.to_owned() };
        self.on &= !ended;
        (!ended || !text.is_empty()).then_some(shown)
    }
}

/// A line as the terminal of a user would show it, or the note that some are missing.
fn shown(content: OutputContent) -> String {
    match content {
        OutputContent::Line(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let text = text.trim_end_matches('\r');
            // Progress that overwrites itself: its last state.
            text.rsplit('\r').next().unwrap_or(text).to_owned()
        }
        OutputContent::Dropped(count) => format!(" !     {count} lines were dropped here"),
    }
}

/// Whether the container ended by itself.
fn judge(exit: &Exit, settings: &crate::Settings) -> Result<(), BuildError> {
    if let Some(failure) = &exit.failure {
        return Err(BuildError::Container(failure.clone()));
    }
    if exit.timed_out {
        return Err(BuildError::TimedOut(settings.timeout));
    }
    if exit.out_of_memory && exit.code != 0 {
        return Err(BuildError::OutOfMemory { limit: settings.limits.memory_max });
    }
    Ok(())
}

/// Removes the containers that earlier attempts at a build, or at any, left; kills them if need be.
pub(crate) async fn remove_leftovers(engine: &dyn Engine, build: Option<BuildId>) -> Result<(), EngineError> {
    let build = build.map(|build| build.to_string());
    for seen in engine.observe().await? {
        let of_build = seen.labels.get("kind").is_some_and(|kind| kind == KIND);
        let meant = build.is_none() || seen.labels.get(BUILD_LABEL) == build.as_ref();
        if of_build && meant {
            engine.remove(seen.id).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_between_the_marks_are_indented() {
        let mut indenting = Indenting::default();
        let lines = ["a", "\u{2}indent", "b", "", "c\u{3}indent", "d", "\u{2}indent", "\u{3}indent", "e"];
        let shown: Vec<_> = lines.iter().filter_map(|line| indenting.line(line)).collect();
        assert_eq!(shown, ["a", "       b", "       ", "       c", "d", "e"]);
    }

    #[test]
    fn of_progress_the_last_state_is_shown() {
        for (bytes, text) in [("a\r\n", "a\r\n"), ("1%\r50%\r100%", "100%"), ("done\r", "done"), ("", "")] {
            let bytes = bytes.trim_end_matches('\n');
            let expected = text.trim_end_matches(['\n', '\r']);
            assert_eq!(shown(OutputContent::Line(bytes.to_owned().into())), expected);
        }
        assert_eq!(shown(OutputContent::Dropped(3)), " !     3 lines were dropped here");
    }
}
