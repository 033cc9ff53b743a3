//! Attachments: the ways by which apps get at add-ons, and the config vars that they give. Each change
//! of those makes a release, and a restart with it.

mod vars;

pub(crate) use vars::refresh;
pub use vars::{of_addon_itself, of_namespace, reach};

use crate::addons::{self, AddonInfo};
use crate::{Actor, AppRef, Error, Ops, Permission, Result, access};
use domain::addon::check_attachment_name;
use domain::{Account, Addon, AddonState, App, Attachment, AttachmentId};
use store::{Tx, Write};

/// An attachment with what the API tells about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachmentInfo {
    pub attachment: Attachment,
    pub app: AppRef,
    pub addon: AddonInfo,
    /// Names of the config vars that it gives.
    pub config_vars: Vec<String>,
}

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Create {
    /// Name or id.
    pub addon: String,
    pub app: String,
    /// `None`: the service's usual one.
    pub name: Option<String>,
    /// The app's name, from who knows that an attachment of that name is replaced.
    pub confirm: Option<String>,
    /// `credential:NAME`, `connection-pooling:default`.
    pub namespace: Option<String>,
}

/// How an attachment is to be.
pub(crate) struct Wanted {
    pub(crate) name: Option<String>,
    pub(crate) confirm: Option<String>,
    pub(crate) namespace: Option<String>,
}

/// An attachment that was made, and what the app's log is to say.
pub(crate) struct Inserted {
    pub(crate) attachment: Attachment,
    /// What was in its place, as a release's description.
    pub(crate) replaced: Option<String>,
    pub(crate) lines: Vec<String>,
}

/// The attachments of all apps that one may see.
pub async fn list(ops: &Ops, actor: &Actor) -> Result<Vec<AttachmentInfo>> {
    let apps = crate::apps::list(ops, actor).await?;
    let mut tx = ops.store().read().await?;
    let mut list = Vec::new();
    for app in apps {
        list.extend(of_app(ops, &mut tx, &app.app).await?);
    }
    Ok(list)
}

/// An app's attachments.
pub async fn list_of_app(ops: &Ops, actor: &Actor, app: &str) -> Result<Vec<AttachmentInfo>> {
    let mut tx = ops.store().read().await?;
    let app = access::read(&mut tx, actor, app).await?;
    of_app(ops, &mut tx, &app).await
}

/// An add-on's attachments.
pub async fn list_of_addon(ops: &Ops, actor: &Actor, addon: &str) -> Result<Vec<AttachmentInfo>> {
    let mut tx = ops.store().read().await?;
    let addon = addons::find(&mut tx, actor, addon, Permission::Read).await?;
    of_addon(ops, &mut tx, &addon).await
}

pub(crate) async fn of_addon(ops: &Ops, tx: &mut Tx, addon: &Addon) -> Result<Vec<AttachmentInfo>> {
    let mut list = Vec::new();
    for attachment in store::attachments::of_addon(tx, addon.id).await? {
        list.push(describe(ops, tx, attachment, addon.clone()).await?);
    }
    Ok(list)
}

/// One by id.
pub async fn info(ops: &Ops, actor: &Actor, identity: &str) -> Result<AttachmentInfo> {
    let mut tx = ops.store().read().await?;
    let attachment = by_id(&mut tx, identity).await?;
    access::read(&mut tx, actor, &attachment.app.to_string()).await?;
    with_addon(ops, &mut tx, attachment).await
}

/// One of an app's by name or id.
pub async fn info_of_app(ops: &Ops, actor: &Actor, app: &str, identity: &str) -> Result<AttachmentInfo> {
    let mut tx = ops.store().read().await?;
    let app = access::read(&mut tx, actor, app).await?;
    let all = store::attachments::of_app(&mut tx, app.id).await?;
    let found =
        all.into_iter().find(|one| one.name.eq_ignore_ascii_case(identity) || one.id.to_string() == identity);
    with_addon(ops, &mut tx, found.ok_or_else(missing)?).await
}

/// What `identity` may mean: an attachment's name or id, one of its config vars, the name or id of its
/// add-on; in `app`, or for `None` anywhere. `service` narrows it down.
pub async fn resolve(
    ops: &Ops,
    actor: &Actor,
    identity: &str,
    app: Option<&str>,
    service: Option<&str>,
) -> Result<Vec<AttachmentInfo>> {
    let (app, identity) = identity.split_once("::").map_or((app, identity), |(app, name)| (Some(app), name));
    let all = match app {
        Some(app) => list_of_app(ops, actor, app).await?,
        None => list(ops, actor).await?,
    };
    let mut found = matching(&all, identity, app.is_some());
    if found.is_empty() && app.is_some() {
        // An add-on's name means it everywhere.
        let everywhere = list(ops, actor).await?;
        found = matching(&everywhere, identity, false);
    }
    found.retain(|info| service.is_none_or(|service| info.addon.addon.service == service));
    if found.is_empty() { Err(missing()) } else { Ok(found) }
}

