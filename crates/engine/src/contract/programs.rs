//! The small programs of the suite, each as a shell script and as steps of the fake.

use crate::Exit;
use crate::fake::Step;
use std::time::Duration;

/// The port that [`Program::listen`] listens on.
pub(super) const PORT: u16 = 5000;

/// What a container does.
pub(super) struct Program {
    pub(super) command: Vec<String>,
    pub(super) steps: Vec<Step>,
}

impl Program {
    fn shell(script: impl Into<String>, steps: Vec<Step>) -> Self {
        Self { command: vec!["sh".to_owned(), "-c".to_owned(), script.into()], steps }
    }

    /// Ends at once.
    pub(super) fn exit(code: i32) -> Self {
        Self::shell(format!("exit {code}"), vec![Step::Exit(code)])
    }

    /// Prints numbered lines, the second to standard error, and ends.
    pub(super) fn count(lines: usize) -> Self {
        let script = format!(
            "i=0; while [ $i -lt {lines} ]; do i=$((i+1)); \
             if [ $i = 2 ]; then echo line $i >&2; else echo line $i; fi; done"
        );
        let steps = (1..=lines).map(|number| Step::Print(format!("line {number}")));
        Self::shell(script, steps.chain([Step::Exit(0)]).collect())
    }

    /// Prints these lines, which a script may work out, and ends.
    pub(super) fn say(script: &str, lines: &[&str], code: i32) -> Self {
        let steps = lines.iter().map(|line| Step::Print((*line).to_owned()));
        Self::shell(format!("{script}; exit {code}"), steps.chain([Step::Exit(code)]).collect())
    }

    /// Prints one line of so many letters and ends.
    pub(super) fn long_line(length: usize) -> Self {
        let script = format!("head -c {length} /dev/zero | tr '\\000' x");
        Self::shell(script, vec![Step::Print("x".repeat(length)), Step::Exit(0)])
    }

    /// Prints `ready` and runs until told to end; says `bye` then and ends with this code.
    pub(super) fn end_on_term(code: i32) -> Self {
        let script = format!("trap 'exit {code}' TERM; echo ready; while :; do sleep 0.1; done");
        Self::shell(script, vec![Step::ExitOnTerm(code), Step::Print("ready".to_owned())])
    }

    /// Prints `ready` and cannot be told to end.
    pub(super) fn ignore_term() -> Self {
        let script = "trap '' TERM; echo ready; while :; do sleep 1; done";
        Self::shell(script, vec![Step::IgnoreTerm, Step::Print("ready".to_owned())])
    }

    /// Prints `ready` and does what the system does on a signal.
    pub(super) fn stay() -> Self {
        Self::shell("echo ready; exec sleep 1000", vec![Step::Print("ready".to_owned())])
    }

    /// Prints `before`, then after a while `after`, and ends.
    pub(super) fn linger(code: i32) -> Self {
        let script = format!("echo before; sleep 1; echo after; exit {code}");
        let (before, after) = (Step::Print("before".to_owned()), Step::Print("after".to_owned()));
        Self::shell(script, vec![before, Step::Sleep(Duration::from_secs(1)), after, Step::Exit(code)])
    }

    /// Listens on [`PORT`].
    pub(super) fn listen() -> Self {
        Self::shell(format!("exec nc -l -p {PORT}"), vec![Step::Listen])
    }

    /// Sends back what it gets.
    pub(super) fn echo() -> Self {
        Self::shell("exec cat", vec![Step::Echo])
    }

    /// Uses more memory than it may.
    pub(super) fn hog() -> Self {
        let exit = Exit { code: 137, out_of_memory: true, timed_out: false, killed: false, failure: None };
        Self::shell("exec tail /dev/zero", vec![Step::Fail(exit)])
    }

    /// A program that is not there.
    pub(super) fn missing() -> Self {
        let failure = Some("no such program".to_owned());
        let exit = Exit { code: 127, out_of_memory: false, timed_out: false, killed: false, failure };
        Self { command: vec!["/no/such/program".to_owned()], steps: vec![Step::Fail(exit)] }
    }
}
