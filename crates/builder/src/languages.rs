//! Languages that are built in: what an app needs, decided here; what it runs, run in a container.
//!
//! Every language is a file and a folder of the same anatomy. Its `compile` reads from top to bottom
//! as what happens: *determine* what the app says about itself, *resolve* which versions will be
//! used, *install* them and the dependencies as layers that builds and apps share, and *launch*:
//! what the app runs by itself. A type for each of these stages of knowledge. `words.rs` has
//! everything that a user reads, and `build.sh` what runs in the container.

mod constraint;
pub(crate) mod golang;
pub(crate) mod gradle;
pub(crate) mod java;
mod jvm;
pub(crate) mod nodejs;
pub(crate) mod php;
pub(crate) mod python;
pub(crate) mod ruby;
pub(crate) mod rust;
pub(crate) mod scala;
pub(crate) mod site;
mod words;

use crate::BuildError;
use crate::build::{Compiled, Context};
use crate::source::has_file;
use std::path::Path;

/// A built-in language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Ruby,
    NodeJs,
    Python,
    Java,
    Gradle,
    Scala,
    Php,
    Go,
    Rust,
    Static,
}

impl Language {
    /// In the order in which they are tried. Heroku's is ruby, nodejs, clojure, python, java,
    /// gradle, scala, php, go; a language that is added goes to its place there, because an app
    /// may have the files of several.
    pub(crate) const ALL: [Self; 10] = [
        Self::Ruby,
        Self::NodeJs,
        Self::Python,
        Self::Java,
        Self::Gradle,
        Self::Scala,
        Self::Php,
        Self::Go,
        Self::Rust,
        Self::Static,
    ];

