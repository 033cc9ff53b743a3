//! Stacks: the operating system below every app.
//!
//! A stack is two images of the same Debian release: one that dynos run on, and the same with
//! compilers on top, which builds run on. They are made on the host with `mmdebstrap` from the
//! mirror that the host itself uses, and kept by the content of their definition, so that a changed
//! definition makes them anew and an unchanged one costs a file read. A stack is complete or not
//! there: its record is written last.
//!
//! A stack that has become old is made anew all the same ([`refresh`]), from the packages that Debian
//! has by then. Its images are other ones even if no package is: so the packages that languages add to
//! them are installed anew as well.

mod apt;
mod definition;
mod make;
mod mirror;

pub(crate) use apt::apt_of;
pub use definition::{Definition, Runtime};
pub(crate) use make::{PATH, SOURCE_DATE};

use crate::cache;
use crate::errors::{OPERATOR, Words, chain};
use crate::output::Output;
use domain::Digest;
use image::{ImageStore, StoreError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The one that images are built on.
pub(crate) const DEFAULT: &str = "kigo-13";

/// A stack that is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    pub name: String,
    /// What dynos run on.
    pub run: Digest,
    /// What builds run on: `run` and one more layer.
    pub build: Digest,
    /// What `STACK` says to classic buildpacks.
    pub classic_alias: String,
    /// What languages find in it.
    pub runtimes: Vec<Runtime>,
}

impl Stack {
    /// The versions of a language that Debian has for this stack; the default comes first.
    pub(crate) fn runtimes<'a>(&'a self, language: &'a str) -> impl Iterator<Item = &'a Runtime> {
        self.runtimes.iter().filter(move |runtime| runtime.language == language)
    }

    fn of(definition: Definition, run: Digest, build: Digest) -> Self {
        Self {
            name: definition.name,
            run,
            build,
            classic_alias: definition.classic.alias,
            runtimes: definition.runtimes,
        }
    }
}

/// Why a stack cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    #[error("there is no stack of that name")]
    Unknown,
    #[error("mmdebstrap is not installed")]
    NoMmdebstrap,
    #[error("making a stack needs root")]
    NotRoot,
    #[error("this host's apt has no source for Debian")]
    NoMirror,
    #[error("mmdebstrap ended with {status}; it said: {last_words}")]
    Mmdebstrap { status: String, last_words: String },
    #[error("the image store failed")]
    Store(#[from] StoreError),
    #[error("cannot {doing}")]
    System {
        doing: &'static str,
        #[source]
        source: io::Error,
    },
}

impl StackError {
    fn system(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { doing, source }
    }

    /// Whether the user can do something about it.
    pub(crate) fn is_users(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// What a user is told about the stack `name`.
    pub(crate) fn words(&self, name: &str) -> Words {
        let happened = format!("The stack {name} could not be prepared.");
        match self {
            Self::Unknown => Words::new(
                format!("There is no stack {name}."),
                format!("This installation has: {}.", names().join(", ")),
                "Choose one with `heroku stack:set`.",
            ),
            Self::NoMmdebstrap => Words::new(
                happened,
                "The program mmdebstrap, which makes it from Debian's packages, is not installed.",
                "On Debian or Ubuntu: `apt-get install mmdebstrap`. Then build again.",
            ),
            Self::NotRoot => Words::new(
                happened,
                "Making it needs root.",
                "Run the server as root, as containers need it as well.",
            ),
            Self::NoMirror => Words::new(
                happened,
                "The package sources of this host name no Debian archive.",
                "Set the variable KIGO_DEBIAN_MIRROR of the server, for example to http://deb.debian.org.",
            ),
            Self::Mmdebstrap { .. } => Words::new(
                happened,
                chain(self),
                "Often the mirror cannot be reached. Check the host's package sources with\n`apt-get update`, then build again.",
            ),
            Self::Store(_) | Self::System { .. } => Words::new(happened, chain(self), OPERATOR),
        }
    }
}

/// The names of the stacks that can be made.
pub fn names() -> Vec<&'static str> {
    definition::BUILT_IN.iter().map(|(name, _)| *name).collect()
}

/// What is written down about a stack that is ready.
#[derive(Serialize, Deserialize)]
struct Record {
    /// [`Definition::hash`] of what it was made from.
    definition: String,
    run: Digest,
    build: Digest,
    /// Both, by the name under which a garbage collection looks for them.
    images: Vec<Digest>,
    /// When they were made; before that was written down, the record's own time says so.
    #[serde(default)]
    made: Option<Timestamp>,
}

impl Record {
    /// How long ago the stack of the record at `path` was made.
    fn age(&self, path: &Path) -> Option<Duration> {
        let made = match self.made {
            Some(made) => SystemTime::from(made),
            None => std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()?,
        };
        made.elapsed().ok()
    }
}

