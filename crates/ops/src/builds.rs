//! Builds: from asking for one to the release it makes.
//!
//! A build is a row that waits. A loop takes it up under a lease ([`lease`]), prolongs the lease while
//! it works, and ends it with [`finish()`], which writes the build's end, the slug and the release in one
//! transaction: a build never succeeds without its release, nor the other way round. Builds whose app is
//! tested are rows like these, and make no release ([`crate::test_builds`]).

mod addons;
mod finish;

pub use addons::{Ordered, PATIENCE, order_addons};
pub use finish::{Finished, Outcome, Success, finish};

use crate::{Actor, AppRef, Error, Ops, Result, UserRef, access, accounts, apps, buildpacks, random, text};
use domain::{Account, App, AppId, Build, BuildId, BuildStatus, ChoreKind, Digest};
use jiff::SignedDuration;
use store::builds::Lease;
use store::{Tx, Write};
use url::Url;

/// A build with what the API tells about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildInfo {
    pub build: Build,
    pub app: AppRef,
    pub user: UserRef,
}

/// A build of a tarball behind an address.
#[derive(Clone, Debug, Default)]
pub struct Create {
    /// http(s) address of a tar archive, or one that a source upload gave.
    pub source_url: String,
    pub checksum: Option<String>,
    pub version: Option<String>,
    pub version_description: Option<String>,
    /// For this build alone.
    pub buildpacks: Vec<String>,
}

/// A build of source that the server already has, as a git push brings it.
#[derive(Clone, Debug)]
pub struct CreateFromBlob {
    /// The tarball in the blob store.
    pub source: Digest,
    /// Where it came from, in words.
    pub description: String,
    /// The commit.
    pub version: Option<String>,
    pub version_description: Option<String>,
}

/// Asks for a build of a tarball. It waits until a builder takes it up.
pub async fn create(ops: &Ops, actor: &Actor, app: &str, input: Create) -> Result<BuildInfo> {
    let mut write = ops.store().write().await?;
    let app = access::write(&mut write, actor, app).await?;
    let list = buildpacks::check_all(&input.buildpacks, ops.settings().max_buildpacks)?;
    let checksum = input.checksum.as_deref().map(crate::slugs::check_checksum).transpose()?;
    let source = uploaded_source(&mut write, &input.source_url, checksum.as_deref()).await?;
    let build = Build {
        source,
        source_checksum: checksum,
        source_version: input.version,
        source_version_description: input.version_description,
        buildpacks: list,
        ..blank(ops, &app, &actor.account, input.source_url)
    };
    insert(ops, write, actor, app, build).await
}

/// Asks for a build of source that the server already has.
pub async fn create_from_blob(
    ops: &Ops,
    actor: &Actor,
    app: &str,
    input: CreateFromBlob,
) -> Result<BuildInfo> {
    let mut write = ops.store().write().await?;
    let app = access::write(&mut write, actor, app).await?;
    let build = Build {
        source: Some(input.source),
        source_version: input.version,
        source_version_description: input.version_description,
        ..blank(ops, &app, &actor.account, input.description)
    };
    insert(ops, write, actor, app, build).await
}

/// An app's builds, oldest first; those for tests are not among them.
pub async fn list(ops: &Ops, actor: &Actor, app: &str) -> Result<Vec<BuildInfo>> {
    let mut tx = ops.store().read().await?;
    let app = access::read(&mut tx, actor, app).await?;
    let builds = store::builds::list(&mut tx, app.id).await?;
    let mut list = Vec::with_capacity(builds.len());
    for build in builds {
        list.push(describe(&mut tx, &app, build).await?);
    }
    Ok(list)
}

/// One build of an app.
pub async fn info(ops: &Ops, actor: &Actor, app: &str, identity: &str) -> Result<BuildInfo> {
    let mut tx = ops.store().read().await?;
    let app = access::read(&mut tx, actor, app).await?;
    let build = find(&mut tx, &app, identity).await?;
    describe(&mut tx, &app, build).await
}

