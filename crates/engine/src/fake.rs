//! An engine in memory, for tests of what stands above it.
//!
//! Nothing is executed. A container does what its [`Step`]s say, which [`Fake::script`] chooses
//! from the container's spec; after the last step it runs until a test (or [`Engine::stop`]) ends
//! it. Clones share one world: a test that drops everything above the engine and builds it anew
//! with another clone has what a restarted server finds.

mod container;

use crate::{
    ContainerId, ContainerSpec, Duplex, Engine, EngineError, Exit, Observation, OutputContent, OutputLine,
    Usage,
};
use async_trait::async_trait;
use bytes::Bytes;
use container::{Container, duplex_steps, exit_of};
use domain::Digest;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Longest line in bytes, as [`OutputLine`] says.
const MAX_LINE: usize = 10_000;

/// One thing that a scripted container does, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Prints one line; to the client if the container has a terminal, else to its output.
    Print(String),
    /// Something listens on the watched port.
    Listen,
    /// From now on SIGTERM changes nothing and only SIGKILL ends it.
    IgnoreTerm,
    /// From now on SIGTERM ends it with this code instead of 143.
    ExitOnTerm(i32),
    /// Sends back to the client what the client sends, until the client closes.
    Echo,
    /// Runs for this long of tokio's time.
    Sleep(Duration),
    /// Ends with this code.
    Exit(i32),
    /// Ends in this way.
    Fail(Exit),
}

/// A call that the engine received and that changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    Start(ContainerId),
    Stop(ContainerId, Duration),
    Remove(ContainerId),
    Acknowledge(ContainerId, u64),
    Attach(ContainerId),
}

type Script = dyn Fn(&ContainerSpec) -> Vec<Step> + Send + Sync;
type Clock = dyn Fn() -> Timestamp + Send + Sync;

/// The engine. Cheap to clone; clones are the same engine.
#[derive(Clone)]
pub struct Fake {
    world: Arc<World>,
}

struct World {
    state: Mutex<State>,
    changes: watch::Sender<u64>,
}

struct State {
    containers: BTreeMap<ContainerId, Container>,
    calls: Vec<Call>,
    /// The only images there are; `None` for any.
    images: Option<BTreeSet<Digest>>,
    broken: Option<String>,
    script: Arc<Script>,
    clock: Arc<Clock>,
    next_address: u32,
}

impl Default for Fake {
    fn default() -> Self {
        Self::new()
    }
}

impl Fake {
    /// An engine without containers, whose containers run until told otherwise.
    pub fn new() -> Self {
        let state = State {
            containers: BTreeMap::new(),
            calls: Vec::new(),
            images: None,
            broken: None,
            script: Arc::new(|_| Vec::new()),
            clock: Arc::new(Timestamp::now),
            next_address: u32::from(Ipv4Addr::new(10, 201, 0, 1)),
        };
        Self { world: Arc::new(World { state: Mutex::new(state), changes: watch::Sender::new(0) }) }
    }

    /// Chooses what containers started from now on do.
    pub fn script(&self, script: impl Fn(&ContainerSpec) -> Vec<Step> + Send + Sync + 'static) {
        self.state().script = Arc::new(script);
    }

    /// Takes the time from here instead of the system's clock.
    pub fn clock(&self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) {
        self.state().clock = Arc::new(clock);
    }

    /// From now on only these images exist.
    pub fn images(&self, images: impl IntoIterator<Item = Digest>) {
        self.state().images = Some(images.into_iter().collect());
    }

    /// While set, every call fails with [`EngineError::System`] and this text.
    pub fn break_down(&self, doing: Option<&str>) {
        self.state().broken = doing.map(str::to_owned);
    }

    /// What was asked of the engine so far, oldest first. Calls that failed are not in it.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// The specs of all containers that were not removed.
    pub fn specs(&self) -> Vec<ContainerSpec> {
        self.state().containers.values().map(|container| container.spec.clone()).collect()
    }

