//! What one buildpack's `bin/build` left: files of TOML, and what lies in its layers. All of it is a
//! stranger's.

use super::descriptor::{Api, place};
use super::env::{self, Change};
use super::errors::CnbError;
use super::launch::{self, Launch, is_process};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Bytes of one file of TOML.
const LIMIT: u64 = 1 << 20;

/// Layers of one buildpack.
const LAYERS: usize = 100;

/// Files that are about a whole buildpack, not a layer.
const WHOLE: [&str; 4] = ["build.toml", "launch.toml", "store.toml", "plan.toml"];

/// What a layer is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Types {
    pub(crate) launch: bool,
    pub(crate) build: bool,
    pub(crate) cache: bool,
}

/// A layer that a buildpack left.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Left {
    pub(crate) types: Types,
    /// The layer's file, without its types.
    pub(crate) metadata: String,
    /// Whether there is a directory, too.
    pub(crate) has_content: bool,
    /// Directories for later buildpacks.
    pub(crate) paths: Vec<Change>,
    /// Other changes for them.
    pub(crate) for_build: Vec<Change>,
    /// For dynos.
    pub(crate) at_launch: AtLaunch,
}

/// What a dyno needs to know of a launch layer; kept for builds that use the layer again unseen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AtLaunch {
    /// Which of `bin` and `lib` it has.
    paths: BTreeSet<String>,
    /// Of `env` and `env.launch`.
    changes: Vec<Change>,
    /// Of `env.launch/<process>`.
    of_process: BTreeMap<String, Vec<Change>>,
    /// Programs of `exec.d`, and of `exec.d/<process>` behind the process's name.
    exec_d: Vec<(Option<String>, String)>,
    /// Scripts of `profile.d` alike.
    profile_d: Vec<(Option<String>, String)>,
}

/// Everything that one left.
#[derive(Clone, Debug, Default)]
pub(crate) struct Built {
    pub(crate) layers: BTreeMap<String, Left>,
    /// As it is.
    pub(crate) store: Option<String>,
    pub(crate) launch: Launch,
    pub(crate) unmet: Vec<String>,
}

/// What a message has of one buildpack.
struct Sent<'a> {
    root: &'a Path,
    buildpack: &'a str,
    api: Api,
    /// Every path that was listed.
    listing: Listing,
}

/// Directories and files below a buildpack's directory of layers, as far as they matter.
#[derive(Debug, Default)]
struct Listing {
    /// Of the top.
    files: BTreeSet<String>,
    /// Layers.
    directories: BTreeSet<String>,
    /// `layer/bin` and the like.
    paths: BTreeSet<String>,
    /// `layer/exec.d/a` and the like, whole.
    inside: BTreeSet<String>,
}

impl Listing {
    /// Lines that end in a zero byte: a letter for the kind, a space, the path.
    fn parse(bytes: &[u8]) -> Self {
        let mut listing = Self::default();
        for line in bytes.split(|byte| *byte == 0) {
            // What is no text can be named nowhere.
            let Ok(line) = std::str::from_utf8(line) else { continue };
            let Some((kind, path)) = line.split_once(' ') else { continue };
            let into = match kind {
                "t" => &mut listing.files,
                "d" => &mut listing.directories,
                "p" => &mut listing.paths,
                "f" => &mut listing.inside,
                _ => continue,
            };
            into.insert(path.to_owned());
        }
        listing
    }

    /// Names directly below `directory`.
    fn below(&self, directory: &str) -> Vec<String> {
        let names = self.inside.iter().filter_map(|path| path.strip_prefix(directory)?.strip_prefix('/'));
        names.filter(|name| !name.contains('/')).map(str::to_owned).collect()
    }

    /// Names of the directories below `directory` that have files.
    fn processes(&self, directory: &str) -> BTreeSet<String> {
        let inside = self.inside.iter().filter_map(|path| path.strip_prefix(directory)?.strip_prefix('/'));
        let names = inside.filter_map(|path| path.split_once('/')).map(|(process, _)| process.to_owned());
        names.filter(|name| is_process(name)).collect()
    }
}

