//! One task for each app that logs: takes lines from producers, writes them in batches, tells
//! readers and acknowledges.

use crate::writer::Writer;
use crate::{Config, Error};
use domain::LogLine;
use jiff::Timestamp;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::SystemTime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

/// Bytes of messages that one batch takes at most, or one command more.
const BATCH_BYTES: usize = 1 << 20;

pub(crate) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// What an app's task is asked to do.
pub(crate) enum Command {
    Line(LogLine),
    /// Output of a container; answered once it is durable.
    Output {
        container: Uuid,
        lines: Vec<(u64, LogLine)>,
        done: Reply<()>,
    },
    Position(Uuid, Reply<u64>),
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
    pub(crate) lost: Arc<Lost>,
}

/// Counts the lines for which there was no room.
#[derive(Default)]
pub(crate) struct Lost {
    count: AtomicU64,
    /// Microseconds of the first loss that was not reported yet.
    since: AtomicI64,
}

impl Lost {
    pub(crate) fn add(&self, count: u64) {
        if self.count.fetch_add(count, Ordering::Relaxed) == 0 {
            self.since.store(Timestamp::now().as_microsecond(), Ordering::Relaxed);
        }
    }

    /// The line that tells about the loss, if there was one since the last call.
    fn report(&self) -> Option<(u64, LogLine)> {
        let count = self.count.swap(0, Ordering::Relaxed);
        if count == 0 {
            return None;
        }
        let now = Timestamp::now();
        let since = Timestamp::from_microsecond(self.since.load(Ordering::Relaxed)).unwrap_or(now);
        Some((count, overflow_line(now, count, since)))
    }
}

/// Heroku's line about lines that a full buffer dropped before they were kept.
pub fn overflow_line(now: Timestamp, count: u64, since: Timestamp) -> LogLine {
    let message = format!("Error L10 (output buffer overflow): {count} messages dropped since {since}.");
    LogLine::heroku(now, "logplex", message)
}

/// Starts an app's task.
pub(crate) fn spawn(runtime: &tokio::runtime::Handle, config: Arc<Config>, dir: PathBuf) -> AppLog {
    let (commands, receiver) = mpsc::channel(config.queue);
    let (head_sender, head) = watch::channel(0);
    let lost = Arc::new(Lost::default());
    let task = Task {
        files: Some(Files { config: config.clone(), dir: dir.clone(), writer: None }),
        config,
        commands: receiver,
        head: head_sender,
        lost: lost.clone(),
        waiting: Vec::new(),
        sync_at: None,
        last_sync: None,
    };
    runtime.spawn(task.run());
    AppLog { dir, commands, head, lost }
}

struct Task {
    config: Arc<Config>,
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
        let size = |command: &Command| match command {
            Command::Line(line) => line.message.len(),
            Command::Output { lines, .. } => lines.iter().map(|(_, line)| line.message.len()).sum(),
            _ => 0,
        };
        let mut bytes = size(&first);
        let mut batch = vec![first];
        while bytes < BATCH_BYTES
            && batch.len() < self.config.queue
            && let Ok(command) = self.commands.try_recv()
        {
            bytes += size(&command);
            batch.push(command);
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
        if (outcome.dirty || !self.waiting.is_empty()) && self.sync_at.is_none() {
            let earliest = self.last_sync.map(|last| last + self.config.sync_interval);
            let quiet =
                if self.waiting.is_empty() { self.config.sync_interval } else { std::time::Duration::ZERO };
            let now = Instant::now();
            self.sync_at = Some(earliest.unwrap_or(now).max(now + quiet));
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
                self.files = Some(Files { config: self.config.clone(), dir, writer: None });
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
            empty => Ok(empty.insert(Writer::open(self.config.clone(), self.dir.clone())?)),
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
                Command::Line(line) => {
                    pending.push((None, line));
                    plain += 1;
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
            Command::Line(_) => {}
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