    /// The spec of one container.
    pub fn spec(&self, id: ContainerId) -> Option<ContainerSpec> {
        self.state().containers.get(&id).map(|container| container.spec.clone())
    }

    /// Makes a container print one line, which is cut as every engine cuts. False if it is unknown
    /// or has exited.
    pub fn print(&self, id: ContainerId, line: impl AsRef<str>) -> bool {
        let line = Bytes::copy_from_slice(line.as_ref().as_bytes());
        self.change(id, |container, now| {
            for start in (0..line.len().max(1)).step_by(MAX_LINE) {
                let piece = line.slice(start..line.len().min(start + MAX_LINE));
                container.push(now, OutputContent::Line(piece));
            }
        })
    }

    /// Makes a container's buffer overflow by so many lines.
    pub fn overflow(&self, id: ContainerId, lines: u64) -> bool {
        self.change(id, |container, now| container.push(now, OutputContent::Dropped(lines)))
    }

    /// Makes a container listen on its watched port.
    pub fn listen(&self, id: ContainerId) -> bool {
        self.change(id, |container, _| container.listen())
    }

    /// Makes a container use this much.
    pub fn use_resources(&self, id: ContainerId, usage: Usage) -> bool {
        self.change(id, |container, _| container.usage = usage)
    }

    /// Makes a container exit by itself with this code. False if it is unknown or has exited.
    pub fn exit(&self, id: ContainerId, code: i32) -> bool {
        self.finish(id, exit_of(code))
    }

    /// Makes a container end in this way. False if it is unknown or has exited.
    pub fn finish(&self, id: ContainerId, exit: Exit) -> bool {
        self.change(id, |container, now| container.finish(now, exit))
    }

    /// Applies a change to a container that has not exited and wakes everybody.
    fn change(&self, id: ContainerId, change: impl FnOnce(&mut Container, Timestamp)) -> bool {
        let mut state = self.state();
        let now = (state.clock)();
        let Some(container) = state.containers.get_mut(&id).filter(|container| !container.exited()) else {
            return false;
        };
        change(container, now);
        drop(state);
        self.changed();
        true
    }

    fn changed(&self) {
        self.world.changes.send_modify(|count| *count += 1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.world.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, unless the engine is broken.
    fn working(&self) -> Result<MutexGuard<'_, State>, EngineError> {
        let state = self.state();
        match &state.broken {
            None => Ok(state),
            Some(doing) => Err(EngineError::System {
                doing: doing.clone(),
                source: std::io::Error::other("the fake engine was told to fail"),
            }),
        }
    }

    /// Plays the steps of a container that is running.
    async fn play(self, id: ContainerId, steps: Vec<Step>) {
        for step in steps {
            let alive = match step {
                Step::Print(line) => self.print(id, line),
                Step::Listen => self.listen(id),
                Step::IgnoreTerm => self.change(id, |container, _| container.on_term = None),
                Step::ExitOnTerm(code) => self.change(id, |container, _| container.on_term = Some(code)),
                // Without a client there is nothing to send back.
                Step::Echo => true,
                Step::Sleep(time) => {
                    tokio::time::sleep(time).await;
                    true
                }
                Step::Exit(code) => self.exit(id, code),
                Step::Fail(exit) => self.finish(id, exit),
            };
            if !alive {
                return;
            }
        }
    }
}

#[async_trait]
impl Engine for Fake {
    async fn start(&self, spec: ContainerSpec) -> Result<(), EngineError> {
        let id = spec.id;
        let steps = {
            let mut state = self.working()?;
            if state.containers.contains_key(&id) {
                return Ok(());
            }
            if state.images.as_ref().is_some_and(|images| !images.contains(&spec.image)) {
                return Err(EngineError::NoImage(spec.image));
            }
            let steps = (state.script)(&spec);
            if let Some(limit) = spec.time_limit {
                tokio::spawn(self.clone().time_out(id, limit));
            }
            let address = IpAddr::V4(Ipv4Addr::from(state.next_address));
            state.next_address += 1;
            let now = (state.clock)();
            state.calls.push(Call::Start(id));
            let mut container = Container::new(spec, address, now, steps);
            let steps = container.steps_to_play_now();
            state.containers.insert(id, container);
            steps
        };
        self.changed();
        tokio::spawn(self.clone().play(id, steps));
        Ok(())
    }

