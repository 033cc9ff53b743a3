//! Runs a hook that a dump goes into or comes out of.

use super::Worker;
use super::pipe::{self, Pipe, Received};
use crate::error::{Error, Result, chain};
use crate::services::spec;
use addons::{Definition, Plan, Running};
use domain::{AddonId, Credential, Instance, TransferId, TransferLine};
use engine::{ContainerSpec, Exit, Mount, OutputContent};
use std::collections::VecDeque;
use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// On containers of these hooks: the transfer.
pub(super) const TRANSFER: &str = "transfer";

/// Bytes of figures at most.
const FIGURES: u64 = 1 << 20;
/// Lines of a hook's output that are kept, and how many tell why it failed.
const LINES: usize = 2000;
const LAST: usize = 6;
/// The longest that a dump may take.
const TIME_LIMIT: Duration = Duration::from_hours(12);
const GRACE: Duration = Duration::from_secs(5);
const MIB: u64 = 1 << 20;
/// As large as the service's memory, so many can lie on a hook's disk.
const DUMPS: u64 = 3;

/// Where a hook works.
pub(super) struct Place<'a> {
    pub(super) addon: AddonId,
    pub(super) instance: Instance,
    pub(super) credential: Credential,
    pub(super) definition: &'a Definition,
    pub(super) run: &'a Running,
    pub(super) offer: &'a Plan,
}

/// Which way the dump goes.
pub(super) enum Dump<'a> {
    None,
    /// Out of the service into a new file, of at most so many bytes.
    Into(&'a Path, u64),
    From(&'a Path),
}

/// What a hook that succeeded has told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) figures: String,
    pub(super) size: u64,
    pub(super) warnings: u32,
    pub(super) received: Option<Received>,
}

/// What comes of something that hooks do.
pub(super) type Outcome<T> = std::result::Result<T, Stop>;

/// Why a hook did not do its work.
pub(super) enum Stop {
    /// Somebody does not want it any more, or the server ends.
    Asked,
    /// The hook says so, or what it made cannot be kept; in words for users.
    Failed(String),
    /// This machine's fault.
    Machine(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Machine(error)
    }
}

impl From<ops::Error> for Stop {
    fn from(error: ops::Error) -> Self {
        Self::Machine(error.into())
    }
}

impl From<store::StoreError> for Stop {
    fn from(error: store::StoreError) -> Self {
        Self::Machine(error.into())
    }
}

impl From<engine::EngineError> for Stop {
    fn from(error: engine::EngineError) -> Self {
        Self::Machine(error.into())
    }
}

impl Worker {
    /// Runs one of a transfer's hooks.
    pub(super) async fn hook(
        &self,
        transfer: TransferId,
        place: &Place<'_>,
        script: &str,
        env: &[(&str, String)],
        dump: Dump<'_>,
        stop: &CancellationToken,
    ) -> Outcome<Told> {
        let image = self.services.image(place.run).await?;
        let Place { addon, instance, credential, definition, run, offer } = place;
        // Data is the same whatever is set.
        let settings = definition.settings_with(&std::collections::BTreeMap::new());
        let mut spec =
            spec::task(*addon, instance, definition, run, offer, credential, &settings, script, image);
        let work = Work::make(&self.work().join(spec.id.to_string()))?;
        let count = Arc::new(AtomicU64::new(0));
        let figures = pipe::collect(&work.0.join("told"), FIGURES)
            .map_err(Error::io("make a pipe for what a hook tells"))?;
        let data = open(&work.0.join("data"), &dump, &count)?;
        spec.command = command(script, &dump);
        spec.env.extend(env.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        spec.labels.insert(TRANSFER.into(), transfer.to_string());
        spec.mounts.push(Mount { source: work.0.clone(), target: "/kigo".into(), read_only: true });
        spec.time_limit = Some(TIME_LIMIT);
        // What a service has in memory can be looked into on the way: there is as much of it besides, and
        // disk for dumps.
        let memory = offer.size().memory.saturating_mul(MIB);
        spec.limits.memory = spec.limits.memory.saturating_add(memory);
        spec.limits.memory_max = spec.limits.memory_max.saturating_add(memory);
        spec.limits.disk = spec.limits.disk.saturating_add(memory.saturating_mul(DUMPS));
        let id = spec.id;
        self.at_work.begin(id);
        let followed = self.follow(transfer, spec, &count, stop).await;
        let removed = self.services.engine.remove(id).await;
        self.at_work.end(id);
        let data = data.finish().await;
        let figures = figures.finish().await;
        let (exit, last) = followed?;
        removed?;
        if stop.is_cancelled() {
            return Err(Stop::Asked);
        }
        judge(&exit, &last)?;
        let received = data.map_err(|error| Stop::Failed(format!("it could not be kept: {error}")))?;
        let told = figures.map_err(Error::io("read what a hook tells"))?;
        Ok(Told { received, ..parse(&told) })
    }

    /// Starts a container, keeps what it prints until it has exited, and tells how and what last.
    async fn follow(
        &self,
        transfer: TransferId,
        spec: ContainerSpec,
        count: &AtomicU64,
        stop: &CancellationToken,
    ) -> Result<(Exit, String)> {
        let engine = &self.services.engine;
        let id = spec.id;
        engine.start(spec).await?;
        let mut lines = engine.output(id, 0).await?;
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        let (mut new, mut last) = (Vec::new(), VecDeque::new());
        let (mut total, mut sequence, mut stopping) = (0_usize, 0, false);
        loop {
            tokio::select! {
                line = lines.recv() => {
                    let Some(line) = line else { break };
                    sequence = line.sequence;
                    let OutputContent::Line(bytes) = line.content else { continue };
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    total += 1;
                    if total <= LINES {
                        new.push(TransferLine { time: line.time, text: text.clone() });
                    }
                    last.push_back(text);
                    if last.len() > LAST {
                        last.pop_front();
                    }
                }
                _ = tick.tick() => {
                    let processed = count.load(Ordering::Relaxed);
                    ops::transfers::progress(&self.services.ops, transfer, processed, &new).await?;
                    new.clear();
                    engine.acknowledge(id, sequence).await?;
                }
                () = stop.cancelled(), if !stopping => {
                    stopping = true;
                    engine.stop(id, GRACE).await?;
                }
            }
        }
        let exit = engine.wait(id).await?;
        let processed = count.load(Ordering::Relaxed);
        ops::transfers::progress(&self.services.ops, transfer, processed, &new).await?;
        Ok((exit, Vec::from(last).join("; ")))
    }
}

/// The pipe that a dump goes through.
enum Data {
    None,
    Receiving(Pipe<Received>),
    Sending(Pipe<()>),
}

impl Data {
    async fn finish(self) -> std::io::Result<Option<Received>> {
        match self {
            Self::None => Ok(None),
            Self::Receiving(pipe) => pipe.finish().await.map(Some),
            Self::Sending(pipe) => pipe.finish().await.map(|()| None),
        }
    }
}

fn open(path: &Path, dump: &Dump<'_>, count: &Arc<AtomicU64>) -> Result<Data> {
    let made = match dump {
        Dump::None => return Ok(Data::None),
        Dump::Into(file, limit) => {
            let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file);
            file.and_then(|file| pipe::receive(path, file, *limit, count.clone())).map(Data::Receiving)
        }
        Dump::From(file) => {
            File::open(file).and_then(|file| pipe::send(path, file, count.clone())).map(Data::Sending)
        }
    };
    made.map_err(Error::io("make a pipe for a dump"))
}

