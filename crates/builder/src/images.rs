//! Container apps: images that are built from Dockerfiles, as `heroku.yml` says.
//!
//! Debian's buildah does it, in a build container like any other: with its limits, and with nothing of
//! the host's that could be written. A Dockerfile's own commands run in a chroot there, with the
//! capabilities and the system call filter that buildah gives them. What comes out is taken for a
//! stranger's image.
//!
//! What steps of a Dockerfile made is kept for the app's next build, as images in an OCI layout: that is
//! small, whatever else buildah keeps of them, and buildah finds them again when they are pulled.

pub(crate) mod bases;
pub(crate) mod layout;
pub(crate) mod mirrors;
mod plan;
pub(crate) mod setup;

use crate::build::{Context, blocking};
use crate::cache::{self, Kept};
use crate::container::{self, Phase, Pipe};
use crate::errors::{Explain, Words, megabytes};
use crate::{BuildError, BuildOutcome, Builder, source, stack, waiting};
use bases::Base;
use domain::{ProcessType, Reference, RepositoryName, TypeImage};
use engine::Power;
use image::{AdmitError, Image, Pin, Turn};
use layout::Imported;
use plan::{Dockerfile, Plan};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The stack of apps whose images are built here.
pub(crate) const STACK: &str = "container";

/// What says how they are built.
const FILE: &str = "heroku.yml";

/// What these apps are called when they cannot be built.
const KIND: &str = "Docker";

/// What the build container needs besides the stack: buildah, and what it does not start without.
const PACKAGES: [&str; 2] = ["buildah", "netavark"];

/// Why the images of an app cannot be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImagesError {
    #[error("there is neither a heroku.yml nor a Dockerfile")]
    Nothing,
    #[error("{0}")]
    Manifest(String),
    #[error("there is no file {0}")]
    NoDockerfile(String),
    #[error("there is no image {reference} of {repository} that whoever started this build may pull")]
    NoBase { repository: RepositoryName, reference: Reference },
    #[error("the base image {name} cannot be used: {error}")]
    BadBase { name: String, error: AdmitError },
    #[error("the base image {0} could not be unpacked")]
    Base(String),
    #[error("buildah ended with status {status} while it built {image}")]
    Build { image: String, status: i32 },
    #[error("what the build sent are no images: {0}")]
    Layout(&'static str),
    #[error("the image of {name} cannot run: {error}")]
    CannotRun { name: ProcessType, error: AdmitError },
}

impl Explain for ImagesError {
    fn words(&self) -> Words {
        let why = crate::errors::sentence(self);
        match self {
            Self::Nothing => Words::new(
                "There is nothing to build a container from.",
                "The stack of this app is container, and it has neither a heroku.yml nor a Dockerfile.",
                "Add a Dockerfile to the root of the app, push an image with `heroku container:push`, or choose\nanother stack with `heroku stack:set`.",
            ),
            Self::Manifest(_) => {
                Words::new("The heroku.yml of this app is not valid.", why, "Fix it and push again.")
            }
            Self::NoDockerfile(_) => Words::new(
                "A Dockerfile is missing.",
                why,
                "Name files of the repository in `build.docker` of heroku.yml.",
            ),
            Self::NoBase { .. } | Self::BadBase { .. } | Self::Base(_) => Words::new(
                "An image that a Dockerfile begins from cannot be had.",
                why,
                "Push it to this installation's registry first, or name another one.",
            ),
            Self::Build { .. } => Words::new(
                "The Dockerfile could not be built.",
                format!("{why} The lines above say more."),
                "Fix what they name and push again.",
            ),
            Self::Layout(_) => Words::new(
                "What was built could not be taken over.",
                why,
                "Nothing that a Dockerfile runs may change what buildah writes. Push again.",
            ),
            Self::CannotRun { .. } => Words::new(
                "What was built cannot run.",
                why,
                "Change the Dockerfile, or give a command in `run` of heroku.yml, and push again.",
            ),
        }
    }
}

fn failed(error: ImagesError) -> BuildError {
    BuildError::of(KIND)(error)
}

/// Builds what the source wants built.
pub(crate) async fn build(context: &mut Context<'_>) -> Result<BuildOutcome, BuildError> {
    let plan = read_plan(&context.work.source())?;
    let own = find_bases(context, &plan).await?;
    write_orders(context, &plan, &own).await?;
    let (layout, kept) = run(context, &plan).await?;
    context.output.heading("Checking the images...").await;
    let turn = turn(context).await?;
    let builder = context.builder.clone();
    let (pins, (images, size, types)) = blocking(move || take_over(&builder, &turn, &layout, &plan)).await?;
    context.pins.extend(pins);
    if let Err(error) = cache::keep(&context.cache(), kept.as_slice()) {
        tracing::warn!(app = %context.request.app, %error, "the build cache was not kept");
    }
    context.output.detail(format!("Done: {}", megabytes(size))).await;
    Ok(BuildOutcome {
        image: None,
        images,
        checksum: None,
        size,
        process_types: types,
        buildpacks: Vec::new(),
        detected: false,
        description: "Container".into(),
        config_vars: BTreeMap::new(),
        addons: Vec::new(),
        stack: STACK.into(),
    })
}

