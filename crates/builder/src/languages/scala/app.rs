//! What an app says about itself: its sbt, and what is run.

use super::words::ScalaError;
use crate::BuildError;
use crate::languages::jvm::{Properties, word};
use crate::source::has_file;
use std::path::Path;

/// The app, as far as a build is concerned.
#[derive(Debug)]
pub(super) struct App {
    pub(super) sbt: String,
    /// Settings that `system.properties` has for config vars, as the names of these.
    settings: Vec<(&'static str, String)>,
}

/// Whether an app is built with sbt (heroku-buildpack-scala, `bin/detect`).
pub(crate) fn detect(tree: &Path) -> bool {
    let has = |directory: &str, ending: &str| {
        let entries = tree.join(directory).read_dir().into_iter().flatten().filter_map(Result::ok);
        entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_dir()))
            .any(|entry| entry.file_name().as_encoded_bytes().ends_with(ending.as_bytes()))
    };
    has("", ".sbt")
        || has_file(tree, ".sbtrc")
        || has_file(tree, "project/build.properties")
        || has("project", ".scala")
        || has(".sbt", ".scala")
}

impl App {
    /// Looks at the app in `tree`.
    pub(super) fn determine(tree: &Path, properties: &Properties) -> Result<Self, BuildError> {
        let build = Properties::read(tree, "project/build.properties");
        let build = build.map_err(BuildError::of(super::KIND))?;
        let sbt = build.word("sbt.version").ok_or_else(|| super::failed(ScalaError::NoVersion))?;
        if !["1.", "2."].iter().any(|supported| sbt.starts_with(supported)) {
            return Err(super::failed(ScalaError::Unsupported(sbt.to_owned())));
        }
        let names =
            [("sbt.project", "SBT_PROJECT"), ("sbt.pre-tasks", "SBT_PRE_TASKS"), ("sbt.clean", "SBT_CLEAN")];
        let settings = names
            .into_iter()
            .filter_map(|(property, variable)| Some((variable, properties.get(property)?.trim().to_owned())));
        Ok(Self { sbt: sbt.to_owned(), settings: settings.collect() })
    }

    /// For the program in the container.
    pub(super) fn plan(&self) -> Vec<(String, String)> {
        let settings = self.settings.iter().map(|(name, value)| (format!("KIGO_{name}"), value.clone()));
        settings.chain([("KIGO_SBT".into(), self.sbt.clone())]).collect()
    }
}

/// The command of the web process that an app has by itself; `program` is the one that was staged.
pub(super) fn web(program: Option<&str>) -> Option<String> {
    match program? {
        "" => None,
        // What Play made before it used sbt-native-packager.
        "target/start" => Some("target/start -Dhttp.port=$PORT $JAVA_OPTS".into()),
        // Most are Play's, which takes its port so; others do not mind.
        program => Some(format!("{} -Dhttp.port=$PORT", word(program))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = tree.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        tree
    }

    #[test]
    fn is_recognised_by_any_of_its_files() {
        for (file, expected) in [
            ("build.sbt", true),
            (".sbtrc", true),
            ("project/build.properties", true),
            ("project/Build.scala", true),
            (".sbt/x.scala", true),
            ("src/Main.scala", false),
            ("project/plugins.sbt", false),
            ("x.sbt/file", false),
        ] {
            assert_eq!(detect(tree(&[(file, "")]).path()), expected, "{file}");
        }
    }

    #[test]
    fn has_to_name_its_sbt() {
        for (text, expected) in [
            ("sbt.version=1.11.7", Ok("1.11.7")),
            ("sbt.version = 2.0.1 # new", Ok("2.0.1")),
            ("sbt.version=0.13.18", Err("Unsupported sbt version detected.")),
            ("sbt.version=10.0", Err("Unsupported sbt version detected.")),
            ("", Err("sbt version cannot be determined.")),
        ] {
            let tree = tree(&[("project/build.properties", text)]);
            let app = App::determine(tree.path(), &Properties::default());
            let found = app.map(|app| app.sbt).map_err(|error| error.words().happened);
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text}");
        }
    }

    #[test]
    fn settings_may_be_in_system_properties() {
        let tree = tree(&[
            ("project/build.properties", "sbt.version=1.11.7"),
            ("system.properties", "sbt.project=web\nsbt.pre-tasks=a b\n"),
        ]);
        let properties = Properties::read(tree.path(), "system.properties").unwrap();
        let plan = App::determine(tree.path(), &properties).unwrap().plan();
        let plan: Vec<_> = plan.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(plan, ["KIGO_SBT_PROJECT=web", "KIGO_SBT_PRE_TASKS=a b", "KIGO_SBT=1.11.7"]);
    }

    #[test]
    fn what_is_staged_is_started_with_its_port() {
        for (program, expected) in [
            (
                Some("target/universal/stage/bin/app"),
                Some("target/universal/stage/bin/app -Dhttp.port=$PORT"),
            ),
            (Some("target/start"), Some("target/start -Dhttp.port=$PORT $JAVA_OPTS")),
            (Some(""), None),
            (None, None),
        ] {
            assert_eq!(web(program).as_deref(), expected);
        }
    }
}
