//! The server's end of the hook's socket.

use crate::Git;
use crate::hook::{Answer, Request, SOCKET_NAME, with_short_path};
use crate::push::{self, Printer};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

/// Bytes of a request; the updates in it are limited by the hook, and JSON may double them.
const MAX_REQUEST: u64 = 4 << 20;
/// A hook sends its request at once.
const PATIENCE: Duration = Duration::from_secs(30);
/// Messages for a hook that reads slowly, since git or the client does.
const QUEUE: usize = 64;
/// After this long without reading, a client is as good as gone.
const STALLED: Duration = Duration::from_mins(2);

/// A bound socket.
#[derive(Debug)]
pub(crate) struct HookSocket(UnixListener);

impl HookSocket {
    /// Binds in `directory`, which only the owner can enter. Whatever an earlier server left there
    /// is replaced.
    pub(crate) fn bind(directory: &Path) -> io::Result<Self> {
        let path = directory.join(SOCKET_NAME);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = with_short_path(&path, |path| UnixListener::bind(path))?;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600))?;
        Ok(Self(listener))
    }

    /// Serves hooks for ever.
    pub(crate) async fn serve(&self, git: Git) {
        loop {
            match self.0.accept().await {
                Ok((stream, _)) => {
                    let git = git.clone();
                    tokio::spawn(async move {
                        if let Err(error) = serve_hook(&git, stream).await {
                            tracing::warn!(%error, "a git hook could not be served");
                        }
                    });
                }
                Err(error) => {
                    // Out of descriptors, as a rule: a pause lets some be closed.
                    tracing::warn!(%error, "cannot accept a git hook");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

async fn serve_hook(git: &Git, stream: UnixStream) -> io::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut line = String::new();
    let mut limited = BufReader::new(reading.take(MAX_REQUEST));
    tokio::time::timeout(PATIENCE, limited.read_line(&mut line)).await??;
    let request: Request = serde_json::from_str(&line)?;
    let Some(session) = git.sessions.redeem(&request.key) else {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "no push has this key"));
    };
    let (sender, mut messages) = mpsc::channel::<Answer>(QUEUE);
    // Ends with the sender. A hook that is gone or stalled does not hold the push up: what it would
    // have printed is dropped.
    let writer = tokio::spawn(async move {
        let mut gone = false;
        while let Some(message) = messages.recv().await {
            let Ok(mut line) = serde_json::to_vec(&message) else { continue };
            line.push(b'\n');
            if !gone {
                let written = tokio::time::timeout(STALLED, writing.write_all(&line)).await;
                gone = !matches!(written, Ok(Ok(())));
            }
        }
    });
    let printer = Printer::new(sender.clone());
    let accepted = push::pre_receive(git, &session, &request, &printer).await;
    // The writer takes everything, so this cannot fail before it has ended.
    let _ = sender.send(Answer::Exit(u8::from(!accepted))).await;
    drop((sender, printer));
    writer.await.map_err(io::Error::other)
}
