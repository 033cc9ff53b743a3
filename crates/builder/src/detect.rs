//! Which buildpacks build an app: those that were asked for, or the language that is detected.

use crate::address::Address;
use crate::languages::Language;
use crate::{BuildError, Settings};
use domain::BuildpackRef;
use std::path::Path;

/// Buildpacks of one app at most.
const LIMIT: usize = 32;

/// A buildpack that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Buildpack {
    BuiltIn(Language),
    /// Of whichever kind; what lies there tells.
    Addressed(Address),
}

impl Buildpack {
    /// As the output names it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::BuiltIn(language) => language.buildpack().to_owned(),
            Self::Addressed(address) => address.shown(),
        }
    }

    /// Understands a user's entry: a name such as `heroku/nodejs`, with or without
    /// `urn:buildpack:`; an address of Heroku's own buildpack for a built-in language, which is
    /// taken for its name; or an address of any other buildpack.
    pub(crate) fn resolve(entry: &BuildpackRef, settings: &Settings) -> Result<Self, BuildError> {
        let text = entry.0.trim();
        if let Some(language) = Language::ALL.into_iter().find(|language| language.is_called(text)) {
            return Ok(Self::BuiltIn(language));
        }
        let name = text.strip_prefix("urn:buildpack:").unwrap_or(text);
        let word = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        let is_name =
            name.split_once('/').is_some_and(|(owner, name)| word(owner) && word(name)) || word(name);
        if is_name && !text.starts_with("./") {
            return Err(BuildError::UnknownBuildpack(name.to_owned()));
        }
        Address::parse(text, settings.local_buildpacks.as_deref()).map(Self::Addressed)
    }
}

/// The buildpacks in the order in which they run.
pub(crate) fn resolve_all(
    entries: &[BuildpackRef],
    settings: &Settings,
) -> Result<Vec<Buildpack>, BuildError> {
    if entries.len() > LIMIT {
        return Err(BuildError::TooManyBuildpacks(LIMIT));
    }
    entries.iter().map(|entry| Buildpack::resolve(entry, settings)).collect()
}

/// The first language, in Heroku's order, whose files the app has.
pub(crate) fn language(tree: &Path) -> Result<Language, BuildError> {
    Language::ALL.into_iter().find(|language| language.detect(tree)).ok_or(BuildError::NoLanguage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_heroku_s_own_addresses_mean_the_built_in_language() {
        let settings = Settings::default();
        for text in [
            "heroku/nodejs",
            "urn:buildpack:heroku/nodejs",
            "https://github.com/heroku/heroku-buildpack-nodejs",
            "https://github.com/heroku/heroku-buildpack-nodejs.git#v300",
            "https://buildpack-registry.s3.amazonaws.com/buildpacks/heroku/nodejs.tgz",
        ] {
            let found = Buildpack::resolve(&BuildpackRef(text.into()), &settings).unwrap();
            assert_eq!(found, Buildpack::BuiltIn(Language::NodeJs), "{text}");
        }
        for text in ["heroku/rust", "emk/rust", "urn:buildpack:emk/rust"] {
            let found = Buildpack::resolve(&BuildpackRef(text.into()), &settings).unwrap();
            assert_eq!(found, Buildpack::BuiltIn(Language::Rust), "{text}");
        }
        for text in ["heroku/cobol", "cobol", "urn:buildpack:me/mine"] {
            let error = Buildpack::resolve(&BuildpackRef(text.into()), &settings).unwrap_err();
            assert!(matches!(error, BuildError::UnknownBuildpack(_)), "{text}: {error}");
        }
        for text in ["https://github.com/me/heroku-buildpack-nodejs", "./pack", "docker://localhost:5000/a/b"]
        {
            let found = Buildpack::resolve(&BuildpackRef(text.into()), &settings).unwrap();
            assert!(matches!(found, Buildpack::Addressed(_)), "{text}");
        }
    }

    #[test]
    fn detects_by_files() {
        let tree = tempfile::tempdir().unwrap();
        assert!(matches!(language(tree.path()), Err(BuildError::NoLanguage)));
        std::fs::create_dir(tree.path().join("package.json")).unwrap();
        assert!(matches!(language(tree.path()), Err(BuildError::NoLanguage)));
        std::fs::remove_dir(tree.path().join("package.json")).unwrap();
        std::fs::write(tree.path().join("package.json"), "{}").unwrap();
        assert_eq!(language(tree.path()).unwrap(), Language::NodeJs);
    }
}
