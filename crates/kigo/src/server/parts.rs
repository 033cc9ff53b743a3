//! The parts of an installation that have nothing to do with who reaches it: rows, images, logs, the
//! engine, the builder. `kigo server` puts ports around them, `kigo addons:test` none.

use super::journal::AppLogs;
use super::{apps, databases, routing, settings};
use crate::config::Config;
use crate::env::Endpoints;
use crate::reserve;
use addons::Catalog;
use anyhow::{Context, Result};
use builder::Builder;
use engine_local::Local;
use image::ImageStore;
use logs::Logs;
use ops::Ops;
use reconcile::{Outputs, Shelf};
use std::path::Path;
use std::sync::Arc;
use store::{Keys, Store};
use tracing::warn;

pub(crate) use super::settings::local_config;

/// The parts that others are made of.
pub(crate) struct Base {
    pub(crate) ops: Ops,
    pub(crate) images: ImageStore,
    pub(crate) logs: Logs,
    pub(crate) engine: Arc<Local>,
    pub(crate) builder: Builder,
    pub(crate) outputs: Outputs,
    pub(crate) shelf: Shelf,
}

/// Opens what the data directory holds.
pub(crate) async fn open(config: &Config, endpoints: &Endpoints, catalog: Catalog) -> Result<Base> {
    let data = &config.data_dir;
    let store = open_store(data).await.context("cannot open the database")?;
    let images = ImageStore::open(data)?;
    let logs = Logs::open(logs::Config::new(data.join("logs")))?;
    let settings = ops::Settings {
        api_origin: endpoints.api_url.clone(),
        base_domain: config.base_domain.clone(),
        max_registry_bytes: config.registry_app_limit,
        catalog: Arc::new(catalog),
        service_addresses: settings::service_addresses(config)?,
        sends_mail: config.mail.is_some(),
        tells_operator: config.operator.is_some(),
        ..ops::Settings::default()
    };
    let ops = Ops::new(store, settings, Arc::new(AppLogs(logs.clone())));
    reconcile::keep_logs(&ops, &logs).await?;
    ops::domains::refresh_defaults(&ops).await?;
    ops::partners::load(&ops).await?;
    let engine = Local::open(local_config(config)?, images.clone()).await?;
    for warning in engine.warnings() {
        warn!("{warning}");
    }
    let engine = Arc::new(engine);
    let builder =
        Builder::new(engine.clone(), images.clone(), data.clone(), settings::build_settings(config)?);
    let (outputs, shelf) = (Outputs::new(data), settings::shelf(config)?);
    Ok(Base { ops, images, logs, engine, builder, outputs, shelf })
}

async fn open_store(data: &Path) -> Result<Store> {
    let given = std::env::var("KIGO_MASTER_KEY").ok();
    let keys = || Keys::load(data, given.as_deref()).context("cannot read the master key");
    match Store::open(data, keys()?).await {
        Err(error) if ops::is_disk_full(&error) && reserve::give_up(data) => {
            warn!("the disk is full: starting with the room that was kept for that; make more");
            Ok(Store::open(data, keys()?).await?)
        }
        opened => Ok(opened?),
    }
}

/// What the loops work with.
pub(crate) fn deps(base: &Base, routes: &router::Routes, endpoints: &Endpoints) -> reconcile::Deps {
    let shown = api::Config { app_url: endpoints.app_url.clone(), ..api::Config::default() };
    reconcile::Deps {
        ops: base.ops.clone(),
        engine: base.engine.clone(),
        builder: Arc::new(base.builder.clone()),
        images: base.images.clone(),
        logs: base.logs.clone(),
        outputs: base.outputs.clone(),
        routing: Arc::new(routing::Router(routes.clone())),
        storage: Arc::new(databases::Postgres),
        show: Arc::new(apps::Apps { ops: base.ops.clone(), config: shown }),
    }
}

/// What the operator has set for the loops.
pub(crate) fn loop_settings(config: &Config, endpoints: &Endpoints, base: &Base) -> reconcile::Settings {
    settings::loop_settings(config, endpoints, base.shelf.clone())
}
