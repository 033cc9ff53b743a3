//! Builds an app so that it can be tested, and runs its tests where it was built: with toolchains and
//! all that the build fetched and compiled, and without making an image of it.
//!
//! What is tested has its own environment, as on Heroku: the `env` of `app.json` and what whoever wants
//! the tests gives, never the app's own config vars, which lead to what users work with.

use super::{Context, Group, Purpose, announce, begin, compile, group, keep};
use crate::container::{self, Phase};
use crate::detect::Buildpack;
use crate::errors::Words;
use crate::output::Output;
use crate::{BuildError, BuildRequest, Builder, TestRun, described, images};
use domain::app_json::{AppJson, Scripts};
use engine::Power;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// The environment of `app.json`.
const ENVIRONMENT: &str = "test";

/// Where tests find the app.
const PLACE: &str = "/app";

/// Why tests do not run although the app was built, or could be.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    #[error("apps of the stack {0} have no tests here")]
    Stack(String),
    #[error("nobody knows how the app is tested")]
    None,
    #[error("test-setup failed with status {0}")]
    Setup(i32),
}

impl TestError {
    /// What the user is told.
    pub(crate) fn words(&self) -> Words {
        match self {
            Self::Stack(stack) => Words::new(
                format!("Apps of the stack {stack} are not tested here."),
                "Their Dockerfiles make images, and say nothing of tests.",
                "Have a step of the Dockerfile run the tests, so that a build fails with them.",
            ),
            Self::None => Words::new(
                "No tests were found.",
                "Neither app.json nor a buildpack of this app says how it is tested.",
                "Name a command in app.json:\n{\"environments\": {\"test\": {\"scripts\": {\"test\": \"bin/test\"}}}}",
            ),
            Self::Setup(status) => Words::new(
                "The script test-setup of app.json failed.",
                format!("It ended with status {status}. The lines above say more."),
                "Fix what they name and test again.",
            ),
        }
    }
}

/// Builds an app for its tests, runs them, and tells its user how it goes. Returns the status that the
/// tests ended with; an error means that they did not run. `request.config_vars` is the environment
/// that is wanted besides that of `app.json`, and stronger.
///
/// For the rest it is like [`build`](super::build()).
pub async fn test(
    builder: &Builder,
    mut request: BuildRequest,
    run: TestRun,
    output: Output,
) -> Result<i32, BuildError> {
    let result = attempt(builder, &mut request, &run, &output).await;
    if let Err(error) = &result {
        error.tell_of_tests(&output).await;
        if !error.is_users() {
            tracing::error!(build = %request.build, error = crate::errors::chain(error), "tests could not be run");
        }
    }
    result
}

async fn attempt(
    builder: &Builder,
    request: &mut BuildRequest,
    run: &TestRun,
    output: &Output,
) -> Result<i32, BuildError> {
    if request.stack == images::STACK {
        return Err(TestError::Stack(request.stack.clone()).into());
    }
    let begun = begin(builder, request, Purpose::Tests, output).await?;
    let prepared = &begun.prepared;
    let tree = prepared.work.source();
    let app_json = app_json(&tree)?;
    let scripts = app_json.scripts.clone();
    if !app_json.buildpacks.is_empty() {
        output.heading("Using the buildpacks that app.json names for tests").await;
        request.buildpacks = app_json.buildpacks.iter().map(|one| one.url.clone()).collect();
    }
    let chosen = described::choose(&tree, request, prepared.project.as_ref(), &builder.settings, output);
    let buildpacks = chosen.await?.buildpacks;
    announce(&buildpacks, output).await;
    set_variables(request, &app_json, &buildpacks);
    let written = prepared.work.write_env(&request.config_vars);
    written.map_err(BuildError::system("writing the environment of tests"))?;

    let (mut context, _) = begun.context(builder, request, output);
    context.test = Some(run);
    let groups = group(&mut context, buildpacks).await?;
    let programs = programs(&groups);
    context.alone = matches!(groups[..], [Group::Language(_)]);
    let compiled = compile(&mut context, groups).await?;
    // However the tests end: the app was built.
    keep(&context, &compiled.kept);
    run_tests(&mut context, run, &compiled.tree, &scripts, &programs).await
}

/// What `app.json` says for tests.
fn app_json(tree: &std::path::Path) -> Result<AppJson, BuildError> {
    match described::read(tree)? {
        None => Ok(AppJson::default()),
        Some(Ok(parsed)) => {
            let own = parsed.app_json.environments.get(ENVIRONMENT);
            // The others have their say as in any build.
            let buildpacks = own.map(|own| own.buildpacks.clone()).unwrap_or_default();
            Ok(AppJson { buildpacks, ..parsed.app_json.in_environment(ENVIRONMENT) })
        }
        Some(Err(error)) => Err(BuildError::AppJson(error)),
    }
}

