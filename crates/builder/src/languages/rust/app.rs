//! What an app says about itself: its manifest, its toolchain file, and the settings that Heroku's
//! users know from the buildpack emk/rust.

use super::words::RustError;
use crate::source::{has_file, read_file};
use domain::ConfigVars;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Component, Path};

/// The settings, of the file `RustConfig` or of config vars. A config var wins.
const SETTINGS: [&str; 5] =
    ["BUILD_PATH", "RUST_SKIP_BUILD", "RUST_CARGO_BUILD_FLAGS", "RUST_INSTALL_DIESEL", "DIESEL_FLAGS"];

/// The app, as far as a build is concerned.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct App {
    /// Where it is below the root; empty for the root itself.
    pub(super) path: String,
    /// Which toolchain it asks for, and who says so.
    pub(super) asked: Option<Asked>,
    /// `components` and `targets` of the toolchain file.
    pub(super) components: Vec<String>,
    pub(super) targets: Vec<String>,
    /// The oldest Rust that can build it.
    pub(super) rust_version: Option<String>,
    /// The program that `cargo run` would run.
    pub(super) default_run: Option<String>,
    /// Only a toolchain is wanted, by a later buildpack.
    pub(super) skips_build: bool,
    pub(super) installs_diesel: bool,
    pub(super) diesel_flags: String,
    /// Flags for `cargo build` instead of the usual ones.
    pub(super) flags: Option<String>,
}

/// A toolchain by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) name: String,
    pub(super) origin: &'static str,
}

#[derive(Deserialize)]
struct ToolchainFile {
    #[serde(default)]
    toolchain: ToolchainTable,
}

#[derive(Default, Deserialize)]
struct ToolchainTable {
    channel: Option<String>,
    path: Option<String>,
    #[serde(default)]
    components: Vec<String>,
    #[serde(default)]
    targets: Vec<String>,
}

#[derive(Deserialize)]
struct Manifest {
    package: Option<Package>,
    workspace: Option<Workspace>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Package {
    rust_version: Option<toml::Value>,
    default_run: Option<String>,
}

#[derive(Deserialize)]
struct Workspace {
    package: Option<Package>,
}

impl App {
    /// Reads the app in `tree`.
    pub(super) fn determine(tree: &Path, config: &ConfigVars) -> Result<Self, RustError> {
        let read = |name: &str| -> Result<Option<String>, RustError> {
            let bytes = read_file(tree, name).map_err(|error| RustError::Unreadable {
                file: name.to_owned(),
                why: crate::errors::chain(&error),
            })?;
            Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
        };
        let file = read("RustConfig")?.unwrap_or_default();
        let mut settings = assignments(&file);
        let version = settings.remove("VERSION").filter(|version| !version.is_empty());
        for name in SETTINGS {
            if let Some(value) = config.0.get(name) {
                settings.insert(name.to_owned(), value.clone());
            }
        }
        let set = |name: &str| settings.get(name).filter(|value| !value.trim().is_empty());
        let is_on = |name: &str| set(name).is_some_and(|value| value == "1" || value == "true");
        let path = build_path(set("BUILD_PATH").map_or("", String::as_str))?;
        let app = Self {
            skips_build: is_on("RUST_SKIP_BUILD"),
            installs_diesel: is_on("RUST_INSTALL_DIESEL"),
            diesel_flags: set("DIESEL_FLAGS").cloned().unwrap_or_default(),
            flags: set("RUST_CARGO_BUILD_FLAGS").cloned(),
            path,
            ..Self::default()
        };
        let named = |name: Option<String>, origin| {
            let name = name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())?;
            Some(Asked { name, origin })
        };
        let first = named(config.0.get("RUSTUP_TOOLCHAIN").cloned(), "the config var RUSTUP_TOOLCHAIN")
            .or_else(|| named(version, "VERSION in RustConfig"));
        app.with_toolchain_file(&read)?.with_manifest(tree, &read).map(|app| match first {
            Some(asked) => Self { asked: Some(asked), ..app },
            None => app,
        })
    }

    fn below(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}/{name}", self.path) }
    }

    /// The first that there is, as rustup looks for them.
    fn with_toolchain_file(
        self,
        read: &dyn Fn(&str) -> Result<Option<String>, RustError>,
    ) -> Result<Self, RustError> {
        for (name, origin) in
            [("rust-toolchain", "the file rust-toolchain"), ("rust-toolchain.toml", "rust-toolchain.toml")]
        {
            for file in [self.below(name), name.to_owned()] {
                let Some(text) = read(&file)? else { continue };
                let one_word = || text.trim().lines().count() == 1 && !text.contains('[');
                if name == "rust-toolchain" && one_word() {
                    let asked = Some(Asked { name: text.trim().to_owned(), origin });
                    return Ok(Self { asked, ..self });
                }
                let table: ToolchainFile = parse(&file, &text)?;
                let table = table.toolchain;
                if table.path.is_some() {
                    return Err(RustError::ToolchainPath(file));
                }
                let asked = table.channel.map(|name| Asked { name: name.trim().to_owned(), origin });
                return Ok(Self { asked, components: table.components, targets: table.targets, ..self });
            }
        }
        Ok(self)
    }

    fn with_manifest(
        self,
        tree: &Path,
        read: &dyn Fn(&str) -> Result<Option<String>, RustError>,
    ) -> Result<Self, RustError> {
        let file = self.below("Cargo.toml");
        let Some(text) = read(&file)? else {
            return if self.skips_build { Ok(self) } else { Err(RustError::NoManifest(file)) };
        };
        // A member of a workspace shares the lockfile of its root.
        let mut places = Path::new(&self.path).ancestors();
        if !self.skips_build && !places.any(|place| has_file(&tree.join(place), "Cargo.lock")) {
            return Err(RustError::NoLockfile);
        }
        let manifest: Manifest = parse(&file, &text)?;
        let default_run = manifest.package.as_ref().and_then(|package| package.default_run.clone());
        let of = |package: Option<Package>| package?.rust_version?.as_str().map(str::to_owned);
        let shared = manifest.workspace.and_then(|workspace| workspace.package);
        let rust_version = of(manifest.package).or_else(|| of(shared));
        Ok(Self { rust_version, default_run, ..self })
    }
}

