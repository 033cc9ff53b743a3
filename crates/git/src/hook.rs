//! The pre-receive hook: a process that git starts in the middle of a push. It knows nothing and
//! decides nothing; it tells the server what git told it, prints what the server says, and ends as
//! the server wants.

use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) const SOCKET_VARIABLE: &str = "KIGO_HOOK_SOCKET";
pub(crate) const KEY_VARIABLE: &str = "KIGO_HOOK_KEY";
pub(crate) const SOCKET_NAME: &str = "hook.sock";

/// Bytes of ref updates that one push may bring.
const MAX_UPDATES: u64 = 1 << 20;

/// What the hook sends, as one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) key: String,
    /// Where git keeps the received objects until the hook accepts them.
    pub(crate) quarantine: Option<PathBuf>,
    /// `old new ref` lines, as githooks(5) has them.
    pub(crate) updates: String,
}

/// What the server answers, as lines of JSON: prints, then one exit.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    Print(String),
    Exit(u8),
}

/// Runs the hook. Everything it needs is in its environment and its standard input.
pub fn pre_receive() -> ExitCode {
    match relay(&mut io::stderr()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let words = format!(
                "\n !     Lost the connection to the server ({error}).\n !     \
                 A build that has begun goes on. Push the same commit again to see how it ended.\n"
            );
            let _ = io::stderr().write_all(words.as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn relay(output: &mut impl Write) -> io::Result<u8> {
    let variable = |name| {
        std::env::var_os(name)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{name} is not set")))
    };
    let socket = PathBuf::from(variable(SOCKET_VARIABLE)?);
    let key = variable(KEY_VARIABLE)?.to_string_lossy().into_owned();
    let mut updates = String::new();
    io::stdin().take(MAX_UPDATES + 1).read_to_string(&mut updates)?;
    if updates.len() as u64 > MAX_UPDATES {
        output.write_all(b" !     Too many refs in one push.\n")?;
        return Ok(1);
    }
    let quarantine = std::env::var_os("GIT_QUARANTINE_PATH").map(PathBuf::from);
    let quarantine = quarantine.map(std::path::absolute).transpose()?;
    let mut stream = connect(&socket)?;
    let mut request = serde_json::to_vec(&Request { key, quarantine, updates })?;
    request.push(b'\n');
    stream.write_all(&request)?;
    for line in BufReader::new(stream).lines() {
        match serde_json::from_str(&line?)? {
            // Nobody may be reading any more; the build is none the worse for it.
            Answer::Print(text) => drop(output.write_all(text.as_bytes())),
            Answer::Exit(code) => return Ok(code),
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// Connects to a socket whatever the length of its path; an address holds 108 bytes only.
fn connect(socket: &Path) -> io::Result<UnixStream> {
    with_short_path(socket, |path| UnixStream::connect(path))
}

/// Calls `work` with a path for `socket` that is short enough for an address.
pub(crate) fn with_short_path<T>(socket: &Path, work: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
    use std::os::fd::AsRawFd;
    let (Some(directory), Some(name)) = (socket.parent(), socket.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let directory = std::fs::File::open(directory)?;
    work(&Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name))
}
