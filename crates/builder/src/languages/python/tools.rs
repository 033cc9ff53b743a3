//! Package managers: each of one version, pinned with the hashes of all it consists of, installed
//! once into a layer of its own and shared by all apps.
//!
//! The lists below `tools/` are made with
//! `uv pip compile --universal --generate-hashes --no-header --no-annotate --python-version X`, X being
//! the oldest Python that the tool may be run by.

use super::failed;
use super::interpreter::Interpreter;
use super::manager::Manager;
use super::recipe::{Recipe, short_hash};
use super::words::PythonError;
use crate::BuildError;
use crate::build::Context;
use crate::cache::Shared;
use crate::errand::Errand;
use crate::packages::Packages;
use crate::stack::Stack;
use image::Layer;
use std::collections::BTreeMap;

/// Where the app's packages are installed. pip is one of them.
pub(super) const ENVIRONMENT: &str = "app/.heroku/python";

const SETUPTOOLS: &str = include_str!("tools/setuptools.txt");

/// An installed package manager.
#[derive(Clone, Debug)]
pub(super) struct Tool {
    pub(super) manager: Manager,
    pub(super) layer: Layer,
}

impl Manager {
    /// What it consists of, with hashes.
    fn pins(self) -> &'static str {
        match self {
            Self::Pipenv => include_str!("tools/pipenv.txt"),
            Self::Pip => include_str!("tools/pip.txt"),
            Self::Poetry => include_str!("tools/poetry.txt"),
            Self::Uv => include_str!("tools/uv.txt"),
        }
    }

    /// The version that is installed.
    pub(super) fn version(self) -> &'static str {
        let named = |line: &'static str| line.strip_prefix(self.command())?.strip_prefix("==");
        let rest = self.pins().lines().find_map(named).unwrap_or_default();
        rest.split([' ', ';', '\\']).next().unwrap_or_default()
    }

    /// Its directory. pip is where the app's packages are, and what Heroku has in its slugs is below
    /// `app`, because apps use it when they run.
    pub(super) fn place(self) -> &'static str {
        match self {
            Self::Pipenv => "app/.heroku/pipenv",
            Self::Pip => ENVIRONMENT,
            Self::Poetry => "usr/local/kigo/poetry",
            Self::Uv => "usr/local/kigo/uv",
        }
    }

    /// Whether it runs with the app's Python, and not with the stack's.
    fn is_for_one_python(self) -> bool {
        matches!(self, Self::Pip | Self::Pipenv)
    }
}

impl Tool {
    /// Finds the layer, or makes it.
    pub(super) async fn install(
        context: &mut Context<'_>,
        manager: Manager,
        interpreter: &Interpreter,
    ) -> Result<Self, BuildError> {
        let recipe = recipe(&context.stack, manager, interpreter);
        let shown = format!("{} {}", manager.title(), manager.version());
        if let Some(layer) = recipe.shared.find(context.builder) {
            context.output.heading(format!("Using cached {shown}")).await;
            return Ok(Self { manager, layer });
        }
        context.output.heading(format!("Installing {shown}")).await;
        match recipe.make(context).await? {
            Ok(layer) => Ok(Self { manager, layer }),
            Err(status) => Err(failed(PythonError::Tool { tool: shown, status })),
        }
    }
}

fn recipe(stack: &Stack, manager: Manager, interpreter: &Interpreter) -> Recipe {
    let mut pins = manager.pins().to_owned();
    let own = manager.is_for_one_python();
    // As Heroku has it: older packages take it for granted, and for a part of Python.
    if manager == Manager::Pip && interpreter.series.1 <= 12 {
        pins += SETUPTOOLS;
    }
    let (python, packages) = if own {
        (interpreter.path.as_str(), interpreter.packages.clone())
    } else {
        (Interpreter::OF_THE_STACK, packages(stack))
    };
    let script = include_str!("tools/make.sh");
    let what = format!("{script}\n{pins}\n{}", if own { interpreter.name() } else { String::new() });
    let name = format!("python-{}-{}-{}", manager.command(), manager.version(), short_hash(&what));
    Recipe {
        shared: Shared::named(name).on(stack.build),
        place: manager.place(),
        file: Some(("pins.txt", pins)),
        errand: Errand {
            script: ("python-tool.sh", script),
            env: BTreeMap::from([
                ("KIGO_TOOL".into(), manager.command().into()),
                ("KIGO_PYTHON".into(), python.into()),
            ]),
            packages,
            layers: interpreter.layer.filter(|_| own).into_iter().collect(),
            pipes: Vec::new(),
        },
    }
}

/// Packages that bring the stack's own Python and pip.
pub(super) fn packages(stack: &Stack) -> Packages {
    let runtime = stack.runtimes("python").next();
    runtime.map(|runtime| runtime.build.iter().cloned().collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_is_pinned_with_hashes() {
        for manager in [Manager::Pip, Manager::Pipenv, Manager::Poetry, Manager::Uv] {
            let version = manager.version();
            assert!(version.split('.').count() >= 2, "{manager:?} {version}");
            let pins = manager.pins().replace("\\\n", " ");
            for line in pins.lines() {
                assert!(line.contains("==") && line.contains("--hash=sha256:"), "{manager:?}: {line}");
            }
        }
        assert!(SETUPTOOLS.starts_with("setuptools==") && SETUPTOOLS.contains("--hash=sha256:"));
    }
}
