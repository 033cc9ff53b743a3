//! One container of the fake engine.

use super::{Fake, Step};
use crate::{
    ContainerId, ContainerSpec, Exit, Observation, OutputContent, OutputLine, Status, Terminal, Usage,
};
use jiff::Timestamp;
use std::net::IpAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::watch;

pub(super) struct Container {
    pub(super) spec: ContainerSpec,
    pub(super) usage: Usage,
    /// Lines that were not acknowledged.
    pub(super) output: Vec<OutputLine>,
    /// Touched at each line and at the end.
    pub(super) progress: watch::Sender<()>,
    /// What SIGTERM makes it exit with; `None` if it ignores the signal.
    pub(super) on_term: Option<i32>,
    status: Status,
    address: IpAddr,
    last_sequence: u64,
    /// What it will do once a client has come.
    waiting: Vec<Step>,
    /// Tells the attached program that the container has ended.
    ended: watch::Sender<bool>,
}

impl Container {
    pub(super) fn new(spec: ContainerSpec, address: IpAddr, now: Timestamp, steps: Vec<Step>) -> Self {
        let status = match spec.terminal {
            Terminal::Log => Status::Running { since: now, listening: false },
            Terminal::Pty { .. } | Terminal::Pipes => Status::AwaitingClient,
        };
        Self {
            spec,
            usage: Usage::default(),
            output: Vec::new(),
            progress: watch::Sender::new(()),
            on_term: Some(128 + 15),
            status,
            address,
            last_sequence: 0,
            waiting: steps,
            ended: watch::Sender::new(false),
        }
    }

    /// The steps of a container that needs no client; none for one that does.
    pub(super) fn steps_to_play_now(&mut self) -> Vec<Step> {
        match self.status {
            Status::AwaitingClient => Vec::new(),
            _ => std::mem::take(&mut self.waiting),
        }
    }

    /// Lets the client in and gives the steps to play; `None` if no client is waited for.
    pub(super) fn attach(&mut self, now: Timestamp) -> Option<(Vec<Step>, watch::Receiver<bool>)> {
        if self.status != Status::AwaitingClient {
            return None;
        }
        self.status = Status::Running { since: now, listening: false };
        Some((std::mem::take(&mut self.waiting), self.ended.subscribe()))
    }

    pub(super) fn exited(&self) -> bool {
        matches!(self.status, Status::Exited { .. })
    }

    pub(super) fn push(&mut self, now: Timestamp, content: OutputContent) {
        self.last_sequence += 1;
        self.output.push(OutputLine { sequence: self.last_sequence, time: now, content });
        self.progress.send_replace(());
    }

    pub(super) fn lines_after(&self, after: u64) -> Vec<OutputLine> {
        self.output.iter().filter(|line| line.sequence > after).cloned().collect()
    }

    pub(super) fn listen(&mut self) {
        if let Status::Running { listening, .. } = &mut self.status {
            *listening = self.spec.watch_port.is_some();
        }
    }

    pub(super) fn finish(&mut self, now: Timestamp, exit: Exit) {
        let since = match &self.status {
            Status::Running { since, .. } => Some(*since),
            _ => None,
        };
        self.status = Status::Exited { since, at: now, exit };
        self.usage = Usage::default();
        self.progress.send_replace(());
        self.ended.send_replace(true);
    }

    pub(super) fn observe(&self) -> Observation {
        Observation {
            id: self.spec.id,
            labels: self.spec.labels.clone(),
            status: self.status.clone(),
            address: (!self.exited()).then_some(self.address),
            usage: self.usage,
        }
    }
}

/// The exit of a program that ended by itself.
pub(super) fn exit_of(code: i32) -> Exit {
    Exit { code, out_of_memory: false, timed_out: false, killed: false, failure: None }
}

/// Plays steps towards an attached client; hanging up ends the container as SIGHUP does.
pub(super) async fn duplex_steps(
    engine: Fake,
    id: ContainerId,
    program: DuplexStream,
    (steps, mut ended): (Vec<Step>, watch::Receiver<bool>),
) {
    let (mut input, mut output) = tokio::io::split(program);
    let play = async {
        for step in steps {
            match step {
                Step::Print(line) => {
                    // A client that went away is noticed by the reading side.
                    let _ = output.write_all(format!("{line}\r\n").as_bytes()).await;
                }
                Step::Echo => {
                    let _ = tokio::io::copy(&mut input, &mut output).await;
                }
                other => engine.clone().play(id, vec![other]).await,
            }
        }
        // The script is over: what the client still sends is swallowed until it hangs up.
        let mut scratch = [0; 1024];
        while input.read(&mut scratch).await.is_ok_and(|count| count > 0) {}
        engine.exit(id, 128 + 1);
    };
    tokio::select! {
        () = play => {}
        // An error means that the container was removed.
        _ = ended.wait_for(|ended| *ended) => {}
    }
}
