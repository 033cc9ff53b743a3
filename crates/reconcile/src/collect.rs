//! Carries what containers print into the logs, exactly once: a dyno's output here, a service's in
//! `service`.
//!
//! Each line has a number. The log remembers the last number that it has kept of each container, and
//! only lines that are safe in it are acknowledged to the container's spool; so whoever is killed,
//! the next one goes on behind the last line that was kept.

mod service;

use crate::driver::{Loop, Turn};
use crate::dynos::{app_of, name_of};
use crate::error::{Error, Result, chain};
use crate::output::{OutputId, OutputWriter, Outputs};
use crate::services::label as services;
use crate::spec::label;
use async_trait::async_trait;
use domain::{AppId, InstanceId, LogLine};
use engine::{Engine, EngineError, Observation, OutputContent, OutputLine, Status};
use logs::Logs;
use ops::Ops;
use serde_json::json;
use service::{ServiceCarrier, start_of};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// Lines that are handed to the log at once, at most, and about as many bytes.
const BATCH: usize = 16 * 1024;
const BATCH_BYTES: usize = 1 << 20;
/// A container that has so many lines ready at once prints a lot. Each batch waits for the disk, so
/// then it is worth waiting this long for more.
const MANY: usize = 64;
const MORE: Duration = Duration::from_millis(2);
/// After a failure a container's output rests this long.
const REST: Duration = Duration::from_secs(1);

/// The containers that have exited and whose whole output is kept. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Collected {
    ids: Arc<Mutex<BTreeSet<Uuid>>>,
    changes: watch::Sender<u64>,
}

impl Collected {
    pub(crate) fn new() -> Self {
        Self { ids: Arc::default(), changes: watch::Sender::new(0) }
    }

    pub(crate) fn all(&self) -> BTreeSet<Uuid> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn contains(&self, id: Uuid) -> bool {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).contains(&id)
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Whether a dyno's whole output is kept, or its container gone, so that nothing more will come.
    pub(crate) async fn has_all_of(&self, engine: &dyn Engine, dyno: Uuid) -> Result<bool> {
        if self.contains(dyno) {
            return Ok(true);
        }
        match engine.observe_one(dyno).await {
            Err(EngineError::NotFound(_)) => Ok(true),
            other => other.map(|_| false).map_err(Error::from),
        }
    }

    pub(crate) fn forget(&self, id: Uuid) {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    fn add(&self, id: Uuid) {
        if self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(id) {
            self.changes.send_modify(|count| *count += 1);
        }
    }
}

/// The loop: sees to it that each container's output has one task that carries it.
pub(crate) struct Collect {
    pub(crate) ops: Ops,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) logs: Logs,
    pub(crate) outputs: Outputs,
    pub(crate) collected: Collected,
    pub(crate) shutdown: CancellationToken,
    pub(crate) children: TaskTracker,
    /// By container, or by the start of a service.
    pub(crate) tasks: HashMap<Uuid, JoinHandle<()>>,
}

#[async_trait]
impl Loop for Collect {
    fn name(&self) -> &'static str {
        "collect"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(5)
    }

    async fn run_once(&mut self) -> Result<Turn> {
        let seen = self.engine.observe().await?;
        self.tasks.retain(|_, task| !task.is_finished());
        for container in &seen {
            let kind = container.labels.get(label::KIND).map(String::as_str);
            if kind == Some(services::SERVICE) {
                self.follow_service(container);
            }
            if kind != Some(label::DYNO)
                || self.collected.contains(container.id)
                || self.tasks.contains_key(&container.id)
            {
                continue;
            }
            let by_client = container.labels.get(label::OUTPUT).is_some_and(|output| output == "client");
            match Carrier::new(self, container) {
                Some(carrier) if !by_client => {
                    self.tasks.insert(container.id, self.children.spawn(carrier.run()));
                }
                // Nobody's output, or its client's.
                _ if matches!(container.status, Status::Exited { .. }) => self.collected.add(container.id),
                _ => {}
            }
        }
        let detail = json!({ "containers": seen.len(), "carried": self.tasks.len() });
        Ok(Turn { detail, next: None })
    }
}

impl Collect {
    fn follow_service(&mut self, seen: &Observation) {
        let start = start_of(seen);
        if self.tasks.contains_key(&start) || self.collected.contains(seen.id) {
            return;
        }
        let carrier = ServiceCarrier {
            ops: self.ops.clone(),
            engine: self.engine.clone(),
            logs: self.logs.clone(),
            collected: self.collected.clone(),
            shutdown: self.shutdown.clone(),
            instance: InstanceId(seen.id),
            start,
            told: BTreeSet::new(),
        };
        self.tasks.insert(start, self.children.spawn(carrier.run()));
    }
}

/// Carries one dyno's output.
struct Carrier {
    engine: Arc<dyn Engine>,
    logs: Logs,
    outputs: Outputs,
    collected: Collected,
    shutdown: CancellationToken,
    id: Uuid,
    app: AppId,
    process: String,
    /// Where its output goes as well: to that of the release or setup whose command it runs.
    copy_to: Option<OutputId>,
}

/// Such an output's file and how many lines it has.
type Copy = Option<(OutputWriter, u64)>;