    /// The name of its buildpack.
    pub(crate) fn buildpack(self) -> &'static str {
        match self {
            Self::Ruby => "heroku/ruby",
            Self::NodeJs => "heroku/nodejs",
            Self::Python => "heroku/python",
            Self::Java => "heroku/java",
            Self::Gradle => "heroku/gradle",
            Self::Scala => "heroku/scala",
            Self::Php => "heroku/php",
            Self::Go => "heroku/go",
            Self::Rust => "heroku/rust",
            Self::Static => "heroku-community/static",
        }
    }

    /// What an app in it is called: `Node.js app detected`.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Ruby => ruby::KIND,
            Self::NodeJs => nodejs::KIND,
            Self::Python => python::KIND,
            Self::Java => java::KIND,
            Self::Gradle => gradle::KIND,
            Self::Scala => scala::KIND,
            Self::Php => php::KIND,
            Self::Go => golang::KIND,
            Self::Rust => rust::KIND,
            Self::Static => site::KIND,
        }
    }

    /// The files by which an app in it is recognised, for people.
    pub(crate) fn recognised_by(self) -> &'static str {
        match self {
            Self::Ruby => "Gemfile",
            Self::NodeJs => "package.json",
            Self::Python => "requirements.txt, uv.lock, poetry.lock or Pipfile.lock",
            Self::Java => "pom.xml",
            Self::Gradle => "gradlew",
            Self::Scala => "build.sbt",
            Self::Php => "composer.json",
            Self::Go => "go.mod",
            Self::Rust => "Cargo.toml",
            Self::Static => "index.html",
        }
    }

    /// Another name of its buildpack: for Rust, which Heroku has none for, that of the one that is
    /// used there; for static sites the one that older apps have.
    pub(crate) fn alias(self) -> Option<&'static str> {
        match self {
            Self::Rust => Some("emk/rust"),
            Self::Static => Some("heroku/static"),
            _ => None,
        }
    }

    /// Its documentation.
    pub(crate) fn guide(self) -> &'static str {
        match self {
            Self::Ruby => include_str!("../../../docs/languages/ruby.md"),
            Self::NodeJs => include_str!("../../../docs/languages/nodejs.md"),
            Self::Python => include_str!("../../../docs/languages/python.md"),
            Self::Java => include_str!("../../../docs/languages/java.md"),
            Self::Gradle => include_str!("../../../docs/languages/gradle.md"),
            Self::Scala => include_str!("../../../docs/languages/scala.md"),
            Self::Php => include_str!("../../../docs/languages/php.md"),
            Self::Go => include_str!("../../../docs/languages/go.md"),
            Self::Rust => include_str!("../../../docs/languages/rust.md"),
            Self::Static => include_str!("../../../docs/languages/static.md"),
        }
    }

    /// Whether an app has the files by which it is recognised, as Heroku's `bin/detect` says.
    pub(crate) fn detect(self, tree: &Path) -> bool {
        match self {
            Self::Ruby => ruby::detect(tree),
            Self::NodeJs => has_file(tree, "package.json"),
            Self::Python => python::detect(tree),
            Self::Java => java::detect(tree),
            Self::Gradle => gradle::detect(tree),
            Self::Scala => scala::detect(tree),
            Self::Php => php::detect(tree),
            Self::Go => golang::detect(tree),
            Self::Rust => rust::detect(tree),
            Self::Static => site::detect(tree),
        }
    }

    /// Config vars of an app that is tested, where nobody says otherwise.
    pub(crate) fn test_vars(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Ruby => &[("BUNDLE_WITHOUT", "development"), ("RACK_ENV", "test"), ("RAILS_ENV", "test")],
            Self::NodeJs => &[("NODE_ENV", "test")],
            Self::Python => &[("DISABLE_COLLECTSTATIC", "1")],
            _ => &[],
        }
    }

    /// A text for the shell that finds out how an app's tests are run: it sets `tests` to a command, or
    /// leaves it empty when the app has none, and exports what the command needs.
    pub(crate) fn tests(self) -> Option<&'static str> {
        Some(match self {
            Self::Ruby => include_str!("languages/ruby/test.sh"),
            Self::NodeJs => include_str!("languages/nodejs/test.sh"),
            Self::Python => include_str!("languages/python/test.sh"),
            Self::Java => include_str!("languages/java/test.sh"),
            Self::Gradle => include_str!("languages/gradle/test.sh"),
            Self::Scala => include_str!("languages/scala/test.sh"),
            Self::Php => include_str!("languages/php/test.sh"),
            Self::Go => include_str!("languages/golang/test.sh"),
            Self::Rust => include_str!("languages/rust/test.sh"),
            Self::Static => return None,
        })
    }

    /// Builds the app in the context's source directory.
    pub(crate) async fn compile(self, context: &mut Context<'_>) -> Result<Compiled, BuildError> {
        match self {
            Self::Ruby => ruby::compile(context).await,
            Self::NodeJs => nodejs::compile(context).await,
            Self::Python => python::compile(context).await,
            Self::Java => java::compile(context).await,
            Self::Gradle => gradle::compile(context).await,
            Self::Scala => scala::compile(context).await,
            Self::Php => php::compile(context).await,
            Self::Go => golang::compile(context).await,
            Self::Rust => rust::compile(context).await,
            Self::Static => site::compile(context).await,
        }
    }

    /// Whether a user's entry means this language: a name of its, or an address of Heroku's own
    /// buildpack for it.
    pub(crate) fn is_called(self, entry: &str) -> bool {
        let name = self.buildpack();
        let short = name.rsplit('/').next().unwrap_or(name);
        let address = entry.split('#').next().unwrap_or(entry);
        let address = address.trim_end_matches('/').trim_end_matches(".git");
        let named = |entry: &str| entry == name || self.alias() == Some(entry);
        named(entry)
            || entry.strip_prefix("urn:buildpack:").is_some_and(named)
            || address.strip_prefix("https://github.com/heroku/heroku-buildpack-") == Some(short)
            || address == format!("https://buildpack-registry.s3.amazonaws.com/buildpacks/{name}.tgz")
    }
}

/// A buildpack that is built in, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltIn {
    pub name: &'static str,
    /// Another name that it goes by.
    pub alias: Option<&'static str>,
    /// What it is for.
    pub language: &'static str,
    /// The file by which an app is recognised.
    pub recognised_by: &'static str,
    /// Its documentation, in Markdown.
    pub guide: &'static str,
}

/// The buildpacks that are built in.
pub fn built_in() -> impl Iterator<Item = BuiltIn> {
    Language::ALL.into_iter().map(|language| BuiltIn {
        name: language.buildpack(),
        alias: language.alias(),
        language: language.description(),
        recognised_by: language.recognised_by(),
        guide: language.guide(),
    })
}
