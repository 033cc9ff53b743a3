//! One build from source to image: unpack, choose buildpacks, run them, pack.

mod context;
mod finish;
mod testing;

pub(crate) use context::Context;
pub(crate) use finish::pack_tree;
use finish::{finish, keep};
pub use testing::{TestError, test};

use crate::cache::Kept;
use crate::classic;
use crate::cnb::{self, errors::CnbError};
use crate::container::{self, Deadline};
use crate::described::{self, Chosen};
use crate::detect::Buildpack;
use crate::fetch::{self, Fetched};
use crate::languages::Language;
use crate::output::Output;
use crate::project_toml::{self, BadProject, ProjectToml};
use crate::request::BuildpackName;
use crate::stack::{self, Stack};
use crate::work::Work;
use crate::{BuildError, BuildOutcome, BuildRequest, Builder, images, procfile, source};
use domain::{BuildpackRef, ProcessType};
use image::{Layer, Pin};
use std::collections::BTreeMap;
use std::path::PathBuf;
use tokio::time::Instant;

/// What a group of buildpacks made.
pub(crate) struct Compiled {
    /// The app's own files.
    pub(crate) tree: PathBuf,
    /// Shared layers below them.
    pub(crate) layers: Vec<Layer>,
    pub(crate) description: String,
    pub(crate) used: Vec<BuildpackName>,
    pub(crate) process_types: BTreeMap<ProcessType, String>,
    pub(crate) config_vars: BTreeMap<String, String>,
    /// Plans that the app is to have.
    pub(crate) addons: Vec<String>,
    /// For the image.
    pub(crate) labels: BTreeMap<String, String>,
    /// For the app's next build.
    pub(crate) kept: Vec<Kept>,
}

/// A run of buildpacks that share a container.
enum Group {
    Language(Language),
    Classic(Vec<Fetched>),
    CloudNative(Vec<Fetched>),
}

/// Makes one build and tells its user how it goes. What the user reads ends with the reason when
/// it fails, and with the size of the slug when it succeeds; making the release and telling about
/// it is the caller's.
///
/// A build that is started again after the server was killed begins anew; what the first attempt
/// left is removed. Dropping the future leaves a running container behind until then, so cancel
/// with [`BuildRequest::cancel`] and wait.
pub async fn build(
    builder: &Builder,
    request: BuildRequest,
    output: Output,
) -> Result<BuildOutcome, BuildError> {
    let result = attempt(builder, &request, &output).await;
    if let Err(error) = &result {
        error.tell(&output).await;
        if !error.is_users() {
            tracing::error!(build = %request.build, error = crate::errors::chain(error), "a build could not be carried out");
        }
    }
    result
}

async fn attempt(
    builder: &Builder,
    request: &BuildRequest,
    output: &Output,
) -> Result<BuildOutcome, BuildError> {
    let (mut context, project) =
        begin(builder, request, Purpose::Slug, output).await?.context(builder, request, output);
    if request.stack == images::STACK {
        images::build(&mut context).await
    } else {
        slug(context, project.as_ref()).await
    }
}

/// What a build is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Slug,
    Tests,
}

/// A build that has begun: its source is there.
struct Begun {
    stack: Stack,
    /// It may be made anew meanwhile.
    pins: [Pin; 2],
    deadline: Deadline,
    prepared: Prepared,
}

/// Clears away what an earlier attempt left, and unpacks the source.
async fn begin(
    builder: &Builder,
    request: &BuildRequest,
    purpose: Purpose,
    output: &Output,
) -> Result<Begun, BuildError> {
    let deadline = Deadline(Instant::now() + builder.settings.timeout);
    container::remove_leftovers(&*builder.engine, Some(request.build)).await?;
    let of_images = request.stack == images::STACK;
    // Images are built on the usual one.
    let name = if of_images { stack::DEFAULT } else { &request.stack };
    let stack = stack::ensure(&builder.images, &builder.data, name, output)
        .await
        .map_err(|error| BuildError::Stack(name.to_owned(), error))?;
    let shown = if of_images { &request.stack } else { &stack.name };
    output.heading(format!("Building on the {shown} stack")).await;
    let mut prepared = prepare(builder, request, purpose).await?;
    if let Some(error) = prepared.unfollowed.take() {
        output.warning(format!("{} is not valid: {error}.", project_toml::FILE)).await;
        output.warning("This build goes on without it: the app's buildpacks were chosen elsewhere.").await;
    }
    let pins = [stack.run, stack.build].map(|image| builder.images.pin(image));
    Ok(Begun { stack, pins, deadline, prepared })
}

impl Begun {
    /// What the build's steps share, and the app's `project.toml`.
    fn context<'a>(
        self,
        builder: &'a Builder,
        request: &'a BuildRequest,
        output: &'a Output,
    ) -> (Context<'a>, Option<ProjectToml>) {
        let Self { stack, pins, deadline, prepared } = self;
        let Prepared { work, host_env, source_time, project, .. } = prepared;
        let mut context = Context::new(builder, request, work, stack, deadline, output, host_env);
        context.source_time = source_time;
        context.pins.extend(pins);
        (context, project)
    }
}

/// Builds with buildpacks.
async fn slug(mut context: Context<'_>, project: Option<&ProjectToml>) -> Result<BuildOutcome, BuildError> {
    let (builder, request, output) = (context.builder, context.request, context.output);
    let source = context.work.source();
    // A mistake there is told before anything takes long; buildpacks may still change it.
    procfile::read(&source)?;

    let Chosen { buildpacks, entries, found } =
        described::choose(&source, request, project, &builder.settings, output).await?;
    announce(&buildpacks, output).await;

    let groups = group(&mut context, buildpacks).await?;
    context.alone = matches!(groups[..], [Group::Language(_)]);
    let compiled = compile(&mut context, groups).await?;
    finish(&context, compiled, &entries, found).await
}

