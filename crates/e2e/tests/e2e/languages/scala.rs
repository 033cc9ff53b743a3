//! Scala: Play.

use super::{refused, snapshot};
use crate::run;
use anyhow::Result;
use e2e::{App, Server};

const GREETINGS: &str = "app/controllers/Greetings.scala";

/// A Play app, a mistake in it, and a change that compiles nothing but itself.
pub(crate) fn play(server: &Server) -> Result<()> {
    run(async {
        let app = App::example(server, "scala-play-app", "scala-play")?;
        app.heroku(&["config:set", "APPLICATION_SECRET=0123456789abcdef0123456789abcdef"])?.ok()?;
        snapshot("scala-play", &app.push()?.ok()?);
        app.answers("Hello from Play in web.1").await?;
        let good = std::fs::read_to_string(app.checkout.join(GREETINGS))?;
        app.write(GREETINGS, &good.replace("$greeting from", "$greetings from"))?;
        app.commit("typo")?;
        snapshot("scala-failing-compile", &app.push()?.fails()?);
        let build = std::fs::read_to_string(app.checkout.join("build.sbt"))?;
        let lost = "libraryDependencies += \"com.example\" % \"lost\" % \"1.0\"";
        app.write("build.sbt", &format!("{build}\n{lost}\n"))?;
        app.commit("lost dependency")?;
        // sbt names the repositories it asked, which differ from one machine to the next.
        app.push()?.fails()?.says("com.example:lost:1.0")?.says("Push rejected, failed to compile")?;
        app.write("build.sbt", &build)?;
        app.write(GREETINGS, &good.replace("from Play", "from a changed Play"))?;
        app.commit("change")?;
        app.push()?.ok()?.says("compiling 1 Scala source to")?.says_not("getting Scala")?;
        app.answers("Hello from a changed Play").await?;
        app.heroku(&["run", "--no-tty", "--exit-code", "java -version"])?
            .ok()?
            .says("openjdk version \"21")?;
        // What there is of a console without sbt: Java's, with the classes of the app.
        let console = "echo 'System.out.println(play.core.PlayVersion.current())' | jshell --class-path \"$(echo target/universal/stage/lib/*.jar | tr ' ' ':')\" -";
        app.heroku(&["run", "--no-tty", "--exit-code", console])?.ok()?.says("3.0.")?;
        Ok(())
    })
}

/// What a user can get wrong. sbt has no lockfile.
pub(crate) fn mistakes(server: &Server) -> Result<()> {
    let build = ("build.sbt", "");
    refused(
        server,
        "scala",
        &[
            ("no-version", &[build]),
            ("old-version", &[build, ("project/build.properties", "sbt.version=0.13.18")]),
            (
                "no-sbt",
                &[
                    build,
                    ("project/build.properties", "sbt.version=1.0.99"),
                    ("system.properties", "java.runtime.version=21"),
                ],
            ),
        ],
    )
}
