//! Apps. A new app starts with two releases, as on Heroku; destroying one removes its rows at once and
//! leaves a chore for what is outside the database.

use crate::releases::{self, Trigger};
use crate::{Actor, Error, Ops, Permission, Result, access, domains, random, regions, stacks, text};
use domain::{Account, App, AppId, AppName, Chore, ChoreKind, Collaborator, CollaboratorId};
use store::{Tx, Write};

/// An app with who owns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppInfo {
    pub app: App,
    pub owner: Account,
}

/// What is asked of a new app.
#[derive(Clone, Debug, Default)]
pub struct Create {
    /// `None`: a random one.
    pub name: Option<String>,
    /// `None`: the only one.
    pub region: Option<String>,
    /// `None`: the default one.
    pub stack: Option<String>,
}

/// What is to change; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct Update {
    pub name: Option<String>,
    pub maintenance: Option<bool>,
    pub build_stack: Option<String>,
}

/// Makes an app. It is there, with its default domain, when this returns.
pub async fn create(ops: &Ops, actor: &Actor, input: Create) -> Result<AppInfo> {
    let mut write = ops.store().write().await?;
    let (app, lines) = insert(ops, &mut write, actor, input).await?;
    ops.commit(write, app.id, lines).await?;
    Ok(AppInfo { app, owner: actor.account.clone() })
}

/// Adds an app, and returns it with what its log is to say.
pub(crate) async fn insert(
    ops: &Ops,
    write: &mut Write,
    actor: &Actor,
    input: Create,
) -> Result<(App, Vec<String>)> {
    actor.require(Permission::Write)?;
    if let Some(region) = &input.region {
        regions::info(region).map_err(|_| Error::invalid(format!("Region {region:?} does not exist.")))?;
    }
    let stack = stacks::check(input.stack.as_deref().unwrap_or(&ops.settings().default_stack))?;
    let wanted = input.name.as_deref().map(AppName::parse).transpose()?;

    let name = free_name(write, wanted).await?;
    let now = ops.now();
    let mut app = App {
        id: AppId::new(),
        name,
        owner: actor.account.id,
        maintenance: false,
        build_stack: stack.clone(),
        stack,
        current_release: None,
        buildpack_provided_description: None,
        repo_size: None,
        slug_size: None,
        released_at: None,
        created_at: now,
        updated_at: now,
    };
    store::apps::insert(write, &app).await?;
    let place = Collaborator {
        id: CollaboratorId::new(),
        app: app.id,
        account: app.owner,
        created_at: now,
        updated_at: now,
    };
    store::collaborators::insert(write, &place).await?;
    domains::insert_default(ops, write, &app).await?;
    let mut lines = Vec::new();
    for (description, trigger) in
        [("Initial release", Trigger::Platform), ("Enable Logplex", Trigger::Platform)]
    {
        let new = releases::New {
            user: &actor.account,
            description: description.into(),
            slug: None,
            config: None,
            trigger,
        };
        lines.extend(releases::insert(ops, write, &mut app, new).await?.lines);
    }
    Ok((app, lines))
}

/// One app.
pub async fn info(ops: &Ops, actor: &Actor, app: &str) -> Result<AppInfo> {
    let mut tx = ops.store().read().await?;
    let app = access::read(&mut tx, actor, app).await?;
    with_owner(&mut tx, app).await
}

/// Whether somebody may push code to an app, for the git server.
pub async fn authorize_push(ops: &Ops, actor: &Actor, app: &str) -> Result<App> {
    access::write(&mut ops.store().read().await?, actor, app).await
}

/// Whether somebody may look at an app's log, for the servers of log streams.
pub async fn authorize_logs(ops: &Ops, actor: &Actor, app: &str) -> Result<App> {
    access::read(&mut ops.store().read().await?, actor, app).await
}

/// Whoever owns an app, as one who may do everything to it; `None` once the app is gone. Takes no actor:
/// for those who look at apps on nobody's behalf.
pub async fn owner(ops: &Ops, app: AppId) -> Result<Option<Actor>> {
    let mut tx = ops.store().read().await?;
    let Some(app) = store::apps::by_id(&mut tx, app).await? else { return Ok(None) };
    let account = store::accounts::by_id(&mut tx, app.owner).await?;
    Ok(account.map(|account| Actor { account, authorization: None }))
}

