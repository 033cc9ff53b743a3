//! What a container app wants built and run: `heroku.yml` (Dev Center, "Building Docker Images with
//! heroku.yml"), or a `Dockerfile` in the root, which is `web`'s.

use crate::images::{ImagesError, first_line};
use domain::ProcessType;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use std::path::{Component, Path};

/// What is to be built, and what of it runs how.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) images: BTreeMap<ProcessType, Dockerfile>,
    /// `--build-arg` of each.
    pub(crate) arguments: BTreeMap<String, String>,
    pub(crate) run: BTreeMap<ProcessType, Run>,
}

/// One image to be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dockerfile {
    /// Below the root of the source; its directory is the build's context.
    pub(crate) path: String,
    /// The stage to stop at.
    pub(crate) target: Option<String>,
}

/// What a process type runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) image: ProcessType,
    /// For a shell; `None` for what the image itself names.
    pub(crate) command: Option<String>,
    /// It is not named in `run`, where others are: without a command it is no process type.
    pub(crate) implied: bool,
}

impl Run {
    fn itself(name: &ProcessType, implied: bool) -> (ProcessType, Self) {
        (name.clone(), Self { image: name.clone(), command: None, implied })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    build: Option<Build>,
    #[serde(default)]
    run: BTreeMap<String, RunEntry>,
    release: Option<Detailed>,
    /// For whoever makes an app from the file, not for a build.
    #[serde(default, rename = "setup")]
    _setup: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Build {
    #[serde(default)]
    docker: BTreeMap<String, DockerEntry>,
    #[serde(default)]
    config: BTreeMap<String, Scalar>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum DockerEntry {
    Path(String),
    Detailed(DetailedDockerfile),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DetailedDockerfile {
    dockerfile: String,
    target: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RunEntry {
    Command(String),
    Detailed(Detailed),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Detailed {
    image: Option<String>,
    command: Option<Commands>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Commands {
    One(String),
    /// One after another, as long as none fails.
    List(Vec<String>),
}

/// A value that may be written without quotes.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Scalar {
    Text(String),
    Bool(bool),
    Integer(i64),
    Float(f64),
}

impl Scalar {
    pub(super) fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
        }
    }
}

impl Plan {
    /// A Dockerfile in the root and nothing else.
    pub(crate) fn of_dockerfile() -> Self {
        let web = ProcessType::web();
        Self {
            images: [(web.clone(), Dockerfile { path: "Dockerfile".into(), target: None })].into(),
            arguments: BTreeMap::new(),
            run: [Run::itself(&web, false)].into(),
        }
    }

    /// Reads a heroku.yml.
    pub(crate) fn parse(text: &str) -> Result<Self, ImagesError> {
        let bad = |why: String| ImagesError::Manifest(why);
        let file: File = serde_saphyr::from_str(text).map_err(|error| bad(first_line(&error.to_string())))?;
        let build = file.build.ok_or_else(|| bad("it has no section `build`".into()))?;
        let mut images = BTreeMap::new();
        for (name, entry) in build.docker {
            images.insert(process_type(&name)?, dockerfile(&name, entry)?);
        }
        if images.is_empty() {
            return Err(bad("its section `build.docker` names no Dockerfile".into()));
        }
        let arguments = build.config.into_iter().map(|(name, value)| (name, value.text())).collect();
        let release = process_type("release")?;
        let implied = !file.run.is_empty();
        let own = images.keys().filter(|name| **name != release);
        let mut run: BTreeMap<_, _> = own.map(|name| Run::itself(name, implied)).collect();
        for (name, entry) in file.run {
            let name = process_type(&name)?;
            let detailed = match entry {
                RunEntry::Command(command) => Detailed { image: None, command: Some(Commands::One(command)) },
                RunEntry::Detailed(detailed) => detailed,
            };
            run.insert(name.clone(), resolve(&name, detailed, &images)?);
        }
        match file.release {
            Some(detailed) => drop(run.insert(release.clone(), resolve(&release, detailed, &images)?)),
            None if images.contains_key(&release) => run.extend([Run::itself(&release, false)]),
            None => {}
        }
        Ok(Self { images, arguments, run })
    }
}

fn process_type(name: &str) -> Result<ProcessType, ImagesError> {
    ProcessType::parse(name).map_err(|error| ImagesError::Manifest(error.0.trim_end_matches('.').to_owned()))
}

fn dockerfile(name: &str, entry: DockerEntry) -> Result<Dockerfile, ImagesError> {
    let (path, target) = match entry {
        DockerEntry::Path(path) => (path, None),
        DockerEntry::Detailed(DetailedDockerfile { dockerfile, target }) => (dockerfile, target),
    };
    let inside = Path::new(&path)
        .components()
        .all(|component| matches!(component, Component::Normal(_) | Component::CurDir));
    if path.is_empty() || !inside || path.contains('\0') {
        return Err(ImagesError::Manifest(format!(
            "the Dockerfile {path:?} of {name} is not inside of the app"
        )));
    }
    Ok(Dockerfile { path: path.trim_start_matches("./").to_owned(), target })
}

/// Which image a process type runs: the one that is named, its own, `web`'s, or the only one.
fn resolve(
    name: &ProcessType,
    detailed: Detailed,
    images: &BTreeMap<ProcessType, Dockerfile>,
) -> Result<Run, ImagesError> {
    let bad = |why: String| ImagesError::Manifest(why);
    let image = if let Some(named) = detailed.image {
        let named = process_type(&named)?;
        if !images.contains_key(&named) {
            return Err(bad(format!("{name} is to run the image {named}, which is not in `build.docker`")));
        }
        named
    } else {
        let web = ProcessType::web();
        let own = [name, &web].into_iter().find(|candidate| images.contains_key(*candidate));
        let only = || images.keys().next().filter(|_| images.len() == 1);
        own.or_else(only)
            .cloned()
            .ok_or_else(|| bad(format!("{name} has no image of its own; say which it runs with `image`")))?
    };
    let command = match detailed.command {
        None => None,
        Some(Commands::One(command)) => Some(command),
        Some(Commands::List(list)) => Some(list.join(" && ")),
    };
    let command = command.map(|command| command.trim().to_owned()).filter(|command| !command.is_empty());
    Ok(Run { image, command, implied: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `web=./Dockerfile@target | A=1 | web: web, worker: web (command)`.
    fn shown(text: &str) -> Result<String, String> {
        let plan = Plan::parse(text).map_err(|error| error.to_string())?;
        let images = plan.images.iter().map(|(name, image)| {
            let target = image.target.as_ref().map(|target| format!("@{target}")).unwrap_or_default();
            format!("{name}={}{target}", image.path)
        });
        let arguments = plan.arguments.iter().map(|(name, value)| format!("{name}={value}"));
        let run = plan.run.iter().map(|(name, run)| {
            let command = run.command.as_ref().map(|command| format!(" ({command})")).unwrap_or_default();
            format!("{name}: {}{command}", run.image)
        });
        let join = |words: Vec<String>| words.join(", ");
        Ok([join(images.collect()), join(arguments.collect()), join(run.collect())].join(" | "))
    }

    #[test]
    fn what_is_built_and_run() {
        for (text, expected) in [
            ("build: {docker: {web: Dockerfile}}", "web=Dockerfile |  | web: web"),
            (
                "setup: {addons: [{plan: heroku-postgresql}]}\nbuild:\n  docker:\n    web: ./a/Dockerfile\n    worker:\n      dockerfile: b/Dockerfile\n      target: slim\n  config: {A: x, B: 1, C: true}\n",
                "web=a/Dockerfile, worker=b/Dockerfile@slim | A=x, B=1, C=true | web: web, worker: worker",
            ),
            (
                "build: {docker: {web: Dockerfile}}\nrun:\n  web: npm start\n  worker:\n    command: [python worker.py]\n    image: web\n  clock: {command: tick}\nrelease:\n  command: [a, b]\n",
                "web=Dockerfile |  | clock: web (tick), release: web (a && b), web: web (npm start), worker: web (python worker.py)",
            ),
            ("build: {docker: {release: R, web: W}}", "release=R, web=W |  | release: release, web: web"),
            (
                "build: {docker: {worker: W}}\nrelease: {image: worker}",
                "worker=W |  | release: worker, worker: worker",
            ),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn mistakes_are_told() {
        for (text, words) in [
            ("", "build"),
            ("run: {web: x}", "no section `build`"),
            ("build: {docker: {}}", "names no Dockerfile"),
            ("build: {docker: {web: ../Dockerfile}}", "not inside of the app"),
            ("build: {docker: {web: /etc/passwd}}", "not inside of the app"),
            ("build: {docker: {\"we b\": D}}", "we b"),
            ("build: {docker: {web: D}}\nrun: {worker: {image: other}}", "not in `build.docker`"),
            ("build: {docker: {a: D, b: D}}\nrun: {c: x}", "has no image of its own"),
            ("build: {docker: {web: D}}\nrunn: {web: x}", "runn"),
            ("build: [", "line"),
        ] {
            let error = shown(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
