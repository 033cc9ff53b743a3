//! Scala, with sbt.
//!
//! sbt is of the version that the app names in `project/build.properties`. What it downloads is kept
//! for the app's next build, and so is what it compiled, in a directory of its own, which is smaller
//! and changes more. What is run and which web process an app has by itself follows Heroku's Scala
//! buildpack.

mod app;
mod words;

use super::jvm::{self, Jvm, Program};
use crate::BuildError;
use crate::build::{Compiled, Context};
use crate::cache::Directory;
use crate::container::Ended;
use crate::languages::Language;
use app::App;
use words::ScalaError;

pub(crate) use app::detect;

/// What an app is called.
pub(crate) const KIND: &str = "Scala";

/// Where sbt's files are kept, and what it compiled; the names are a part of `build.sh`.
const KEPT: [&str; 2] = ["sbt", "sbt_target"];

fn failed(error: ScalaError) -> BuildError {
    BuildError::of(KIND)(error)
}

/// Builds the app in the context's source directory.
pub(crate) async fn compile(context: &mut Context<'_>) -> Result<Compiled, BuildError> {
    let jvm = Jvm::determine(context).map_err(BuildError::of(KIND))?;
    let app = App::determine(&context.work.source(), &jvm.properties)?;
    jvm.install(context).await;

    let directories = KEPT.map(|name| Directory::find(context, name, ""));
    let directories = directories.into_iter().collect::<Result<Vec<_>, _>>()?;
    let ended = run(context, &app, &directories).await?;
    let web = app::web(ended.told("program")?.as_deref());
    jvm::collect(context, Language::Scala, directories, web, ended).await
}

/// Runs the build's program in a container.
async fn run(context: &mut Context<'_>, app: &App, directories: &[Directory]) -> Result<Ended, BuildError> {
    let program = Program {
        script: "scala.sh",
        files: &[
            ("scala.sh", include_str!("scala/build.sh")),
            ("scala-sbt.sh", include_str!("scala/sbt.sh")),
            ("scala-profile.sh", include_str!("scala/profile.sh")),
            ("scala-global.sbt", include_str!("scala/global.sbt")),
        ],
        env: app.plan(),
        directories,
    };
    let ended = jvm::run(context, program).await?;
    if ended.status == 0 {
        return Ok(ended);
    }
    let step = ended.told("step")?.unwrap_or_default();
    let offered = ended.told("versions")?.unwrap_or_default();
    Err(failed(match step.as_str() {
        "no-sbt" => ScalaError::NoSbt { version: app.sbt.clone(), offered },
        _ => ScalaError::Step { step, status: ended.status },
    }))
}