/// Completes the environment that somebody gives: by that of `app.json`, then by what each language
/// means by testing.
fn set_variables(request: &mut BuildRequest, app_json: &AppJson, buildpacks: &[Buildpack]) {
    let app = request.app;
    let vars = &mut request.config_vars.0;
    for (name, var) in &app_json.env {
        let secret = || var.generator.map(|_| made_up(app, name));
        if let Some(value) = var.value.clone().or_else(secret) {
            vars.entry(name.clone()).or_insert(value);
        }
    }
    vars.entry("CI".into()).or_insert("true".into());
    for buildpack in buildpacks {
        let Buildpack::BuiltIn(language) = buildpack else { continue };
        for (name, value) in language.test_vars() {
            vars.entry((*name).into()).or_insert((*value).into());
        }
    }
}

/// Something in the place of a generated secret. It protects nothing, and is always the same, because
/// what builds keep may depend on it.
fn made_up(app: domain::AppId, name: &str) -> String {
    hex::encode(Sha256::digest(format!("{app} {name}")))
}

/// Programs that may test the app, one a line, with the texts of languages by their numbers.
#[derive(Debug, Default, PartialEq, Eq)]
struct Programs {
    list: String,
    languages: Vec<&'static str>,
}

fn programs(groups: &[Group]) -> Programs {
    let mut programs = Programs::default();
    for group in groups {
        match group {
            Group::Language(language) => {
                if let Some(text) = language.tests() {
                    let number = programs.languages.len();
                    programs.list.extend([
                        "language\t",
                        &number.to_string(),
                        "\t",
                        language.buildpack(),
                        "\n",
                    ]);
                    programs.languages.push(text);
                }
            }
            Group::Classic(buildpacks) => programs.list.extend(
                buildpacks.iter().map(|one| format!("classic\t{}\t{}\n", one.number, one.address.shown())),
            ),
            // They have no word for it.
            Group::CloudNative(_) => {}
        }
    }
    programs
}

/// Runs the tests in a container.
async fn run_tests(
    context: &mut Context<'_>,
    run: &TestRun,
    tree: &std::path::Path,
    scripts: &Scripts,
    programs: &Programs,
) -> Result<i32, BuildError> {
    let moved = context.work.replace_source(tree);
    moved.map_err(BuildError::system("handing the app on to its tests"))?;
    write(context, scripts, programs).map_err(BuildError::system("writing what tests the app"))?;
    let more = context.test_layers.clone();
    let phase = Phase {
        image: context.build_image(more).await?,
        script: "test.sh",
        env: env(context, run),
        mounts: context.mounts.clone(),
        pipes: Vec::new(),
        power: Power::Plain,
        decide: None,
    };
    let (builder, request) = (context.builder, context.request);
    let ended =
        container::run(builder, request, &context.work, phase, context.deadline, context.output).await?;
    let step = ended.told("step")?.unwrap_or_default();
    let status = ended.told("status")?.and_then(|status| status.parse().ok());
    match (step.as_str(), status) {
        ("none", _) => Err(TestError::None.into()),
        ("setup", Some(status)) => Err(TestError::Setup(status).into()),
        (_, Some(status)) => Ok(status),
        (step, None) => Err(BuildError::Container(format!(
            "the program that runs tests ended with status {} at {step:?}",
            ended.status
        ))),
    }
}

fn write(context: &Context<'_>, scripts: &Scripts, programs: &Programs) -> std::io::Result<()> {
    context.work.write("common.sh", include_str!("../scripts/common.sh"))?;
    context.work.write("test.sh", include_str!("../scripts/test.sh"))?;
    context.work.write("tests", &programs.list)?;
    for (number, text) in programs.languages.iter().enumerate() {
        context.work.write(&format!("test-{number}.sh"), text)?;
    }
    for (name, script) in [("test-setup", &scripts.test_setup), ("test-script", &scripts.test)] {
        if let Some(script) = script {
            context.work.write(name, &script.command)?;
        }
    }
    Ok(())
}

fn env(context: &Context<'_>, run: &TestRun) -> BTreeMap<String, String> {
    let mut env = context.env(PLACE);
    env.extend(context.test_env.clone());
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    env.extend(
        [
            ("DYNO", "test.1".to_owned()),
            ("HEROKU_TEST_RUN_ID", run.id.to_string()),
            ("HEROKU_TEST_RUN_BRANCH", text(&run.branch)),
            ("HEROKU_TEST_RUN_COMMIT_VERSION", text(&context.request.source_version)),
            // There is one of it.
            ("CI_NODE_INDEX", "0".to_owned()),
            ("CI_NODE_TOTAL", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    env
}