/// Asks for a build to end. One that nobody has taken up ends here; the other one's builder sees it.
pub async fn cancel(ops: &Ops, actor: &Actor, app: &str, identity: &str) -> Result<BuildInfo> {
    let mut write = ops.store().write().await?;
    let app = access::write(&mut write, actor, app).await?;
    let build = find(&mut write, &app, identity).await?;
    end(ops, write, actor, app, build).await
}

/// Asks for a build of either kind to end.
pub(crate) async fn end(
    ops: &Ops,
    mut write: Write,
    actor: &Actor,
    app: App,
    build: Build,
) -> Result<BuildInfo> {
    if build.status != BuildStatus::Pending {
        return Err(Error::invalid(format!("This build has {} already.", build.status.as_str())));
    }
    let now = ops.now();
    store::builds::request_cancel(&mut write, build.id, now).await?;
    if build.started_at.is_none() {
        store::builds::finish(&mut write, build.id, BuildStatus::Failed, None, now).await?;
    }
    let build = store::builds::by_id(&mut write, build.id).await?.ok_or_else(|| Error::not_found("build"))?;
    let what = if build.test.is_some() { "Tests canceled" } else { "Build canceled" };
    let info = describe(&mut write, &app, build).await?;
    let line = text::by(&actor.account, what);
    ops.commit(write, app.id, vec![line]).await?;
    Ok(info)
}

/// Asks for the app's build cache to be thrown away.
pub async fn purge_cache(ops: &Ops, actor: &Actor, app: &str) -> Result<()> {
    let mut write = ops.store().write().await?;
    let app = access::write(&mut write, actor, app).await?;
    apps::insert_chore(ops, &mut write, &app, ChoreKind::PurgeCache).await?;
    write.commit().await?;
    Ok(())
}

/// Takes a waiting build for `owner` (which names the server process) for this long, or prolongs that
/// owner's lease. `None` if it has ended or is somebody else's. Called by the loop that builds.
pub async fn lease(ops: &Ops, id: BuildId, owner: &str, length: SignedDuration) -> Result<Option<Build>> {
    let mut write = ops.store().write().await?;
    let now = ops.now();
    let lease = Lease { owner: owner.to_owned(), until: now.checked_add(length).unwrap_or(now) };
    if !store::builds::lease(&mut write, id, &lease, now).await? {
        return Ok(None);
    }
    let build = store::builds::by_id(&mut write, id).await?;
    write.commit().await?;
    Ok(build)
}

/// Gives a lease back, so that the build can be taken up again at once. Called at an orderly shutdown.
pub async fn release_lease(ops: &Ops, id: BuildId, owner: &str) -> Result<()> {
    let mut write = ops.store().write().await?;
    store::builds::release_lease(&mut write, id, owner).await?;
    Ok(write.commit().await?)
}

/// Records where the downloaded source is. Called by the loop that builds.
pub async fn set_source(ops: &Ops, id: BuildId, source: Digest) -> Result<()> {
    let mut write = ops.store().write().await?;
    store::builds::set_source(&mut write, id, source, ops.now()).await?;
    Ok(write.commit().await?)
}

/// Forgets an app's builds that have ended, but for the `keep` newest of each kind. Returns which, so that their
/// output can be cleared away. Called by the loop that clears away.
pub async fn forget_old(ops: &Ops, app: AppId, keep: usize) -> Result<Vec<BuildId>> {
    let mut write = ops.store().write().await?;
    let mut old = Vec::new();
    for builds in
        [store::builds::list(&mut write, app).await?, store::builds::list_tests(&mut write, app).await?]
    {
        let ended = builds.iter().rev().filter(|build| build.status != BuildStatus::Pending);
        old.extend(ended.skip(keep).map(|build| build.id));
    }
    for id in &old {
        store::builds::delete(&mut write, *id).await?;
    }
    if !old.is_empty() {
        write.commit().await?;
    }
    Ok(old)
}