fn matching(all: &[AttachmentInfo], identity: &str, in_app: bool) -> Vec<AttachmentInfo> {
    let own = |info: &&AttachmentInfo| {
        info.attachment.id.to_string() == identity
            || in_app
                && (info.attachment.name.eq_ignore_ascii_case(identity)
                    || info.config_vars.iter().any(|var| var == identity))
    };
    let exact: Vec<_> = all.iter().filter(own).cloned().collect();
    if !exact.is_empty() {
        return exact;
    }
    let addon = |info: &&AttachmentInfo| {
        let Addon { name, id, .. } = &info.addon.addon;
        name == identity || id.to_string() == identity
    };
    all.iter().filter(addon).cloned().collect()
}

/// Attaches an app to an add-on.
pub async fn create(ops: &Ops, actor: &Actor, input: Create) -> Result<AttachmentInfo> {
    let mut write = ops.store().write().await?;
    let mut app = access::write(&mut write, actor, &input.app).await?;
    let addon = addons::find(&mut write, actor, &input.addon, Permission::Read).await?;
    // Who is given the config vars might as well read them.
    access::app(&mut write, actor, &addon.app.to_string(), Permission::Write, access::Role::Collaborator)
        .await?;
    if addon.app != app.id && ops.catalog().service(&addon.service).is_some_and(|service| !service.sharing) {
        return Err(Error::invalid(format!("{} cannot be shared between apps.", addon.name)));
    }
    let wanted = Wanted { name: input.name, confirm: input.confirm, namespace: input.namespace };
    let made = insert(ops, &mut write, &actor.account, &mut app, &addon, wanted).await?;
    let mut descriptions: Vec<_> = made.replaced.into_iter().collect();
    descriptions.push(format!("Attach {} (@ref:{})", made.attachment.name, addon.name));
    let mut lines = made.lines;
    if addon.state == AddonState::Provisioned {
        lines.extend(refresh(ops, &mut write, &mut app, &actor.account, descriptions).await?);
    }
    let info = describe(ops, &mut write, made.attachment, addon).await?;
    ops.commit(write, app.id, lines).await?;
    Ok(info)
}

/// Detaches an app.
pub async fn destroy(ops: &Ops, actor: &Actor, identity: &str) -> Result<AttachmentInfo> {
    let mut write = ops.store().write().await?;
    let attachment = by_id(&mut write, identity).await?;
    let mut app = access::write(&mut write, actor, &attachment.app.to_string()).await?;
    let info = with_addon(ops, &mut write, attachment.clone()).await?;
    let addon = &info.addon.addon;
    let lines = remove(ops, &mut write, &actor.account, &mut app, &attachment, addon).await?;
    ops.commit(write, app.id, lines).await?;
    Ok(info)
}

/// Adds the row, replacing one of the same name if that is confirmed. The config vars follow with
/// [`refresh`].
pub(crate) async fn insert(
    ops: &Ops,
    write: &mut Write,
    user: &Account,
    app: &mut App,
    addon: &Addon,
    wanted: Wanted,
) -> Result<Inserted> {
    let Wanted { name, confirm, namespace } = wanted;
    let mut replaced = None;
    let name = match name {
        Some(name) => {
            let name = name.to_ascii_uppercase();
            check_attachment_name(&name)?;
            replaced = make_room(ops, write, app, addon, &name, confirm.as_deref()).await?;
            name
        }
        None => free_name(ops, write, app, addon).await?,
    };
    check_namespace(ops, write, addon, namespace.as_deref()).await?;
    let now = ops.now();
    let attachment = Attachment {
        id: AttachmentId::new(),
        addon: addon.id,
        app: app.id,
        name,
        namespace,
        created_at: now,
        updated_at: now,
    };
    store::attachments::insert(write, &attachment).await?;
    let lines = replaced.iter().map(|what| crate::text::by(user, what)).collect();
    Ok(Inserted { attachment, replaced, lines })
}

/// Takes an attachment away, and the config vars with it.
pub(crate) async fn remove(
    ops: &Ops,
    write: &mut Write,
    user: &Account,
    app: &mut App,
    attachment: &Attachment,
    addon: &Addon,
) -> Result<Vec<String>> {
    store::attachments::delete(write, attachment.id).await?;
    let what = format!("Detach {} (@ref:{})", attachment.name, addon.name);
    refresh(ops, write, app, user, vec![what]).await
}

