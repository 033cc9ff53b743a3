//! Asking for a backup, a restore, a copy.

use crate::{Actor, Error, Ops, Permission, Result, addons};
use ::addons::Place;
use domain::{
    Addon, AddonId, AddonState, Proof, Schedule, Transfer, TransferId, TransferKind, TransferState,
};
use jiff::Timestamp;
use store::{Tx, Write};

/// Transfers of one add-on that wait or run, at most.
const PENDING: usize = 5;

/// What a restore reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// A backup of an app that the actor has to have access to.
    Backup(TransferId),
    /// A backup for which the actor has shown permission.
    Granted(TransferId),
    /// A dump that is downloaded.
    Url(String),
}

/// A backup of an add-on.
pub async fn backup(ops: &Ops, actor: &Actor, addon: &str) -> Result<Transfer> {
    let mut write = ops.store().write().await?;
    let addon = ready(ops, &mut write, actor, addon, Permission::Write).await?;
    let mut transfer = new(&addon, TransferKind::Backup, ops.now());
    transfer.from = Some(addon.id);
    transfer.from_name.clone_from(&addon.name);
    insert(write, transfer).await
}

/// Puts a dump into an add-on, in the place of what is there.
pub async fn restore(
    ops: &Ops,
    actor: &Actor,
    addon: &str,
    from: From,
    extensions: Vec<String>,
) -> Result<Transfer> {
    let mut write = ops.store().write().await?;
    let addon = ready(ops, &mut write, actor, addon, Permission::Write).await?;
    addons::writable(&mut write, &addon).await?;
    check_extensions(&extensions)?;
    let mut transfer = new(&addon, TransferKind::Restore, ops.now());
    transfer.to = Some(addon.id);
    transfer.to_name.clone_from(&addon.name);
    transfer.extensions = extensions;
    match from {
        From::Url(url) => {
            "BACKUP".clone_into(&mut transfer.from_name);
            transfer.url = url;
        }
        From::Backup(id) | From::Granted(id) => {
            let found = store::transfers::by_id(&mut write, id).await?.filter(Transfer::is_backup);
            let backup = found.ok_or_else(|| Error::invalid("There is no such backup any more."))?;
            if from == From::Backup(id) {
                let app = backup.app.to_string();
                let role = crate::access::Role::Collaborator;
                crate::access::app(&mut write, actor, &app, Permission::ReadProtected, role).await?;
            }
            if backup.service != addon.service {
                return Err(Error::invalid(format!(
                    "{} is a backup of {} and cannot be restored into {}, which is {}.",
                    backup.name(),
                    backup.service,
                    addon.name,
                    addon.service
                )));
            }
            transfer.from_name = backup.name();
            transfer.backup = Some(backup.id);
        }
    }
    insert(write, transfer).await
}

/// Copies all data of an add-on into another, in the place of what is there. Both are named by the value of a
/// config var that leads to them.
pub async fn copy(ops: &Ops, actor: &Actor, from: &str, to: &str) -> Result<Transfer> {
    let mut write = ops.store().write().await?;
    let (from, to) = (ours(ops, &mut write, from).await?, ours(ops, &mut write, to).await?);
    let source = ready(ops, &mut write, actor, &from.to_string(), Permission::ReadProtected).await?;
    let target = ready(ops, &mut write, actor, &to.to_string(), Permission::Write).await?;
    addons::writable(&mut write, &target).await?;
    if source.id == target.id {
        return Err(Error::invalid("An add-on cannot be copied onto itself."));
    }
    if source.service != target.service {
        return Err(Error::invalid(format!("{} and {} are different services.", source.name, target.name)));
    }
    let mut transfer = new(&target, TransferKind::Copy, ops.now());
    (transfer.from, transfer.to) = (Some(source.id), Some(target.id));
    (transfer.from_name, transfer.to_name) = (source.name, target.name);
    insert(write, transfer).await
}

async fn ours(ops: &Ops, tx: &mut Tx, url: &str) -> Result<AddonId> {
    by_url(ops, tx, url).await?.ok_or_else(|| {
        Error::invalid(
            "Only databases of this installation can be copied from and to, and this address is none of theirs. For \
             others there are pg:pull, pg:push and pg:backups:restore with the address of a dump.",
        )
    })
}