/// What is there before buildpacks are chosen.
struct Prepared {
    work: Work,
    host_env: BTreeMap<String, String>,
    source_time: u64,
    project: Option<ProjectToml>,
    /// What is wrong with one that is not needed.
    unfollowed: Option<BadProject>,
}

/// Makes the working directory and unpacks the source into it.
async fn prepare(
    builder: &Builder,
    request: &BuildRequest,
    purpose: Purpose,
) -> Result<Prepared, BuildError> {
    let (builder, request) = (builder.clone(), request.clone());
    blocking(move || {
        let work = Work::create(&builder.data, request.build)
            .map_err(BuildError::system("making the build's working directory"))?;
        // Tests are among what a slug leaves out.
        let leave_out = purpose == Purpose::Slug;
        let source_time = source::prepare(&builder, &request, &work.source(), leave_out)?;
        let (project, unfollowed) = match project_toml::read(&work.source()) {
            // It is about buildpacks.
            _ if request.stack == images::STACK => (None, None),
            Err(BuildError::ProjectToml(error)) if !request.buildpacks.is_empty() => (None, Some(error)),
            read => (read?, None),
        };
        let mut variables = request.config_vars.clone();
        if let Some(project) = &project {
            project.apply(&work.source())?;
            for (name, value) in &project.env {
                variables.0.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        let host_env = builder
            .settings
            .host
            .install(&work.inside("host"))
            .and_then(|env| work.write_env(&variables).map(|()| env))
            .map_err(BuildError::system("writing the build's settings"))?;
        Ok(Prepared { work, host_env, source_time, project, unfollowed })
    })
    .await
}

/// Runs what would block elsewhere.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BuildError> + Send + 'static,
) -> Result<T, BuildError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(BuildError::Container(format!("a step of the build broke off: {error}"))),
    }
}

async fn announce(buildpacks: &[Buildpack], output: &Output) {
    if let [only] = buildpacks {
        output.heading(format!("Using buildpack: {}", only.shown())).await;
        return;
    }
    output.heading("Using buildpacks:").await;
    for (index, buildpack) in buildpacks.iter().enumerate() {
        output.detail(format!("{}. {}", index + 1, buildpack.shown())).await;
    }
}

/// Puts together what shares a container. What an address leads to is known when it is fetched.
async fn group(context: &mut Context<'_>, buildpacks: Vec<Buildpack>) -> Result<Vec<Group>, BuildError> {
    let addresses = buildpacks.iter().filter_map(|buildpack| match buildpack {
        Buildpack::Addressed(address) => Some(address.clone()),
        Buildpack::BuiltIn(_) => None,
    });
    let mut fetched = fetch::fetch(context, addresses.collect()).await?.into_iter();
    let mut groups: Vec<Group> = Vec::new();
    for buildpack in buildpacks {
        let next = match buildpack {
            Buildpack::BuiltIn(language) => Group::Language(language),
            Buildpack::Addressed(_) => match fetched.next() {
                Some(one) if one.is_cloud_native => Group::CloudNative(vec![one]),
                one => Group::Classic(one.into_iter().collect()),
            },
        };
        match (next, groups.last_mut()) {
            (Group::Classic(next), Some(Group::Classic(run)))
            | (Group::CloudNative(next), Some(Group::CloudNative(run))) => run.extend(next),
            (next, _) => groups.push(next),
        }
    }
    let cloud_native = groups.iter().filter(|group| matches!(group, Group::CloudNative(_)));
    if cloud_native.count() > 1 {
        return Err(CnbError::Apart.into());
    }
    Ok(groups)
}

/// Runs all groups, each on what the one before made.
async fn compile(context: &mut Context<'_>, groups: Vec<Group>) -> Result<Compiled, BuildError> {
    let mut whole: Option<Compiled> = None;
    for group in groups {
        if let Some(earlier) = &whole {
            let moved = context.work.replace_source(&earlier.tree);
            moved.map_err(BuildError::system("handing the app on to the next buildpack"))?;
        }
        let next = match group {
            Group::Classic(buildpacks) => classic::compile(context, &buildpacks).await?,
            Group::CloudNative(buildpacks) => cnb::compile(context, &buildpacks).await?,
            Group::Language(language) => {
                if !language.detect(&context.work.source()) {
                    return Err(BuildError::NotCompatible(language.buildpack().into()));
                }
                context.output.heading(format!("{} app detected", language.description())).await;
                language.compile(context).await?
            }
        };
        context.layers.extend(next.layers.iter().copied());
        whole = Some(match whole {
            None => next,
            // Process types and config vars are the last buildpack's alone, as on Heroku.
            Some(earlier) => Compiled {
                used: earlier.used.into_iter().chain(next.used).collect(),
                kept: earlier.kept.into_iter().chain(next.kept).collect(),
                labels: earlier.labels.into_iter().chain(next.labels).collect(),
                ..next
            },
        });
    }
    whole.ok_or(BuildError::NoLanguage)
}

/// The buildpack entry of a built-in language.
pub(crate) fn built_in(language: Language) -> BuildpackName {
    BuildpackName {
        buildpack: BuildpackRef(language.buildpack().into()),
        description: language.description().into(),
    }
}

#[cfg(test)]
mod tests;
