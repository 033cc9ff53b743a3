//! `packageManager` of `package.json`, in Corepack's words: `pnpm@10.1.0+sha512.ab12…`.

use super::package::version_text;
use super::words::NodeError;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use std::collections::BTreeMap;
use std::io::{self, Read};

/// A package manager, its version and what its program must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pinned {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) checksum: Option<Checksum>,
}

/// What the app's authors expect the program to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checksum {
    algorithm: String,
    hex: String,
}

/// The checksums of a program, by algorithm.
pub(super) type Checksums = BTreeMap<String, String>;

/// Those that Corepack ever wrote.
const ALGORITHMS: [&str; 5] = ["sha1", "sha224", "sha256", "sha384", "sha512"];

impl Pinned {
    pub(super) fn parse(text: &str) -> Result<Self, NodeError> {
        let bad = || NodeError::BadPackageManager(text.chars().take(80).collect());
        let (name, rest) = text.trim().split_once('@').ok_or_else(bad)?;
        let (version, build) =
            rest.split_once('+').map_or((rest, None), |(version, build)| (version, Some(build)));
        let is_version =
            version.starts_with(|first: char| first.is_ascii_digit() || "^~v*x<>=".contains(first));
        let version = version_text(version, "packageManager", "package manager")?.filter(|_| is_version);
        let checksum = match build.and_then(|build| build.split_once('.')) {
            None => None,
            Some((algorithm, hex)) if ALGORITHMS.contains(&algorithm) => {
                Some(Checksum { algorithm: algorithm.into(), hex: hex.to_ascii_lowercase() })
            }
            Some(_) => return Err(bad()),
        };
        Ok(Self { name: name.to_owned(), version: version.ok_or_else(bad)?, checksum })
    }
}

impl Checksum {
    /// Whether a program is the one that is expected.
    pub(super) fn fits(&self, checksums: &Checksums) -> bool {
        checksums.get(&self.algorithm) == Some(&self.hex)
    }
}

/// All checksums of what is read.
pub(super) fn checksums(mut reader: impl Read) -> io::Result<Checksums> {
    let (mut one, mut two, mut three) = (Sha1::new(), Sha224::new(), Sha256::new());
    let (mut four, mut five) = (Sha384::new(), Sha512::new());
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = reader.read(&mut buffer)?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else { break };
        one.update(piece);
        two.update(piece);
        three.update(piece);
        four.update(piece);
        five.update(piece);
    }
    let hashes = [
        hex::encode(one.finalize()),
        hex::encode(two.finalize()),
        hex::encode(three.finalize()),
        hex::encode(four.finalize()),
        hex::encode(five.finalize()),
    ];
    Ok(ALGORITHMS.map(str::to_owned).into_iter().zip(hashes).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_is_named_with_its_version_and_possibly_a_checksum() {
        for (text, expected) in [
            ("pnpm@9.1.0", Some(("pnpm", "9.1.0", None))),
            ("yarn@4.5.0+sha512.AB12", Some(("yarn", "4.5.0", Some("sha512")))),
            ("yarn@1.22.22+sha1.ac34", Some(("yarn", "1.22.22", Some("sha1")))),
            ("pnpm@9", Some(("pnpm", "9", None))),
            ("pnpm", None),
            ("pnpm@", None),
            ("pnpm@next", None),
            ("yarn@https://example.com/yarn.js", None),
            ("pnpm@9.1.0+md5.ab12", None),
        ] {
            let found = Pinned::parse(text).ok();
            let found = found.as_ref().map(|pinned| {
                let algorithm = pinned.checksum.as_ref().map(|checksum| checksum.algorithm.as_str());
                (pinned.name.as_str(), pinned.version.as_str(), algorithm)
            });
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn every_algorithm_is_checked() {
        let known = checksums(&b"hello"[..]).unwrap();
        for (algorithm, hex, fits) in [
            ("sha1", "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d", true),
            ("sha224", "ea09ae9cc6768c50fcee903ed054556e5bfc8347907f12598aa24193", true),
            ("sha256", "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", true),
            ("sha256", "00", false),
            ("sha512", "", false),
        ] {
            let checksum = Checksum { algorithm: algorithm.into(), hex: hex.into() };
            assert_eq!(checksum.fits(&known), fits, "{algorithm} {hex}");
        }
        assert_eq!(known.len(), ALGORITHMS.len());
    }
}