/// A build that was asked for and of whose source nothing is known yet.
pub(crate) fn blank(ops: &Ops, app: &App, user: &Account, source_url: String) -> Build {
    let now = ops.now();
    Build {
        id: BuildId::new(),
        app: app.id,
        user: user.id,
        status: BuildStatus::Pending,
        source: None,
        source_url,
        source_checksum: None,
        source_version: None,
        source_version_description: None,
        buildpacks: Vec::new(),
        stack: app.build_stack.clone(),
        release: None,
        slug: None,
        output_key: random::key(),
        test: None,
        cancel_requested: false,
        started_at: None,
        created_at: now,
        updated_at: now,
    }
}

/// Adds a build of either kind.
pub(crate) async fn insert(
    ops: &Ops,
    mut write: Write,
    actor: &Actor,
    app: App,
    build: Build,
) -> Result<BuildInfo> {
    for (what, text) in [
        ("Source version", &build.source_version),
        ("Source version description", &build.source_version_description),
    ] {
        if let Some(text) = text.as_ref().filter(|text| !text.is_empty()) {
            text::check(what, text, 1024, &['\n', '\t'])?;
        }
    }
    let max = ops.settings().max_pending_builds;
    if store::builds::count_pending(&mut write, app.id).await? >= max {
        return Err(Error::Conflict(format!(
            "The app {} has {max} builds waiting already. Wait for one to end, or cancel some.",
            app.name
        )));
    }
    store::builds::insert(&mut write, &build).await?;
    let what = if build.test.is_some() { "Tests started" } else { "Build started" };
    let info = describe(&mut write, &app, build).await?;
    let line = text::by(&actor.account, what);
    ops.commit(write, app.id, vec![line]).await?;
    Ok(info)
}

/// If the address is that of an uploaded source, the blob it stands for, which must have the announced
/// checksum; otherwise it must be one that can be downloaded from, and is checked then.
pub(crate) async fn uploaded_source(
    tx: &mut Tx,
    address: &str,
    checksum: Option<&str>,
) -> Result<Option<Digest>> {
    let bad = || Error::invalid("source_blob.url must be an http:// or https:// address of a tar archive.");
    let url = Url::parse(address).map_err(|_| bad())?;
    if !matches!(url.scheme(), "http" | "https") || address.len() > 8192 {
        return Err(bad());
    }
    // The key is unguessable, so who has it was given it; the rest of the address need not be ours.
    let key = url.path_segments().and_then(|mut segments| segments.next_back()).unwrap_or_default();
    let Some(source) = store::sources::by_download_key(tx, key).await? else { return Ok(None) };
    let digest = source.digest.ok_or_else(|| Error::invalid("Nothing was uploaded to this source yet."))?;
    let found = format!("SHA256:{}", digest.hex());
    match checksum.filter(|announced| *announced != found) {
        Some(announced) => Err(Error::invalid(format!(
            "The uploaded source has the checksum {found}, but source_blob.checksum is {announced}. Upload it again to a new source, or correct the checksum."
        ))),
        None => Ok(Some(digest)),
    }
}

async fn find(tx: &mut Tx, app: &App, identity: &str) -> Result<Build> {
    let build = by_identity(tx, app, identity).await?.filter(|build| build.test.is_none());
    build.ok_or_else(|| Error::not_found("build"))
}

/// A build of either kind.
pub(crate) async fn by_identity(tx: &mut Tx, app: &App, identity: &str) -> Result<Option<Build>> {
    Ok(match identity.parse() {
        Ok(id) => store::builds::by_id(tx, id).await?.filter(|build| build.app == app.id),
        Err(_) => None,
    })
}

/// A build with what the API tells about it.
pub(crate) async fn describe(tx: &mut Tx, app: &App, build: Build) -> Result<BuildInfo> {
    Ok(BuildInfo { app: app.into(), user: accounts::mention(tx, build.user).await?, build })
}
