//! What goes into a build and what comes out of it.

use crate::BuildError;
use crate::{HostSettings, Mirror};
use async_trait::async_trait;
use domain::{
    AppId, BuildId, BuildpackRef, ConfigVars, Digest, ProcessType, Reference, RepositoryName, TypeImage,
};
use engine::Limits;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// One build to be made.
#[derive(Clone, Debug)]
pub struct BuildRequest {
    pub build: BuildId,
    pub app: AppId,
    /// Blob of the source: a tar archive, plain or compressed with gzip or zstd.
    pub source: Digest,
    /// In order; empty means that the language is to be detected.
    pub buildpacks: Vec<BuildpackRef>,
    /// For example `kigo-13`.
    pub stack: String,
    /// Reach buildpacks as `ENV_DIR`.
    pub config_vars: ConfigVars,
    /// The commit, or what else the client named; `SOURCE_VERSION` for buildpacks.
    pub source_version: Option<String>,
    /// What else the platform tells every program of the build about it, in its environment.
    pub metadata: BTreeMap<String, String>,
    /// Id of the API request behind the build; `REQUEST_ID` for buildpacks.
    pub request_id: String,
    /// The images of the registry that Dockerfiles may begin from.
    pub bases: Arc<dyn Bases>,
    /// Ends the build early.
    pub cancel: CancellationToken,
}

/// One run of an app's tests, as the tests are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestRun {
    /// `HEROKU_TEST_RUN_ID`
    pub id: Uuid,
    /// `HEROKU_TEST_RUN_BRANCH`
    pub branch: Option<String>,
}

/// The registry, as whoever started a build may read it.
#[async_trait]
pub trait Bases: std::fmt::Debug + Send + Sync {
    /// The names of this installation's registry, for example `localhost:5000`.
    fn hosts(&self) -> Vec<String>;

    /// The manifest, or the index, of an image; `None` if there is none that may be read.
    async fn find(&self, name: &RepositoryName, reference: &Reference) -> Result<Option<Digest>, BuildError>;
}

/// No registry.
#[derive(Clone, Copy, Debug)]
pub struct NoBases;

#[async_trait]
impl Bases for NoBases {
    fn hosts(&self) -> Vec<String> {
        Vec::new()
    }

    async fn find(&self, _: &RepositoryName, _: &Reference) -> Result<Option<Digest>, BuildError> {
        Ok(None)
    }
}

/// What a build made. The image is in the store, but nothing refers to it yet: write the row that
/// does within the collector's grace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildOutcome {
    /// What all process types run; `None` for a container app.
    pub image: Option<Digest>,
    /// What process types of a container app run.
    pub images: BTreeMap<ProcessType, TypeImage>,
    /// Digest of the app's own layer as the Platform API shows it, `SHA256:<hex>`.
    pub checksum: Option<String>,
    /// Compressed bytes of everything above the stack, or of all images.
    pub size: u64,
    /// The Procfile's over the last buildpack's defaults, or those of heroku.yml over the images' own.
    pub process_types: BTreeMap<ProcessType, String>,
    /// What was used, in order.
    pub buildpacks: Vec<BuildpackName>,
    /// Whether `buildpacks` was found in the app and not given, so that the app is to keep them.
    pub detected: bool,
    /// What the last buildpack calls the app, for example `Node.js`.
    pub description: String,
    /// Config vars that the last buildpack proposes; they are for an app's first release only.
    pub config_vars: BTreeMap<String, String>,
    /// Add-ons that the last buildpack asks for, as plans or services; they are for an app's first release
    /// only.
    pub addons: Vec<String>,
    pub stack: String,
}

/// A buildpack that was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildpackName {
    pub buildpack: BuildpackRef,
    /// What its detection said.
    pub description: String,
}

/// What an operator can set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What one build may use.
    pub limits: Limits,
    /// How long one build may take in all.
    pub timeout: Duration,
    /// Compressed bytes of an app above its stack, at most.
    pub slug_limit: u64,
    /// Bytes of the unpacked source at most.
    pub source_limit: u64,
    /// Bytes of an image that a Dockerfile makes or begins from, unpacked, at most.
    pub image_limit: u64,
    /// Where Dockerfiles' images of other registries are fetched.
    pub mirrors: Vec<Mirror>,
    /// Bytes of a buildpack cache at most; a larger one is not kept.
    pub cache_limit: u64,
    /// What all apps share is forgotten when no build has used it for so long.
    pub forget_after: Duration,
    /// Registries, proxies and certificates of this host that builds are to use.
    pub host: HostSettings,
    /// A directory whose buildpacks apps may name as `file://` addresses.
    pub local_buildpacks: Option<PathBuf>,
}

impl Default for Settings {
    /// Heroku's figures: 2.5 GB of memory, 15 minutes, 500 MB. The CPU weight is a quarter of a
    /// Standard-1X dyno's, so that a build takes what apps leave.
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            limits: Limits {
                memory: 2560 * MIB,
                memory_max: 2560 * MIB,
                cpu_weight: 25,
                cpu_millis: None,
                pids: 4096,
                disk: 8192 * MIB,
            },
            timeout: Duration::from_mins(15),
            slug_limit: 500 * MIB,
            source_limit: 2048 * MIB,
            image_limit: 8192 * MIB,
            mirrors: Vec::new(),
            cache_limit: 2048 * MIB,
            forget_after: Duration::from_hours(30 * 24),
            host: HostSettings::default(),
            local_buildpacks: None,
        }
    }
}