impl Carrier {
    fn new(collect: &Collect, seen: &Observation) -> Option<Self> {
        let of = |label| seen.labels.get(label);
        let release = of(label::RELEASE).and_then(|id| id.parse().ok()).map(OutputId::Release);
        let setup = || of(label::SETUP).and_then(|id| id.parse().ok()).map(OutputId::Setup);
        Some(Self {
            engine: collect.engine.clone(),
            logs: collect.logs.clone(),
            outputs: collect.outputs.clone(),
            collected: collect.collected.clone(),
            shutdown: collect.shutdown.clone(),
            id: seen.id,
            app: app_of(seen)?,
            process: name_of(seen)?.to_string(),
            copy_to: release.or_else(setup),
        })
    }

    async fn run(self) {
        loop {
            let result = tokio::select! {
                () = self.shutdown.cancelled() => return,
                result = self.carry() => result,
            };
            match result {
                // A removed log's app was destroyed; nobody reads this any more.
                Ok(()) | Err(Error::Logs(logs::Error::Removed)) => return self.collected.add(self.id),
                Err(Error::Engine(EngineError::NotFound(_))) => return,
                Err(error) => {
                    tracing::warn!(dyno = %self.id, error = chain(&error), "could not keep a dyno's output yet");
                }
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = tokio::time::sleep(REST) => {}
            }
        }
    }

    /// Carries until the container has exited and everything it printed is kept.
    async fn carry(&self) -> Result<()> {
        loop {
            let kept = self.logs.position(self.app, self.id).await?;
            let mut copy: Copy = match self.copy_to {
                Some(id) => {
                    Some(self.outputs.line_writer(id).await.map_err(Error::io("open a command's output"))?)
                }
                None => None,
            };
            let after = copy.as_ref().map_or(kept, |(_, lines)| kept.min(*lines));
            let mut lines = self.engine.output(self.id, after).await?;
            while let Some(batch) = next_batch(&mut lines).await {
                self.keep(batch, &mut copy).await?;
            }
            if matches!(self.engine.observe_one(self.id).await?.status, Status::Exited { .. }) {
                return Ok(());
            }
            // The stream broke off; begin again where it was.
            tokio::time::sleep(REST).await;
        }
    }

    async fn keep(&self, batch: Vec<OutputLine>, copy: &mut Copy) -> Result<()> {
        let Some(last) = batch.last().map(|line| line.sequence) else { return Ok(()) };
        if let Some((writer, lines)) = copy {
            let mut text = Vec::new();
            for line in batch.iter().filter(|line| line.sequence > *lines) {
                text.extend_from_slice(&log_line(line, &self.process).message);
                text.push(b'\n');
            }
            writer.write(&text).await.map_err(Error::io("write a command's output"))?;
            *lines = last.max(*lines);
        }
        let lines = batch.iter().map(|line| (line.sequence, log_line(line, &self.process))).collect();
        self.logs.append_from(self.app, self.id, lines).await?;
        self.engine.acknowledge(self.id, last).await?;
        Ok(())
    }
}

fn log_line(line: &OutputLine, process: &str) -> LogLine {
    match &line.content {
        OutputContent::Line(text) => LogLine::app(line.time, process, text.clone()),
        OutputContent::Dropped(count) => logs::overflow_line(line.time, *count, line.time),
    }
}

/// The next line and what is there behind it: without waiting, unless there is a lot.
async fn next_batch(lines: &mut mpsc::Receiver<OutputLine>) -> Option<Vec<OutputLine>> {
    let mut batch = Vec::new();
    if lines.recv_many(&mut batch, BATCH).await == 0 {
        return None;
    }
    let mut bytes = bytes(&batch);
    let busy = batch.len() >= MANY;
    while busy && batch.len() < BATCH && bytes < BATCH_BYTES {
        let before = batch.len();
        match tokio::time::timeout(MORE, lines.recv_many(&mut batch, BATCH - before)).await {
            Ok(1..) => bytes += self::bytes(&batch[before..]),
            // It rests, or has ended.
            Ok(0) | Err(_) => break,
        }
    }
    Some(batch)
}

fn bytes(lines: &[OutputLine]) -> usize {
    let length = |line: &OutputLine| match &line.content {
        OutputContent::Line(text) => text.len(),
        OutputContent::Dropped(_) => 0,
    };
    lines.iter().map(length).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(sequence: u64, length: usize) -> OutputLine {
        let content = OutputContent::Line(vec![b'x'; length].into());
        OutputLine { sequence, time: jiff::Timestamp::UNIX_EPOCH, content }
    }

    #[tokio::test(start_paused = true)]
    async fn batches_grow_with_what_there_is_and_not_beyond_their_bounds() {
        for (count, length, batches) in [
            (MANY as u64 - 1, 10, 1),
            (5 * MANY as u64, 10, 1),
            (BATCH as u64 + 1, 10, 2),
            (300, BATCH_BYTES / 100, 2),
        ] {
            let (sender, mut receiver) = mpsc::channel(256);
            let printing = tokio::spawn(async move {
                for sequence in 0..count {
                    sender.send(line(sequence, length)).await.unwrap();
                }
                // Quiet, and not at its end: what is there is handed on.
                tokio::time::sleep(2 * MORE).await;
            });
            // A container that was busy when nobody looked has filled the channel.
            while receiver.len() < 256.min(count as usize) {
                tokio::task::yield_now().await;
            }
            let (mut seen, mut got) = (Vec::new(), 0);
            while let Some(batch) = next_batch(&mut receiver).await {
                assert!(batch.len() <= BATCH && bytes(&batch) < BATCH_BYTES + 257 * length);
                got += 1;
                seen.extend(batch.iter().map(|line| line.sequence));
            }
            assert_eq!(seen, (0..count).collect::<Vec<_>>());
            assert_eq!(got, batches, "{count} lines of {length}");
            printing.await.unwrap();
        }
    }
}
