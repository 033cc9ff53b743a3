//! Container apps: releases of images that were pushed to the registry, each for one process type.
//!
//! An image is found by the digest that a client names ([`find`]), looked at by whoever can look into
//! images, and released ([`release`]). Process types that are not named keep what they run.

use crate::releases::{self, New, ReleaseInfo, Trigger};
use crate::{Actor, Error, Ops, Result, access, formation, random, stacks, text};
use domain::procfile::MAX_PROCESS_TYPES;
use domain::{App, Digest, ProcessType, Slug, SlugId, TypeImage};
use std::collections::{BTreeMap, BTreeSet};
use store::Write;

/// What is asked for: an image for a process type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub process_type: String,
    /// Digest of the image's config, as the official CLI sends it, or of its manifest.
    pub image: String,
}

/// An image that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub process_type: ProcessType,
    /// As it was asked for.
    pub asked: Digest,
    /// Its manifest, or an index that has it.
    pub manifest: Digest,
}

/// An image that can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    pub process_type: ProcessType,
    /// As it was asked for.
    pub asked: Digest,
    /// Its manifest, for this machine.
    pub image: Digest,
    /// What it runs by itself, as a shell would read it.
    pub command: String,
}

/// Finds images among those that were pushed to the app's repositories: the one named like the process
/// type first, then what was pushed last.
pub async fn find(ops: &Ops, actor: &Actor, app: &str, wishes: &[Wish]) -> Result<Vec<Found>> {
    let mut tx = ops.store().read().await?;
    let app = access::write(&mut tx, actor, app).await?;
    check_stack(&app)?;
    let mut found = Vec::with_capacity(wishes.len());
    let mut named = BTreeSet::new();
    for wish in wishes {
        let process_type = ProcessType::parse(&wish.process_type)?;
        if !named.insert(process_type.clone()) {
            return Err(Error::invalid(format!("The process type {process_type} is named twice.")));
        }
        let asked = parse(&wish.image)?;
        let manifests =
            store::registry::manifests::of_image(&mut tx, app.id, &asked, process_type.as_str()).await?;
        let manifest = manifests.first().ok_or_else(|| {
            Error::invalid(format!(
                "The image {asked} is in no repository of the app {name}. Push it to {name}/{process_type} first.",
                name = app.name
            ))
        })?;
        found.push(Found { process_type, asked, manifest: manifest.digest });
    }
    Ok(found)
}

/// Releases images. Process types that are new get a place in the formation; those that are not named
/// keep what the release before runs.
pub async fn release(ops: &Ops, actor: &Actor, app: &str, images: Vec<Ready>) -> Result<ReleaseInfo> {
    let mut write = ops.store().write().await?;
    let mut app = access::write(&mut write, actor, app).await?;
    check_stack(&app)?;
    let mut slug = next_slug(ops, &mut write, &app).await?;
    let mut words = Vec::with_capacity(images.len());
    for Ready { process_type, asked, image, command } in images {
        text::check(
            &format!("The command of process type {process_type}"),
            &command,
            32 * 1024,
            &['\n', '\t'],
        )?;
        words.push(format!("{process_type} ({})", &asked.hex()[..12]));
        slug.images.insert(process_type.clone(), TypeImage { image, own_command: true });
        slug.process_types.insert(process_type, command);
    }
    if slug.process_types.len() > MAX_PROCESS_TYPES {
        return Err(Error::invalid(format!("An app can have {MAX_PROCESS_TYPES} process types at most.")));
    }
    insert(ops, write, actor, &mut app, slug, format!("Deployed {}", words.join(", "))).await
}

/// Makes a release without a process type that runs an image of its own.
pub async fn remove(ops: &Ops, actor: &Actor, app: &str, process_type: &str) -> Result<ReleaseInfo> {
    let mut write = ops.store().write().await?;
    let mut app = access::write(&mut write, actor, app).await?;
    check_stack(&app)?;
    let mut slug = next_slug(ops, &mut write, &app).await?;
    let name = ProcessType::parse(process_type)?;
    if !slug.process_types.contains_key(&name) {
        return Err(formation::no_such_type(process_type));
    }
    if slug.images.remove(&name).is_none() {
        return Err(Error::invalid(format!(
            "The process type {name} does not run an image of its own; take it out of the Procfile instead."
        )));
    }
    slug.process_types.remove(&name);
    insert(ops, write, actor, &mut app, slug, format!("Removed {name}")).await
}

/// `sha256:` and 64 hex digits, or the digits alone.
fn parse(text: &str) -> Result<Digest> {
    let full = if text.contains(':') { text.to_owned() } else { format!("sha256:{text}") };
    full.parse().map_err(|_| {
        Error::invalid(format!(
            "docker_image must be the digest of an image, sha256:<64 hex digits>, not {text:?}."
        ))
    })
}

fn check_stack(app: &App) -> Result<()> {
    if [&app.stack, &app.build_stack].into_iter().any(|stack| stack == stacks::CONTAINER) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "The app {} does not run images: its stack is {}. Run `heroku stack:set container` first.",
        app.name, app.build_stack
    )))
}

/// A slug that runs what the app's newest one does.
async fn next_slug(ops: &Ops, write: &mut Write, app: &App) -> Result<Slug> {
    let base = releases::base_slug(write, app.id).await?;
    // One whose images were given up has nothing that could be kept.
    let base = base.filter(|slug| !slug.expired);
    let (image, images, process_types) = match base {
        Some(slug) => (slug.image, slug.images, slug.process_types),
        None => (None, BTreeMap::new(), BTreeMap::new()),
    };
    let now = ops.now();
    Ok(Slug {
        id: SlugId::new(),
        app: app.id,
        image,
        images,
        checksum: None,
        size: None,
        commit: None,
        commit_description: None,
        buildpack_provided_description: Some("Container".into()),
        process_types,
        stack: stacks::CONTAINER.into(),
        upload_key: random::key(),
        expired: false,
        created_at: now,
        updated_at: now,
    })
}

async fn insert(
    ops: &Ops,
    mut write: Write,
    actor: &Actor,
    app: &mut App,
    mut slug: Slug,
    description: String,
) -> Result<ReleaseInfo> {
    if slug.process_types.keys().all(|name| slug.images.contains_key(name)) {
        // Nobody runs the image that an earlier build made for all of them.
        slug.image = None;
    }
    store::slugs::insert(&mut write, &slug).await?;
    let config = store::configs::id_of_app(&mut write, app.id).await?;
    let new = New { user: &actor.account, description, slug: Some(slug), config, trigger: Trigger::Deploy };
    let made = releases::insert(ops, &mut write, app, new).await?;
    let info = releases::describe(&mut write, app, made.release.clone()).await?;
    ops.commit(write, app.id, made.lines).await?;
    Ok(info)
}
