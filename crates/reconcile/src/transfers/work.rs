//! The three kinds of transfers.

use super::hook::{Dump, Outcome, Place, Stop};
use super::{Worker, pipe};
use crate::error::{Error, chain};
use crate::fetch::fetch_file;
use crate::shelf::Lent;
use domain::{AddonId, AddonState, Credential, Transfer, TransferKind};
use ops::transfers::Done;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const MIB: u64 = 1 << 20;
/// A dump has no indexes and is compressed; one that is larger than this, in parts of the plan's disk, is
/// something else.
const DISKS: u64 = 2;
/// And at least this, for plans without a disk.
const LEAST: u64 = 1 << 30;
/// How long a dump's download may take.
const DOWNLOAD: Duration = Duration::from_hours(2);

impl Worker {
    /// Does one.
    pub(super) async fn run(&self, transfer: &Transfer, stop: &CancellationToken) -> Outcome<Done> {
        let part = self.shelf().part(transfer.id);
        let result = match transfer.kind {
            TransferKind::Backup => self.backup(transfer, &part, stop).await,
            TransferKind::Restore => self.restore(transfer, &part, stop).await,
            TransferKind::Copy => self.copy(transfer, &part, stop).await,
        };
        match tokio::fs::remove_file(&part).await {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::warn!(path = %part.display(), %error, "a part of a dump stays behind");
            }
            _ => {}
        }
        result
    }

    async fn backup(&self, transfer: &Transfer, part: &Path, stop: &CancellationToken) -> Outcome<Done> {
        let done = self.take(transfer, part, stop).await?;
        tokio::select! {
            kept = self.shelf().keep(transfer.id, part) => kept.map_err(Error::io("keep the dump"))?,
            () = stop.cancelled() => return Err(Stop::Asked),
        }
        Ok(done)
    }

    async fn restore(&self, transfer: &Transfer, part: &Path, stop: &CancellationToken) -> Outcome<Done> {
        let Some(backup) = transfer.backup else {
            self.download(transfer, part, stop).await?;
            return self.put(transfer, part, stop).await;
        };
        let row = store::transfers::by_id(&mut self.services.ops.store().read().await?, backup).await?;
        let Some(backup) = row.filter(Transfer::is_backup) else {
            return Err(Stop::Failed("the backup is not kept any more".into()));
        };
        let dump = self.lend(&backup, stop).await?;
        self.put(transfer, dump.path(), stop).await
    }

    async fn copy(&self, transfer: &Transfer, part: &Path, stop: &CancellationToken) -> Outcome<Done> {
        let taken = self.take(transfer, part, stop).await?;
        let put = self.put(transfer, part, stop).await?;
        Ok(Done { warnings: put.warnings, digest: None, figures: None, ..taken })
    }

    /// A backup's dump, which is still what was written.
    pub(super) async fn lend(&self, backup: &Transfer, stop: &CancellationToken) -> Outcome<Lent> {
        let scratch = self.work().join(format!("{}.dump", Uuid::new_v4()));
        let lent = tokio::select! {
            lent = self.shelf().lend(backup.id, &scratch) => lent,
            () = stop.cancelled() => return Err(Stop::Asked),
        };
        let (lent, found) = match lent {
            Ok(lent) => {
                let path = lent.path().to_owned();
                let found = tokio::task::spawn_blocking(move || pipe::digest(&path)).await;
                (Some(lent), found.map_err(|error| Error::Panic(error.to_string()))?)
            }
            // A store that does not answer says nothing about what is in it.
            Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unsupported) => {
                return Err(Stop::Machine(Error::io("fetch the dump")(error)));
            }
            Err(error) => (None, Err(error)),
        };
        match (lent, found) {
            (Some(lent), Ok(found)) if Some(found) == backup.digest => Ok(lent),
            (_, Ok(_)) => Err(Stop::Failed(format!(
                "the file of {} is damaged: it is not what was written when the backup was made",
                backup.name()
            ))),
            (_, Err(error)) if error.kind() == ErrorKind::NotFound => {
                Err(Stop::Failed(format!("the file of {} is missing", backup.name())))
            }
            (_, Err(error)) => {
                Err(Stop::Failed(format!("the file of {} cannot be read: {error}", backup.name())))
            }
        }
    }

    /// Dumps the add-on that a transfer is from.
    async fn take(&self, transfer: &Transfer, part: &Path, stop: &CancellationToken) -> Outcome<Done> {
        // One that is given up stays until its last backup is made.
        let states = &[AddonState::Provisioned, AddonState::Deprovisioning];
        let place = self.place(transfer.from, states).await?;
        let script = script(place.definition.hooks.backup.as_deref(), "make backups")?;
        let limit = place.offer.disk.saturating_mul(DISKS * MIB).max(LEAST);
        let told = self.hook(transfer.id, &place, script, &[], Dump::Into(part, limit), stop).await?;
        let Some(received) = told.received.filter(|received| received.bytes > 0) else {
            return Err(Stop::Failed("the service gave an empty dump".into()));
        };
        Ok(Done {
            source_bytes: told.size,
            processed_bytes: received.bytes,
            warnings: told.warnings,
            digest: Some(received.digest),
            figures: (!told.figures.is_empty()).then_some(told.figures),
        })
    }

    /// Puts a dump into the add-on that a transfer is to.
    async fn put(&self, transfer: &Transfer, dump: &Path, stop: &CancellationToken) -> Outcome<Done> {
        let place = self.place(transfer.to, &[AddonState::Provisioned]).await?;
        let script = script(place.definition.hooks.restore.as_deref(), "restore backups")?;
        let bytes = tokio::fs::metadata(dump).await.map_err(Error::io("look at a dump"))?.len();
        if bytes == 0 {
            return Err(Stop::Failed("the dump is empty".into()));
        }
        let env = [("KIGO_EXTENSIONS", transfer.extensions.join(" "))];
        let told = self.hook(transfer.id, &place, script, &env, Dump::From(dump), stop).await?;
        Ok(Done { processed_bytes: bytes, warnings: told.warnings, ..Done::default() })
    }

    async fn download(&self, transfer: &Transfer, part: &Path, stop: &CancellationToken) -> Outcome<()> {
        let place = self.place(transfer.to, &[AddonState::Provisioned]).await?;
        let limit = place.offer.disk.saturating_mul(DISKS * MIB).max(LEAST);
        let networks = &self.settings.source_networks;
        let fetched = tokio::select! {
            fetched = fetch_file(part, &transfer.url, limit, DOWNLOAD, networks) => fetched,
            () = stop.cancelled() => return Err(Stop::Asked),
        };
        let bytes = fetched.map_err(|error| Stop::Failed(chain(&error)))?;
        let line = format!("Downloaded {bytes} bytes.");
        Ok(ops::transfers::told(&self.services.ops, transfer.id, &line).await?)
    }

    /// Where an add-on lives, and how one gets in.
    async fn place(&self, addon: Option<AddonId>, states: &[AddonState]) -> Outcome<Place<'_>> {
        let mut tx = self.services.ops.store().read().await?;
        let addon = match addon {
            Some(id) => store::addons::by_id(&mut tx, id).await?,
            None => None,
        };
        let addon = addon.filter(|addon| states.contains(&addon.state));
        let gone = || Stop::Failed("its add-on is gone".into());
        let addon = addon.ok_or_else(gone)?;
        let instance = match addon.instance {
            Some(id) => store::instances::by_id(&mut tx, id).await?,
            None => None,
        };
        let credential = store::credentials::by_name(&mut tx, addon.id, Credential::DEFAULT).await?;
        drop(tx);
        let (definition, offer) = self.services.offer(&addon.service, Some(&addon.plan))?;
        let (Some(instance), Some(credential), Some(run), Some(offer)) =
            (instance, credential, definition.run.as_ref(), offer)
        else {
            return Err(Stop::Failed("its service runs nowhere".into()));
        };
        Ok(Place { addon: addon.id, instance, credential, definition, run, offer })
    }
}

/// A hook that the service may not have.
pub(super) fn script<'a>(script: Option<&'a str>, what: &str) -> Outcome<&'a str> {
    script.ok_or_else(|| Stop::Failed(format!("its service does not know how to {what}")))
}
