//! Slugs that clients make themselves: a row first, then an upload to its secret address.

use crate::{Actor, Error, Ops, Result, access, random, stacks, text};
use domain::procfile::MAX_PROCESS_TYPES;
use domain::{App, Digest, ProcessType, Slug, SlugId};
use std::collections::BTreeMap;
use store::Write;

/// What a client tells about a slug it will upload.
#[derive(Clone, Debug, Default)]
pub struct Create {
    pub process_types: BTreeMap<String, String>,
    /// `SHA256:<64 hex digits>` of the upload, which is then checked.
    pub checksum: Option<String>,
    pub commit: Option<String>,
    pub commit_description: Option<String>,
    pub buildpack_provided_description: Option<String>,
    /// `None`: the app's.
    pub stack: Option<String>,
}

/// What was uploaded.
#[derive(Clone, Debug)]
pub struct Uploaded {
    /// The image that was made from it.
    pub image: Digest,
    /// `SHA256:<hex>` of the bytes that came.
    pub checksum: String,
    pub size: u64,
}

/// Makes the row; the slug can be released once it is uploaded.
pub async fn create(ops: &Ops, actor: &Actor, app: &str, input: Create) -> Result<Slug> {
    let mut write = ops.store().write().await?;
    let app = access::write(&mut write, actor, app).await?;
    let slug = check(ops, &app, input)?;
    store::slugs::insert(&mut write, &slug).await?;
    write.commit().await?;
    Ok(slug)
}

/// One slug of an app.
pub async fn info(ops: &Ops, actor: &Actor, app: &str, identity: &str) -> Result<Slug> {
    let mut tx = ops.store().read().await?;
    let app = access::read(&mut tx, actor, app).await?;
    let slug = match identity.parse() {
        Ok(id) => store::slugs::by_id(&mut tx, id).await?.filter(|slug| slug.app == app.id),
        Err(_) => None,
    };
    slug.ok_or_else(|| Error::not_found("slug"))
}

/// Another app's slug for this app: a row of its own with the same image, so that neither app's end
/// or clearing away takes it from the other.
pub(crate) async fn copy(ops: &Ops, write: &mut Write, app: &App, slug: Slug) -> Result<Slug> {
    let now = ops.now();
    let copy = Slug {
        id: SlugId::new(),
        app: app.id,
        upload_key: random::key(),
        created_at: now,
        updated_at: now,
        ..slug
    };
    store::slugs::insert(write, &copy).await?;
    Ok(copy)
}

/// The slug that may be uploaded to this secret address, which is the client's only credential.
pub async fn by_upload_key(ops: &Ops, key: &str) -> Result<Slug> {
    let slug = store::slugs::by_upload_key(&mut ops.store().read().await?, key).await?;
    slug.filter(|slug| !slug.expired).ok_or_else(|| Error::not_found("slug"))
}

/// Records an upload. A slug that was released can't be replaced, for releases never change.
pub async fn uploaded(ops: &Ops, key: &str, upload: Uploaded) -> Result<Slug> {
    let mut write = ops.store().write().await?;
    let slug = store::slugs::by_upload_key(&mut write, key).await?.ok_or_else(|| Error::not_found("slug"))?;
    if slug.expired || slug.image.is_some_and(|image| image != upload.image) {
        return Err(Error::Conflict("This slug was uploaded already.".into()));
    }
    if slug.checksum.as_ref().is_some_and(|announced| !announced.eq_ignore_ascii_case(&upload.checksum)) {
        return Err(Error::invalid(format!(
            "The upload's checksum is {}, but {} was announced.",
            upload.checksum,
            slug.checksum.unwrap_or_default()
        )));
    }
    store::slugs::set_image(&mut write, slug.id, upload.image, &upload.checksum, upload.size, ops.now())
        .await?;
    let slug = store::slugs::by_id(&mut write, slug.id).await?.ok_or_else(|| Error::not_found("slug"))?;
    write.commit().await?;
    Ok(slug)
}

fn check(ops: &Ops, app: &App, input: Create) -> Result<Slug> {
    let mut process_types = BTreeMap::new();
    for (name, command) in input.process_types {
        let name = ProcessType::parse(&name)?;
        text::check(&format!("The command of process type {name}"), &command, 32 * 1024, &['\t'])?;
        process_types.insert(name, command);
    }
    if process_types.len() > MAX_PROCESS_TYPES {
        return Err(Error::invalid(format!("An app can have {MAX_PROCESS_TYPES} process types at most.")));
    }
    let checksum = input.checksum.map(|checksum| check_checksum(&checksum)).transpose()?;
    for (what, text) in [
        ("Commit", &input.commit),
        ("Commit description", &input.commit_description),
        ("Buildpack provided description", &input.buildpack_provided_description),
    ] {
        if let Some(text) = text {
            text::check(what, text, 1024, &['\n', '\t'])?;
        }
    }
    let stack = stacks::check(input.stack.as_deref().unwrap_or(&app.build_stack))?;
    if stack == stacks::CONTAINER {
        return Err(Error::invalid(
            "A slug can't have the stack container. Push an image to the registry instead, or name another stack.",
        ));
    }
    let now = ops.now();
    Ok(Slug {
        id: SlugId::new(),
        app: app.id,
        image: None,
        images: BTreeMap::new(),
        checksum,
        size: None,
        commit: input.commit,
        commit_description: input.commit_description,
        buildpack_provided_description: input.buildpack_provided_description,
        process_types,
        stack,
        upload_key: random::key(),
        expired: false,
        created_at: now,
        updated_at: now,
    })
}

/// `SHA256:` in any case and 64 hex digits, which come out in lower case.
pub(crate) fn check_checksum(text: &str) -> Result<String> {
    let digits = match text.split_once(':') {
        Some((name, digits)) => name.eq_ignore_ascii_case("sha256").then_some(digits),
        None => Some(text),
    };
    match digits {
        Some(digits) if digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Ok(format!("SHA256:{}", digits.to_lowercase()))
        }
        _ => Err(Error::invalid("Checksum must be SHA256: and 64 hex digits, or the digits alone.")),
    }
}