/// What is wrong, without the picture of where that some parsers add.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_end_matches('.').to_owned()
}

fn read_plan(tree: &Path) -> Result<Plan, BuildError> {
    if let Some(text) = source::read_file(tree, FILE)? {
        return Plan::parse(&String::from_utf8_lossy(&text)).map_err(failed);
    }
    if source::has_file(tree, "Dockerfile") {
        return Ok(Plan::of_dockerfile());
    }
    Err(failed(ImagesError::Nothing))
}

/// The images of this platform that the Dockerfiles name.
async fn find_bases(context: &mut Context<'_>, plan: &Plan) -> Result<BTreeMap<String, Image>, BuildError> {
    let tree = context.work.source();
    let mut found = BTreeMap::new();
    for Dockerfile { path, .. } in plan.images.values() {
        let text =
            source::read_file(&tree, path)?.ok_or_else(|| failed(ImagesError::NoDockerfile(path.clone())))?;
        for name in bases::named(&String::from_utf8_lossy(&text), &plan.arguments) {
            let hosts = context.request.bases.hosts();
            if found.contains_key(&name) {
                continue;
            }
            if let Some(base) = bases::own(&name, &hosts, &stack::names()) {
                let image = find_base(context, &name, base).await?;
                found.insert(name, image);
            }
        }
    }
    Ok(found)
}

async fn find_base(context: &mut Context<'_>, name: &str, base: Base) -> Result<Image, BuildError> {
    let builder = context.builder;
    match base {
        Base::Stack { name, build } => {
            let stack = stack::ensure(&builder.images, &builder.data, &name, context.output)
                .await
                .map_err(|error| BuildError::Stack(name, error))?;
            let image = if build { stack.build } else { stack.run };
            context.pins.push(builder.images.pin(image));
            Ok(builder.images.image(&image)?)
        }
        Base::Registry(repository, reference) => {
            let digest = context.request.bases.find(&repository, &reference).await?;
            let digest = digest.ok_or_else(|| failed(ImagesError::NoBase { repository, reference }))?;
            // From here on nothing of it is collected, though its tag be moved in the meantime.
            context.pins.push(builder.images.pin(digest));
            let turn = turn(context).await?;
            let (images, limit, name) =
                (builder.images.clone(), builder.settings.image_limit, name.to_owned());
            let (pin, image) = blocking(move || {
                let admit = || {
                    let manifest = images.for_this_machine(&digest)?;
                    Ok((images.pin(manifest), images.admit(&turn, &manifest, limit)?))
                };
                admit().map_err(|error| admitted(error, |error| ImagesError::BadBase { name, error }))
            })
            .await?;
            context.pins.push(pin);
            Ok(image)
        }
    }
}

/// Waits for a turn to unpack a stranger's image.
pub(crate) async fn turn(context: &Context<'_>) -> Result<Turn, BuildError> {
    let images = context.builder.images.clone();
    waiting::wait(context, "Waiting for other images to be unpacked", async move { images.turn().await })
        .await
}

fn admitted(error: AdmitError, users: impl FnOnce(AdmitError) -> ImagesError) -> BuildError {
    match error {
        AdmitError::Store(error) => BuildError::Store(error),
        error if error.is_images_fault() => failed(users(error)),
        error => BuildError::Container(crate::errors::chain(&error)),
    }
}

