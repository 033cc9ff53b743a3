//! Why builds fail, and every word that a user reads about it.
//!
//! An error is data; [`BuildError::words`] turns it into what happened, why, and what to do next.
//! Nothing else in this crate words a failure.

use crate::TestError;
use crate::classic::release::BadRelease;
use crate::cnb::errors::CnbError;
use crate::languages::Language;
use crate::output::Output;
use crate::project_toml::BadProject;
use crate::registry::RegistryError;
use crate::slugignore::BadPattern;
use crate::stack::StackError;
use domain::NameError;
use domain::app_json::AppJsonError;
use engine::EngineError;
use image::{StoreError, UnpackError};
use std::time::Duration;

/// Why a build did not end in an image.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("the source archive cannot be unpacked")]
    Source(#[source] UnpackError),
    #[error("the Procfile is not valid")]
    Procfile(#[source] NameError),
    #[error(".slugignore is not valid")]
    SlugIgnore(#[source] BadPattern),
    #[error("app.json is not valid")]
    AppJson(#[source] AppJsonError),
    #[error("project.toml is not valid")]
    ProjectToml(#[source] BadProject),
    #[error("a file of the app cannot be read")]
    AppFile(#[source] std::io::Error),
    #[error("no language was detected")]
    NoLanguage,
    #[error("the app has more than {0} buildpacks")]
    TooManyBuildpacks(usize),
    #[error("there is no buildpack {0}")]
    UnknownBuildpack(String),
    #[error("{address:?} is not the address of a buildpack")]
    BuildpackAddress { address: String, why: &'static str },
    #[error("the buildpack {0} could not be fetched")]
    BuildpackFetch(String),
    #[error("{0} has no programs of a buildpack")]
    NotABuildpack(String),
    #[error("the buildpack {0} does not fit the app")]
    NotCompatible(String),
    #[error("the buildpack {buildpack} failed with status {status}")]
    Compile { buildpack: String, description: String, status: i32 },
    #[error("bin/release of the buildpack {buildpack} is not valid")]
    Release {
        buildpack: String,
        #[source]
        source: BadRelease,
    },
    #[error("Cloud Native Buildpacks cannot build the app")]
    CloudNative(#[from] CnbError),
    #[error("the {kind} app cannot be built: {why}")]
    Language {
        /// What the app is called, for example `Node.js`.
        kind: &'static str,
        why: Box<dyn Explain>,
    },
    #[error("the tests cannot be run")]
    Tests(#[from] TestError),
    #[error("packages of the operating system could not be installed: {}", .0.join(" "))]
    Packages(Vec<String>),
    #[error("the package registry failed")]
    Registry(#[source] RegistryError),
    #[error("the slug has {size} bytes, the limit is {limit}")]
    SlugTooLarge { size: u64, limit: u64 },
    #[error("the build took longer than {0:?}")]
    TimedOut(Duration),
    #[error("the build was cancelled")]
    Cancelled,
    #[error("the build used more than {limit} bytes of memory")]
    OutOfMemory { limit: u64 },
    #[error("the build filled its disk of {limit} bytes")]
    DiskFull { limit: u64 },
    #[error("what the build left cannot be taken over")]
    Result(#[source] UnpackError),
    #[error("the stack {0} cannot be used")]
    Stack(String, #[source] StackError),
    #[error("the build container failed: {0}")]
    Container(String),
    #[error("the engine failed")]
    Engine(#[from] EngineError),
    #[error("the image store failed")]
    Store(#[from] StoreError),
    #[error("{doing}")]
    System {
        doing: String,
        #[source]
        source: std::io::Error,
    },
}

/// What a user is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// One sentence.
    pub happened: String,
    /// Possibly empty.
    pub why: String,
    pub next: String,
}

impl Words {
    /// The three parts; `why` may be empty.
    pub fn new(happened: impl Into<String>, why: impl Into<String>, next: impl Into<String>) -> Self {
        Self { happened: happened.into(), why: why.into(), next: next.into() }
    }
}

/// Why a language cannot build an app. Each language words its own.
pub trait Explain: std::error::Error + Send + Sync + 'static {
    /// What the user is told.
    fn words(&self) -> Words;
}

impl BuildError {
    /// For `map_err`: why an app of this `kind` cannot be built.
    pub(crate) fn of<E: Explain>(kind: &'static str) -> impl Fn(E) -> Self {
        move |error| Self::Language { kind, why: Box::new(error) }
    }

    /// For `map_err`: a failure of this machine while `doing` something.
    pub(crate) fn system(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::System { doing, source }
    }

    /// Whether the app, its buildpacks or its user caused it, rather than this installation.
    pub fn is_users(&self) -> bool {
        match self {
            Self::Engine(_)
            | Self::Packages(_)
            | Self::Store(_)
            | Self::System { .. }
            | Self::Container(_)
            | Self::Registry(_) => false,
            Self::Stack(_, error) => error.is_users(),
            Self::Source(error) | Self::Result(error) => error.is_archive_at_fault(),
            _ => true,
        }
    }

    /// What the app is called in `Push rejected, failed to compile … app.`; `None` when no
    /// buildpack had begun.
    pub fn app_kind(&self) -> Option<&str> {
        match self {
            Self::Compile { description, .. } => Some(description),
            Self::Language { kind, .. } => Some(kind),
            _ => None,
        }
    }

    /// What the user is told.
    pub fn words(&self) -> Words {
        match self {
            Self::Source(error) => archive_words(
                error,
                "The source of this app could not be unpacked.",
                "Send a tar archive of plain files, directories and links that stay inside.",
            ),
            Self::Procfile(error) => Words::new(
                "The Procfile of this app is not valid.",
                &error.0,
                "Write one process type a line, for example `web: npm start`.",
            ),
            Self::SlugIgnore(error) => Words::new(
                "The .slugignore of this app is not valid.",
                sentence(error),
                "Write one pattern a line, as in .gitignore but without `!`.",
            ),
            Self::AppJson(error) => Words::new(
                "The app.json of this app is not valid.",
                sentence(error),
                "Fix it there, delete the file, or choose buildpacks with `heroku buildpacks:set`, so that the\nbuild does not ask it.",
            ),
            Self::ProjectToml(error) => Words::new(
                "The project.toml of this app is not valid.",
                sentence(error),
                "Fix it there, or delete the file.",
            ),
            Self::AppFile(error) => Words::new(
                "A file that describes this app could not be read.",
                sentence(error),
                "Make it a regular file of text.",
            ),
            Self::NoLanguage => Words::new(
                "No default language could be detected for this app.",
                format!(
                    "HINT: This occurs when the buildpack to use for this application cannot be detected\nautomatically. The languages that are built in, and the files by which they are recognised:\n{}",
                    Language::ALL
                        .map(|one| format!("{}: {}", one.description(), one.recognised_by()))
                        .join("\n")
                ),
                "Add the file by which the language is recognised to the root of the app, or choose a\nbuildpack with `heroku buildpacks:set`.",
            ),
            Self::TooManyBuildpacks(limit) => Words::new(
                "This app has too many buildpacks.",
                format!("At most {limit} can be used."),
                "Remove some with `heroku buildpacks:remove`.",
            ),
            Self::UnknownBuildpack(name) => Words::new(
                format!("There is no buildpack {name}."),
                format!(
                    "Built in are: {}. Other names are not known to this installation.",
                    Language::ALL.map(Language::buildpack).join(", ")
                ),
                "Use the address of a git repository or of a .tgz archive:\n`heroku buildpacks:set https://example.com/buildpack.git#v1`.",
            ),
            Self::BuildpackAddress { address, why } => Words::new(
                format!("{address} is not the address of a buildpack."),
                *why,
                "Use the address of a git repository, possibly with `#` and a branch, tag or commit, of a\n.tgz archive, or of an image of Cloud Native Buildpacks: docker://…",
            ),
            Self::BuildpackFetch(buildpack) => Words::new(
                format!("The buildpack {buildpack} could not be fetched."),
                "The lines above say what the download answered.",
                "Check the address. Builds reach public addresses only.",
            ),
            Self::NotABuildpack(buildpack) => Words::new(
                format!("{buildpack} is not a buildpack."),
                "A classic buildpack has the programs bin/detect and bin/compile; a Cloud Native one a\nbuildpack.toml that says `api`.",
                "Check the address.",
            ),
            Self::NotCompatible(buildpack) => Words::new(
                format!("App not compatible with buildpack: {buildpack}"),
                "",
                "Choose another buildpack with `heroku buildpacks:set`, or clear the list with\n`heroku buildpacks:clear` to have the language detected.",
            ),
            Self::Compile { buildpack, status, .. } => Words::new(
                format!("The buildpack {buildpack} failed."),
                format!("Its program ended with status {status}. The lines above say more."),
                "Fix what they name and push again.",
            ),
            Self::Release { buildpack, source } => Words::new(
                format!("The buildpack {buildpack} answered with something unexpected."),
                format!("What its bin/release printed is not valid: {source}."),
                "Report this to the author of the buildpack.",
            ),
            Self::Language { why, .. } => why.words(),
            Self::CloudNative(error) => error.words(),
            Self::Tests(error) => error.words(),
            Self::Packages(packages) => Words::new(
                "Packages of the operating system that the app needs could not be installed.",
                format!("They are: {}. The lines above say more.", packages.join(" ")),
                "Often Debian's archive could not be reached for a moment. Try again; if it fails again, tell\nthe operator of this installation.",
            ),
            Self::Registry(error) => error.words(),
            Self::SlugTooLarge { size, limit } => Words::new(
                format!(
                    "Compiled slug size: {} is too large (max is {}).",
                    megabytes(*size),
                    whole_megabytes(*limit)
                ),
                "",
                "Leave files out with .slugignore, and keep large assets outside of the repository.",
            ),
            Self::TimedOut(limit) => Words::new(
                "The build took too long and was stopped.",
                format!("A build may take {}.", minutes(*limit)),
                "Leave out what the app does not need to run, or build it beforehand.",
            ),
            Self::Cancelled => {
                Words::new("The build was cancelled.", "", "Push or build again when you are ready.")
            }
            Self::OutOfMemory { limit } => Words::new(
                "The build used too much memory and was stopped.",
                format!("A build may use {}.", whole_megabytes(*limit)),
                "Make the build use less, for example with fewer parallel workers.",
            ),
            Self::DiskFull { limit } => Words::new(
                "The build ran out of disk space.",
                format!("A build may write {}.", whole_megabytes(*limit)),
                "Leave files out with .slugignore, and have the build write less.",
            ),
            Self::Result(error) => archive_words(
                error,
                "What the build left behind could not be taken over.",
                "Have the build make plain files, directories and links only.",
            ),
            Self::Stack(name, error) => error.words(name),
            Self::Container(_) | Self::Engine(_) | Self::Store(_) | Self::System { .. } => {
                let full = matches!(self, Self::Store(error) if error.is_disk_full())
                    || matches!(self, Self::System { source, .. } if source.kind() == std::io::ErrorKind::StorageFull);
                Words::new(
                    "The build could not be carried out.",
                    if full { "The disk of this installation is full.".into() } else { chain(self) },
                    OPERATOR,
                )
            }
        }
    }

    /// Tells the user, in the way that Heroku's builds end.
    pub(crate) async fn tell(&self, output: &Output) {
        self.tell_words(output).await;
        let kind = self.app_kind().map(|kind| format!(", failed to compile {kind} app"));
        output.warning(format!("Push rejected{}.", kind.unwrap_or_default())).await;
        output.line("").await;
        output.warning("Push failed").await;
    }

    /// Tells whoever wanted the app tested.
    pub(crate) async fn tell_of_tests(&self, output: &Output) {
        self.tell_words(output).await;
        output.warning("The tests did not run.").await;
    }

    async fn tell_words(&self, output: &Output) {
        let words = self.words();
        output.line("").await;
        output.warning(&words.happened).await;
        for part in [&words.why, &words.next] {
            if !part.is_empty() {
                output.line(" !").await;
                output.warning(part).await;
            }
        }
        output.line("").await;
    }
}

/// About an archive that was not unpacked, be it its own fault or this machine's.
fn archive_words(error: &UnpackError, happened: &str, advice: &str) -> Words {
    if error.is_archive_at_fault() {
        Words::new(happened, sentence(error), advice)
    } else if error.is_disk_full() {
        Words::new(happened, "The disk of this installation is full.", OPERATOR)
    } else {
        Words::new(happened, chain(error), OPERATOR)
    }
}

pub(crate) const OPERATOR: &str =
    "This is no fault of the app. Try again; if it fails again, tell the operator of this installation.";

/// An error's own words as a sentence.
pub(crate) fn sentence(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

/// An error and what caused it, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// `36.3M`, as `du -h` and Heroku's builds write sizes.
pub(crate) fn megabytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["K", "M", "G", "T"];
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1}{}", UNITS[unit])
}

/// `15 minutes`, or seconds where minutes would not be true.
fn minutes(time: Duration) -> String {
    match time.as_secs() {
        60 => "1 minute".into(),
        seconds if seconds % 60 == 0 => format!("{} minutes", seconds / 60),
        seconds => format!("{seconds} seconds"),
    }
}

/// `500M`.
fn whole_megabytes(bytes: u64) -> String {
    format!("{}M", bytes >> 20)
}

#[cfg(test)]
pub(crate) mod tests;
