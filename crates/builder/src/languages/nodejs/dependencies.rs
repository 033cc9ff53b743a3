//! Installed dependencies that an earlier build kept.

use super::app::{App, Install};
use super::record_path;
use super::versions::Versions;
use crate::build::Context;
use crate::cache;
use domain::Digest;
use image::{ImageSpec, ImageStore, Layer, StoreError};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Counts up when the same inputs would be installed into something else.
const RECIPE: u32 = 1;

/// What a build keeps for the next one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CacheRecord {
    /// Hash of everything that decides what gets installed.
    key: String,
    /// With packages for development, as an image of one layer.
    full: Option<Digest>,
    /// Without them.
    pruned: Option<Digest>,
    /// Both, by the name under which a garbage collection looks for them.
    pub(super) images: Vec<Digest>,
}

/// What is known before anything is installed.
#[derive(Clone, Debug)]
pub(super) struct Dependencies {
    /// `None` when the installation cannot be told by its inputs alone.
    key: Option<String>,
    full: Option<(Digest, Layer)>,
    pruned: Option<(Digest, Layer)>,
    /// Whether a build needs packages for development.
    needs_full: bool,
    has_dev_dependencies: bool,
}

impl Dependencies {
    /// Looks for what an earlier build of the app kept.
    pub(super) fn find(context: &Context<'_>, app: &App, versions: &Versions) -> Self {
        let mut found = Self {
            key: None,
            full: None,
            pruned: None,
            needs_full: app.needs_all_packages() && app.has_dev_dependencies,
            has_dev_dependencies: app.has_dev_dependencies,
        };
        let config = &context.request.config_vars.0;
        let off = |name: &str| config.get(name).is_some_and(|value| value == "false");
        let reusable = context.alone
            && app.install == Install::Locked
            && !app.has_local_packages
            && !off("NODE_MODULES_CACHE")
            // Without pruning there is but one set of packages, and it is not the usual one.
            && !off("NPM_CONFIG_PRODUCTION")
            && config.get("NODE_ENV").is_none_or(|value| value == "production");
        if !reusable {
            return found;
        }
        let key = key(context, app, versions);
        let record: Option<CacheRecord> = cache::read(&record_path(context));
        if let Some(record) = record.filter(|record| record.key == key) {
            let images = &context.builder.images;
            found.full = record.full.and_then(|digest| layer(images, digest));
            found.pruned = record.pruned.and_then(|digest| layer(images, digest));
        }
        found.key = Some(key);
        found
    }

    /// Whether nothing has to be installed.
    fn is_hit(&self) -> bool {
        if self.needs_full { self.full.is_some() } else { self.pruned.is_some() }
    }

    /// The layer that the build's container starts with.
    pub(super) fn for_build(&self) -> Option<Layer> {
        let kept = if self.needs_full { self.full } else { self.pruned };
        kept.map(|(_, layer)| layer)
    }

    /// The layer that the app runs with.
    pub(super) fn pruned(&self) -> Option<Layer> {
        self.pruned.map(|(_, layer)| layer)
    }

    /// For the program in the container.
    pub(super) fn plan(&self) -> Vec<(String, String)> {
        let flag = |truth: bool| u8::from(truth).to_string();
        vec![
            ("KIGO_SHARE".into(), flag(self.key.is_some())),
            ("KIGO_INSTALLED".into(), flag(self.is_hit())),
            // What came without packages for development needs no pruning.
            (
                "KIGO_INSTALLED_PRUNED".into(),
                flag(self.is_hit() && (!self.needs_full || !self.has_dev_dependencies)),
            ),
            ("KIGO_HAVE_PRUNED".into(), flag(self.pruned.is_some())),
            ("KIGO_SEND_FULL".into(), flag(self.needs_full && self.key.is_some())),
        ]
    }

    /// What to write down after a successful build that sent these layers.
    pub(super) fn record(
        &self,
        images: &ImageStore,
        full: Option<Layer>,
        pruned: Option<Layer>,
    ) -> Result<Option<CacheRecord>, StoreError> {
        let Some(key) = &self.key else { return Ok(None) };
        let keep = |new: Option<Layer>, old: Option<(Digest, Layer)>| match new {
            Some(layer) => {
                images.put_image(&ImageSpec { layers: vec![layer], ..ImageSpec::default() }).map(Some)
            }
            None => Ok(old.map(|(digest, _)| digest)),
        };
        let (full, pruned) = (keep(full, self.full)?, keep(pruned, self.pruned)?);
        let images: Vec<_> = full.into_iter().chain(pruned).collect();
        Ok((!images.is_empty()).then(|| CacheRecord { key: key.clone(), full, pruned, images }))
    }
}

fn layer(images: &ImageStore, digest: Digest) -> Option<(Digest, Layer)> {
    let layer = images.image(&digest).ok()?.layers.first().copied()?;
    images.has_blob(&layer.digest).then_some((digest, layer))
}

fn key(context: &Context<'_>, app: &App, versions: &Versions) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{RECIPE}\n{}\nnode {}\nnpm {}\n", context.stack.build, versions.node, versions.npm));
    for (name, value) in &context.request.config_vars.0 {
        // Packages' own programs may look at any config var, npm at its own only.
        if app.has_install_scripts || name.to_ascii_lowercase().starts_with("npm_config_") {
            hash.update(format!("{name} {} {value}\n", value.len()));
        }
    }
    hash.update(&app.inputs);
    hex::encode(hash.finalize())
}
