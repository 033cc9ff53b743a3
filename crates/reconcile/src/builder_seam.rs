//! The builder, as the loops see it.

use async_trait::async_trait;
use builder::{AppJsonResult, BuildError, BuildOutcome, BuildRequest, Builder, Output, TestRun};
use domain::{AppId, Digest};
use std::io;

/// Whoever builds.
#[async_trait]
pub trait Build: Send + Sync + 'static {
    /// See [`builder::build`].
    async fn build(&self, request: BuildRequest, output: Output) -> Result<BuildOutcome, BuildError>;

    /// See [`builder::test`].
    async fn test(&self, request: BuildRequest, run: TestRun, output: Output) -> Result<i32, BuildError>;

    /// See [`Builder::app_json`].
    async fn app_json(&self, source: Digest) -> Result<Option<AppJsonResult>, BuildError>;

    /// See [`Builder::sweep`].
    async fn sweep(&self) -> Result<(), BuildError>;

    /// See [`Builder::purge_cache`].
    fn purge_cache(&self, app: AppId) -> io::Result<()>;

    /// See [`Builder::service_image`].
    async fn service_image(&self, packages: &[String]) -> Result<Digest, BuildError>;

    /// See [`Builder::forget_unused`].
    fn forget_unused(&self) -> io::Result<()>;

    /// See [`Builder::kept_images`].
    fn kept_images(&self) -> io::Result<Vec<Digest>>;
}

#[async_trait]
impl Build for Builder {
    async fn build(&self, request: BuildRequest, output: Output) -> Result<BuildOutcome, BuildError> {
        builder::build(self, request, output).await
    }

    async fn test(&self, request: BuildRequest, run: TestRun, output: Output) -> Result<i32, BuildError> {
        builder::test(self, request, run, output).await
    }

    async fn app_json(&self, source: Digest) -> Result<Option<AppJsonResult>, BuildError> {
        Self::app_json(self, source).await
    }

    async fn sweep(&self) -> Result<(), BuildError> {
        Self::sweep(self).await
    }

    async fn service_image(&self, packages: &[String]) -> Result<Digest, BuildError> {
        Self::service_image(self, packages).await
    }

    fn purge_cache(&self, app: AppId) -> io::Result<()> {
        Self::purge_cache(self, app)
    }

    fn forget_unused(&self) -> io::Result<()> {
        Self::forget_unused(self)
    }

    fn kept_images(&self) -> io::Result<Vec<Digest>> {
        Self::kept_images(self)
    }
}