/// The apps one owns or collaborates on, by name; for an administrator, all of them.
pub async fn list(ops: &Ops, actor: &Actor) -> Result<Vec<AppInfo>> {
    actor.require(Permission::Read)?;
    let mut tx = ops.store().read().await?;
    let apps = if actor.account.admin {
        store::apps::list(&mut tx).await?
    } else {
        store::apps::list_of(&mut tx, actor.account.id).await?
    };
    with_owners(&mut tx, apps).await
}

/// The apps an account owns or collaborates on, by name: one's own account (`~`), or any for an
/// administrator.
pub async fn list_of(ops: &Ops, actor: &Actor, account: &str) -> Result<Vec<AppInfo>> {
    actor.require(Permission::Read)?;
    let account = crate::accounts::info(ops, actor, account).await?;
    let mut tx = ops.store().read().await?;
    let apps = store::apps::list_of(&mut tx, account.id).await?;
    with_owners(&mut tx, apps).await
}

/// Renames an app, switches maintenance, or chooses the stack of its next build. None of these makes a
/// release.
pub async fn update(ops: &Ops, actor: &Actor, app: &str, input: Update) -> Result<AppInfo> {
    let mut write = ops.store().write().await?;
    let mut app = match input.name {
        Some(_) => access::own(&mut write, actor, app).await?,
        None => access::write(&mut write, actor, app).await?,
    };
    let before = app.clone();
    if let Some(stack) = &input.build_stack {
        app.build_stack = stacks::check(stack)?;
    }
    app.maintenance = input.maintenance.unwrap_or(app.maintenance);
    if let Some(name) = &input.name {
        let name = AppName::parse(name)?;
        if name != app.name {
            app.name = free_name(&mut write, Some(name)).await?;
        }
    }
    if app != before {
        app.updated_at = ops.now();
        store::apps::update(&mut write, &app).await?;
        domains::rename_default(ops, &mut write, &app).await?;
    }
    let info = with_owner(&mut write, app).await?;
    ops.commit(write, before.id, changes(actor, &before, &info.app)).await?;
    Ok(info)
}

/// What the log says about an update.
fn changes(actor: &Actor, before: &App, after: &App) -> Vec<String> {
    let mut lines = Vec::new();
    if before.maintenance != after.maintenance {
        let word = if after.maintenance { "enabled" } else { "disabled" };
        lines.push(text::by(&actor.account, format!("Maintenance mode {word}")));
    }
    if before.name != after.name {
        lines.push(text::by(&actor.account, format!("Rename {} to {}", before.name, after.name)));
    }
    lines
}

/// Destroys an app: its rows are gone when this returns, and what runs or lies elsewhere follows, even
/// if the server dies in between.
pub async fn destroy(ops: &Ops, actor: &Actor, app: &str) -> Result<AppInfo> {
    let mut write = ops.store().write().await?;
    let app = access::own(&mut write, actor, app).await?;
    let info = with_owner(&mut write, app).await?;
    let app = &info.app;
    crate::addons::of_destroyed_app(ops, &mut write, app).await?;
    store::apps::delete(&mut write, app.id).await?;
    insert_chore(ops, &mut write, app, ChoreKind::AppDestroyed).await?;
    write.commit().await?;
    Ok(info)
}

/// Leaves word for whoever clears away.
pub(crate) async fn insert_chore(ops: &Ops, write: &mut Write, app: &App, kind: ChoreKind) -> Result<()> {
    let id = uuid::Uuid::new_v4();
    let chore = Chore { id, kind, app: app.id, app_name: app.name.clone(), created_at: ops.now() };
    Ok(store::chores::insert(write, &chore).await?)
}

async fn free_name(write: &mut Write, wanted: Option<AppName>) -> Result<AppName> {
    if let Some(name) = wanted {
        return match store::apps::by_name(write, &name).await? {
            None => Ok(name),
            Some(_) => Err(Error::invalid(format!("Name {name} is already taken"))),
        };
    }
    loop {
        let name = random::app_name();
        if store::apps::by_name(write, &name).await?.is_none() {
            return Ok(name);
        }
    }
}

async fn with_owner(tx: &mut Tx, app: App) -> Result<AppInfo> {
    let owner = store::accounts::by_id(tx, app.owner).await?.ok_or_else(|| Error::not_found("account"))?;
    Ok(AppInfo { app, owner })
}

async fn with_owners(tx: &mut Tx, apps: Vec<App>) -> Result<Vec<AppInfo>> {
    let mut list = Vec::with_capacity(apps.len());
    for app in apps {
        list.push(with_owner(tx, app).await?);
    }
    Ok(list)
}
