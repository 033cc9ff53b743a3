//! What is said meanwhile, for when a step fails: the last lines of the service, and what the platform
//! complains about.

use engine::{Engine, OutputContent};
use std::collections::{HashSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// What is worth knowing of the platform's own log: complaints, and why a service does not say how it is.
const FILTER: &str = "warn,reconcile::services::samples=debug";

/// More of a line is more than anybody reads.
const LONGEST: usize = 300;

/// Remembers the last lines. Cheap to clone.
#[derive(Clone)]
pub(super) struct Witness {
    service: Lines,
    platform: Lines,
}

/// The newest of many lines.
#[derive(Clone)]
struct Lines {
    kept: usize,
    lines: Arc<Mutex<VecDeque<String>>>,
}

impl Lines {
    fn new(kept: usize) -> Self {
        Self { kept, lines: Arc::default() }
    }

    fn with<T>(&self, look: impl FnOnce(&mut VecDeque<String>) -> T) -> T {
        look(&mut self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, line: &str) {
        let cut: String = line.chars().take(LONGEST).collect();
        self.with(|lines| {
            lines.push_back(cut);
            if lines.len() > self.kept {
                lines.pop_front();
            }
        });
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        String::from_utf8_lossy(bytes).lines().for_each(|line| self.add(line));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Witness {
    pub(super) fn new() -> Self {
        Self { service: Lines::new(12), platform: Lines::new(5) }
    }

    /// Listens to the platform's own log. With `RUST_LOG` it goes to standard error instead.
    pub(super) fn listen(&self) {
        if let Ok(filter) = EnvFilter::try_from_default_env() {
            tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
            return;
        }
        let platform = self.platform.clone();
        let log = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(FILTER));
        let log = log.without_time().with_level(false).with_target(false).with_ansi(false);
        log.with_writer(move || platform.clone()).init();
    }

    /// Listens to every start of a service, for ever.
    pub(super) async fn follow(self, engine: Arc<dyn Engine>) {
        let mut changes = engine.changes();
        let mut known = HashSet::new();
        loop {
            changes.mark_unchanged();
            for seen in engine.observe().await.unwrap_or_default() {
                let Some(start) = reconcile::service_start(&seen) else { continue };
                if known.insert(start.to_owned()) {
                    tokio::spawn(listen_to(engine.clone(), seen.id, self.service.clone()));
                }
            }
            // A second's pause bounds what a lost wake-up can cost.
            let _ = tokio::time::timeout(Duration::from_secs(1), changes.changed()).await;
        }
    }

    /// Another step begins: complaints about earlier ones are not its.
    pub(super) fn begin(&self) {
        self.platform.with(VecDeque::clear);
    }

    /// The last words of each who said something.
    pub(super) fn last(&self) -> Vec<(&'static str, Vec<String>)> {
        let all = [("the service", &self.service), ("the platform", &self.platform)];
        let said =
            all.map(|(who, lines)| (who, lines.with(|lines| lines.iter().cloned().collect::<Vec<_>>())));
        said.into_iter().filter(|(_, lines)| !lines.is_empty()).collect()
    }
}

async fn listen_to(engine: Arc<dyn Engine>, id: engine::ContainerId, to: Lines) {
    let Ok(mut lines) = engine.output(id, 0).await else { return };
    while let Some(line) = lines.recv().await {
        if let OutputContent::Line(bytes) = line.content {
            to.add(&String::from_utf8_lossy(&bytes));
        }
    }
}
