//! The registry: what clients push and pull, by the rights they have on the app that a repository
//! belongs to. Who may look at an app may pull, who may deploy to it may push.
//!
//! The bytes are in the image store, which knows no repositories; here is decided who may have which.
//! A repository comes to be with the first thing that is pushed to it, follows its app's name, and
//! goes with the app. What nothing refers to any more goes after a while ([`sweep()`]).

mod blobs;
mod built;
mod manifests;
mod room;
mod sweep;
mod uploads;

pub use blobs::{blob, delete_blob, mount};
pub use built::Built;
pub(crate) use built::keep_built;
pub use manifests::{
    NewManifest, delete_manifest, delete_tag, manifest, may_put, put_manifest, referrers, tags,
};
pub use sweep::{Swept, sweep};
pub use uploads::{begin_upload, cancel_upload, finish_upload, reserve_upload, settle_upload, upload};

use crate::{Actor, Error, Ops, Result, access};
use domain::{App, Repository, RepositoryId, RepositoryName};
use jiff::SignedDuration;
use store::{Tx, Write};

/// What somebody asks for is made young again when it is older than this.
const YOUNG: SignedDuration = SignedDuration::from_hours(1);

/// Whether somebody may use the registry at all, as clients ask before anything else.
pub fn authorize(actor: &Actor) -> Result<()> {
    actor.require(crate::Permission::Read)
}

/// Whether somebody may push to a repository, for whoever reads what they send.
pub async fn may_push(ops: &Ops, actor: &Actor, name: &RepositoryName) -> Result<()> {
    let mut tx = ops.store().read().await?;
    access::write(&mut tx, actor, name.app.as_str()).await.map(drop)
}

/// A repository that somebody may pull from.
async fn readable(tx: &mut Tx, actor: &Actor, name: &RepositoryName) -> Result<Repository> {
    let app = access::read(tx, actor, name.app.as_str()).await?;
    let found = store::registry::by_name(tx, app.id, &name.rest).await?;
    found.ok_or_else(|| unknown_repository(name))
}

/// A repository that somebody may push to and that is there already.
async fn writable(tx: &mut Tx, actor: &Actor, name: &RepositoryName) -> Result<Repository> {
    let app = access::write(tx, actor, name.app.as_str()).await?;
    let found = store::registry::by_name(tx, app.id, &name.rest).await?;
    found.ok_or_else(|| unknown_repository(name))
}

/// A repository that somebody may push to; it is made if it is not there.
async fn made(ops: &Ops, write: &mut Write, actor: &Actor, name: &RepositoryName) -> Result<Repository> {
    let app = access::write(write, actor, name.app.as_str()).await?;
    made_for(ops, write, &app, name).await
}

/// A repository of an app; it is made if it is not there.
async fn made_for(ops: &Ops, write: &mut Write, app: &App, name: &RepositoryName) -> Result<Repository> {
    if let Some(found) = store::registry::by_name(write, app.id, &name.rest).await? {
        return Ok(found);
    }
    let max = ops.settings().max_repositories;
    if store::registry::count(write, app.id).await? >= max {
        return Err(Error::Forbidden(format!("The app {} has {max} repositories already.", app.name)));
    }
    let repository =
        Repository { id: RepositoryId::new(), app: app.id, rest: name.rest.clone(), created_at: ops.now() };
    store::registry::insert(write, &repository).await?;
    Ok(repository)
}

fn unknown_repository(name: &RepositoryName) -> Error {
    Error::NotFound {
        resource: "repository",
        message: format!("Nothing was pushed to the repository {name} yet."),
    }
}
