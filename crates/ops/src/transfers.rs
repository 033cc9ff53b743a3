//! Transfers of add-ons' data: backups, restores, copies. Users ask for them here; a loop carries them out
//! and says with [`begun`], [`progress`] and [`finished`] how far it is, and whether a backup could be
//! restored ([`proof_ended`]).
//!
//! They stand in the list of the app that pays for the add-on, and outlive the add-on.

mod change;
mod create;
mod news;
mod progress;
mod proof;
pub mod schedules;

pub use change::{authorize_download, cancel, delete, prove};
pub(crate) use create::by_url;
pub use create::{From, backup, copy, restore, scheduled};
pub(crate) use progress::line;
pub use progress::{Done, Ended, begun, expire, finished, progress, recover, told};
pub use proof::{Verdict, proof_begun, proof_ended, proof_put_off};

use crate::access::{self, Role};
use crate::{Actor, AppRef, Error, Ops, Permission, Result};
use domain::{App, AppId, LogLine, Transfer, TransferLine};
use store::{Tx, Write};

/// An app's, oldest first.
pub async fn list(ops: &Ops, actor: &Actor, app: &str) -> Result<Vec<Transfer>> {
    let mut tx = ops.store().read().await?;
    let app = access::read(&mut tx, actor, app).await?;
    Ok(store::transfers::of_app(&mut tx, app.id).await?)
}

/// One by number or id, with what it has told.
pub async fn info(
    ops: &Ops,
    actor: &Actor,
    app: &str,
    identity: &str,
) -> Result<(Transfer, Vec<TransferLine>)> {
    let mut tx = ops.store().read().await?;
    let (_, transfer) = find(&mut tx, actor, app, identity, Permission::Read).await?;
    let lines = store::transfers::lines(&mut tx, transfer.id).await?;
    Ok((transfer, lines))
}

async fn find(
    tx: &mut Tx,
    actor: &Actor,
    app: &str,
    identity: &str,
    permission: Permission,
) -> Result<(App, Transfer)> {
    let app = access::app(tx, actor, app, permission, Role::Collaborator).await?;
    let found = match (identity.parse(), identity.parse()) {
        (Ok(id), _) => store::transfers::by_id(tx, id).await?.filter(|one| one.app == app.id),
        (_, Ok(number)) => store::transfers::by_number(tx, app.id, number).await?,
        _ => None,
    };
    let transfer = found.ok_or_else(|| Error::NotFound {
        resource: "transfer",
        message: format!("The app {} has no backup, restore or copy {identity}.", AppRef::from(&app).name),
    })?;
    Ok((app, transfer))
}

/// Makes a transaction last and adds lines to apps' logs, as `heroku[backups]: line`.
async fn commit(ops: &Ops, write: Write, said: Vec<(AppId, String)>) -> Result<()> {
    let logging = ops.clone();
    let tell = move || {
        for (app, line) in said {
            logging.inner.log.log(app, LogLine::heroku(logging.now(), "backups", line));
        }
    };
    Ok(write.commit_then(tell).await?)
}
