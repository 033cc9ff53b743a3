//! What an app says about itself: its wrapper, and what it depends on.

use super::words::{self, GradleError, Warning};
use crate::BuildError;
use crate::languages::jvm::{Properties, word};
use crate::output::Output;
use crate::source::{has_file, read_file};
use std::path::Path;

/// The files by which an app is recognised (heroku-buildpack-gradle, `bin/detect`).
const RECOGNISED: [&str; 5] =
    ["gradlew", "build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"];

/// The first version of Gradle that runs on a version of Java (Gradle's compatibility matrix).
const RUNS_ON: [(u32, (u32, u32)); 3] = [(17, (7, 3)), (21, (8, 5)), (25, (9, 1))];

/// The oldest version of Gradle that still gets repairs.
const MAINTAINED: u32 = 8;

/// Whether an app is built with Gradle.
pub(crate) fn detect(tree: &Path) -> bool {
    RECOGNISED.iter().any(|name| has_file(tree, name))
}

/// The app, as far as a build is concerned.
#[derive(Debug)]
pub(super) struct App {
    /// Major and minor version of the Gradle that its wrapper downloads, as far as it tells.
    gradle: Option<(u32, u32)>,
}

impl App {
    /// Looks at the app in `tree`.
    pub(super) fn determine(tree: &Path) -> Result<Self, BuildError> {
        if !has_file(tree, "gradlew") {
            return Err(super::failed(GradleError::NoWrapper));
        }
        let script = read_file(tree, "gradlew")?.unwrap_or_default();
        let wants_jar = String::from_utf8_lossy(&script).contains("gradle-wrapper.jar");
        if wants_jar && !has_file(tree, "gradle/wrapper/gradle-wrapper.jar") {
            return Err(super::failed(GradleError::NoWrapperJar));
        }
        let properties = Properties::read(tree, "gradle/wrapper/gradle-wrapper.properties");
        let properties = properties.map_err(BuildError::of(super::KIND))?;
        Ok(Self { gradle: properties.get("distributionUrl").and_then(version_of) })
    }

    /// What is likely to cause trouble when it is built with this version of Java.
    fn warning(&self, java: &str) -> Option<Warning> {
        let (major, minor) = self.gradle?;
        let java = java.parse().unwrap_or(0);
        let needed = RUNS_ON.iter().rev().find(|(version, _)| *version <= java).map(|(_, gradle)| *gradle);
        match needed {
            Some(needed) if (major, minor) < needed => {
                Some(Warning::TooOldForJava { gradle: (major, minor), java, needed })
            }
            _ if major < MAINTAINED => Some(Warning::Unmaintained { major, minor }),
            _ => None,
        }
    }

    /// Tells the user what is likely to cause trouble.
    pub(super) async fn warn(&self, java: &str, output: &Output) {
        if let Some(warning) = self.warning(java) {
            words::warn(&warning, output).await;
        }
    }
}

