//! Installed packages that an earlier build kept: a layer that builds start with and images refer to.
//!
//! There may be two: all packages, which the app's scripts run with, and those that stay when
//! packages for development have been removed, which the app runs with. An app whose files are
//! built elsewhere than they will run (several buildpacks) shares no layer; its builds still start
//! with all packages.

use super::app::App;
use super::settings::Selection;
use super::versions::Versions;
use crate::BuildError;
use crate::build::Context;
use crate::cache::{Installed, Kept};
use image::Layer;
use sha2::{Digest as _, Sha256};

/// Counts up when the same inputs would be installed into something else.
const RECIPE: u32 = 2;

/// The names of what is kept.
const FULL: &str = "node-full";
const PRUNED: &str = "node-pruned";

/// What is known before anything is installed.
#[derive(Clone, Debug)]
pub(super) struct Dependencies {
    /// Under which they are kept.
    keys: Option<Keys>,
    /// With packages for development.
    full: Installed,
    /// Without them.
    pruned: Installed,
    /// Whether a build needs packages for development.
    needs_full: bool,
    /// Whether some are removed in the end.
    is_pruned: bool,
    /// Whether images refer to them.
    is_shared: bool,
}

/// What decides them, in two ways.
#[derive(Clone, Debug)]
struct Keys {
    /// For packages that run no programs when they are installed.
    plain: String,
    /// For others, which may look at any config var.
    scripted: String,
}

impl Dependencies {
    /// Looks for what an earlier build of the app kept.
    pub(super) fn find(context: &Context<'_>, app: &App, versions: &Versions, selection: &Selection) -> Self {
        let is_pruned = app.can_be_pruned() && selection.development && selection.kept.is_none();
        let keys = app.fingerprint.as_ref().filter(|_| selection.cached);
        let keys = keys.map(|fingerprint| Keys::of(context, fingerprint, versions, selection));
        let pair =
            |key: Option<&String>| [FULL, PRUNED].map(|name| Installed::find(context, name, key.cloned()));
        let [full, pruned] = match &keys {
            None => pair(None),
            Some(keys) => {
                let plain = pair(Some(&keys.plain));
                let found = plain.iter().any(Installed::is_there);
                if found { plain } else { pair(Some(&keys.scripted)) }
            }
        };
        let needs_full = !context.alone || (app.needs_all_packages() && is_pruned);
        Self { keys, full, pruned, needs_full, is_pruned, is_shared: context.alone }
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
        let (is_hit, is_kept) = (self.for_start().is_there(), self.keys.is_some());
        vec![
            ("KIGO_INSTALLED".into(), flag(is_hit)),
            ("KIGO_SEND_FULL".into(), flag(self.needs_full && is_kept)),
            // What came without packages for development needs no pruning.
            ("KIGO_PRUNE".into(), flag(self.is_pruned && (self.needs_full || !is_hit))),
            ("KIGO_SHARE".into(), flag(self.is_shared && is_kept)),
            ("KIGO_HAVE_PRUNED".into(), flag(self.is_shared && self.pruned.is_there())),
        ]
    }

    /// What a build that sent these layers keeps. `scripted` is whether installed packages run
    /// programs of their own, if anything was installed.
    pub(super) fn keep(
        &self,
        context: &mut Context<'_>,
        scripted: Option<bool>,
        full: Option<Layer>,
        pruned: Option<Layer>,
    ) -> Result<Vec<Kept>, BuildError> {
        let mut kept = Vec::new();
        for (name, found, layer) in [(FULL, &self.full, full), (PRUNED, &self.pruned, pruned)] {
            let installed = match (&self.keys, scripted) {
                (Some(keys), Some(true)) => Installed::find(context, name, Some(keys.scripted.clone())),
                (Some(keys), Some(false)) => Installed::find(context, name, Some(keys.plain.clone())),
                _ => found.clone(),
            };
            kept.extend(installed.keep(context, layer)?);
        }
        Ok(kept)
    }
}

impl Keys {
    fn of(context: &Context<'_>, fingerprint: &str, versions: &Versions, selection: &Selection) -> Self {
        let mut plain = Sha256::new();
        let Selection { development, kept, .. } = selection;
        plain.update(format!(
            "{RECIPE}\n{}\n{}\n{development} {}\n",
            context.stack.build,
            context.build_directory(),
            kept.is_none()
        ));
        let programs = [&versions.node, &versions.npm].into_iter().chain(&versions.manager);
        for program in programs {
            plain.update(format!("{} {}\n", program.name, program.version));
        }
        plain.update(fingerprint);
        let mut scripted = plain.clone();
        for (name, value) in &context.request.config_vars.0 {
            let line = format!("{name} {} {value}\n", value.len());
            let lower = name.to_ascii_lowercase();
            if ["npm_config_", "pnpm_config_", "yarn_"].iter().any(|start| lower.starts_with(start)) {
                plain.update(&line);
            }
            scripted.update(&line);
        }
        scripted.update("scripted");
        Self { plain: hex::encode(plain.finalize()), scripted: hex::encode(scripted.finalize()) }
    }
}
