//! What git asks of the rest of Kigo.

use async_trait::async_trait;
use bytes::Bytes;
use domain::{AccountId, AppId, AppName, BuildId};
use tokio::io::AsyncRead;
use tokio::sync::mpsc;

/// Who pushes or fetches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pusher {
    pub account: AccountId,
    pub email: String,
}

/// The app whose repository is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub app: AppId,
    pub name: AppName,
}

/// What is known about a commit of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing, or only builds that failed.
    Nothing,
    /// It is being built, for example since a push whose client or server went away.
    Building(BuildId),
    /// The app's current release runs it.
    Live,
}

/// A build to be made of a pushed commit.
#[derive(Clone, Debug)]
pub struct NewBuild {
    pub pusher: Pusher,
    pub target: Target,
    /// 40 hex digits.
    pub commit: String,
    /// The first line of the commit's message.
    pub description: String,
}

/// One step of a build and its release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Output of the build, in pieces as they come.
    Output(Bytes),
    /// The build ended; when it failed, nothing follows.
    Built { succeeded: bool },
    /// The release has a command, which begins to run.
    ReleaseCommand,
    /// Output of the release command.
    ReleaseOutput(Bytes),
    /// The release command ended.
    Released { succeeded: bool },
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The token is unknown or expired.
    #[error("the credentials are not valid")]
    Unauthenticated,
    /// There is no such app, or the user may not know of it.
    #[error("Couldn't find that app.")]
    NotFound,
    /// For the user, as a sentence.
    #[error("{0}")]
    Refused(String),
    #[error("the server failed")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The rest of Kigo, as git needs it.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Whose token this is.
    async fn authenticate(&self, token: &str) -> Result<Pusher, BackendError>;

    /// The app of that name, if `pusher` may deploy to it.
    async fn app(&self, pusher: &Pusher, name: &AppName) -> Result<Target, BackendError>;

    /// Refuses if no push can be taken now, whoever it is from.
    async fn ready(&self) -> Result<(), BackendError>;

    /// What is known about a commit.
    async fn known(&self, target: &Target, commit: &str) -> Result<Known, BackendError>;

    /// Stores `source`, a tar archive of the commit's tree, and creates a build of it. A source
    /// that ends in an error must not become a build.
    async fn start_build(
        &self,
        build: NewBuild,
        source: Box<dyn AsyncRead + Send + Unpin>,
    ) -> Result<BuildId, BackendError>;

    /// What a build and then its release do, from the beginning and as it happens. The channel
    /// closes after the last step; when it closes before, the server is about to end.
    async fn follow(&self, build: BuildId) -> Result<mpsc::Receiver<Progress>, BackendError>;

    /// The repository of an app has changed and takes `size` bytes.
    async fn repository_changed(&self, target: &Target, size: u64);
}