/// Writes what the program in the container reads.
async fn write_orders(
    context: &Context<'_>,
    plan: &Plan,
    bases: &BTreeMap<String, Image>,
) -> Result<(), BuildError> {
    let mut names = Vec::new();
    for (number, (name, image)) in bases.iter().enumerate() {
        names.push(format!("{number} {name}\n"));
        let (images, image, place) =
            (context.builder.images.clone(), image.clone(), context.work.inside(&format!("bases/{number}")));
        blocking(move || layout::export(&images, &image, &place)).await?;
    }
    let mirrors = context.builder.settings.mirrors.iter().map(ToString::to_string);
    let registries: String = std::iter::once(REGISTRIES.to_owned()).chain(mirrors).collect();
    let write = || {
        std::fs::create_dir_all(context.work.inside("bases"))?;
        std::fs::create_dir_all(context.work.inside("images"))?;
        let texts = [
            ("common.sh", include_str!("scripts/common.sh")),
            ("images.sh", include_str!("scripts/images.sh")),
            ("storage.conf", STORAGE),
            ("registries.conf", &registries),
            ("policy.json", r#"{"default":[{"type":"insecureAcceptAnything"}]}"#),
            ("bases/names", &names.concat()),
        ];
        texts.iter().try_for_each(|(name, text)| context.work.write(name, text))?;
        plan.images.iter().try_for_each(|(name, dockerfile)| {
            context.work.write(&format!("images/{name}"), &arguments(dockerfile, &plan.arguments))
        })
    };
    write().map_err(BuildError::system("writing what buildah is told"))
}

/// In the one directory that is no part of an overlay, for overlays cannot be written over each other.
const STORAGE: &str = "[storage]\ndriver = \"overlay\"\nrunroot = \"/var/lib/containers/run\"\n\
                       graphroot = \"/var/lib/containers/graph\"\n";

/// Where short names lead, as with Docker.
const REGISTRIES: &str =
    "unqualified-search-registries = [\"docker.io\"]\nshort-name-mode = \"permissive\"\n";

/// Of `buildah build`, each ended by a zero byte; the first one names the Dockerfile.
fn arguments(dockerfile: &Dockerfile, build: &BTreeMap<String, String>) -> String {
    let file = Path::new("/kigo/source").join(&dockerfile.path);
    let context = file.parent().unwrap_or(&file);
    let mut all = vec![format!("--file={}", file.display())];
    all.extend(
        ["--isolation=chroot", "--format=oci", "--network=host", "--pull=missing", "--layers"]
            .map(str::to_owned),
    );
    all.extend(build.iter().map(|(name, value)| format!("--build-arg={name}={value}")));
    all.extend(dockerfile.target.iter().map(|target| format!("--target={target}")));
    all.push(context.display().to_string());
    all.iter().flat_map(|argument| [argument.replace('\0', ""), "\0".into()]).collect()
}

/// Counts up when what earlier builds kept is of no use to this one.
const RECIPE: &str = "1";

/// Files and directories of what is kept: some for each of the images, which are few (`images.sh`).
const KEPT_ENTRIES: u64 = 8192;

/// Runs buildah; what it made is a directory then. Also says what is to be kept.
async fn run(context: &mut Context<'_>, plan: &Plan) -> Result<(PathBuf, Option<Kept>), BuildError> {
    context.build_packages.extend(PACKAGES.map(str::to_owned) as [String; 2]);
    let steps = cache::Directory::find(context, "steps", RECIPE)?;
    let image = context.build_image(steps.layers().iter().copied()).await?;
    let mut env = context.env("/tmp");
    let names: Vec<&str> = plan.images.keys().map(ProcessType::as_str).collect();
    env.insert("KIGO_IMAGES".into(), names.join(" "));
    let (limit, count) = (context.builder.settings.image_limit, names.len());
    let phase = Phase {
        image,
        script: "images.sh",
        env,
        // Nothing, or whoever gets at buildah's powers could write to it.
        mounts: Vec::new(),
        pipes: vec![
            Pipe::tree("images", limit.saturating_mul(count as u64)).with_entries(layout::entries(count)),
            steps.pipe().with_entries(KEPT_ENTRIES),
        ],
        power: Power::Images,
        decide: None,
    };
    let (builder, request) = (context.builder, context.request);
    let mut ended =
        container::run(builder, request, &context.work, phase, context.deadline, context.output).await?;
    if ended.status == 0 {
        let images = ended.required_tree("images")?;
        return Ok((images, steps.keep(context, &mut ended).await?));
    }
    let what = ended.told("failed")?.unwrap_or_default();
    Err(match ended.told("step")?.as_deref() {
        Some("base") => failed(ImagesError::Base(what)),
        Some("build") => failed(ImagesError::Build { image: what, status: ended.status }),
        step => BuildError::Container(format!("buildah failed at {}", step.unwrap_or("its start"))),
    })
}

/// What a release needs to know: the images, their size, and what each process type runs.
type Made = (BTreeMap<ProcessType, TypeImage>, u64, BTreeMap<ProcessType, String>);

/// Takes what was built into the store, and looks at it as at a stranger's.
fn take_over(
    builder: &Builder,
    turn: &Turn,
    layout: &Path,
    plan: &Plan,
) -> Result<(Vec<Pin>, Made), BuildError> {
    let Imported { manifests: found, pins, .. } = layout::import(&builder.images, layout, plan.images.len())?;
    let (mut images, mut types, mut size) = (BTreeMap::new(), BTreeMap::new(), 0);
    for (name, run) in &plan.run {
        let manifest = found
            .get(run.image.as_str())
            .ok_or_else(|| failed(ImagesError::Layout("one that was asked for is not among them")))?;
        let cannot_run =
            |error| admitted(error, |error| ImagesError::CannotRun { name: name.clone(), error });
        let image = builder.images.admit(turn, manifest, builder.settings.image_limit).map_err(cannot_run)?;
        let command = match &run.command {
            Some(command) => command.clone(),
            None => match image.own_command() {
                Err(AdmitError::NoCommand) if run.implied => continue,
                command => command.map_err(cannot_run)?,
            },
        };
        size += image.size();
        images.insert(name.clone(), TypeImage { image: image.digest, own_command: run.command.is_none() });
        types.insert(name.clone(), command);
    }
    Ok((pins, (images, size, types)))
}
