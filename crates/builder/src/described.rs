//! `app.json` in a build. It says which buildpacks an app is built with that has none chosen, as
//! Heroku uses it when it sets an app up; the rest of it concerns setups.
//!
//! One that cannot be read stops a build that would have followed it, for what it was to say nobody
//! knows; other builds tell of it and go on.

use crate::detect::{self, Buildpack};
use crate::images::setup::Setup;
use crate::output::Output;
use crate::project_toml::{self, ProjectToml};
use crate::work::Work;
use crate::{BuildError, BuildRequest, Builder, Settings, source};
use domain::app_json::{self, AppJson, AppJsonError, Parsed};
use domain::{BuildId, BuildpackRef, Digest};
use std::path::Path;

/// Of a file that is something else.
pub(crate) const NOT_TEXT: &str = "it is not UTF-8 text";

/// What an `app.json` says, or what is wrong with it.
pub type AppJsonResult = Result<Parsed, AppJsonError>;

/// The buildpacks of a build, and who chose them.
pub(crate) struct Chosen {
    pub(crate) buildpacks: Vec<Buildpack>,
    /// As they were written; empty when a language was detected.
    pub(crate) entries: Vec<BuildpackRef>,
    /// Whether the app itself gave rise to them, so that it is to keep them.
    pub(crate) found: bool,
}

/// Reads an `app.json`; `None` if there is none.
pub(crate) fn read(tree: &Path) -> Result<Option<AppJsonResult>, BuildError> {
    let Some(bytes) = source::read_file(tree, app_json::FILE)? else { return Ok(None) };
    let not_text = |line| AppJsonError { line, column: 1, path: String::new(), why: NOT_TEXT.into() };
    let text = source::text_of(&bytes).map_err(not_text);
    Ok(Some(text.and_then(AppJson::parse)))
}

/// Reads that of a source, in a working directory of its own.
pub(crate) fn of_source(builder: &Builder, source: Digest) -> Result<Option<AppJsonResult>, BuildError> {
    let work = Work::create(&builder.data, BuildId::new())
        .map_err(BuildError::system("making a working directory"))?;
    source::unpack_into(builder, source, &work.source())?;
    for_setup(&work.source())
}

/// What a setup goes by: `app.json`, completed by what a `heroku.yml` says about setups.
pub(crate) fn for_setup(tree: &Path) -> Result<Option<AppJsonResult>, BuildError> {
    let mut parsed = match read(tree)? {
        Some(Err(error)) => return Ok(Some(Err(error))),
        read => read.and_then(Result::ok),
    };
    if let Some(setup) = Setup::read(tree)? {
        setup.complete(&mut parsed.get_or_insert_default().app_json);
    }
    Ok(parsed.map(Ok))
}

/// Chooses the buildpacks: those the request names, else those of `app.json`, else those of
/// `project.toml`, else that of the language that is detected.
pub(crate) async fn choose(
    tree: &Path,
    request: &BuildRequest,
    project: Option<&ProjectToml>,
    settings: &Settings,
    output: &Output,
) -> Result<Chosen, BuildError> {
    let followed = request.buildpacks.is_empty() && may_name_buildpacks(tree)?;
    let app_json = tell(read(tree)?, followed, output).await?;
    for note in project.iter().flat_map(|project| &project.notes) {
        output.warning(format!("{} is not followed in: {note}", project_toml::FILE)).await;
    }
    let chosen = |entries: Vec<BuildpackRef>, found| {
        Ok(Chosen { buildpacks: detect::resolve_all(&entries, settings)?, entries, found })
    };
    if !request.buildpacks.is_empty() {
        return chosen(request.buildpacks.clone(), false);
    }
    let of_app = app_json.buildpacks.into_iter().map(|one| one.url).collect();
    let of_project = project.map(|project| project.buildpacks.clone()).unwrap_or_default();
    for (entries, file) in [(of_app, app_json::FILE), (of_project, project_toml::FILE)] {
        if !entries.is_empty() {
            output.heading(format!("Using the buildpacks that {file} names")).await;
            return chosen(entries, true);
        }
    }
    output.heading("Determining which buildpack to use for this app").await;
    let language = Buildpack::BuiltIn(detect::language(tree)?);
    Ok(Chosen { buildpacks: vec![language], entries: Vec::new(), found: true })
}

/// Whether an `app.json` has something to say about buildpacks, or cannot be read far enough to know.
fn may_name_buildpacks(tree: &Path) -> Result<bool, BuildError> {
    let Some(bytes) = source::read_file(tree, app_json::FILE)? else { return Ok(false) };
    let object = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes);
    Ok(object.map_or(true, |object| object.contains_key("buildpacks")))
}

/// Tells what is wrong with an `app.json`, and fails if it is `followed`.
async fn tell(read: Option<AppJsonResult>, followed: bool, output: &Output) -> Result<AppJson, BuildError> {
    match read {
        None => Ok(AppJson::default()),
        Some(Ok(Parsed { app_json, unknown })) => {
            if !unknown.is_empty() {
                let keys = unknown.join(", ");
                output.warning(format!("app.json has keys without a meaning here: {keys}")).await;
            }
            Ok(app_json)
        }
        Some(Err(error)) if followed => Err(BuildError::AppJson(error)),
        Some(Err(error)) => {
            output.warning(format!("app.json is not valid: {error}.")).await;
            output.warning("This build does not need it; setting the app up anew would fail.").await;
            Ok(AppJson::default())
        }
    }
}
