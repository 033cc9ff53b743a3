//! The services that can be had now: those of this machine, and those that partners run.

use crate::{Error, Ops, Result};
use ::addons::{Catalog, Manifest};
use std::sync::{Arc, Mutex, PoisonError};
use store::{Tx, Write};

/// The marketplace as the rows have it. Read at the start, and again with each change.
pub(crate) struct Offers(Mutex<State>);

struct State {
    /// Counts changes, so that of two that end together the later one stays.
    asked: u64,
    shown: u64,
    catalog: Arc<Catalog>,
}

impl Offers {
    pub(crate) fn new(own: Arc<Catalog>) -> Self {
        Self(Mutex::new(State { asked: 0, shown: 0, catalog: own }))
    }

    pub(crate) fn current(&self) -> Arc<Catalog> {
        self.with(|state| state.catalog.clone())
    }

    fn ask(&self) -> u64 {
        self.with(|state| {
            state.asked += 1;
            state.asked
        })
    }

    fn show(&self, turn: u64, catalog: Arc<Catalog>) {
        self.with(|state| {
            if turn > state.shown {
                (state.shown, state.catalog) = (turn, catalog);
            }
        });
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Reads which services partners run. Called once, at the start of a server.
pub async fn load(ops: &Ops) -> Result<()> {
    let turn = ops.inner.offers.ask();
    let catalog = catalog(ops, &mut ops.store().read().await?).await?;
    ops.inner.offers.show(turn, catalog);
    Ok(())
}

/// Makes a change of the rows last, and shows it.
pub(super) async fn commit(ops: &Ops, mut write: Write) -> Result<()> {
    let turn = ops.inner.offers.ask();
    let catalog = catalog(ops, &mut write).await?;
    let ops = ops.clone();
    Ok(write.commit_then(move || ops.inner.offers.show(turn, catalog)).await?)
}

async fn catalog(ops: &Ops, tx: &mut Tx) -> Result<Arc<Catalog>> {
    let mut definitions = Vec::new();
    for partner in store::partners::list(tx).await? {
        let manifest = Manifest::kept(&partner.manifest).map_err(|error| Error::Internal(Box::new(error)))?;
        definitions.push(manifest.definition());
    }
    Ok(Arc::new(ops.settings().catalog.with(definitions)))
}
