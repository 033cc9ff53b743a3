//! Runs a hook in a container and waits for it.

use super::{AtWork, Worker};
use crate::error::{Error, Result};
use engine::{ContainerId, ContainerSpec, Engine, OutputContent};
use std::collections::VecDeque;

/// Lines of a hook's output that tell why it failed.
const LINES: usize = 5;

/// Runs it. What it prints last is the reason if it fails.
pub(super) async fn run(worker: &Worker, spec: ContainerSpec, at_work: &AtWork) -> Result<()> {
    ask(worker, spec, at_work, 0).await.map(drop)
}

/// Runs it, and returns the last `lines` lines that it printed.
pub(super) async fn ask(
    worker: &Worker,
    spec: ContainerSpec,
    at_work: &AtWork,
    lines: usize,
) -> Result<Vec<String>> {
    let id = spec.id;
    at_work.with(|busy| busy.tasks.insert(id));
    let result = follow(worker, spec, lines).await;
    let removed = worker.engine.remove(id).await;
    at_work.with(|busy| busy.tasks.remove(&id));
    let printed = result?;
    removed?;
    Ok(printed)
}

async fn follow(worker: &Worker, spec: ContainerSpec, lines: usize) -> Result<Vec<String>> {
    let id = spec.id;
    worker.engine.start(spec).await?;
    let exit = worker.engine.wait(id).await?;
    if exit.code == 0 && exit.failure.is_none() {
        return Ok(if lines == 0 { Vec::new() } else { tail(&*worker.engine, id, lines).await });
    }
    if let Some(failure) = exit.failure {
        return Err(Error::Service(failure));
    }
    let why = match (exit.timed_out, exit.out_of_memory) {
        (true, _) => "it took too long".to_owned(),
        (_, true) => "it ran out of memory".to_owned(),
        _ => format!("status {}", exit.code),
    };
    let last = last_lines(&*worker.engine, id).await;
    Err(Error::Service(if last.is_empty() { why } else { format!("{why}: {last}") }))
}

/// The end of what a container that has ended printed.
pub(super) async fn last_lines(engine: &dyn Engine, id: ContainerId) -> String {
    tail(engine, id, LINES).await.join("; ")
}

async fn tail(engine: &dyn Engine, id: ContainerId, count: usize) -> Vec<String> {
    let mut last = VecDeque::new();
    let Ok(mut lines) = engine.output(id, 0).await else { return Vec::new() };
    while let Some(line) = lines.recv().await {
        if let OutputContent::Line(bytes) = line.content {
            last.push_back(String::from_utf8_lossy(&bytes).into_owned());
            if last.len() > count {
                last.pop_front();
            }
        }
    }
    Vec::from(last)
}
