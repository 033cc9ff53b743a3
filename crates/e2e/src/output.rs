//! What a command printed and how it ended.

use anyhow::{Context, Result, bail};
use std::process::Command;
use std::time::Duration;

/// A finished command.
#[derive(Clone, Debug)]
pub struct Output {
    /// The command, for messages.
    pub command: String,
    /// Exit code; 128 plus the signal if it was killed.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// A command that has not ended by then hangs.
const DEADLINE: Duration = Duration::from_mins(10);

impl Output {
    /// Runs a command to its end, without input, and kills it when it hangs.
    pub fn of(command: &mut Command) -> Result<Self> {
        use std::os::unix::process::ExitStatusExt;
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        let shown = format!("{} {}", command.get_program().to_string_lossy(), words.join(" "));
        let child = command
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {shown}"))?;
        let pid = child.id();
        let (done, ended) = std::sync::mpsc::channel::<()>();
        let watchdog = std::thread::spawn(move || {
            if ended.recv_timeout(DEADLINE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
                && let Some(pid) = rustix::process::Pid::from_raw(pid.cast_signed())
            {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        });
        let output = child.wait_with_output();
        drop(done);
        let _ = watchdog.join();
        let output = output?;
        Ok(Self {
            command: shown,
            code: output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0)),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Both streams, for looking for words wherever they were printed.
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Itself, if the command succeeded.
    pub fn ok(self) -> Result<Self> {
        if self.code != 0 {
            bail!("`{}` ended with {}\n{}", self.command, self.code, self.all());
        }
        Ok(self)
    }

    /// Itself, if the command failed.
    pub fn fails(self) -> Result<Self> {
        if self.code == 0 {
            bail!("`{}` should have failed\n{}", self.command, self.all());
        }
        Ok(self)
    }

    /// Itself, if the words were printed.
    pub fn says(self, words: &str) -> Result<Self> {
        if !self.all().contains(words) {
            bail!("`{}` did not say {words:?}\n{}", self.command, self.all());
        }
        Ok(self)
    }

    /// Itself, if the words were not printed.
    pub fn says_not(self, words: &str) -> Result<Self> {
        if self.all().contains(words) {
            bail!("`{}` said {words:?}\n{}", self.command, self.all());
        }
        Ok(self)
    }
}
