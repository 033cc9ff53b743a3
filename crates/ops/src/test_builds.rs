//! Builds for tests: an app's source is built, its tests are run, and nothing is released.
//!
//! What is tested is given an environment of its own, and never the app's config vars: they lead to the
//! databases that its users work with.

use crate::builds::{self, BuildInfo};
use crate::{Actor, Error, Ops, Result, access, config_vars, slugs, text};
use domain::{App, Build, ConfigVars, TestBuild};
use std::collections::BTreeMap;
use store::Tx;

/// Tests of a tarball behind an address.
#[derive(Clone, Debug, Default)]
pub struct Create {
    /// http(s) address of a tar archive, or one that a source upload gave.
    pub source_url: String,
    pub checksum: Option<String>,
    /// The commit.
    pub version: Option<String>,
    pub version_description: Option<String>,
    pub branch: Option<String>,
    /// Takes the place of what `app.json` says.
    pub env: BTreeMap<String, String>,
}

/// Asks for the tests of a tarball. They wait until a builder takes them up.
pub async fn create(ops: &Ops, actor: &Actor, app: &str, input: Create) -> Result<BuildInfo> {
    let checksum = input.checksum.as_deref().map(slugs::check_checksum).transpose()?;
    if let Some(branch) = input.branch.as_ref().filter(|branch| !branch.is_empty()) {
        text::check("Branch", branch, 1024, &[])?;
    }
    let mut env = ConfigVars::default();
    config_vars::apply(&mut env, input.env.into_iter().map(|(name, value)| (name, Some(value))).collect())?;
    config_vars::check_size(&env, ops.settings().max_config_bytes)?;
    let mut write = ops.store().write().await?;
    let app = access::write(&mut write, actor, app).await?;
    let source = builds::uploaded_source(&mut write, &input.source_url, checksum.as_deref()).await?;
    let build = Build {
        source,
        source_checksum: checksum,
        source_version: input.version,
        source_version_description: input.version_description,
        test: Some(TestBuild { env, branch: input.branch, exit_code: None }),
        ..builds::blank(ops, &app, &actor.account, input.source_url)
    };
    builds::insert(ops, write, actor, app, build).await
}

/// An app's builds for tests, oldest first.
pub async fn list(ops: &Ops, actor: &Actor, app: &str) -> Result<Vec<BuildInfo>> {
    let mut tx = ops.store().read().await?;
    let app = access::read(&mut tx, actor, app).await?;
    let builds = store::builds::list_tests(&mut tx, app.id).await?;
    let mut list = Vec::with_capacity(builds.len());
    for build in builds {
        list.push(builds::describe(&mut tx, &app, build).await?);
    }
    Ok(list)
}

/// One of them.
pub async fn info(ops: &Ops, actor: &Actor, app: &str, identity: &str) -> Result<BuildInfo> {
    let mut tx = ops.store().read().await?;
    let app = access::read(&mut tx, actor, app).await?;
    let build = find(&mut tx, &app, identity).await?;
    builds::describe(&mut tx, &app, build).await
}

/// Asks for tests to end.
pub async fn cancel(ops: &Ops, actor: &Actor, app: &str, identity: &str) -> Result<BuildInfo> {
    let mut write = ops.store().write().await?;
    let app = access::write(&mut write, actor, app).await?;
    let build = find(&mut write, &app, identity).await?;
    builds::end(ops, write, actor, app, build).await
}

async fn find(tx: &mut Tx, app: &App, identity: &str) -> Result<Build> {
    let build = builds::by_identity(tx, app, identity).await?.filter(|build| build.test.is_some());
    build.ok_or_else(|| Error::not_found("test_build"))
}
