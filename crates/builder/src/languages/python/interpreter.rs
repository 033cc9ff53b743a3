//! The Python that an app runs on: Debian's, which is a part of the stack, or one of
//! python-build-standalone, a layer that all apps share.

use super::asked::Series;
use super::failed;
use super::manager::Manager;
use super::recipe::{Recipe, short_hash};
use super::tools::{self, Tool};
use super::versions::{Source, Version};
use super::words::{Offered, PythonError};
use crate::BuildError;
use crate::build::Context;
use crate::cache::Shared;
use crate::errand::Errand;
use crate::packages::Packages;
use image::Layer;
use std::collections::BTreeMap;

/// Where a downloaded Python is.
const PLACE: &str = "opt/python";

/// A Python that is there.
#[derive(Clone, Debug)]
pub(super) struct Interpreter {
    pub(super) series: Series,
    /// The program.
    pub(super) path: String,
    /// Packages of Debian that builds need for it.
    pub(super) packages: Packages,
    /// What it is in, if it is no part of the stack.
    pub(super) layer: Option<Layer>,
}

impl Interpreter {
    /// The stack's own.
    pub(super) const OF_THE_STACK: &str = "/usr/bin/python3";

    /// Sees to it that the version is there, in builds and when the app runs.
    pub(super) async fn install(context: &mut Context<'_>, version: &Version) -> Result<Self, BuildError> {
        match &version.source {
            Source::Stack(runtime) => {
                context.build_packages.extend(runtime.build.iter().cloned());
                context.run_packages.extend(runtime.run.iter().cloned());
                Ok(Self {
                    series: version.series,
                    path: format!("/usr/bin/python{}", version.series),
                    packages: runtime.build.iter().cloned().collect(),
                    layer: None,
                })
            }
            Source::Download(wanted) => Self::download(context, version.series, wanted).await,
        }
    }

    async fn download(context: &mut Context<'_>, series: Series, wanted: &str) -> Result<Self, BuildError> {
        let mut interpreter = Self {
            series,
            path: format!("/{PLACE}/current/bin/python3"),
            // pip's own package, with which environments are made.
            packages: tools::packages(&context.stack),
            layer: None,
        };
        context.build_packages.extend(interpreter.packages.iter().cloned());
        let uv = Tool::install(context, Manager::Uv, &interpreter).await?;
        let script = include_str!("tools/download.sh");
        // Which release it is depends on what this uv knows.
        let what = short_hash(&format!("{script}\n{}", Manager::Uv.version()));
        let recipe = Recipe {
            shared: Shared::named(format!("python-{wanted}-{what}")),
            place: PLACE,
            file: None,
            errand: Errand {
                script: ("python-download.sh", script),
                env: BTreeMap::from([("KIGO_VERSION".into(), wanted.into())]),
                packages: Packages::new(),
                layers: vec![uv.layer],
                pipes: Vec::new(),
            },
        };
        let found = if let Some(layer) = recipe.shared.find(context.builder) {
            Ok(layer)
        } else {
            context.output.heading(format!("Downloading and installing Python {wanted}")).await;
            recipe.make(context).await?
        };
        let layer = found.map_err(|status| {
            let (version, offered) = (wanted.to_owned(), Offered::by(&context.stack));
            failed(PythonError::Download { version, offered, status })
        })?;
        interpreter.layer = Some(layer);
        Ok(interpreter)
    }

    /// For keys: what it is.
    pub(super) fn name(&self) -> String {
        let layer = self.layer.map(|layer| layer.digest.to_string()).unwrap_or_default();
        format!("{} {} {layer}", self.series, self.path)
    }
}
