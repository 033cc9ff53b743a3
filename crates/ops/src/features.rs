//! App features: switches that change how the platform treats an app. Only those that Kigo acts on are
//! offered.

use crate::{Actor, Error, Ops, Result, access, text};
use domain::AppId;
use jiff::Timestamp;
use store::Tx;
use uuid::Uuid;

/// What a feature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Stable id of the feature in the API.
    pub id: Uuid,
    pub name: &'static str,
    pub display_name: &'static str,
    pub description: &'static str,
}

/// A feature and how it stands for an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureInfo {
    pub feature: Feature,
    pub enabled: bool,
    /// When the app's users last switched it, or the app was made.
    pub updated_at: Timestamp,
    pub created_at: Timestamp,
}

/// Puts `HEROKU_APP_NAME`, `HEROKU_RELEASE_VERSION` and their like into the dynos' environment.
pub const DYNO_METADATA: &str = "runtime-dyno-metadata";

/// Puts `HEROKU_BUILD_COMMIT` and `HEROKU_BUILD_DESCRIPTION` into the environment of builds.
pub const BUILD_METADATA: &str = "runtime-dyno-build-metadata";

/// Every feature there is.
const FEATURES: [Feature; 2] = [
    Feature {
        id: Uuid::from_u128(0x4a4c_4d4e_0001_4000_8000_0000_0000_0001),
        name: DYNO_METADATA,
        display_name: "Dyno Metadata",
        description: "Tell dynos about their app, release and build in HEROKU_ environment variables",
    },
    Feature {
        id: Uuid::from_u128(0x4a4c_4d4e_0001_4000_8000_0000_0000_0002),
        name: BUILD_METADATA,
        display_name: "Build Metadata",
        description: "Tell builds about their commit in HEROKU_BUILD_ environment variables",
    },
];

/// All features for an app.
pub async fn list(ops: &Ops, actor: &Actor, app: &str) -> Result<Vec<FeatureInfo>> {
    let mut tx = ops.store().read().await?;
    let app = access::read(&mut tx, actor, app).await?;
    let chosen = store::features::of(&mut tx, app.id).await?;
    let info = |feature: Feature| {
        let (enabled, updated_at) = chosen.get(feature.name).copied().unwrap_or((false, app.created_at));
        FeatureInfo { feature, enabled, updated_at, created_at: app.created_at }
    };
    Ok(FEATURES.into_iter().map(info).collect())
}

/// One feature by name or id.
pub async fn info(ops: &Ops, actor: &Actor, app: &str, identity: &str) -> Result<FeatureInfo> {
    let features = list(ops, actor, app).await?;
    let is = |info: &FeatureInfo| info.feature.name == identity || info.feature.id.to_string() == identity;
    features.into_iter().find(is).ok_or_else(no_such_feature)
}

/// Switches a feature. Takes effect when a dyno starts.
pub async fn update(
    ops: &Ops,
    actor: &Actor,
    app: &str,
    identity: &str,
    enabled: bool,
) -> Result<FeatureInfo> {
    let mut info = info(ops, actor, app, identity).await?;
    let mut write = ops.store().write().await?;
    let app = access::write(&mut write, actor, app).await?;
    info.enabled = enabled;
    info.updated_at = ops.now();
    store::features::set(&mut write, app.id, info.feature.name, enabled, info.updated_at).await?;
    let word = if enabled { "Enable" } else { "Disable" };
    let line = text::by(&actor.account, format!("{word} {} feature", info.feature.name));
    ops.commit(write, app.id, vec![line]).await?;
    Ok(info)
}

/// Whether an app has a feature on, for the loops that act on it.
pub async fn is_enabled(tx: &mut Tx, app: AppId, name: &str) -> Result<bool> {
    Ok(store::features::of(tx, app).await?.get(name).is_some_and(|(enabled, _)| *enabled))
}

/// Whether there is a feature of this name.
pub(crate) fn exists(name: &str) -> bool {
    FEATURES.iter().any(|feature| feature.name == name)
}

fn no_such_feature() -> Error {
    Error::NotFound { resource: "feature", message: "Couldn't find that feature.".into() }
}
