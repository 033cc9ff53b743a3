//! Java, with Maven.
//!
//! Maven is the app's own by its wrapper, or else of the version that `system.properties` names. It
//! downloads into a directory that is kept for the app's next build. What the steps are called, what
//! Maven is told and which web process an app has by itself follows Heroku's Java buildpack.

mod app;
mod words;

use super::jvm::{self, Jvm, Program};
use crate::BuildError;
use crate::build::{Compiled, Context};
use crate::cache::Directory;
use crate::container::Ended;
use crate::languages::Language;
use app::{App, Maven};
use words::JavaError;

pub(crate) use app::detect;

/// What an app is called.
pub(crate) const KIND: &str = "Java";

/// Where Maven's files are kept; the name is a part of `build.sh`.
const KEPT: &str = "maven";

fn failed(error: JavaError) -> BuildError {
    BuildError::of(KIND)(error)
}

/// Builds the app in the context's source directory.
pub(crate) async fn compile(context: &mut Context<'_>) -> Result<Compiled, BuildError> {
    let jvm = Jvm::determine(context).map_err(BuildError::of(KIND))?;
    let app = App::determine(&context.work.source(), &jvm.properties);
    jvm.install(context).await;
    app.warn(context.output).await;

    let directories = vec![Directory::find(context, KEPT, "")?];
    let ended = run(context, &app, &directories).await?;
    let jar = ended.told("jar")?;
    jvm::collect(context, Language::Java, directories, app.web(jar.as_deref()), ended).await
}

/// Runs the build's program in a container.
async fn run(context: &mut Context<'_>, app: &App, directories: &[Directory]) -> Result<Ended, BuildError> {
    let maven = match &app.maven {
        Maven::Wrapper => String::new(),
        Maven::Version(version) => version.clone(),
    };
    let program = Program {
        script: "java.sh",
        files: &[("java.sh", include_str!("java/build.sh"))],
        env: vec![("KIGO_MAVEN".into(), maven.clone())],
        directories,
    };
    let ended = jvm::run(context, program).await?;
    if ended.status == 0 {
        return Ok(ended);
    }
    let step = ended.told("step")?.unwrap_or_default();
    let offered = ended.told("versions")?.unwrap_or_default();
    Err(failed(match step.as_str() {
        "no-maven" => JavaError::NoMaven { version: maven, offered },
        _ => JavaError::Step { step, status: ended.status },
    }))
}
