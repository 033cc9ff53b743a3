//! Which buildpacks lie in what was fetched: one, or several with an order.

use super::descriptor::{Descriptor, Unusable};
use super::errors::CnbError;
use super::lifecycle::Component;
use crate::fetch::{Fetched, IN_IMAGE};
use serde::Deserialize;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Buildpacks in one place, and directories that are looked into for them.
const FOUND: usize = 200;
const LOOKED: usize = 5000;
/// How deep they lie.
const DEPTH: usize = 4;

const FILE: &str = "buildpack.toml";

/// The programs of one that is no order of others.
const PROGRAMS: [&str; 2] = ["bin/detect", "bin/build"];

/// All that may build an app.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    pub(crate) components: Vec<Component>,
    /// What was asked for, in order, as places in the list of components.
    pub(crate) entries: Vec<usize>,
    /// Why some of what lies beside it cannot be used; told if it is needed.
    pub(crate) troubles: Vec<CnbError>,
}

/// Reads what was fetched. `buildpacks` is where its directories lie.
pub(crate) fn read(fetched: &[Fetched], buildpacks: &Path) -> Result<Catalog, CnbError> {
    let mut catalog = Catalog::default();
    for one in fetched {
        let mut found = Vec::new();
        let whole = match &one.image {
            None => {
                let root = buildpacks.join(one.number.to_string());
                let place = format!("/kigo/buildpacks/{}", one.number);
                for path in inside(&root) {
                    for program in PROGRAMS {
                        make_executable(&root.join(&path).join(program));
                    }
                    found.push((describe(&root, &path, &place, one), path));
                }
                found.iter().position(|(_, path)| path.as_os_str().is_empty())
            }
            Some(image) => {
                for tree in &image.trees {
                    let paths = inside(tree).into_iter().filter(|path| path.starts_with(IN_IMAGE));
                    found.extend(paths.map(|path| (describe(tree, &path, "", one), path)));
                }
                let entry =
                    image.label.as_deref().and_then(|label| serde_json::from_str::<Entry>(label).ok());
                entry.and_then(|entry| found.iter().position(|(one, _)| entry.is(one)))
            }
        };
        let entry = whole.or_else(|| only(&found));
        let Some(entry) = entry else {
            let trouble = found.into_iter().find_map(|(described, _)| described.err());
            return Err(trouble.unwrap_or(CnbError::Several(one.address.shown())));
        };
        catalog.add(found, entry)?;
    }
    Ok(catalog)
}

type Found = (Result<Component, CnbError>, PathBuf);

impl Catalog {
    fn add(&mut self, found: Vec<Found>, entry: usize) -> Result<(), CnbError> {
        for (number, (described, _)) in found.into_iter().enumerate() {
            match described {
                Ok(component) => {
                    let same = |other: &Component| {
                        (&other.descriptor.id, &other.descriptor.version)
                            == (&component.descriptor.id, &component.descriptor.version)
                    };
                    let place = self.components.iter().position(same).unwrap_or(self.components.len());
                    if place == self.components.len() {
                        self.components.push(component);
                    }
                    if number == entry {
                        self.entries.push(place);
                    }
                }
                Err(error) if number == entry => return Err(error),
                Err(error) => self.troubles.push(error),
            }
        }
        Ok(())
    }
}

/// What an image says it is.
#[derive(Deserialize)]
struct Entry {
    id: String,
    #[serde(default)]
    version: String,
}

impl Entry {
    fn is(&self, one: &Result<Component, CnbError>) -> bool {
        let version = |version: &str| self.version.is_empty() || version == self.version;
        one.as_ref().is_ok_and(|one| one.descriptor.id == self.id && version(&one.descriptor.version))
    }
}

/// The only one, or the only one with an order that nobody else's order names.
fn only(found: &[Found]) -> Option<usize> {
    if found.len() == 1 {
        return Some(0);
    }
    let all = || found.iter().filter_map(|(one, _)| one.as_ref().ok());
    let is_member = |one: &Component| {
        let members = all().flat_map(|other| other.descriptor.order.iter().flatten());
        members.into_iter().any(|member| member.id == one.descriptor.id)
    };
    let heads = found.iter().enumerate().filter(|(_, (one, _))| {
        one.as_ref().is_ok_and(|one| !one.descriptor.order.is_empty() && !is_member(one))
    });
    let heads: Vec<_> = heads.map(|(number, _)| number).collect();
    (heads.len() == 1).then(|| heads[0])
}