/// Reads what was sent of a buildpack: its files below `layers`, and `listing`.
pub(crate) fn read(root: &Path, buildpack: &str, api: Api) -> Result<Built, CnbError> {
    let listing = image::read_small_file(root, Path::new("listing"), image::MAX_SMALL_FILE);
    let listing = listing.map_err(|error| bad(buildpack, "its layers", error.to_string()))?;
    let listing = Listing::parse(&listing.unwrap_or_default());
    let sent = Sent { root, buildpack, api, listing };
    let mut built = Built {
        store: sent.file("store.toml")?,
        launch: sent.parsed("launch.toml", |text| launch::parse(text, api))?,
        unmet: sent.parsed("build.toml", unmet)?,
        ..Built::default()
    };
    if let Some(store) = &built.store {
        let table = store.parse::<toml::Table>();
        table.map_err(|error| bad(buildpack, "store.toml", place(store, &error)))?;
    }
    for file in &sent.listing.files {
        let Some(name) = file.strip_suffix(".toml").filter(|_| !WHOLE.contains(&file.as_str())) else {
            continue;
        };
        check_name(buildpack, name)?;
        built.layers.insert(name.to_owned(), sent.layer(name)?);
    }
    for name in &sent.listing.directories {
        check_name(buildpack, name)?;
        // A layer without a word about it is for nobody else.
        let left = || Left { has_content: true, ..Left::default() };
        built.layers.entry(name.clone()).or_insert_with(left);
    }
    if built.layers.len() > LAYERS {
        return Err(CnbError::TooMany { buildpack: buildpack.to_owned(), what: "layers", limit: LAYERS });
    }
    Ok(built)
}

impl Sent<'_> {
    fn file(&self, name: &str) -> Result<Option<String>, CnbError> {
        let path = PathBuf::from("layers").join(name);
        let read = image::read_small_file(self.root, &path, LIMIT);
        let read = read.map_err(|error| bad(self.buildpack, name, error.to_string()))?;
        let text = read.map(String::from_utf8).transpose();
        text.map_err(|_| bad(self.buildpack, name, crate::described::NOT_TEXT.into()))
    }

    fn parsed<T: Default>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, CnbError> {
        let Some(text) = self.file(name)? else { return Ok(T::default()) };
        parse(&text).map_err(|why| bad(self.buildpack, name, why))
    }

    fn layer(&self, name: &str) -> Result<Left, CnbError> {
        let (types, metadata) = self.parsed(&format!("{name}.toml"), layer)?;
        let mut left =
            Left { types, metadata, has_content: self.listing.directories.contains(name), ..Left::default() };
        let here = format!("/layers/{}/{name}", directory_of(self.buildpack));
        let has = |part: &str| self.listing.paths.contains(&format!("{name}/{part}"));
        for (part, variables) in [
            ("bin", &["PATH"][..]),
            ("lib", &["LD_LIBRARY_PATH", "LIBRARY_PATH"]),
            ("include", &["CPATH"]),
            ("pkgconfig", &["PKG_CONFIG_PATH"]),
        ] {
            if !has(part) {
                continue;
            }
            let at = format!("{here}/{part}");
            left.paths.extend(variables.iter().map(|variable| Change::path(variable, &at)));
            if part == "bin" || part == "lib" {
                left.at_launch.paths.insert(part.to_owned());
            }
        }
        let of_all = self.changes(name, "env")?;
        left.for_build.extend(of_all.iter().cloned().chain(self.changes(name, "env.build")?));
        let launch = &mut left.at_launch;
        launch.changes = of_all;
        launch.changes.extend(self.changes(name, "env.launch")?);
        for process in self.listing.processes(&format!("{name}/env.launch")) {
            let changes = self.changes(name, &format!("env.launch/{process}"))?;
            launch.of_process.insert(process, changes);
        }
        launch.exec_d = self.programs(name, "exec.d");
        // Later versions of the API do without.
        if self.api < Api(9) {
            launch.profile_d = self.programs(name, "profile.d");
        }
        Ok(left)
    }

    fn changes(&self, layer: &str, directory: &str) -> Result<Vec<Change>, CnbError> {
        let inside = format!("{layer}/{directory}");
        let files = self.listing.below(&inside);
        env::read(self.root, &Path::new("layers").join(&inside), &files)
            .map_err(|error| bad(self.buildpack, &inside, error.to_string()))
    }

    fn programs(&self, layer: &str, directory: &str) -> Vec<(Option<String>, String)> {
        let inside = format!("{layer}/{directory}");
        let plain = |name: &String| !name.contains(char::is_control);
        let of = |process: Option<String>, at: &str| {
            let files = self.listing.below(at).into_iter().filter(plain);
            files.map(|file| (process.clone(), file)).collect::<Vec<_>>()
        };
        let mut all = of(None, &inside);
        for process in self.listing.processes(&inside) {
            all.extend(of(Some(process.clone()), &format!("{inside}/{process}")));
        }
        all
    }
}

