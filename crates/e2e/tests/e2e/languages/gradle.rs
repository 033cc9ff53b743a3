//! Gradle: Spring Boot.

use super::refused;
use crate::run;
use anyhow::{Context, Result};
use e2e::{App, Server};

/// Names a distribution of Gradle, a zip file, for the story that needs one: Gradle is at an address
/// that not every machine reaches, and at no other.
pub(crate) const DISTRIBUTION: &str = "KIGO_TEST_GRADLE";

/// A Spring Boot app, and a change to it.
pub(crate) fn spring_boot(server: &Server) -> Result<()> {
    run(async {
        let distribution = std::env::var_os(DISTRIBUTION).context("no distribution of Gradle was named")?;
        let app = App::example(server, "gradle-app", "gradle-spring-boot")?;
        std::fs::copy(distribution, app.checkout.join("gradle.zip"))?;
        let settings = "gradle/wrapper/gradle-wrapper.properties";
        app.write(settings, "distributionUrl=../../gradle.zip\n")?;
        app.commit("bring Gradle along")?;
        app.push()?.ok()?.says("$ ./gradlew build -x check")?.says("Default types for buildpack -> web")?;
        app.answers("Hello from Spring Boot in web.1").await?;
        let greeter = "src/main/java/com/example/greetings/Greeter.java";
        let good = std::fs::read_to_string(app.checkout.join(greeter))?;
        app.write(greeter, &good.replace("+ dyno +", "+ dino +"))?;
        app.commit("typo")?;
        app.push()?.fails()?.says("Task :compileJava FAILED")?.says("Gradle build failed.")?;
        app.write(greeter, &good.replace("from Spring Boot", "from a changed Spring Boot"))?;
        app.commit("change")?;
        app.push()?.ok()?.says("Executing Gradle")?;
        app.answers("Hello from a changed Spring Boot").await?;
        app.heroku(&["config:set", "GRADLE_TASK=no-such-task"])?.ok()?;
        app.commit("again")?;
        app.push()?.fails()?.says("Gradle task 'no-such-task' not found.")?;
        Ok(())
    })
}

/// As Gradle fails, where there is none: it can be asked, and its build ends so.
const FAILS: &str = "#!/bin/sh
case $* in
    *kigoInspect*) echo 'kigo: stage' ;;
    *--dry-run* | *--stop*) ;;
    *) echo '> Task :compileJava FAILED'; echo 'Greeter.java:3: error: cannot find symbol' >&2; exit 1 ;;
esac
";

/// What a user can get wrong. A lockfile of Gradle is the app's own business.
pub(crate) fn mistakes(server: &Server) -> Result<()> {
    let java = ("system.properties", "java.runtime.version=21");
    let script = ("gradlew", "exec java -jar gradle/wrapper/gradle-wrapper.jar \"$@\"");
    refused(
        server,
        "gradle",
        &[
            ("no-wrapper", &[("build.gradle", "")]),
            ("no-wrapper-jar", &[script]),
            ("old-version", &[("gradlew", "#!/bin/sh\n"), ("system.properties", "java.runtime.version=1.7")]),
            (
                "failing-wrapper",
                &[
                    ("gradlew", "#!/bin/sh\necho Gradle cannot be downloaded >&2; exit 1\n"),
                    (
                        "gradle/wrapper/gradle-wrapper.properties",
                        "distributionUrl=https\\://example.com/gradle-8.4-bin.zip\n",
                    ),
                    java,
                ],
            ),
            ("failing-compile", &[("gradlew", FAILS), java]),
        ],
    )
}
