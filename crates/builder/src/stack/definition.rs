//! What a stack consists of, as its file in `stacks/` says.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The stacks of this build of Kigo, by name.
pub(super) const BUILT_IN: [(&str, &str); 1] = [("kigo-13", include_str!("../../../../stacks/kigo-13.toml"))];

/// Counts up when the same definition would be made into something else.
const RECIPE: u32 = 3;

/// A stack's definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    pub name: String,
    /// What people call the release.
    pub description: String,
    pub sources: Vec<Source>,
    pub classic: Classic,
    pub run: Packages,
    pub build: Packages,
    /// Releases whose packages can be added to this one. No part of the images.
    #[serde(default)]
    pub further: Vec<Further>,
    /// No part of the images.
    #[serde(default)]
    pub runtimes: Vec<Runtime>,
}

/// An earlier release of Debian, or backports to this one. Of it comes what was asked for, and what
/// that needs and this release does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Further {
    /// What follows `/` in the names of its packages.
    pub name: String,
    pub sources: Vec<Source>,
}

/// A version of a language that the release has. A package `name/release` is one of a further release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runtime {
    /// For example `python`.
    pub language: String,
    /// As far as the release promises it, for example `3.13`.
    pub version: String,
    /// Packages that builds need, as apt understands them.
    #[serde(default)]
    pub build: Vec<String>,
    /// Packages that dynos need.
    #[serde(default)]
    pub run: Vec<String>,
}

/// A suite of the Debian archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// `debian` or `debian-security`: the last part of a mirror's address.
    pub archive: String,
    pub suite: String,
}

/// For classic buildpacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classic {
    /// The stack of Heroku's that is most like it.
    pub alias: String,
}

/// Packages of one of the images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Packages {
    pub packages: Vec<String>,
}

impl Further {
    /// Whether `package` is written as one of its.
    pub(super) fn has(&self, package: &str) -> bool {
        package.split_once('/').is_some_and(|(_, release)| release == self.name)
    }
}

impl Definition {
    /// The built-in definition of that name.
    pub fn named(name: &str) -> Option<Self> {
        let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        // The text is part of the program; a test reads every one.
        toml::from_str(text).ok()
    }

    /// Names the content, not its spelling: comments and order of packages do not count.
    pub(crate) fn hash(&self) -> String {
        let mut sorted = Self { further: Vec::new(), runtimes: Vec::new(), ..self.clone() };
        for packages in [&mut sorted.run.packages, &mut sorted.build.packages] {
            packages.sort();
            packages.dedup();
        }
        let text = format!("{RECIPE} {} {sorted:?}", std::env::consts::ARCH);
        hex::encode(Sha256::digest(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_definition_can_be_read_and_is_named_as_its_file() {
        for (name, text) in BUILT_IN {
            let definition: Definition = toml::from_str(text).unwrap();
            assert_eq!(definition.name, name);
            let packages = definition.run.packages.iter().chain(&definition.build.packages);
            let more =
                definition.runtimes.iter().flat_map(|runtime| runtime.build.iter().chain(&runtime.run));
            for package in packages.chain(more) {
                let (package, release) =
                    package.split_once('/').map_or((package.as_str(), None), |(name, of)| (name, Some(of)));
                assert!(
                    release.is_none_or(|release| definition
                        .further
                        .iter()
                        .any(|further| further.name == release)),
                    "{package} of {release:?}"
                );
                assert!(
                    package
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-./".contains(&b)),
                    "{package}"
                );
            }
        }
    }

    #[test]
    fn the_hash_follows_the_content() {
        let one = Definition::named("kigo-13").unwrap();
        let mut two = one.clone();
        two.run.packages.reverse();
        assert_eq!(one.hash(), two.hash());
        two.runtimes.clear();
        two.further.clear();
        assert_eq!(one.hash(), two.hash(), "languages are no part of the images");
        two.run.packages.push("vim".into());
        assert_ne!(one.hash(), two.hash());
    }
}