/// The directory of a buildpack's layers, by its words `id 1.2.3`.
fn directory_of(buildpack: &str) -> String {
    buildpack.split(' ').next().unwrap_or_default().replace('/', "_")
}

fn bad(buildpack: &str, file: &str, why: String) -> CnbError {
    CnbError::File { buildpack: buildpack.to_owned(), file: file.to_owned(), why }
}

/// A layer's name becomes a part of paths.
fn check_name(buildpack: &str, name: &str) -> Result<(), CnbError> {
    let wrong = name.is_empty()
        || name.len() > 200
        || [".", "..", "build", "launch", "store"].contains(&name)
        || name.contains(|letter: char| letter.is_control() || letter == '/');
    if wrong {
        return Err(CnbError::LayerName {
            buildpack: buildpack.to_owned(),
            name: name.escape_debug().to_string(),
        });
    }
    Ok(())
}

fn layer(text: &str) -> Result<(Types, String), String> {
    let mut table: toml::Table = toml::from_str(text).map_err(|error| place(text, &error))?;
    let types = table.remove("types").map(Types::deserialize).transpose();
    let types = types.map_err(|error| format!("its types: {}", error.message()))?;
    Ok((types.unwrap_or_default(), toml::to_string(&table).map_err(|error| error.to_string())?))
}

#[derive(Deserialize)]
struct BuildToml {
    #[serde(default)]
    unmet: Vec<Unmet>,
}

#[derive(Deserialize)]
struct Unmet {
    name: String,
}

fn unmet(text: &str) -> Result<Vec<String>, String> {
    let read: BuildToml = toml::from_str(text).map_err(|error| place(text, &error))?;
    Ok(read.unmet.into_iter().map(|unmet| unmet.name).collect())
}

impl AtLaunch {
    /// Directories that go to the front of paths, `here` being the layer.
    pub(crate) fn paths(&self, here: &str) -> String {
        let name = |part: &str| if part == "bin" { "PATH" } else { "LD_LIBRARY_PATH" };
        self.paths.iter().map(|part| Change::path(name(part), &format!("{here}/{part}")).shell()).collect()
    }

    /// The rest of its variables, for a shell with the type of the process in `kigo_type`.
    pub(crate) fn variables(&self) -> String {
        let mut text: String = self.changes.iter().map(Change::shell).collect();
        for (process, changes) in &self.of_process {
            text.push_str(&only_for(Some(process), &changes.iter().map(Change::shell).collect::<String>()));
        }
        text
    }

    /// Its programs, those of all processes or those of some.
    pub(crate) fn programs(&self, here: &str, of_processes: bool) -> String {
        listed(&self.exec_d, of_processes, &format!("{here}/exec.d"), "kigo_exec_d")
    }

    /// Its scripts alike.
    pub(crate) fn scripts(&self, here: &str, of_processes: bool) -> String {
        listed(&self.profile_d, of_processes, &format!("{here}/profile.d"), ".")
    }
}

fn listed(all: &[(Option<String>, String)], of_processes: bool, here: &str, verb: &str) -> String {
    let mut text = String::new();
    for (process, file) in all.iter().filter(|(process, _)| process.is_some() == of_processes) {
        let part = process.as_ref().map(|process| format!("{process}/")).unwrap_or_default();
        let line = format!("{verb} {}\n", env::quoted(&format!("{here}/{part}{file}")));
        text.push_str(&only_for(process.as_deref(), &line));
    }
    text
}

fn only_for(process: Option<&str>, text: &str) -> String {
    match process {
        Some(process) => format!("if [ \"$kigo_type\" = {} ]; then\n{text}:\nfi\n", env::quoted(process)),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
