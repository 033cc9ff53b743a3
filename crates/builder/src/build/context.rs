//! What the steps of one build share.

use crate::container::Deadline;
use crate::output::Output;
use crate::packages::{self, Packages};
use crate::stack::{self, Stack};
use crate::work::Work;
use crate::{BuildError, BuildRequest, Builder, TestRun, cache};
use domain::Digest;
use engine::Mount;
use image::{ImageSpec, Layer, Pin};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a group of buildpacks works with.
pub(crate) struct Context<'a> {
    pub(crate) builder: &'a Builder,
    pub(crate) request: &'a BuildRequest,
    pub(crate) work: Work,
    pub(crate) stack: Stack,
    pub(crate) deadline: Deadline,
    pub(crate) output: &'a Output,
    /// Debian packages that builds need, of this group and earlier ones.
    pub(crate) build_packages: Packages,
    /// Debian packages that the app needs when it runs.
    pub(crate) run_packages: Packages,
    /// Layers that earlier groups put between the stack and the app.
    pub(crate) layers: Vec<Layer>,
    /// Layers that builds start with and no app runs with: toolchains, of this group and earlier
    /// ones.
    pub(crate) build_layers: Vec<Layer>,
    /// Environment for registries and certificates.
    host_env: BTreeMap<String, String>,
    /// Whether this group is all there is, so that the app can be built where it will run.
    pub(crate) alone: bool,
    /// Time of the newest source file, in seconds since 1970.
    pub(crate) source_time: u64,
    exports: usize,
    /// Keeps images that nothing refers to yet.
    pub(crate) pins: Vec<Pin>,
    /// Of a build that is tested: the run of its tests.
    pub(crate) test: Option<&'a TestRun>,
    /// Layers that tests have besides the app: what programs of the build keep, and what they compiled.
    pub(crate) test_layers: Vec<Layer>,
    /// What their programs are told besides, as those of the build were.
    pub(crate) test_env: BTreeMap<String, String>,
    /// What containers are given of the host that is no part of a build's directory.
    pub(crate) mounts: Vec<Mount>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        builder: &'a Builder,
        request: &'a BuildRequest,
        work: Work,
        stack: Stack,
        deadline: Deadline,
        output: &'a Output,
        host_env: BTreeMap<String, String>,
    ) -> Self {
        Self {
            builder,
            request,
            work,
            stack,
            deadline,
            output,
            build_packages: Packages::new(),
            run_packages: Packages::new(),
            layers: Vec::new(),
            build_layers: Vec::new(),
            host_env,
            alone: false,
            source_time: 0,
            exports: 0,
            pins: Vec::new(),
            test: None,
            test_layers: Vec::new(),
            test_env: BTreeMap::new(),
            mounts: Vec::new(),
        }
    }

    /// Where the app's files are while it is built: where they will run if it can be, because some
    /// programs write down their own path; else where Heroku has them, but in the same place in
    /// every build of an app, so that what programs keep by path is of use to the next one.
    pub(crate) fn build_directory(&self) -> String {
        if self.alone {
            "/app".into()
        } else {
            format!("/tmp/build_{}", &self.request.app.0.simple().to_string()[..8])
        }
    }

    /// The environment that every program of a build starts with.
    pub(crate) fn env(&self, build_directory: &str) -> BTreeMap<String, String> {
        let request = self.request;
        let mut env = self.host_env.clone();
        env.extend(request.metadata.clone());
        let own = [
            ("PATH", stack::PATH),
            ("HOME", "/app"),
            ("LANG", "C.UTF-8"),
            ("DYNO", "build.1"),
            ("STACK", &self.stack.classic_alias),
            ("SOURCE_VERSION", request.source_version.as_deref().unwrap_or("")),
            ("REQUEST_ID", &request.request_id),
            ("BUILD_DIR", build_directory),
        ];
        env.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
        // Megabytes, beyond which nothing of a kept directory is kept.
        env.insert("KIGO_CACHE_LIMIT".into(), (self.builder.settings.cache_limit >> 20).to_string());
        // Whether the app is to be tested, and needs what its tests do.
        env.insert("KIGO_TEST".into(), u8::from(self.test.is_some()).to_string());
        env
    }

    /// Where what builds keep of this app is written down.
    pub(crate) fn cache(&self) -> PathBuf {
        let of = if self.test.is_some() { cache::of_tests } else { cache::of_app };
        of(&self.builder.data, self.request.app)
    }

    /// The image for a build container: the stack, the Debian packages and the layers so far, and
    /// `more` on top.
    pub(crate) async fn build_image(
        &mut self,
        more: impl IntoIterator<Item = Layer>,
    ) -> Result<Digest, BuildError> {
        let mut layers = self.builder.images.image(&self.stack.build)?.spec.layers;
        layers.extend(packages::layer(self, self.stack.build, &self.build_packages).await?);
        layers.extend(self.build_layers.iter().chain(&self.layers).copied());
        layers.extend(more);
        self.put_image(&ImageSpec { layers, ..ImageSpec::default() })
    }

    /// Stores an image and keeps it as long as the build.
    pub(crate) fn put_image(&mut self, spec: &ImageSpec) -> Result<Digest, BuildError> {
        let image = self.builder.images.put_image(spec)?;
        self.pins.push(self.builder.images.pin(image));
        Ok(image)
    }

    /// Hands a shell text to later buildpacks.
    pub(crate) fn add_export(&mut self, text: &str) -> Result<(), BuildError> {
        self.exports += 1;
        let write = || {
            std::fs::create_dir_all(self.work.inside("exports"))?;
            self.work.write(&format!("exports/{:03}.sh", self.exports), &format!("{text}\n"))
        };
        write().map_err(BuildError::system("handing on what a buildpack exports"))
    }
}
