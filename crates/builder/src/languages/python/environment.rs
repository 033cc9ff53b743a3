//! The virtual environment with an app's packages: a layer that is kept as long as all that decides
//! it stays the same.

use super::app::App;
use super::interpreter::Interpreter;
use super::manager::Manager;
use super::tools::{ENVIRONMENT, Tool};
use crate::BuildError;
use crate::build::{Context, pack_tree};
use crate::cache::{Installed, Kept};
use crate::container::Ended;
use image::Layer;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Counts up when the same inputs would be installed into something else.
const RECIPE: u32 = 2;

/// What an app's packages are installed into.
#[derive(Debug)]
pub(super) struct Environment {
    installed: Installed,
    /// With nothing but pip.
    empty: Option<Layer>,
    /// Config vars that the installation may look at; others it is not given.
    pub(super) settings: BTreeMap<String, String>,
}

impl Environment {
    /// Looks for what an earlier build installed.
    pub(super) fn find(context: &Context<'_>, app: &App, interpreter: &Interpreter, tool: &Tool) -> Self {
        let settings = settings(context, app);
        let tool_name = format!("{} {}", tool.manager.command(), tool.manager.version());
        let family = hash(&format!(
            "{RECIPE}\n{}\n{}\n{tool_name}\n{}",
            context.stack.build,
            interpreter.name(),
            tool.layer.digest
        ));
        // Packages that are directories of the app are known by their path, and not every build has
        // the same.
        let place = if app.dependencies.local { context.build_directory() } else { String::new() };
        let inputs = hash(&format!("{place}\n{settings:?}\n{}", app.dependencies.hash));
        let key = app.dependencies.fixed.then(|| format!("{family}.{inputs}"));
        let mut installed = Installed::find(context, "python", key);
        if app.manager.takes_away() && app.dependencies.fixed {
            installed = installed.or_like(context, &format!("{family}."));
        }
        let empty = (tool.manager == Manager::Pip).then_some(tool.layer);
        Self { installed, empty, settings }
    }

    /// What a build starts with.
    pub(super) fn start(&self) -> Option<Layer> {
        self.installed.start().or(self.empty)
    }

    /// What the container is told.
    pub(super) fn plan(&self, app: &App) -> [(String, String); 4] {
        let flag = |truth: bool| u8::from(truth).to_string();
        let names: Vec<&str> = self.settings.keys().map(String::as_str).collect();
        [
            ("KIGO_INSTALLED".into(), flag(self.installed.is_there())),
            ("KIGO_RESTORED".into(), flag(self.installed.start().is_some())),
            ("KIGO_ITSELF".into(), flag(app.dependencies.itself)),
            ("KIGO_SETTINGS".into(), names.join(" ")),
        ]
    }

    /// Whether nothing has to be fetched.
    pub(super) fn is_complete(&self, app: &App) -> bool {
        self.installed.is_there() && !app.dependencies.itself
    }

    /// Takes over what came out of the container: the layers of the environment, and what is kept of
    /// it.
    pub(super) async fn collect(
        &self,
        context: &mut Context<'_>,
        ended: &mut Ended,
    ) -> Result<(Vec<Layer>, Option<Kept>), BuildError> {
        let sent = ended.layer("installed");
        let missing = || BuildError::Container("it ended without sending the app's packages".into());
        let installed = sent.or(self.start()).ok_or_else(missing)?;
        let kept = self.installed.keep(context, Some(installed))?;
        let whole = ended.told("changed")?.as_deref() == Some("whole");
        let changed = match ended.tree("changed") {
            Some(tree) => Some(pack_tree(context.builder, tree, ENVIRONMENT, context.source_time).await?),
            None => None,
        };
        let first = if whole { None } else { Some(installed) };
        Ok((first.into_iter().chain(changed).collect(), kept))
    }
}

/// The config vars that are settings of the package manager, or that its files refer to.
fn settings(context: &Context<'_>, app: &App) -> BTreeMap<String, String> {
    let own = |name: &str| app.manager.settings().iter().any(|start| name.starts_with(start));
    let vars = context.request.config_vars.0.iter();
    let meant = vars.filter(|(name, _)| own(name) || app.dependencies.variables.contains(*name));
    meant.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}
