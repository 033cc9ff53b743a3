//! One task for each app that logs: takes lines from producers, writes them in batches, tells
//! readers and acknowledges.

use crate::queue::{Lost, Places, Queue};
use crate::writer::Writer;
use crate::{Config, Error, Limits, LineId};
use domain::LogLine;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

/// Bytes of messages that one batch takes at most, or one command more.
const BATCH_BYTES: usize = 1 << 20;

/// Lines that nobody waits for are synchronised with the disk after so long.
const AWAITED_BY_NOBODY: Duration = Duration::from_secs(1);

pub(crate) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// What an app's task is asked to do.
pub(crate) enum Command {
    /// Lines of the platform, with their places in the queue.
    Lines(Vec<LogLine>, Places),
    /// Output of a container; answered once it is durable.
    Output {
        container: Uuid,
        lines: Vec<(u64, LogLine)>,
        done: Reply<()>,
    },
    Position(Uuid, Reply<u64>),
    Head(Reply<LineId>),
    Forget(Uuid),
    /// Answered once all earlier lines can be read.
    Barrier(Reply<()>),
    /// Answered once all earlier lines are durable.
    Flush(Reply<()>),
    Expire(SystemTime, Reply<()>),
    /// Deletes everything and ends the task.
    Remove(Reply<()>),
}

/// The handle of an app's task.
pub(crate) struct AppLog {
    pub(crate) dir: PathBuf,
    pub(crate) commands: mpsc::Sender<Command>,
    /// The id of the last line that can be read; 0 while none was written since the start.
    pub(crate) head: watch::Receiver<u64>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) lost: Arc<Lost>,
}

impl AppLog {
    /// Adds lines without waiting. Those for which there is no room are counted as lost.
    pub(crate) fn add(&self, mut lines: Vec<LogLine>) {
        let places = self.queue.take(lines.len());
        self.lost.add((lines.len() - places.count) as u64);
        lines.truncate(places.count);
        if lines.is_empty() {
            return;
        }
        if let Err(TrySendError::Full(Command::Lines(lines, _))) =
            self.commands.try_send(Command::Lines(lines, places))
        {
            self.lost.add(lines.len() as u64);
        }
    }
}

/// Starts an app's task.
pub(crate) fn spawn(
    runtime: &tokio::runtime::Handle,
    config: Arc<Config>,
    limits: Limits,
    dir: PathBuf,
) -> AppLog {
    let (commands, receiver) = mpsc::channel(config.queue);
    let (head_sender, head) = watch::channel(0);
    let lost = Arc::new(Lost::default());
    let queue = Queue::new(config.queue);
    let task = Task {
        files: Some(Files { config: config.clone(), limits: limits.clone(), dir: dir.clone(), writer: None }),
        config,
        limits,
        commands: receiver,
        head: head_sender,
        lost: lost.clone(),
        waiting: Vec::new(),
        sync_at: None,
        last_sync: None,
    };
    runtime.spawn(task.run());
    AppLog { dir, commands, head, queue, lost }
}

struct Task {
    config: Arc<Config>,
    limits: Limits,
    /// Away while a blocking thread works on it.
    files: Option<Files>,
    commands: mpsc::Receiver<Command>,
    head: watch::Sender<u64>,
    lost: Arc<Lost>,
    /// Who waits for the next synchronisation.
    waiting: Vec<Reply<()>>,
    sync_at: Option<Instant>,
    last_sync: Option<Instant>,
}

impl Task {
    async fn run(mut self) {
        loop {
            let sync_due = async {
                match self.sync_at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let first = tokio::select! {
                biased;
                () = sync_due => {
                    self.sync().await;
                    continue;
                }
                command = self.commands.recv() => command,
            };
            let Some(first) = first else {
                // Every handle is gone; what is written but not durable still becomes it.
                self.sync().await;
                return;
            };
            let batch = self.gather(first);
            if self.work(batch).await {
                return;
            }
        }
    }

    /// Takes what is there without waiting, up to the bound.
    fn gather(&mut self, first: Command) -> Vec<Command> {
        let mut bytes = 0;
        let mut batch = Vec::new();
        let mut next = Some(first);
        while let Some(mut command) = next.take() {
            bytes += match &mut command {
                Command::Lines(lines, places) => {
                    // They wait no more.
                    places.give_back();
                    lines.iter().map(|line| line.message.len()).sum()
                }
                Command::Output { lines, .. } => lines.iter().map(|(_, line)| line.message.len()).sum(),
                _ => 0,
            };
            batch.push(command);
            if bytes < BATCH_BYTES && batch.len() < self.config.queue {
                next = self.commands.try_recv().ok();
            }
        }
        batch
    }

    /// Does a batch; true if the log was removed.
    async fn work(&mut self, batch: Vec<Command>) -> bool {
        let loss = self.lost.report();
        let Some(mut outcome) = self.blocking(move |files| files.apply(batch, loss)).await else {
            return false;
        };
        if let Some(head) = outcome.head {
            self.head.send_if_modified(|known| std::mem::replace(known, head) != head);
        }
        self.lost.add(outcome.lost);
        for done in outcome.barriers {
            let _ = done.send(Ok(()));
        }
        self.waiting.append(&mut outcome.waiting);
        if outcome.dirty || !self.waiting.is_empty() {
            let now = Instant::now();
            let due = match self.last_sync {
                _ if self.waiting.is_empty() => now + AWAITED_BY_NOBODY,
                Some(last) => now.max(last + self.config.sync_interval),
                None => now,
            };
            self.sync_at = Some(self.sync_at.map_or(due, |at| at.min(due)));
        }
        outcome.removed
    }

    async fn sync(&mut self) {
        self.sync_at = None;
        self.last_sync = Some(Instant::now());
        let result = self.blocking(Files::sync).await.unwrap_or_else(|| Err(panicked()));
        for done in self.waiting.drain(..) {
            let _ = done.send(result.as_ref().copied().map_err(|error| Error::Write(repeat(error))));
        }
    }

    /// Runs `work` on a thread that may block. `None` if it panicked: the files are opened anew
    /// then, so that a later batch finds them as they are on disk.
    async fn blocking<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Files) -> T + Send + 'static,
    ) -> Option<T> {
        let mut files = self.files.take().unwrap_or_else(|| Files {
            config: self.config.clone(),
            limits: self.limits.clone(),
            dir: PathBuf::new(),
            writer: None,
        });
        let dir = files.dir.clone();
        let done = tokio::task::spawn_blocking(move || {
            let result = work(&mut files);
            (files, result)
        });
        match done.await {
            Ok((files, result)) => {
                self.files = Some(files);
                Some(result)
            }
            Err(error) => {
                tracing::error!(%error, "the writer of a log failed");
                let (config, limits) = (self.config.clone(), self.limits.clone());
                self.files = Some(Files { config, limits, dir, writer: None });
                None
            }
        }
    }
}