/// The stack `name`, if it is ready and still what its definition says.
///
/// # Errors
/// [`StackError::Unknown`] for a name that is none of [`names`].
pub fn find(images: &ImageStore, data: &Path, name: &str) -> Result<Option<Stack>, StackError> {
    let definition = Definition::named(name).ok_or(StackError::Unknown)?;
    let Some(record) = cache::read::<Record>(&record_path(data, name)) else { return Ok(None) };
    let current = record.definition == definition.hash();
    let there = |digest: &Digest| {
        images
            .image(digest)
            .is_ok_and(|image| image.layers.iter().all(|layer| images.has_blob(&layer.digest)))
    };
    let ready = current && there(&record.run) && there(&record.build);
    Ok(ready.then(|| Stack::of(definition, record.run, record.build)))
}

/// The stack `name`; makes it first if need be, which takes about a minute and prints what it does.
/// Of several that ask at once, one makes it and the others wait.
///
/// # Errors
/// See [`StackError`]. Nothing half-made is left.
pub async fn ensure(
    images: &ImageStore,
    data: &Path,
    name: &str,
    output: &Output,
) -> Result<Stack, StackError> {
    if let Some(stack) = find(images, data, name)? {
        return Ok(stack);
    }
    let definition = Definition::named(name).ok_or(StackError::Unknown)?;
    let _alone = make::lock(data, name).await?;
    if let Some(stack) = find(images, data, name)? {
        return Ok(stack);
    }
    make(images, data, definition, output).await
}

/// Makes the stack `name` anew, if it is there and was made so long ago; `None` if it was not. Builds
/// that begin later use the new one, those that run go on with the old one, and so do releases.
///
/// # Errors
/// As [`ensure`]. The old one stays then.
pub async fn refresh(
    images: &ImageStore,
    data: &Path,
    name: &str,
    age: Duration,
    output: &Output,
) -> Result<Option<Stack>, StackError> {
    let path = record_path(data, name);
    let is_old =
        || cache::read::<Record>(&path).is_some_and(|record| record.age(&path).is_some_and(|own| own >= age));
    let definition = Definition::named(name).ok_or(StackError::Unknown)?;
    if !is_old() {
        return Ok(None);
    }
    let _alone = make::lock(data, name).await?;
    // Somebody else may have done it meanwhile.
    if !is_old() {
        return Ok(None);
    }
    make(images, data, definition, output).await.map(Some)
}

/// Makes a stack. The caller holds its lock.
async fn make(
    images: &ImageStore,
    data: &Path,
    definition: Definition,
    output: &Output,
) -> Result<Stack, StackError> {
    let made = Timestamp::now();
    let (run, build) = make::make(images, data, &definition, made, output).await?;
    let record =
        Record { definition: definition.hash(), run, build, images: vec![run, build], made: Some(made) };
    cache::write(&record_path(data, &definition.name), &record)
        .map_err(StackError::system("write down that the stack is ready"))?;
    Ok(Stack::of(definition, run, build))
}

fn record_path(data: &Path, name: &str) -> std::path::PathBuf {
    data.join("stacks").join(format!("{name}.json"))
}

/// The images of every stack that is ready.
pub(crate) fn recorded_images(data: &Path) -> io::Result<Vec<Digest>> {
    cache::images_in(&data.join("stacks"))
}

/// Writes down that the stack `name` is ready, as two images that are the same one. For tests of
/// what builds do around their containers.
#[cfg(test)]
pub(crate) fn pretend(data: &Path, name: &str, image: Digest) -> io::Result<()> {
    let definition = Definition::named(name).map(|definition| definition.hash()).unwrap_or_default();
    let made = Some(Timestamp::now());
    let record = Record { definition, run: image, build: image, images: vec![image], made };
    cache::write(&record_path(data, name), &record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_young_stack_is_not_made_anew() {
        let data = tempfile::tempdir_in("/var/tmp").unwrap();
        let images = ImageStore::open(data.path()).unwrap();
        let output = Output::new(tokio::sync::mpsc::channel(1).0);
        let day = Duration::from_hours(24);
        // One that is not there is made by who needs it.
        assert!(refresh(&images, data.path(), DEFAULT, Duration::ZERO, &output).await.unwrap().is_none());
        pretend(data.path(), DEFAULT, Digest::from_bytes([1; 32])).unwrap();
        assert!(refresh(&images, data.path(), DEFAULT, day, &output).await.unwrap().is_none());
        let unknown = refresh(&images, data.path(), "kigo-1", day, &output).await;
        assert!(matches!(unknown, Err(StackError::Unknown)));
    }

    #[test]
    fn the_age_of_a_stack_is_that_of_its_images() {
        let data = tempfile::tempdir().unwrap();
        pretend(data.path(), DEFAULT, Digest::from_bytes([1; 32])).unwrap();
        let path = record_path(data.path(), DEFAULT);
        let week = Duration::from_hours(7 * 24);
        let mut record: Record = cache::read(&path).unwrap();
        let age = |record: &Record| record.age(&path).unwrap();
        assert!(age(&record) < week);
        record.made = Some(Timestamp::now() - week);
        assert!(age(&record) >= week);
        record.made = None;
        assert!(age(&record) < week, "the file is young");
        std::fs::File::open(&path).unwrap().set_modified(SystemTime::now() - week).unwrap();
        assert!(age(&record) >= week);
    }
}
