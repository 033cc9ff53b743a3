//! Builds: from an app's source to an OCI image.
//!
//! [`build()`] takes the digest of a source archive and ends with the digest of an image: the layers
//! of a [stack], layers that apps share (a language's runtime, installed dependencies) and one layer
//! with the app itself below `/app`. [`test()`] builds an app for its tests, runs them where it was built,
//! and ends with their status. Every command of a build, the app's or a buildpack's, runs in a
//! one-off container through [`engine::Engine`], with its own limits; this process only reads files
//! that it has unpacked itself, decides, and stores what comes out of the container.
//!
//! It refuses to know rows: who queued the build, which release it makes and who reads its output
//! is its caller's business. It also refuses to run anything of an app's on the host, with the one
//! exception of [`stack`], which runs Debian's own packages in a `chroot` while it makes a stack.

mod address;
mod build;
mod cache;
mod classic;
mod cnb;
mod container;
mod described;
mod detect;
mod dialog;
mod errand;
pub mod errors;
mod export;
mod fetch;
mod host;
mod images;
mod languages;
mod output;
mod packages;
mod procfile;
mod project_toml;
mod registry;
mod request;
mod service;
mod slugignore;
mod source;
pub mod stack;
mod waiting;
mod work;

pub use build::{TestError, build, test};
pub use classic::release::BadRelease;
pub use cnb::errors::CnbError;
pub use described::AppJsonResult;
pub use errors::{BuildError, Explain};
pub use host::HostSettings;
pub use images::mirrors::{BadMirror, Mirror};
pub use languages::{BuiltIn, built_in};
pub use output::Output;
pub use project_toml::BadProject;
pub use registry::RegistryError;
pub use request::{Bases, BuildOutcome, BuildRequest, BuildpackName, NoBases, Settings, TestRun};
pub use service::NOBODY;
pub use slugignore::BadPattern;

use engine::Engine;
use image::ImageStore;
use std::path::PathBuf;
use std::sync::Arc;

/// What builds work with. Cheap to clone.
#[derive(Clone)]
pub struct Builder {
    pub engine: Arc<dyn Engine>,
    pub images: ImageStore,
    /// The data directory; `builds/<id>/work`, `cache/` and `stacks/` below it are this crate's.
    pub data: PathBuf,
    pub settings: Arc<Settings>,
    /// Held while Debian packages are installed.
    apt: Arc<tokio::sync::Mutex<()>>,
    /// Who makes what all apps share.
    makers: Arc<waiting::Makers>,
}

impl Builder {
    pub fn new(engine: Arc<dyn Engine>, images: ImageStore, data: PathBuf, settings: Settings) -> Self {
        let settings = Arc::new(settings);
        Self { engine, images, data, settings, apt: Arc::default(), makers: Arc::default() }
    }

    /// The `app.json` of a source that is in the store; `None` if it has none.
    pub async fn app_json(&self, source: domain::Digest) -> Result<Option<AppJsonResult>, BuildError> {
        let builder = self.clone();
        build::blocking(move || described::of_source(&builder, source)).await
    }

    /// Removes what builds left that a killed server was making: containers and working
    /// directories. For the start of a server, before any build; a build that is begun again
    /// cleans up after itself in any case.
    pub async fn sweep(&self) -> Result<(), BuildError> {
        container::remove_leftovers(&*self.engine, None).await?;
        let data = self.data.clone();
        build::blocking(move || {
            work::sweep(&data).map_err(BuildError::system("removing what earlier builds left"))
        })
        .await
    }

    /// Forgets what all apps share and no build has used for long, or can use at all: toolchains and
    /// sets of Debian packages. They are collected then, unless a build has just found them.
    pub fn forget_unused(&self) -> std::io::Result<()> {
        let current = stack::recorded_images(&self.data)?;
        packages::forget(&self.data, &current, self.settings.forget_after)?;
        cache::forget_shared(&self.data, &current, self.settings.forget_after)
    }

    /// The images that builds keep to be fast: stacks, runtimes and apps' caches. A garbage
    /// collection must take them as roots.
    pub fn kept_images(&self) -> std::io::Result<Vec<domain::Digest>> {
        let mut kept = stack::recorded_images(&self.data)?;
        kept.extend(cache::recorded_images(&self.data)?);
        Ok(kept)
    }

    /// Throws an app's build cache away, as `heroku builds:cache:purge` does. No cache is no error.
    pub fn purge_cache(&self, app: domain::AppId) -> std::io::Result<()> {
        cache::purge(&self.data, app)
    }
}