fn panicked() -> io::Error {
    io::Error::other("the writer stopped unexpectedly")
}

/// An error once more, for each of several who wait.
fn repeat(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// The blocking half.
struct Files {
    config: Arc<Config>,
    limits: Limits,
    dir: PathBuf,
    /// Opened at first use.
    writer: Option<Writer>,
}

#[derive(Default)]
struct Outcome {
    head: Option<u64>,
    barriers: Vec<Reply<()>>,
    waiting: Vec<Reply<()>>,
    lost: u64,
    dirty: bool,
    removed: bool,
}

impl Files {
    fn writer(&mut self) -> io::Result<&mut Writer> {
        match &mut self.writer {
            Some(writer) => Ok(writer),
            empty => {
                let (config, limits) = (self.config.clone(), self.limits.clone());
                Ok(empty.insert(Writer::open(config, limits, self.dir.clone())?))
            }
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.writer.as_mut().map_or(Ok(()), Writer::sync)
    }

    fn apply(&mut self, batch: Vec<Command>, loss: Option<(u64, LogLine)>) -> Outcome {
        let mut outcome = Outcome::default();
        let mut pending = Vec::new();
        let mut plain = 0;
        if let Some((count, line)) = loss {
            // If even this cannot be written, the count must not be forgotten.
            if self.write(&[(None, line)]).is_err() {
                outcome.lost += count;
            }
        }
        for command in batch {
            match command {
                Command::Lines(lines, _) => {
                    plain += lines.len() as u64;
                    pending.extend(lines.into_iter().map(|line| (None, line)));
                    continue;
                }
                other => {
                    self.write_plain(&mut pending, &mut plain, &mut outcome);
                    self.apply_one(other, &mut outcome);
                }
            }
            if outcome.removed {
                return outcome;
            }
        }
        self.write_plain(&mut pending, &mut plain, &mut outcome);
        outcome.head = self.writer.as_ref().map(|writer| writer.last_id().0);
        outcome.dirty = self.writer.as_ref().is_some_and(Writer::dirty);
        outcome
    }

    fn apply_one(&mut self, command: Command, outcome: &mut Outcome) {
        match command {
            Command::Lines(..) => {}
            Command::Output { container, lines, done } => {
                let lines: Vec<_> =
                    lines.into_iter().map(|(sequence, line)| (Some((container, sequence)), line)).collect();
                match self.write(&lines) {
                    Ok(()) => outcome.waiting.push(done),
                    Err(error) => drop(done.send(Err(Error::Write(error)))),
                }
            }
            Command::Position(container, reply) => {
                let position = self.writer().map(|writer| writer.position(container));
                let _ = reply.send(position.map_err(Error::Write));
            }
            Command::Head(reply) => {
                let head = self.writer().map(|writer| writer.last_id());
                let _ = reply.send(head.map_err(Error::Write));
            }
            Command::Forget(container) => {
                if let Ok(writer) = self.writer() {
                    writer.forget(container);
                }
            }
            Command::Barrier(done) => outcome.barriers.push(done),
            Command::Flush(done) => outcome.waiting.push(done),
            Command::Expire(now, done) => {
                let result = self.writer().and_then(|writer| writer.expire(now));
                let _ = done.send(result.map_err(Error::Write));
            }
            Command::Remove(done) => {
                self.writer = None;
                let result = match std::fs::remove_dir_all(&self.dir) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::Write(error)),
                    _ => Ok(()),
                };
                outcome.removed = true;
                let _ = done.send(result);
            }
        }
    }

    fn write_plain(
        &mut self,
        pending: &mut Vec<(Option<(Uuid, u64)>, LogLine)>,
        plain: &mut u64,
        outcome: &mut Outcome,
    ) {
        if *plain > 0 && self.write(pending).is_err() {
            outcome.lost += *plain;
        }
        pending.clear();
        *plain = 0;
    }

    fn write(&mut self, lines: &[(Option<(Uuid, u64)>, LogLine)]) -> io::Result<()> {
        let result = self.writer().and_then(|writer| writer.write(lines));
        if let Err(error) = &result {
            tracing::warn!(dir = %self.dir.display(), %error, "could not write to a log");
        }
        result
    }
}
