//! Process 1 of a container.
//!
//! It starts the program, passes signals on to everybody inside, reaps what is left by others, and
//! ends as the program does; the kernel then ends all that is left. The kernel ignores signals to
//! process 1 that it has no handler for, so that a program could not be asked to end if it were
//! process 1 itself.

use crate::launch::{InitChannel, InitReport};
use crate::sys::{self, Forked};
use engine::ContainerSpec;
use rustix::process::ioctl_tiocsctty;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Init's exit code when the container could not be set up.
pub(crate) const SETUP_FAILED: i32 = 125;
/// As a shell's: the program was found and could not be executed, or was not found.
const NOT_EXECUTABLE: i32 = 126;
const NOT_FOUND: i32 = 127;

/// Where programs are looked up when the environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A command, ready to be executed.
pub(crate) struct Program {
    /// Paths to try, in order.
    candidates: Vec<CString>,
    name: String,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    working_dir: CString,
    streams: Option<Streams>,
}

struct Streams {
    input: OwnedFd,
    output: OwnedFd,
    terminal: bool,
}

impl Program {
    /// From the spec; fails if there is no command or anything has a zero byte in it.
    pub(crate) fn new(spec: &ContainerSpec) -> io::Result<Self> {
        let name = spec.command.first().ok_or_else(|| io::Error::other("there is no command"))?.clone();
        let path = spec.env.get("PATH").map_or(DEFAULT_PATH, String::as_str);
        let candidates = if name.contains('/') {
            vec![CString::new(name.as_str())?]
        } else {
            // An empty entry means the working directory, as everywhere.
            let join = |directory: &str| match directory {
                "" => CString::new(format!("./{name}")),
                directory => CString::new(format!("{directory}/{name}")),
            };
            path.split(':').map(join).collect::<Result<_, _>>()?
        };
        let strings = |texts: Vec<String>| texts.into_iter().map(CString::new).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            candidates,
            name,
            arguments: strings(spec.command.clone())?,
            environment: strings(spec.env.iter().map(|(key, value)| format!("{key}={value}")).collect())?,
            working_dir: CString::new(spec.working_dir.as_str())?,
            streams: None,
        })
    }

    /// With a terminal as all three standard streams and as the controlling terminal.
    pub(crate) fn on_terminal(self, terminal: OwnedFd) -> Self {
        match terminal.try_clone() {
            Ok(input) => Self { streams: Some(Streams { input, output: terminal, terminal: true }), ..self },
            Err(_) => self,
        }
    }

    /// With these as standard streams; errors go to the output.
    pub(crate) fn on_streams(self, input: OwnedFd, output: OwnedFd) -> Self {
        Self { streams: Some(Streams { input, output, terminal: false }), ..self }
    }

    /// In the child: becomes the program. Returns only if that fails.
    fn execute(&self) -> (i32, String) {
        let failed = |doing: &str, error: io::Error| (SETUP_FAILED, format!("could not {doing}: {error}"));
        if let Err(error) = self.take_streams() {
            return failed("set the standard streams up", error);
        }
        if let Err(error) = rustix::process::chdir(self.working_dir.as_c_str()) {
            let doing = format!("enter the working directory {}", self.working_dir.to_string_lossy());
            return failed(&doing, error.into());
        }
        if let Err(error) = sys::restore_signals() {
            return failed("restore the signals", error);
        }
        let mut worst = io::Error::from(io::ErrorKind::NotFound);
        for candidate in &self.candidates {
            let error = sys::execute(candidate, &self.arguments, &self.environment);
            if error.kind() != io::ErrorKind::NotFound && error.kind() != io::ErrorKind::NotADirectory {
                worst = error;
            }
        }
        match worst.kind() {
            io::ErrorKind::NotFound => (NOT_FOUND, format!("{}: command not found", self.name)),
            _ => (NOT_EXECUTABLE, format!("{}: {worst}", self.name)),
        }
    }

    fn take_streams(&self) -> io::Result<()> {
        let Some(streams) = &self.streams else { return Err(io::ErrorKind::InvalidInput.into()) };
        rustix::process::setsid()?;
        if streams.terminal {
            ioctl_tiocsctty(&streams.input)?;
        }
        sys::redirect(streams.input.as_fd(), 0)?;
        sys::redirect(streams.output.as_fd(), 1)?;
        sys::redirect(streams.output.as_fd(), 2)
    }
}

/// Starts the program and stays until it has ended.
pub(crate) fn run(program: Program, channel: &InitChannel) -> ! {
    let code = match start(&program, channel) {
        Ok(child) => {
            drop(program);
            serve(child)
        }
        Err(error) => {
            let text = format!("could not start the program: {error}");
            // If the shim does not hear it, the code still tells.
            let _ = channel.send_report(&InitReport::Failed(text), None);
            SETUP_FAILED
        }
    };
    sys::exit_now(code)
}

/// Forks the program and reports whether it could be executed.
fn start(program: &Program, channel: &InitChannel) -> io::Result<i32> {
    sys::block_signals()?;
    // Closed by a successful exec; else it carries the reason.
    let (read, write) = InitChannel::pair()?;
    match sys::fork()? {
        Forked::Child => {
            drop(read);
            let (code, text) = program.execute();
            let _ = write.send_report(&InitReport::Failed(text), None);
            sys::exit_now(code)
        }
        Forked::Parent { child } => {
            drop(write);
            let report = match read.report()? {
                None => InitReport::Started,
                Some((failed, _)) => failed,
            };
            channel.send_report(&report, None)?;
            Ok(child)
        }
    }
}

/// Passes signals on and reaps, until `program` has ended. Returns how, as a shell would say it.
fn serve(program: i32) -> i32 {
    loop {
        match sys::wait_for_signal() {
            Ok(libc::SIGCHLD) => {
                while let Some(reaped) = sys::reap_any() {
                    if reaped.pid == program {
                        return reaped.code;
                    }
                }
            }
            // -1: everybody inside but init. They may all have ended a moment ago.
            Ok(signal) => drop(sys::kill(-1, signal)),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(command: &str, path: Option<&str>) -> Vec<String> {
        let mut spec = crate::testing::spec();
        spec.command = vec![command.into()];
        spec.env = path.map(|path| ("PATH".to_owned(), path.to_owned())).into_iter().collect();
        let program = Program::new(&spec).unwrap();
        program.candidates.into_iter().map(|path| path.into_string().unwrap()).collect()
    }

    #[test]
    fn programs_are_looked_up_as_a_shell_does() {
        assert_eq!(candidates("web", Some("/a:/b")), ["/a/web", "/b/web"]);
        assert_eq!(candidates("web", Some("/a::")), ["/a/web", "./web", "./web"]);
        assert_eq!(candidates("bin/web", Some("/a")), ["bin/web"]);
        assert_eq!(candidates("/web", None), ["/web"]);
        assert!(candidates("web", None).contains(&"/usr/bin/web".to_owned()));
    }

    #[test]
    fn a_command_that_cannot_be_one_is_refused() {
        let mut spec = crate::testing::spec();
        spec.command = vec![];
        assert!(Program::new(&spec).is_err());
        spec.command = vec!["a\0b".into()];
        assert!(Program::new(&spec).is_err());
    }
}
