//! Installed dependencies that an earlier build kept.

use super::app::{App, Install};
use super::versions::Versions;
use crate::BuildError;
use crate::build::Context;
use crate::cache::{Installed, Kept};
use image::Layer;
use sha2::{Digest as _, Sha256};

/// Counts up when the same inputs would be installed into something else.
const RECIPE: u32 = 1;

/// What is known before anything is installed.
#[derive(Clone, Debug)]
pub(super) struct Dependencies {
    /// With packages for development.
    full: Installed,
    /// Without them.
    pruned: Installed,
    /// Whether a build needs packages for development.
    needs_full: bool,
    has_dev_dependencies: bool,
}

impl Dependencies {
    /// Looks for what an earlier build of the app kept.
    pub(super) fn find(context: &Context<'_>, app: &App, versions: &Versions) -> Self {
        let config = &context.request.config_vars.0;
        let off = |name: &str| config.get(name).is_some_and(|value| value == "false");
        let reusable = context.alone
            && app.install == Install::Locked
            && !app.has_local_packages
            && !off("NODE_MODULES_CACHE")
            // Without pruning there is but one set of packages, and it is not the usual one.
            && !off("NPM_CONFIG_PRODUCTION")
            && config.get("NODE_ENV").is_none_or(|value| value == "production");
        let key = reusable.then(|| key(context, app, versions));
        Self {
            full: Installed::find(context, "node-full", key.clone()),
            pruned: Installed::find(context, "node-pruned", key),
            needs_full: app.needs_all_packages() && app.has_dev_dependencies,
            has_dev_dependencies: app.has_dev_dependencies,
        }
    }

    /// What the build's container starts with.
    fn for_start(&self) -> &Installed {
        if self.needs_full { &self.full } else { &self.pruned }
    }

    /// The layer that the build's container starts with.
    pub(super) fn for_build(&self) -> Option<Layer> {
        self.for_start().layer()
    }

    /// The layer that the app runs with.
    pub(super) fn pruned(&self) -> Option<Layer> {
        self.pruned.layer()
    }

    /// For the program in the container.
    pub(super) fn plan(&self) -> Vec<(String, String)> {
        let flag = |truth: bool| u8::from(truth).to_string();
        let (is_hit, is_kept) = (self.for_start().is_there(), self.full.is_kept());
        vec![
            ("KIGO_SHARE".into(), flag(is_kept)),
            ("KIGO_INSTALLED".into(), flag(is_hit)),
            // What came without packages for development needs no pruning.
            (
                "KIGO_INSTALLED_PRUNED".into(),
                flag(is_hit && (!self.needs_full || !self.has_dev_dependencies)),
            ),
            ("KIGO_HAVE_PRUNED".into(), flag(self.pruned.is_there())),
            ("KIGO_SEND_FULL".into(), flag(self.needs_full && is_kept)),
        ]
    }

    /// What a build that sent these layers keeps.
    pub(super) fn keep(
        &self,
        context: &mut Context<'_>,
        full: Option<Layer>,
        pruned: Option<Layer>,
    ) -> Result<Vec<Kept>, BuildError> {
        let (full, pruned) = (self.full.keep(context, full)?, self.pruned.keep(context, pruned)?);
        Ok(full.into_iter().chain(pruned).collect())
    }
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