fn parse<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> Result<T, RustError> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| text[..span.start.min(text.len())].lines().count().max(1));
        let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        RustError::NotToml { file: file.to_owned(), why: format!("{line}{}", error.message()) }
    })
}

/// A path that stays inside, without dots.
fn build_path(text: &str) -> Result<String, RustError> {
    let mut parts = Vec::new();
    for part in Path::new(text.trim()).components() {
        match part {
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            Component::CurDir => {}
            _ => return Err(RustError::BuildPath(text.to_owned())),
        }
    }
    Ok(parts.join("/"))
}

/// What a shell would set that reads this file, as long as it is plain.
fn assignments(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().map(|line| line.trim().trim_start_matches("export "));
    let pairs = lines.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let unquoted = |value: &str| {
        let value = value.trim();
        let quoted = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
        quoted.unwrap_or(value).to_owned()
    };
    pairs.map(|(name, value)| (name.trim().to_owned(), unquoted(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(files: &[(&str, &str)], config: &[(&str, &str)]) -> Result<App, RustError> {
        let tree = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = tree.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let config = config.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        App::determine(tree.path(), &ConfigVars(config.collect()))
    }

    const MANIFEST: (&str, &str) = ("Cargo.toml", "[package]\nname = \"a\"\n");
    const LOCK: (&str, &str) = ("Cargo.lock", "");

    #[test]
    fn who_names_the_toolchain() {
        let plain = ("rust-toolchain", "1.80\n");
        let table =
            ("rust-toolchain.toml", "[toolchain]\nchannel = \"1.81\"\ntargets = [\"wasm32-wasip1\"]\n");
        let config = ("RustConfig", "# c\nexport VERSION=\"1.82\"\n");
        let variable = ("RUSTUP_TOOLCHAIN", "1.83");
        for (files, variables, expected) in [
            (&[][..], &[][..], None),
            (&[table][..], &[][..], Some("1.81")),
            (&[plain, table][..], &[][..], Some("1.80")),
            (&[plain, config][..], &[][..], Some("1.82")),
            (&[plain, config][..], &[variable][..], Some("1.83")),
            (&[("rust-toolchain", "[toolchain]\nchannel='nightly'")][..], &[][..], Some("nightly")),
        ] {
            let files: Vec<_> = [MANIFEST, LOCK].into_iter().chain(files.iter().copied()).collect();
            let app = app(&files, variables).unwrap();
            assert_eq!(app.asked.as_ref().map(|asked| asked.name.as_str()), expected);
        }
        assert_eq!(app(&[MANIFEST, LOCK, table], &[]).unwrap().targets, ["wasm32-wasip1"]);
    }

    #[test]
    fn settings_of_the_file_and_of_config_vars() {
        let file = "BUILD_PATH=./server/\nRUST_INSTALL_DIESEL=1\nDIESEL_FLAGS='--no-default-features'\n\
                    RUST_CARGO_BUILD_FLAGS=\"--release -p web\"\n";
        let files = [("RustConfig", file), ("server/Cargo.toml", MANIFEST.1), LOCK];
        let found = app(&files, &[("RUST_INSTALL_DIESEL", "0")]).unwrap();
        let expected = App {
            path: "server".into(),
            diesel_flags: "--no-default-features".into(),
            flags: Some("--release -p web".into()),
            ..App::default()
        };
        assert_eq!(found, expected);
        assert!(app(&[], &[("RUST_SKIP_BUILD", "1")]).unwrap().skips_build);
        for path in ["../x", "/etc"] {
            assert!(matches!(app(&[], &[("BUILD_PATH", path)]), Err(RustError::BuildPath(_))), "{path}");
        }
    }

    #[test]
    fn what_the_manifest_says() {
        let workspace = "[workspace]\nmembers = []\n[workspace.package]\nrust-version = \"1.90\"\n";
        for (manifest, version, run) in [
            (MANIFEST.1, None, None),
            ("[package]\nname='a'\nrust-version='1.88'\ndefault-run='web'\n", Some("1.88"), Some("web")),
            (workspace, Some("1.90"), None),
        ] {
            let app = app(&[("Cargo.toml", manifest), LOCK], &[]).unwrap();
            assert_eq!((app.rust_version.as_deref(), app.default_run.as_deref()), (version, run));
        }
        let inherited = format!("[package]\nname='a'\nrust-version.workspace=true\n{workspace}");
        let app = app(&[("Cargo.toml", &inherited), LOCK], &[]).unwrap();
        assert_eq!(app.rust_version.as_deref(), Some("1.90"));
    }

    #[test]
    fn what_is_missing_or_wrong() {
        assert!(matches!(app(&[("rust-toolchain", "1.80")], &[]), Err(RustError::NoManifest(_))));
        assert!(matches!(app(&[MANIFEST], &[]), Err(RustError::NoLockfile)));
        let broken = app(&[("Cargo.toml", "[package]\nname = a\n"), LOCK], &[]).unwrap_err();
        assert!(broken.to_string().contains("line 2"), "{broken}");
        let path = [MANIFEST, LOCK, ("rust-toolchain.toml", "[toolchain]\npath = \"/opt/rust\"\n")];
        assert!(matches!(app(&path, &[]), Err(RustError::ToolchainPath(_))));
    }
}
