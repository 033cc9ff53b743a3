//! The shim's loop.

use super::attached::{Attached, Line};
use super::complain;
use super::connections::Connections;
use super::lines::Lines;
use super::ports::PortWatch;
use crate::bundle::{Bundle, Paths};
use crate::cgroup::MemoryEvents;
use crate::error::{Doing, Failure};
use crate::launch::{Launched, Progress};
use crate::protocol::{Refusal, Reply, Request};
use crate::spool::Spool;
use crate::state::{self, Ended, Phase, State};
use crate::sys;
use engine::{Exit, Terminal};
use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Signal, pidfd_send_signal};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

/// A line without an end is given out when nothing has followed for this long.
const QUIET: Duration = Duration::from_secs(1);
/// Between SIGTERM and SIGKILL when the time limit has run out.
const LIMIT_GRACE: Duration = Duration::from_secs(5);
/// How long a client that does not read is waited for after the end.
const LINGER: Duration = Duration::from_secs(10);
/// The kernel announces a lack of memory before it kills, so the count of kills comes later.
const MEMORY_RECHECK: Duration = Duration::from_millis(20);
const MEMORY_RECHECKS: u32 = 50;

/// A container that is set up.
pub(super) struct Loop<'a> {
    paths: &'a Paths,
    bundle: &'a Bundle,
    launched: Launched,
    state: State,
    spool: Spool,
    listener: UnixListener,
    connections: Connections,
    lines: Lines,
    /// Taken by the client when one attaches.
    output: Option<OwnedFd>,
    attached: Option<Attached>,
    memory: Option<MemoryEvents>,
    ports: Option<PortWatch>,
    deadlines: Deadlines,
    exit: Exit,
    /// Somebody asked for the end.
    stopping: bool,
}

#[derive(Default)]
struct Deadlines {
    quiet: Option<Instant>,
    kill: Option<Instant>,
    limit: Option<Instant>,
    memory: Option<(Instant, u32)>,
}

/// What a poll found ready.
#[derive(Clone, Copy)]
enum Source {
    Listener,
    Init,
    Reports,
    Memory,
    Output,
    Client,
    Program,
    Connection(usize),
}

impl<'a> Loop<'a> {
    pub(super) fn new(
        paths: &'a Paths,
        bundle: &'a Bundle,
        memory: Option<MemoryEvents>,
        mut launched: Launched,
        mut state: State,
        spool: Spool,
        listener: UnixListener,
    ) -> Result<Self, Failure> {
        let output = launched.output.take();
        for stream in output.iter().chain(&launched.input) {
            rustix::io::ioctl_fionbio(stream, true).doing("make the container's streams non-blocking")?;
        }
        state.init = Some(launched.init);
        let exit = Exit { code: 0, out_of_memory: false, timed_out: false, killed: false, failure: None };
        Ok(Self {
            paths,
            bundle,
            launched,
            state,
            spool,
            listener,
            connections: Connections::default(),
            lines: Lines::default(),
            output,
            attached: None,
            memory,
            ports: None,
            deadlines: Deadlines::default(),
            exit,
            stopping: false,
        })
    }

    /// Runs the program and returns when its end is written down.
    pub(super) fn run(mut self) -> Result<(), Failure> {
        if self.bundle.spec.terminal == Terminal::Log {
            // Its report is the next thing to write down.
            self.launched.start()?;
        } else {
            self.state.phase = Phase::AwaitingClient;
            self.write_state();
        }
        loop {
            let ready = self.wait()?;
            let mut ended = false;
            for (source, flags) in ready {
                ended |= self.handle(source, flags);
            }
            self.connections.sweep();
            self.keep_time();
            if ended && let Some(reaped) = sys::reap(self.launched.init) {
                self.exit.code = reaped.code;
                return self.finish();
            }
        }
    }