/// `8.11` of `https://services.gradle.org/distributions/gradle-8.11.1-bin.zip`.
fn version_of(address: &str) -> Option<(u32, u32)> {
    let file = address.rsplit('/').next()?;
    let mut numbers = file.strip_prefix("gradle-")?.split(['.', '-']).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// The command of the web process that an app has by itself; `program` is what was built to be run.
pub(super) fn web(framework: Option<&str>, program: Option<&str>) -> Option<String> {
    let program = word(program.filter(|program| !program.is_empty())?);
    let jar = |option| format!("java -D{option}=$PORT $JAVA_OPTS -jar {program}");
    match framework? {
        "spring-boot-webapp-runner" => {
            Some(format!("cd build ; java $JAVA_OPTS -jar {program} --expand-war --port $PORT libs/*.war"))
        }
        "spring-boot" => Some(jar("server.port")),
        "micronaut" => Some(jar("micronaut.server.port")),
        "quarkus" => Some(jar("quarkus.http.port")),
        "ratpack" => Some(program),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(files: &[(&str, &str)]) -> Result<App, BuildError> {
        let tree = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = tree.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        App::determine(tree.path())
    }

    #[test]
    fn is_recognised_by_any_of_its_files() {
        let tree = tempfile::tempdir().unwrap();
        assert!(!detect(tree.path()));
        std::fs::write(tree.path().join("settings.gradle.kts"), "").unwrap();
        assert!(detect(tree.path()));
    }

    #[test]
    fn has_to_have_its_whole_wrapper() {
        let script = ("gradlew", "CLASSPATH=$APP_HOME/gradle/wrapper/gradle-wrapper.jar");
        let jar = ("gradle/wrapper/gradle-wrapper.jar", "");
        let words = |files: &[(&str, &str)]| app(files).map(drop).map_err(|error| error.words().happened);
        assert_eq!(words(&[("build.gradle", "")]), Err("Gradle Wrapper is missing.".into()));
        assert_eq!(words(&[script]), Err("gradle/wrapper/gradle-wrapper.jar is missing.".into()));
        assert_eq!(words(&[script, jar]), Ok(()));
        assert_eq!(words(&[("gradlew", "exec gradle \"$@\"")]), Ok(()));
    }

    #[test]
    fn the_wrapper_tells_its_version() {
        for (address, expected) in [
            ("https\\://services.gradle.org/distributions/gradle-8.11.1-bin.zip", Some((8, 11))),
            ("https\\://services.gradle.org/distributions/gradle-9.0.0-rc-1-all.zip", Some((9, 0))),
            ("../../gradle-4.4.1.zip", Some((4, 4))),
            ("https\\://example.com/own.zip", None),
        ] {
            let properties = format!("distributionUrl={address}");
            let files = [("gradlew", ""), ("gradle/wrapper/gradle-wrapper.properties", properties.as_str())];
            assert_eq!(app(&files).unwrap().gradle, expected, "{address}");
        }
    }

    #[test]
    fn a_gradle_that_is_too_old_is_told() {
        for (gradle, java, expected) in [
            (Some((9, 1)), "25", None),
            (Some((9, 0)), "25", Some("Gradle 9.0 does not know Java 25; 9.1 does")),
            (Some((8, 5)), "21", None),
            (Some((8, 4)), "21", Some("Gradle 8.4 does not know Java 21; 8.5 does")),
            (Some((7, 6)), "17", Some("Gradle 7.6 is not maintained")),
            (Some((7, 2)), "17", Some("Gradle 7.2 does not know Java 17; 7.3 does")),
            (None, "25", None),
        ] {
            let warning = App { gradle }.warning(java).map(|warning| match warning {
                Warning::Unmaintained { major, minor } => format!("Gradle {major}.{minor} is not maintained"),
                Warning::TooOldForJava { gradle: (a, b), java, needed: (c, d) } => {
                    format!("Gradle {a}.{b} does not know Java {java}; {c}.{d} does")
                }
            });
            assert_eq!(warning.as_deref(), expected);
        }
    }

    #[test]
    fn frameworks_are_started_with_their_port() {
        for (framework, expected) in [
            ("spring-boot", Some("java -Dserver.port=$PORT $JAVA_OPTS -jar a.jar")),
            ("micronaut", Some("java -Dmicronaut.server.port=$PORT $JAVA_OPTS -jar a.jar")),
            ("quarkus", Some("java -Dquarkus.http.port=$PORT $JAVA_OPTS -jar a.jar")),
            ("ratpack", Some("a.jar")),
            (
                "spring-boot-webapp-runner",
                Some("cd build ; java $JAVA_OPTS -jar a.jar --expand-war --port $PORT libs/*.war"),
            ),
            ("", None),
        ] {
            assert_eq!(web(Some(framework), Some("a.jar")).as_deref(), expected, "{framework}");
            assert_eq!(web(Some(framework), Some("")), None);
        }
        assert_eq!(web(None, Some("a.jar")), None);
    }
}