    async fn stop(&self, id: ContainerId, grace: Duration) -> Result<(), EngineError> {
        let on_term = {
            let mut state = self.working()?;
            let container = state.containers.get(&id).ok_or(EngineError::NotFound(id))?;
            if container.exited() {
                return Ok(());
            }
            let on_term = container.on_term;
            state.calls.push(Call::Stop(id, grace));
            on_term
        };
        if let Some(code) = on_term {
            self.exit(id, code);
        } else {
            let engine = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(grace).await;
                engine.finish(id, Exit { killed: true, ..exit_of(137) });
            });
        }
        Ok(())
    }

    async fn remove(&self, id: ContainerId) -> Result<(), EngineError> {
        {
            let mut state = self.working()?;
            if state.containers.remove(&id).is_none() {
                return Ok(());
            }
            state.calls.push(Call::Remove(id));
        }
        self.changed();
        Ok(())
    }

    async fn observe(&self) -> Result<Vec<Observation>, EngineError> {
        Ok(self.working()?.containers.values().map(Container::observe).collect())
    }

    async fn observe_one(&self, id: ContainerId) -> Result<Observation, EngineError> {
        self.working()?.containers.get(&id).map(Container::observe).ok_or(EngineError::NotFound(id))
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.world.changes.subscribe()
    }

    async fn output(&self, id: ContainerId, after: u64) -> Result<mpsc::Receiver<OutputLine>, EngineError> {
        let mut progress =
            self.working()?.containers.get(&id).ok_or(EngineError::NotFound(id))?.progress.subscribe();
        let (sender, receiver) = mpsc::channel(256);
        let engine = self.clone();
        tokio::spawn(async move {
            let mut after = after;
            loop {
                progress.mark_unchanged();
                let (lines, exited) = match engine.state().containers.get(&id) {
                    Some(container) => (container.lines_after(after), container.exited()),
                    None => return,
                };
                for line in lines {
                    after = line.sequence;
                    if sender.send(line).await.is_err() {
                        return;
                    }
                }
                if exited || progress.changed().await.is_err() {
                    return;
                }
            }
        });
        Ok(receiver)
    }

    async fn acknowledge(&self, id: ContainerId, sequence: u64) -> Result<(), EngineError> {
        let mut state = self.working()?;
        let container = state.containers.get_mut(&id).ok_or(EngineError::NotFound(id))?;
        container.output.retain(|line| line.sequence > sequence);
        state.calls.push(Call::Acknowledge(id, sequence));
        Ok(())
    }

    async fn attach(&self, id: ContainerId) -> Result<Box<dyn Duplex>, EngineError> {
        let steps = {
            let mut state = self.working()?;
            let now = (state.clock)();
            let container = state.containers.get_mut(&id).ok_or(EngineError::NotFound(id))?;
            let steps = container.attach(now).ok_or(EngineError::NotAttachable(id))?;
            state.calls.push(Call::Attach(id));
            steps
        };
        self.changed();
        let (client, program) = tokio::io::duplex(64 * 1024);
        tokio::spawn(duplex_steps(self.clone(), id, program, steps));
        Ok(Box::new(client))
    }
}

impl Fake {
    async fn time_out(self, id: ContainerId, limit: Duration) {
        tokio::time::sleep(limit).await;
        self.finish(id, Exit { timed_out: true, ..exit_of(137) });
    }
}

#[cfg(test)]
mod tests;
