//! Whose output or log stands behind a secret address. The address is the client's only credential: it was
//! told to who may see the build, release or app.

use crate::{Error, Ops, Result};
use domain::{App, AppId, Build, Release};

/// The build with this output address.
pub async fn build(ops: &Ops, key: &str) -> Result<Build> {
    let build = store::builds::by_output_key(&mut ops.store().read().await?, key).await?;
    build.ok_or_else(|| Error::not_found("build"))
}

/// The release whose command's output has this address.
pub async fn release(ops: &Ops, key: &str) -> Result<Release> {
    let release = store::releases::by_output_key(&mut ops.store().read().await?, key).await?;
    release.ok_or_else(|| Error::not_found("release"))
}

/// The app whose log somebody was allowed to read, who has kept the address since.
pub async fn log(ops: &Ops, app: AppId) -> Result<App> {
    let app = store::apps::by_id(&mut ops.store().read().await?, app).await?;
    app.ok_or_else(|| Error::not_found("app"))
}
