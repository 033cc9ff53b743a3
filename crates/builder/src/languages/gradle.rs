//! Java, Kotlin and Groovy, with Gradle.
//!
//! Gradle is always the app's own, by its wrapper. What it downloads and its build cache are kept for
//! the app's next build. Which task is run and which web process an app has by itself follows
//! Heroku's Gradle buildpack: both depend on what the app depends on, so Gradle is asked first.

mod app;
mod words;

use super::jvm::{self, Jvm, Program};
use crate::BuildError;
use crate::build::{Compiled, Context};
use crate::cache::Directory;
use crate::container::Ended;
use crate::languages::Language;
use app::App;
use words::GradleError;

pub(crate) use app::detect;

/// What an app is called.
pub(crate) const KIND: &str = "Gradle";

/// Where Gradle's files are kept; the name is a part of `build.sh`.
const KEPT: &str = "gradle";

fn failed(error: GradleError) -> BuildError {
    BuildError::of(KIND)(error)
}

/// Builds the app in the context's source directory.
pub(crate) async fn compile(context: &mut Context<'_>) -> Result<Compiled, BuildError> {
    let jvm = Jvm::determine(context).map_err(BuildError::of(KIND))?;
    let app = App::determine(&context.work.source())?;
    jvm.install(context).await;
    app.warn(jvm.version(), context.output).await;

    let directories = vec![Directory::find(context, KEPT, "")?];
    let ended = run(context, &directories).await?;
    let web = app::web(ended.told("framework")?.as_deref(), ended.told("program")?.as_deref());
    jvm::collect(context, Language::Gradle, directories, web, ended).await
}

/// Runs the build's program in a container.
async fn run(context: &mut Context<'_>, directories: &[Directory]) -> Result<Ended, BuildError> {
    let program = Program {
        script: "gradle.sh",
        files: &[
            ("gradle.sh", include_str!("gradle/build.sh")),
            ("gradle-inspect.gradle", include_str!("gradle/inspect.gradle")),
            ("gradle-mirror.gradle", include_str!("gradle/mirror.gradle")),
        ],
        env: Vec::new(),
        directories,
    };
    let ended = jvm::run(context, program).await?;
    if ended.status == 0 {
        return Ok(ended);
    }
    let step = ended.told("step")?.unwrap_or_default();
    Err(failed(match ended.told("missing-task")? {
        Some(task) if step == "build" => GradleError::NoTask(task),
        _ => GradleError::Step { step, status: ended.status },
    }))
}
