//! What an app says about itself: its project file and its Maven.

use super::words::{self, Warning};
use crate::languages::jvm::{Properties, word};
use crate::output::Output;
use crate::source::{has_file, read_file};
use std::path::Path;

/// The endings of project files that Maven's dialects have (heroku-buildpack-java, `bin/detect`).
const ENDINGS: [&str; 8] = ["xml", "atom", "clj", "groovy", "rb", "scala", "yaml", "yml"];

/// What builds an app that names no version: the newest release without a successor in sight.
const DEFAULT_MAVEN: &str = "3.9.16";

/// Whether an app is built with Maven.
pub(crate) fn detect(tree: &Path) -> bool {
    ENDINGS.iter().any(|ending| has_file(tree, &format!("pom.{ending}")))
}

/// The app, as far as a build is concerned.
#[derive(Debug)]
pub(super) struct App {
    pub(super) maven: Maven,
    framework: Option<Framework>,
    warnings: Vec<Warning>,
}

/// Which Maven builds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Maven {
    /// The app's own, `mvnw`.
    Wrapper,
    Version(String),
}

/// What starts an app, and how it is told its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framework {
    Quarkus,
    SpringBoot,
    WildFlySwarm,
    Micronaut,
}

impl App {
    /// Looks at the app in `tree`.
    pub(super) fn determine(tree: &Path, properties: &Properties) -> Self {
        let has_wrapper = has_file(tree, "mvnw");
        let is_complete = has_file(tree, ".mvn/wrapper/maven-wrapper.properties");
        let maven = match properties.word("maven.version") {
            Some(version) => Maven::Version(version.to_owned()),
            None if has_wrapper && is_complete => Maven::Wrapper,
            None => Maven::Version(DEFAULT_MAVEN.into()),
        };
        let incomplete = has_wrapper && !is_complete;
        Self {
            maven,
            framework: Framework::of(tree),
            warnings: incomplete.then_some(Warning::IncompleteWrapper).into_iter().collect(),
        }
    }

    /// Tells the user what is likely to cause trouble.
    pub(super) async fn warn(&self, output: &Output) {
        for warning in &self.warnings {
            words::warn(warning, output).await;
        }
    }

    /// The command of the web process that it has by itself; `jar` is the largest that was built.
    pub(super) fn web(&self, jar: Option<&str>) -> Option<String> {
        let (option, jar) = match (self.framework?, jar) {
            (Framework::Quarkus, _) => ("quarkus.http.port", "target/quarkus-app/quarkus-run.jar"),
            (Framework::SpringBoot, Some(jar)) => ("server.port", jar),
            (Framework::WildFlySwarm, Some(jar)) => ("swarm.http.port", jar),
            (Framework::Micronaut, Some(jar)) => ("micronaut.server.port", jar),
            (_, None) => return None,
        };
        Some(format!("java -D{option}=$PORT $JAVA_OPTS -jar {}", word(jar)))
    }
}

impl Framework {
    /// By the groups that the project file names, for dependencies, plugins or parents. What Maven
    /// itself cannot read has none; it will say so.
    fn of(tree: &Path) -> Option<Self> {
        let bytes = read_file(tree, "pom.xml").ok()??;
        let text = String::from_utf8_lossy(&bytes);
        let document = roxmltree::Document::parse(text.trim_start_matches('\u{feff}')).ok()?;
        let has = |element: &str, start: &str| {
            let named = document.descendants().filter(|node| node.tag_name().name() == element);
            named.filter_map(|node| node.text()).any(|text| text.trim().starts_with(start))
        };
        if has("groupId", "io.quarkus") {
            Some(Self::Quarkus)
        } else if has("groupId", "org.springframework.boot") && has("artifactId", "spring-boot") {
            Some(Self::SpringBoot)
        } else if has("groupId", "org.wildfly.swarm") {
            Some(Self::WildFlySwarm)
        } else if has("groupId", "io.micronaut") {
            Some(Self::Micronaut)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(files: &[(&str, &str)]) -> App {
        let tree = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = tree.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        App::determine(tree.path(), &Properties::read(tree.path(), "system.properties").unwrap())
    }

    #[test]
    fn is_recognised_by_its_project_file() {
        let tree = tempfile::tempdir().unwrap();
        assert!(!detect(tree.path()));
        std::fs::create_dir(tree.path().join("pom.xml")).unwrap();
        assert!(!detect(tree.path()));
        std::fs::write(tree.path().join("pom.yml"), "").unwrap();
        assert!(detect(tree.path()));
    }

    #[test]
    fn a_named_version_wins_over_the_wrapper_which_has_to_be_complete() {
        let wrapper = [("mvnw", ""), (".mvn/wrapper/maven-wrapper.properties", "")];
        let named = ("system.properties", "maven.version=3.8.8");
        for (files, maven, warnings) in [
            (&wrapper[..], Maven::Wrapper, 0),
            (&[wrapper[0], wrapper[1], named], Maven::Version("3.8.8".into()), 0),
            (&wrapper[..1], Maven::Version(DEFAULT_MAVEN.into()), 1),
            (&[], Maven::Version(DEFAULT_MAVEN.into()), 0),
        ] {
            let app = app(files);
            assert_eq!((app.maven, app.warnings.len()), (maven, warnings), "{files:?}");
        }
    }

    #[test]
    fn frameworks_are_started_with_their_port() {
        let pom = |group: &str, artifact: &str| {
            format!(
                "<project xmlns='http://maven.apache.org/POM/4.0.0'><!-- <groupId>io.quarkus</groupId> -->\
                 <parent><groupId> {group}\n</groupId><artifactId>{artifact}</artifactId></parent></project>"
            )
        };
        for (pom, expected) in [
            (
                pom("org.springframework.boot", "spring-boot-starter-parent"),
                Some("java -Dserver.port=$PORT $JAVA_OPTS -jar target/a.jar"),
            ),
            (
                pom("io.quarkus.platform", "quarkus-bom"),
                Some("java -Dquarkus.http.port=$PORT $JAVA_OPTS -jar target/quarkus-app/quarkus-run.jar"),
            ),
            (
                pom("io.micronaut.platform", "micronaut-parent"),
                Some("java -Dmicronaut.server.port=$PORT $JAVA_OPTS -jar target/a.jar"),
            ),
            (
                pom("org.wildfly.swarm", "bom"),
                Some("java -Dswarm.http.port=$PORT $JAVA_OPTS -jar target/a.jar"),
            ),
            (pom("org.springframework.boot", "other"), None),
            (pom("com.example", "spring-boot"), None),
            ("<project>".into(), None),
        ] {
            assert_eq!(app(&[("pom.xml", &pom)]).web(Some("target/a.jar")).as_deref(), expected, "{pom}");
        }
        let boot = app(&[("pom.xml", &pom("org.springframework.boot", "spring-boot"))]);
        assert_eq!(boot.web(None), None);
    }
}