/// What a hook reads and writes by its standard streams and descriptor 3.
fn command(script: &str, dump: &Dump<'_>) -> Vec<String> {
    let streams = match dump {
        Dump::None => "exec 3> /kigo/told >&3",
        Dump::Into(..) => "exec 3> /kigo/told > /kigo/data",
        Dump::From(_) => "exec 3> /kigo/told < /kigo/data",
    };
    ["/bin/bash", "-c", &format!("{streams}\n{script}")].map(str::to_owned).into()
}

/// Takes apart what a hook told: a line `size=` or `warnings=` is about the transfer, the rest is about the
/// data.
fn parse(text: &str) -> Told {
    let mut told = Told::default();
    for line in text.lines() {
        if let Some(size) = line.strip_prefix("size=").and_then(|size| size.parse().ok()) {
            told.size = size;
        } else if let Some(count) = line.strip_prefix("warnings=").and_then(|count| count.parse().ok()) {
            told.warnings = count;
        } else {
            told.figures.push_str(line);
            told.figures.push('\n');
        }
    }
    told
}

fn judge(exit: &Exit, last: &str) -> Outcome<()> {
    if let Some(failure) = &exit.failure {
        return Err(Stop::Machine(Error::Service(failure.clone())));
    }
    let why = match exit {
        Exit { code: 0, .. } => return Ok(()),
        Exit { timed_out: true, .. } => "it took too long".to_owned(),
        Exit { out_of_memory: true, .. } => "it ran out of memory".to_owned(),
        Exit { code, .. } => format!("status {code}"),
    };
    Err(Stop::Failed(if last.is_empty() { why } else { format!("{why}: {last}") }))
}

/// The directory of a hook's pipes, which goes when this is dropped.
struct Work(PathBuf);

impl Work {
    fn make(path: &Path) -> Result<Self> {
        let make = || {
            std::fs::create_dir_all(path)?;
            std::fs::set_permissions(path, Permissions::from_mode(0o755))
        };
        make().map_err(Error::io("make a directory for a hook's pipes"))?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), error = chain(&error), "a hook's pipes stay behind");
        }
    }
}

/// A credential for a service that nobody uses.
pub(super) fn scratch_credential(definition: &Definition, now: jiff::Timestamp) -> Credential {
    Credential {
        id: domain::CredentialId(Uuid::new_v4()),
        addon: AddonId(Uuid::nil()),
        name: Credential::DEFAULT.into(),
        values: definition.make_values(),
        active: true,
        next: None,
        removed: false,
        attempts: 0,
        retry_at: None,
        created_at: now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_from_what_is_about_the_transfer() {
        let told = parse("size=12\npublic.a 3 77\nwarnings=2\nsize=no\n");
        let expected =
            Told { figures: "public.a 3 77\nsize=no\n".into(), size: 12, warnings: 2, received: None };
        assert_eq!(told, expected);
    }
}
