//! Images of services: a stack to run on, and Debian packages.

use crate::build::{Context, blocking};
use crate::container::Deadline;
use crate::packages::{self, Packages};
use crate::work::Work;
use crate::{BuildError, BuildRequest, Builder, NoBases, Output, stack};
use domain::{AppId, BuildId, ConfigVars, Digest};
use image::ImageSpec;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Whose containers are nobody's: what they make is for everybody.
pub const NOBODY: AppId = AppId(Uuid::nil());

impl Builder {
    /// An image with `packages` on the usual stack, made first if need be, which the first time takes as
    /// long as installing them does. Nothing refers to it yet; whoever wants to run it does so within
    /// the collector's grace.
    ///
    /// # Errors
    /// When the stack or the packages cannot be had.
    pub async fn service_image(&self, packages: &[String]) -> Result<Digest, BuildError> {
        let (sender, mut lines) = mpsc::channel::<String>(64);
        let told = async {
            while let Some(line) = lines.recv().await {
                tracing::info!("{}", line.trim());
            }
        };
        let made = async {
            let output = Output::new(sender);
            self.compose(packages.iter().cloned().collect(), &output).await
        };
        tokio::join!(made, told).0
    }

    async fn compose(&self, packages: Packages, output: &Output) -> Result<Digest, BuildError> {
        let name = stack::DEFAULT;
        let stack = stack::ensure(&self.images, &self.data, name, output)
            .await
            .map_err(|error| BuildError::Stack(name.to_owned(), error))?;
        let run = stack.run;
        let request = request();
        let (builder, build) = (self.clone(), request.build);
        let (work, host_env) = blocking(move || {
            let work = Work::create(&builder.data, build)
                .map_err(BuildError::system("making a working directory for packages"))?;
            let host_env = builder
                .settings
                .host
                .install(&work.inside("host"))
                .map_err(BuildError::system("writing the settings for packages"))?;
            Ok((work, host_env))
        })
        .await?;
        let deadline = Deadline(Instant::now() + self.settings.timeout);
        let context = Context::new(self, &request, work, stack, deadline, output, host_env);
        let layer = packages::layer(&context, run, &packages).await?;
        let mut layers = self.images.image(&run)?.spec.layers;
        layers.extend(layer);
        Ok(self.images.put_image(&ImageSpec { layers, ..ImageSpec::default() })?)
    }
}

fn request() -> BuildRequest {
    let build = BuildId::new();
    BuildRequest {
        build,
        app: NOBODY,
        source: Digest::from_bytes([0; 32]),
        buildpacks: Vec::new(),
        stack: stack::DEFAULT.into(),
        config_vars: ConfigVars::default(),
        source_version: None,
        metadata: BTreeMap::new(),
        request_id: build.to_string(),
        bases: Arc::new(NoBases),
        cancel: CancellationToken::new(),
    }
}