/// The add-on that a config var of this value leads to.
pub(crate) async fn by_url(ops: &Ops, tx: &mut Tx, url: &str) -> Result<Option<AddonId>> {
    for addon in store::addons::list(tx).await? {
        let Some(service) = ops.settings().catalog.service(&addon.service) else { continue };
        let instance = match addon.instance {
            Some(id) => store::instances::by_id(tx, id).await?,
            None => None,
        };
        let (Some(run), Some(instance)) = (&service.run, instance) else { continue };
        let credentials = store::credentials::of_addon(tx, addon.id).await?;
        // To a pool of connections leads another port.
        for port in std::iter::once(run.port).chain(run.pooling_port) {
            let place = Place { host: instance.address, port };
            for credential in &credentials {
                let vars = service.config_vars("X", Some(place), &credential.values).unwrap_or_default();
                if vars.values().any(|value| value == url) {
                    return Ok(Some(addon.id));
                }
            }
        }
    }
    Ok(None)
}

/// The backup that a schedule asks for at `slot`. For the loop; takes no actor.
pub async fn scheduled(ops: &Ops, schedule: &Schedule, slot: Timestamp) -> Result<()> {
    let mut write = ops.store().write().await?;
    store::transfers::schedules::set_done(&mut write, schedule.id, slot).await?;
    let addon = store::addons::by_id(&mut write, schedule.addon).await?;
    let addon = addon.filter(|addon| addon.state == AddonState::Provisioned);
    if let Some(addon) = addon {
        let mut transfer = new(&addon, TransferKind::Backup, ops.now());
        transfer.from = Some(addon.id);
        transfer.from_name.clone_from(&addon.name);
        transfer.schedule = Some(schedule.name.clone());
        store::transfers::insert(&mut write, &mut transfer).await?;
    }
    Ok(write.commit().await?)
}

fn new(addon: &Addon, kind: TransferKind, now: Timestamp) -> Transfer {
    Transfer {
        id: TransferId::new(),
        app: addon.app,
        number: 0,
        kind,
        state: TransferState::Pending,
        from: None,
        from_name: String::new(),
        to: None,
        to_name: String::new(),
        service: addon.service.clone(),
        plan: addon.plan.clone(),
        backup: None,
        url: String::new(),
        extensions: Vec::new(),
        schedule: None,
        cancelled: false,
        attempts: 0,
        source_bytes: 0,
        processed_bytes: 0,
        warnings: 0,
        digest: None,
        figures: None,
        proof: Proof::None,
        proof_text: None,
        proven_at: None,
        proof_attempts: 0,
        proof_instance: None,
        created_at: now,
        started_at: None,
        finished_at: None,
    }
}

async fn insert(mut write: Write, mut transfer: Transfer) -> Result<Transfer> {
    store::transfers::insert(&mut write, &mut transfer).await?;
    write.commit().await?;
    Ok(transfer)
}

/// An add-on that is there, and whose service can make backups.
async fn ready(
    ops: &Ops,
    tx: &mut Tx,
    actor: &Actor,
    identity: &str,
    permission: Permission,
) -> Result<Addon> {
    let addon = addons::find(tx, actor, identity, permission).await?;
    let service = ops.settings().catalog.service(&addon.service);
    let able = service.is_some_and(|one| one.hooks.backup.is_some() && one.hooks.restore.is_some());
    if !able {
        return Err(Error::invalid(format!("{} has no backups: its service does not know how.", addon.name)));
    }
    if addon.state != AddonState::Provisioned {
        return Err(Error::Conflict(format!("{} is not there yet. Run `heroku addons:wait`.", addon.name)));
    }
    let all = store::transfers::of_app(tx, addon.app).await?;
    let pending = all.iter().filter(|one| !one.state.is_over() && one.addons().any(|id| id == addon.id));
    if pending.count() >= PENDING {
        return Err(Error::Conflict(format!(
            "{PENDING} transfers of {} wait or run already. Let them end, or cancel them with `heroku pg:backups:cancel`.",
            addon.name
        )));
    }
    Ok(addon)
}

/// They become words of a script.
fn check_extensions(extensions: &[String]) -> Result<()> {
    let fine = |name: &String| {
        (1..=128).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
    };
    match extensions.iter().find(|name| !fine(name)) {
        Some(name) => Err(Error::invalid(format!("{name:?} is no extension's name."))),
        None if extensions.len() > 100 => Err(Error::invalid("These are too many extensions.")),
        None => Ok(()),
    }
}