fn describe(root: &Path, path: &Path, place: &str, of: &Fetched) -> Result<Component, CnbError> {
    let shown = || match path.to_str().filter(|path| !path.is_empty()) {
        Some(path) => format!("{} ({path})", of.address.shown()),
        None => of.address.shown(),
    };
    let bad = |why: String| CnbError::Descriptor { buildpack: shown(), why };
    let text =
        image::read_small_file(root, &path.join(FILE), 1 << 20).map_err(|error| bad(error.to_string()))?;
    let text =
        String::from_utf8(text.unwrap_or_default()).map_err(|_| bad(crate::described::NOT_TEXT.into()))?;
    let descriptor = Descriptor::parse(&text).map_err(|unusable| match unusable {
        Unusable::Api(api) => CnbError::Api { buildpack: shown(), api },
        Unusable::Bad(why) => bad(why),
    })?;
    if descriptor.order.is_empty() {
        let missing = PROGRAMS.iter().find(|program| !is_file(&root.join(path).join(program)));
        if let Some(program) = missing {
            return Err(CnbError::Program { buildpack: shown(), program });
        }
    }
    let inside = path.to_str().ok_or_else(|| bad("its path is not UTF-8 text".into()))?;
    let place = format!("{place}/{inside}");
    Ok(Component { descriptor, place: place.trim_end_matches('/').to_owned() })
}

/// A link may lead to one inside of a container.
fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| !found.is_dir())
}

/// Archives may have lost what makes a program one.
fn make_executable(path: &Path) {
    if path
        .symlink_metadata()
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0o111)
    {
        // What fails here is told when it is run.
        let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755));
    }
}

/// The directories with a `buildpack.toml`, relative to `root`, the uppermost first. No link is
/// followed.
pub(crate) fn inside(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    let mut looked = 0;
    for _ in 0..=DEPTH {
        let mut deeper = Vec::new();
        for path in std::mem::take(&mut open) {
            looked += 1;
            if looked > LOOKED || found.len() >= FOUND {
                return found;
            }
            let here = root.join(&path);
            if here.join(FILE).symlink_metadata().is_ok_and(|file| file.is_file()) {
                found.push(path.clone());
            }
            let entries = std::fs::read_dir(&here).into_iter().flatten().filter_map(Result::ok);
            let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            let names = directories.map(|entry| entry.file_name());
            deeper.extend(
                names.filter(|name| name != ".git" && name != "node_modules").map(|name| path.join(name)),
            );
        }
        deeper.sort();
        open = deeper;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;

    fn fetched(number: usize) -> Fetched {
        let address = Address::parse(&format!("https://x.example/{number}.tgz"), None).unwrap();
        Fetched { address, number, is_cloud_native: true, image: None }
    }

    /// Files of the first place, and of the second; the entries by id, and where components are.
    fn shown(places: &[&[(&str, &str)]]) -> Result<(Vec<String>, Vec<String>, usize), String> {
        let dir = tempfile::tempdir().unwrap();
        for (number, files) in places.iter().enumerate() {
            for (name, text) in *files {
                let path = dir.path().join(number.to_string()).join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
        }
        let all: Vec<_> = (0..places.len()).map(fetched).collect();
        let catalog = read(&all, dir.path()).map_err(|error| error.to_string())?;
        let entries = catalog.entries.iter().map(|entry| catalog.components[*entry].descriptor.id.clone());
        let components = catalog.components.iter().map(|one| format!("{} {}", one.descriptor.id, one.place));
        Ok((entries.collect(), components.collect(), catalog.troubles.len()))
    }

    const A: &str = "api = \"0.10\"\n[buildpack]\nid = \"a\"\nversion = \"1\"";
    const B: &str = "api = \"0.10\"\n[buildpack]\nid = \"b\"\nversion = \"1\"";
    const AB: &str = "api = \"0.10\"\n[buildpack]\nid = \"ab\"\nversion = \"1\"\n[[order]]\n[[order.group]]\nid = \"a\"\nversion = \"1\"";

    #[test]
    fn one_or_several_with_an_order() {
        let own = |entries: &[&str], components: &[&str], troubles| {
            let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
            Ok((own(entries), own(components), troubles))
        };
        let one = [("buildpack.toml", A), ("bin/detect", ""), ("bin/build", "")];
        assert_eq!(shown(&[&one]), own(&["a"], &["a /kigo/buildpacks/0"], 0));
        assert_eq!(shown(&[&one, &one]), own(&["a", "a"], &["a /kigo/buildpacks/0"], 0));
        let inner = [
            ("meta/buildpack.toml", AB),
            ("parts/a/buildpack.toml", A),
            ("parts/a/bin/detect", ""),
            ("parts/a/bin/build", ""),
            ("parts/b/buildpack.toml", B),
        ];
        assert_eq!(
            shown(&[&inner]),
            own(&["ab"], &["ab /kigo/buildpacks/0/meta", "a /kigo/buildpacks/0/parts/a"], 1)
        );
        for (files, words) in [
            (&[("buildpack.toml", A)][..], "has no bin/detect"),
            (&[("buildpack.toml", A), ("bin/detect", "")], "has no bin/build"),
            (&[("buildpack.toml", "api = \"0.1\"")], "speaks version 0.1"),
            (&[("buildpack.toml", "\u{0}")], "is not valid: line 1"),
            (
                &[("x/buildpack.toml", AB), ("y/buildpack.toml", &AB.replace("\"ab\"", "\"c\""))],
                "has several buildpacks",
            ),
        ] {
            let error = shown(&[files]).unwrap_err();
            assert!(error.contains(words), "{files:?}: {error}");
        }
    }
}