    /// Waits until something is ready or due.
    fn wait(&self) -> Result<Vec<(Source, PollFlags)>, Failure> {
        let mut sources = vec![
            (Source::Listener, self.listener.as_fd(), PollFlags::IN),
            (Source::Init, self.launched.pidfd.as_fd(), PollFlags::IN),
        ];
        if let Some(reports) = self.launched.reports() {
            sources.push((Source::Reports, reports, PollFlags::IN));
        }
        if let Some(memory) = &self.memory {
            let (fd, urgent) = memory.poll_target();
            sources.push((Source::Memory, fd, if urgent { PollFlags::PRI } else { PollFlags::IN }));
        }
        if let Some(output) = self.output.as_ref().filter(|_| self.bundle.spec.terminal == Terminal::Log) {
            sources.push((Source::Output, output.as_fd(), PollFlags::IN));
        }
        if let Some(attached) = &self.attached {
            let [client, output, input] = attached.interest();
            sources.extend(client.map(|(fd, flags)| (Source::Client, fd, flags)));
            sources.extend(output.map(|(fd, flags)| (Source::Program, fd, flags)));
            sources.extend(input.map(|(fd, flags)| (Source::Program, fd, flags)));
        }
        for (index, connection) in self.connections.0.iter().enumerate() {
            sources.push((Source::Connection(index), connection.stream.as_fd(), connection.interest()));
        }
        let mut fds: Vec<_> =
            sources.iter().map(|(_, fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        let timeout = self.next_deadline().map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            // Rounded up: waking a moment too early would only mean waking twice.
            Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) }
        });
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).doing("wait for events"),
        }
        let ready = sources.iter().zip(&fds).map(|((source, ..), fd)| (*source, fd.revents()));
        Ok(ready.filter(|(_, flags)| !flags.is_empty()).collect())
    }

    fn next_deadline(&self) -> Option<Instant> {
        let deadlines = &self.deadlines;
        let memory = deadlines.memory.map(|(at, _)| at);
        let ports = self.ports.as_ref().map(PortWatch::next);
        [deadlines.quiet, deadlines.kill, deadlines.limit, memory, ports].into_iter().flatten().min()
    }

    /// Returns whether init has ended.
    fn handle(&mut self, source: Source, flags: PollFlags) -> bool {
        match source {
            Source::Listener => self.connections.accept(&self.listener),
            Source::Init => return true,
            Source::Reports => self.hear_init(),
            Source::Memory => self.check_memory(MEMORY_RECHECKS),
            Source::Output => self.read_output(),
            Source::Client => self.pump(flags),
            Source::Program => self.pump(PollFlags::empty()),
            Source::Connection(index) => self.serve(index),
        }
        false
    }

    fn hear_init(&mut self) {
        match self.launched.progress() {
            Progress::Started => {
                let now = Instant::now();
                self.state.phase = Phase::Running;
                self.state.since = Some(Timestamp::now());
                self.deadlines.limit = self.bundle.spec.time_limit.and_then(|limit| now.checked_add(limit));
                self.ports = self.bundle.spec.watch_port.map(PortWatch::new);
                self.write_state();
            }
            Progress::Failed(text) => {
                if let Some(attached) = &mut self.attached {
                    attached.say(&text);
                }
                self.exit.failure = Some(text);
            }
            Progress::Over => {}
        }
    }

    /// Reads some of what the program printed, cuts it into lines and makes them visible.
    fn read_output(&mut self) {
        let mut buffer = [0; 16 << 10];
        let Some(output) = &self.output else { return };
        match rustix::io::read(output, &mut buffer) {
            Ok(0) => self.output = None,
            Ok(length) => {
                let now = Timestamp::now();
                self.lines.feed(&buffer[..length], |line| self.spool.push(line, now));
                self.deadlines.quiet = self.lines.is_partial().then(|| Instant::now() + QUIET);
                self.publish_output();
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => {
                complain(&format!("the container's output cannot be read: {error}"));
                self.output = None;
            }
        }
    }

    fn publish_output(&mut self) {
        let before = self.spool.last_sequence();
        self.spool.flush();
        if self.spool.last_sequence() != before {
            self.connections.notify(false, self.spool.last_sequence());
        }
    }

    fn check_memory(&mut self, rechecks: u32) {
        let Some(memory) = &self.memory else { return };
        self.deadlines.memory = None;
        if memory.kills() > 0 {
            self.exit.out_of_memory = true;
            // Version 1 kills one process; what is left of the program is of no use.
            self.kill();
        } else if rechecks > 0 && memory.is_early() {
            self.deadlines.memory = Some((Instant::now() + MEMORY_RECHECK, rechecks - 1));
        }
    }

    fn pump(&mut self, client: PollFlags) {
        let Some(attached) = &mut self.attached else { return };
        if attached.pump(client) == Line::HungUp {
            self.signal(Signal::HUP);
        }
    }

    /// Reads requests and answers them.
    fn serve(&mut self, index: usize) {
        let Some(connection) = self.connections.0.get_mut(index) else { return };
        connection.fill();
        self.connections.send_events(self.spool.last_sequence());
        while let Some(connection) = self.connections.0.get_mut(index) {
            let Some(request) = connection.next_request() else { return };
            let reply = match request {
                Ok(Request::Attach)
                    if self.state.phase == Phase::AwaitingClient && self.attached.is_none() =>
                {
                    return self.attach(index);
                }
                Ok(request) => self.answer(index, request),
                Err(refusal) => Reply::Refused(refusal),
            };
            if let Some(connection) = self.connections.0.get_mut(index) {
                connection.reply(&reply);
            }
        }
    }

    fn answer(&mut self, index: usize, request: Request) -> Reply {
        match request {
            Request::Subscribe => {
                if let Some(connection) = self.connections.0.get_mut(index) {
                    connection.subscribe();
                }
            }
            Request::Stop { grace_milliseconds } => self.stop(Duration::from_millis(grace_milliseconds)),
            Request::Signal { number } => {
                // Init does not take orders that would end it; the program's processes get them.
                match Signal::from_named_raw(number) {
                    Some(signal) if signal != Signal::KILL && signal != Signal::STOP => self.signal(signal),
                    _ => return Reply::Refused(Refusal::Failed(format!("{number} is no signal to send"))),
                }
            }
            Request::Attach => return Reply::Refused(Refusal::NotAttachable),
            Request::Resize { columns, rows } => {
                let resized = self.attached.as_ref().map(|attached| attached.resize(columns, rows));
                if let Some(Err(error)) = resized {
                    return Reply::Refused(Refusal::Failed(error.to_string()));
                }
            }
            Request::Acknowledge { sequence } => {
                self.spool.acknowledge(sequence);
                self.publish_output();
            }
        }
        Reply::Done
    }

    /// Makes the connection the container's client and starts the program.
    fn attach(&mut self, index: usize) {
        let Some(output) = self.output.take() else { return };
        let mut connection = self.connections.0.remove(index);
        connection.reply(&Reply::Done);
        let (client, read) = connection.into_client();
        self.attached = Some(Attached::new(client, read, output, self.launched.input.take()));
        if let Err(failure) = self.launched.start() {
            self.exit.failure = Some(failure.story());
            self.kill();
        }
    }

    fn stop(&mut self, grace: Duration) {
        self.stopping = true;
        if !self.launched.was_started() {
            return self.kill();
        }
        self.signal(Signal::TERM);
        // An earlier deadline stays.
        let at = Instant::now().checked_add(grace);
        self.deadlines.kill = [self.deadlines.kill, at].into_iter().flatten().min();
    }

    /// To everybody inside.
    fn signal(&self, signal: Signal) {
        self.launched.signal(signal);
    }

    /// Ends init, and with it, by the kernel, every process inside.
    fn kill(&self) {
        let _ = pidfd_send_signal(&self.launched.pidfd, Signal::KILL);
    }

    /// Does what is due.
    fn keep_time(&mut self) {
        let now = Instant::now();
        let due = |deadline: Option<Instant>| deadline.is_some_and(|at| at <= now);
        if due(self.deadlines.quiet) {
            self.deadlines.quiet = None;
            self.lines.flush(|line| self.spool.push(line, Timestamp::now()));
            self.publish_output();
        }
        if due(self.deadlines.limit) {
            self.deadlines.limit = None;
            self.exit.timed_out = true;
            self.signal(Signal::TERM);
            let at = now + LIMIT_GRACE;
            self.deadlines.kill = Some(self.deadlines.kill.map_or(at, |kill| kill.min(at)));
        }
        if due(self.deadlines.kill) {
            self.deadlines.kill = None;
            self.exit.killed = self.stopping;
            self.kill();
        }
        if let Some((at, left)) = self.deadlines.memory
            && at <= now
        {
            self.check_memory(left);
        }
        if self.ports.as_mut().is_some_and(PortWatch::look) {
            self.ports = None;
            self.state.listening = true;
            self.write_state();
        }
    }

    fn write_state(&mut self) {
        if let Err(error) = state::write_json(&self.paths.state(), &self.state) {
            complain(&format!("could not write the container's state: {error}"));
        }
        self.connections.notify(true, self.spool.last_sequence());
    }

    /// Init is gone: keeps what the program printed last, writes its end down and tells everybody.
    fn finish(mut self) -> Result<(), Failure> {
        // The last word of init may have come together with its end.
        while self.launched.reports().is_some() {
            self.hear_init();
        }
        let mut lingers = self.attached.as_mut().is_some_and(Attached::finish);
        while self.bundle.spec.terminal == Terminal::Log && self.drain_output() {}
        let now = Timestamp::now();
        self.lines.flush(|line| self.spool.push(line, now));
        self.spool.finish();
        self.exit.out_of_memory |= self.memory.as_ref().is_some_and(|memory| memory.kills() > 0);
        if self.stopping && !self.launched.was_started() {
            // It was asked to end before it had begun.
            self.exit.code = 128 + libc::SIGTERM;
        }
        let ended = Ended {
            since: self.state.since,
            at: now,
            exit: self.exit.clone(),
            last_sequence: self.spool.last_sequence(),
        };
        write_end(self.paths, &ended)?;
        self.connections.notify(true, self.spool.last_sequence());
        let patience = Instant::now() + LINGER;
        while lingers && Instant::now() < patience {
            let Some(attached) = &mut self.attached else { break };
            if let Some((client, flags)) = attached.interest()[0] {
                let mut fds = [PollFd::from_borrowed_fd(client, flags)];
                let second = Timespec { tv_sec: 1, tv_nsec: 0 };
                let _ = poll(&mut fds, Some(&second));
            }
            lingers = attached.linger();
        }
        Ok(())
    }

    /// One read of what is left in the pipe; false when there is nothing.
    fn drain_output(&mut self) -> bool {
        let Some(output) = &self.output else { return false };
        let waiting = rustix::io::ioctl_fionread(output).unwrap_or(0);
        if waiting == 0 {
            return false;
        }
        self.read_output();
        true
    }
}

/// A disk that is full now may have room a moment later, and the end is worth waiting for.
fn write_end(paths: &Paths, ended: &Ended) -> Result<(), Failure> {
    let mut attempts = 0;
    loop {
        match state::write_json(&paths.exit(), ended) {
            Ok(()) => return Ok(()),
            Err(error) if attempts == 60 => return Err(error).doing("write down how the container ended"),
            Err(_) => attempts += 1,
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}
