//! What every engine must do, as a suite that runs against one.
//!
//! An engine's own tests implement [`Subject`] and call [`run`]. The containers of the suite run
//! small shell scripts and need nothing but a `/bin/sh` with the usual small tools (busybox is
//! enough); for engines that execute nothing, each script comes with its [`Step`]s.

mod attaching;
mod ending;
mod printing;
mod programs;
mod starting;
mod surviving;

use crate::fake::Step;
use crate::{
    ContainerId, ContainerSpec, Engine, Exit, Limits, Observation, OutputContent, OutputLine, Power, Status,
    Terminal,
};
use async_trait::async_trait;
use domain::Digest;
use programs::Program;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Longest that anything of the suite may take. A bound for failures, not a measure of speed.
const DEADLINE: Duration = Duration::from_mins(1);

/// An engine under test.
#[async_trait]
pub trait Subject: Send + Sync + 'static {
    /// The engine, built anew each time over the same containers, as by a restarted server.
    async fn engine(&self) -> Arc<dyn Engine>;

    /// An image that has `/bin/sh`, and a directory `/app` that everybody may write to.
    fn image(&self) -> Digest;

    /// Told of each container before it is started. For engines that execute nothing.
    fn prepare(&self, id: ContainerId, steps: &[Step]);

    /// The user id as which containers run.
    fn user(&self) -> u32 {
        1000
    }
}

type Clause = fn(Arc<Contract>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

macro_rules! clauses {
    ($($module:ident :: $name:ident),+ $(,)?) => {
        [$((stringify!($name), (|contract| Box::pin($module::$name(contract))) as Clause)),+]
    };
}

/// Runs the whole suite.
///
/// # Panics
/// When the engine breaks its contract, with the clauses it broke. What a broken clause says is
/// printed by the panic of its own.
pub async fn run(subject: Arc<dyn Subject>) {
    let clauses = clauses![
        starting::a_container_runs_with_what_its_spec_says,
        starting::a_second_start_does_nothing,
        starting::an_unknown_image_is_an_error_and_leaves_nothing,
        starting::what_cannot_be_launched_has_exited_with_a_failure,
        starting::listening_is_seen,
        starting::unknown_containers_are_not_found,
        printing::lines_come_in_order_and_the_channel_closes_at_the_end,
        printing::a_reader_that_comes_back_goes_on_where_it_was,
        printing::acknowledged_lines_do_not_disturb_the_others,
        printing::long_lines_are_cut,
        ending::exit_codes_are_told,
        ending::stop_sends_sigterm,
        ending::stop_kills_after_the_grace,
        ending::stopping_twice_or_late_is_no_error,
        ending::a_time_limit_is_kept,
        ending::too_much_memory_is_told,
        ending::changes_wake_who_waits,
        ending::remove_frees_even_what_runs,
        attaching::nothing_happens_before_the_client_came,
        attaching::a_client_talks_to_the_program,
        attaching::a_client_that_leaves_ends_the_container,
        attaching::there_is_one_client_and_only_with_a_terminal,
        attaching::a_terminal_has_its_size,
        surviving::a_new_engine_finds_what_runs,
        surviving::a_new_engine_finds_what_ended_meanwhile,
    ];
    let contract = Arc::new(Contract { engine: subject.engine().await, subject });
    let mut broken = Vec::new();
    for (name, clause) in clauses {
        // On a task of its own, so that one broken clause does not hide the others.
        if tokio::spawn(clause(Arc::clone(&contract))).await.is_err() {
            broken.push(name);
        }
    }
    for seen in contract.engine.observe().await.unwrap_or_default() {
        let _ = contract.engine.remove(seen.id).await;
    }
    assert!(broken.is_empty(), "the engine broke its contract: {}", broken.join(", "));
}

/// What clauses work with. Every helper panics when it takes too long or the engine fails.
struct Contract {
    engine: Arc<dyn Engine>,
    subject: Arc<dyn Subject>,
}

impl Contract {
    fn spec(&self, program: Program) -> ContainerSpec {
        let id = Uuid::new_v4();
        self.subject.prepare(id, &program.steps);
        ContainerSpec {
            id,
            labels: BTreeMap::from([("kind".to_owned(), "contract".to_owned())]),
            image: self.subject.image(),
            command: program.command,
            env: BTreeMap::from([
                ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
                ("GREETING".to_owned(), "hello world".to_owned()),
            ]),
            working_dir: "/app".to_owned(),
            hostname: "contract-1".to_owned(),
            user: self.subject.user(),
            group: None,
            power: Power::Plain,
            limits: Limits {
                memory: 32 << 20,
                memory_max: 64 << 20,
                cpu_weight: 100,
                cpu_millis: None,
                pids: 64,
                disk: 64 << 20,
            },
            terminal: Terminal::Log,
            mounts: Vec::new(),
            volumes: Vec::new(),
            address: None,
            reach: Vec::new(),
            watch_port: None,
            time_limit: None,
        }
    }

    /// Starts a program with standard surroundings.
    async fn start(&self, program: Program) -> ContainerId {
        self.start_spec(self.spec(program)).await
    }

    async fn start_spec(&self, spec: ContainerSpec) -> ContainerId {
        let id = spec.id;
        within("start", self.engine.start(spec)).await.expect("start");
        id
    }

    async fn exit(&self, id: ContainerId) -> Exit {
        within("exit", self.engine.wait(id)).await.expect("wait")
    }

    async fn remove(&self, id: ContainerId) {
        within("remove", self.engine.remove(id)).await.expect("remove");
    }

    async fn status(&self, id: ContainerId) -> Status {
        self.engine.observe_one(id).await.expect("observe").status
    }

    /// Waits until the container is seen in a certain way.
    async fn until(&self, id: ContainerId, what: &str, seen: impl Fn(&Observation) -> bool) -> Observation {
        let mut changes = self.engine.changes();
        within(what, async {
            loop {
                changes.mark_unchanged();
                let observation = self.engine.observe_one(id).await.expect("observe");
                if seen(&observation) {
                    return observation;
                }
                let _ = tokio::time::timeout(Duration::from_millis(500), changes.changed()).await;
            }
        })
        .await
    }

    /// Everything that an ending container printed after line `after`.
    async fn output(&self, id: ContainerId, after: u64) -> Vec<OutputLine> {
        let mut lines = self.engine.output(id, after).await.expect("output");
        let mut all = Vec::new();
        while let Some(line) = next(&mut lines).await {
            all.push(line);
        }
        all
    }

    /// Waits until the container has printed this line.
    async fn until_printed(&self, id: ContainerId, expected: &str) {
        let mut lines = self.engine.output(id, 0).await.expect("output");
        while let Some(line) = next(&mut lines).await {
            if text(&line) == expected {
                return;
            }
        }
        panic!("ended without printing {expected:?}");
    }
}

/// Awaits something that must come.
async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let result = tokio::time::timeout(DEADLINE, future).await;
    result.unwrap_or_else(|_| panic!("still no {what} after {DEADLINE:?}"))
}

async fn next(lines: &mut mpsc::Receiver<OutputLine>) -> Option<OutputLine> {
    within("line or end of output", lines.recv()).await
}

/// A line's text.
fn text(line: &OutputLine) -> String {
    match &line.content {
        OutputContent::Line(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        OutputContent::Dropped(count) => panic!("{count} lines were dropped"),
    }
}

fn texts(lines: &[OutputLine]) -> Vec<String> {
    lines.iter().map(text).collect()
}
