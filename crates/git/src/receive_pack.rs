//! A push, from the request to the moved ref.
//!
//! Git runs in a task of its own that reads its answer to the end whether or not the client does,
//! so that a client which disconnects takes nothing down with it.

use crate::Git;
use crate::backend::{Pusher, Target};
use crate::body::forward;
use crate::http_api::{Failure, Service, answer, internal, service_command, too_many};
use crate::sessions::Ticket;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStderr};
use tokio::sync::mpsc;

/// Pieces of git's answer that wait for the client.
const QUEUE: usize = 16;
/// After this long without reading, a client is as good as gone.
const STALLED: Duration = Duration::from_mins(2);
/// A client that pushes too much gets to read so after sending at most this many times the limit.
const PATIENCE: u64 = 4;

/// Starts a push and answers with what git says.
pub(crate) fn serve(
    git: &Git,
    pusher: Pusher,
    target: Target,
    repository: PathBuf,
    gzip: bool,
    request: Request,
) -> Result<Response, Failure> {
    let ticket = git.sessions.begin(pusher, target.clone(), repository.clone()).ok_or_else(too_many)?;
    let limit = git.max_pack.to_string();
    let settings = [("receive.maxInputSize", limit.as_ref())];
    let mut command = service_command(git, Service::ReceivePack, request.headers(), &repository, &settings);
    git.repositories.set_hook_environment(&mut command, &ticket.key);
    // A group of its own: the terminal's Ctrl-C is for the server, which tells the pusher itself.
    command.arg(&repository).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| internal(&error))?;
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(internal(&io::Error::other("git has no pipes")));
    };
    let limit = git.max_pack.saturating_mul(PATIENCE);
    tokio::spawn(async move {
        if let Err(error) = forward(request.into_body(), gzip, limit, stdin).await {
            tracing::debug!(%error, "a client went away in the middle of a push");
        }
    });
    let (sender, receiver) = mpsc::channel(QUEUE);
    let push = Running { git: git.clone(), target, repository, child, ticket };
    tokio::spawn(push.drive(stdout, stderr, sender));
    let pieces = futures_util::stream::unfold(receiver, |mut receiver| async {
        Some((Ok::<_, io::Error>(receiver.recv().await?), receiver))
    });
    Ok(answer(Service::ReceivePack, "result", Body::from_stream(pieces)))
}

struct Running {
    git: Git,
    target: Target,
    repository: PathBuf,
    child: Child,
    ticket: Ticket,
}

impl Running {
    async fn drive(
        mut self,
        stdout: impl AsyncRead + Unpin,
        stderr: ChildStderr,
        client: mpsc::Sender<Bytes>,
    ) {
        let complaints = tokio::spawn(read_some(stderr));
        if let Err(error) = pass_on(stdout, client).await {
            tracing::warn!(%error, "cannot read git's answer to a push");
        }
        let status = self.child.wait().await;
        // The refs have moved or not: the next push has its turn.
        drop(self.ticket);
        let complaints = complaints.await.unwrap_or_default();
        match status {
            Ok(status) if status.success() => {}
            status => tracing::info!(app = %self.target.name, ?status, complaints, "a push ended badly"),
        }
        match self.git.repositories.tidy(&self.repository).await {
            Ok(size) => self.git.backend.repository_changed(&self.target, size).await,
            Err(error) => tracing::warn!(app = %self.target.name, %error, "cannot tidy a repository"),
        }
    }
}

/// Gives the client what git answers, as long as the client takes it; reads on when not.
async fn pass_on(mut stdout: impl AsyncRead + Unpin, client: mpsc::Sender<Bytes>) -> io::Result<()> {
    let mut client = Some(client);
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(8 << 10);
        if stdout.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
        let piece = buffer.split().freeze();
        if let Some(open) = &client
            && open.send_timeout(piece, STALLED).await.is_err()
        {
            client = None;
        }
    }
}

/// The beginning of what git complains about outside of its protocol; all of it is read.
async fn read_some(mut stderr: ChildStderr) -> String {
    let mut kept = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        let room = 4096_usize.saturating_sub(kept.len());
        kept.extend_from_slice(&buffer[..count.min(room)]);
    }
    String::from_utf8_lossy(&kept).into_owned()
}