/// Removes an attachment that stands in another one's place, and returns what was done.
async fn make_room(
    ops: &Ops,
    write: &mut Write,
    app: &App,
    addon: &Addon,
    name: &str,
    confirm: Option<&str>,
) -> Result<Option<String>> {
    let own = store::configs::own_of_app(write, app.id).await?;
    let catalog = ops.catalog();
    let service = catalog.service(&addon.service);
    let vars = service.map(|service| service.config_names(name)).unwrap_or_default();
    if let Some(var) = vars.iter().find(|var| own.0.contains_key(*var)) {
        return Err(Error::invalid(format!(
            "The app {} has a config var {var} already. Remove it with `heroku config:unset {var}`, or attach under another name with --as.",
            app.name
        )));
    }
    let attachments = store::attachments::of_app(write, app.id).await?;
    let Some(old) = attachments.into_iter().find(|one| one.name == name) else { return Ok(None) };
    let other = store::addons::by_id(write, old.addon).await?;
    let other = other.map_or_else(String::new, |other| other.name);
    if confirm != Some(app.name.as_str()) {
        return Err(Error::ConfirmationRequired {
            name: app.name.to_string(),
            message: format!("{name} is in use by {other} on the app {}. Confirm to replace it.", app.name),
        });
    }
    store::attachments::delete(write, old.id).await?;
    Ok(Some(format!("Detach {name} (@ref:{other})")))
}

/// The service's first name, or a further one, in whose way nothing is.
async fn free_name(ops: &Ops, write: &mut Write, app: &App, addon: &Addon) -> Result<String> {
    let catalog = ops.catalog();
    let service = catalog.service(&addon.service).ok_or_else(addons::missing)?;
    let own = store::configs::own_of_app(write, app.id).await?;
    let attachments = store::attachments::of_app(write, app.id).await?;
    let is_free = |name: &str| {
        attachments.iter().all(|one| one.name != name)
            && service.config_names(name).iter().all(|var| !own.0.contains_key(var))
    };
    if is_free(&service.attachment.first) {
        return Ok(service.attachment.first.clone());
    }
    let further = service.further();
    let color = ::addons::color(|color| is_free(&format!("{further}_{color}")));
    Ok(format!("{further}_{color}"))
}

async fn check_namespace(ops: &Ops, write: &mut Write, addon: &Addon, namespace: Option<&str>) -> Result<()> {
    let Some(namespace) = namespace else { return Ok(()) };
    if namespace == Attachment::POOLING {
        let service = ops.settings().catalog.service(&addon.service);
        let is_shared = service.and_then(|service| service.plan(&addon.plan)).is_none_or(|plan| plan.shared);
        let pool = service.and_then(|service| service.run.as_ref()).and_then(|run| run.pooling_port);
        return match pool {
            Some(_) if !is_shared => Ok(()),
            Some(_) => Err(Error::invalid(format!(
                "Connection pooling is for plans with a server of their own, and {} is on {}:{}.",
                addon.name, addon.service, addon.plan
            ))),
            None => Err(Error::invalid(format!("{} has no connection pooling.", addon.service))),
        };
    }
    let Some(name) = namespace.strip_prefix("credential:") else {
        return Err(Error::invalid(format!(
            "The namespace {namespace:?} does not exist. Use `credential:NAME` or `{}`.",
            Attachment::POOLING
        )));
    };
    let found = store::credentials::by_name(write, addon.id, name).await?;
    if found.is_none_or(|found| !found.active || found.removed) {
        return Err(Error::invalid(format!("{} has no credential {name:?}.", addon.name)));
    }
    Ok(())
}

async fn of_app(ops: &Ops, tx: &mut Tx, app: &App) -> Result<Vec<AttachmentInfo>> {
    let mut list = Vec::new();
    for attachment in store::attachments::of_app(tx, app.id).await? {
        list.push(with_addon(ops, tx, attachment).await?);
    }
    Ok(list)
}

async fn with_addon(ops: &Ops, tx: &mut Tx, attachment: Attachment) -> Result<AttachmentInfo> {
    let addon = store::addons::by_id(tx, attachment.addon).await?.ok_or_else(addons::missing)?;
    describe(ops, tx, attachment, addon).await
}

async fn describe(ops: &Ops, tx: &mut Tx, attachment: Attachment, addon: Addon) -> Result<AttachmentInfo> {
    let app = store::apps::by_id(tx, attachment.app).await?.ok_or_else(missing)?;
    let catalog = ops.catalog();
    let service = catalog.service(&addon.service);
    let config_vars = service.map(|service| service.config_names(&attachment.name)).unwrap_or_default();
    let addon = addons::with_app(ops, tx, addon).await?;
    Ok(AttachmentInfo { attachment, app: (&app).into(), addon, config_vars })
}

async fn by_id(tx: &mut Tx, identity: &str) -> Result<Attachment> {
    let found = match identity.parse() {
        Ok(id) => store::attachments::by_id(tx, id).await?,
        Err(_) => None,
    };
    found.ok_or_else(missing)
}

fn missing() -> Error {
    Error::NotFound { resource: "add_on attachment", message: "Couldn't find that add-on attachment.".into() }
}
