//! What an app says about itself: its composer.json and composer.lock.

use super::words::{PhpError, warn};
use crate::output::Output;
use crate::source::{has_file, read_file};
use domain::ConfigVars;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Whether an app is one in PHP.
pub(super) fn recognise(tree: &Path) -> bool {
    has_file(tree, "composer.json") || has_file(tree, "index.php")
}

/// The app, as far as a build is concerned.
#[derive(Debug, Default)]
pub(super) struct App {
    /// The name of its composer.json.
    pub(super) file: String,
    /// The versions of PHP that it asks for.
    pub(super) php: Option<String>,
    /// Extensions that are needed, without `ext-`, and who needs them.
    pub(super) extensions: BTreeMap<String, String>,
    /// Extensions that packages bring in PHP.
    pub(super) provided: BTreeSet<String>,
    /// Where Composer puts packages and their programs.
    pub(super) vendor: String,
    pub(super) bin: String,
    /// Whether there is anything for Composer to do.
    pub(super) installs: bool,
    /// Whether it has a script `compile`.
    pub(super) compiles: bool,
    /// Whether there is an index.php alone.
    is_legacy: bool,
    /// Whether packages are a part of the repository.
    has_packages: bool,
    /// Everything that decides what gets installed, as bytes to be hashed.
    pub(super) inputs: Vec<u8>,
}

impl App {
    /// Reads the app in `tree`.
    pub(super) fn determine(tree: &Path, config: &ConfigVars) -> Result<Self, PhpError> {
        let file = config.0.get("COMPOSER").filter(|name| !name.is_empty());
        let file = inside(file.map_or("composer.json", String::as_str));
        let file = file.ok_or(PhpError::Outside("COMPOSER"))?;
        let lockfile = format!("{}.lock", file.strip_suffix(".json").unwrap_or(&file));
        let text = read(tree, &file)?;
        let is_legacy = text.is_none();
        let text = text.filter(|text| !text.trim_ascii().is_empty()).unwrap_or_else(|| b"{}".to_vec());
        let manifest = parse(&file, &text)?;
        let lock = match read(tree, &lockfile)? {
            Some(text) => Some((parse(&lockfile, &text)?, text)),
            None if entries(&manifest["require"]).next().is_some() => {
                return Err(PhpError::NoLockfile { file, lockfile });
            }
            None => None,
        };
        let setting = |name: &str| manifest["config"][name].as_str().map(str::to_owned);
        let vendor = setting("vendor-dir").unwrap_or_else(|| "vendor".into());
        let vendor = inside(&vendor).ok_or(PhpError::Outside("config.vendor-dir"))?;
        let bin = setting("bin-dir")
            .map_or_else(|| format!("{vendor}/bin"), |bin| bin.replace("{$vendor-dir}", &vendor));
        let bin = inside(&bin).ok_or(PhpError::Outside("config.bin-dir"))?;
        let mut app = Self {
            php: manifest["require"]["php"].as_str().map(str::to_owned),
            installs: manifest.as_object().is_some_and(|manifest| !manifest.is_empty()),
            compiles: !manifest["scripts"]["compile"].is_null(),
            is_legacy,
            has_packages: has_file(tree, &format!("{vendor}/autoload.php")),
            inputs: text,
            file,
            vendor,
            bin,
            ..Self::default()
        };
        app.need(&manifest["require"], &app.file.clone());
        if let Some((lock, text)) = lock {
            app.need(&lock["platform"], &lockfile);
            for package in lock["packages"].as_array().into_iter().flatten() {
                app.need(&package["require"], package["name"].as_str().unwrap_or(&lockfile));
                for kind in ["provide", "replace"] {
                    app.provided.extend(entries(&package[kind]).filter_map(|(name, _)| extension(name)));
                }
            }
            app.inputs.extend(text);
        }
        Ok(app)
    }

    /// Notes the extensions among what `by` requires.
    fn need(&mut self, require: &Value, by: &str) {
        for extension in entries(require).filter_map(|(name, _)| extension(name)) {
            self.extensions.entry(extension).or_insert_with(|| by.to_owned());
        }
    }

    /// Whether what Composer installs is known before it does.
    pub(super) fn keeps_packages(&self) -> bool {
        self.installs && !self.has_packages
    }

    /// Tells the user what may cause trouble.
    pub(super) async fn warn(&self, output: &Output) {
        if self.is_legacy {
            warn::no_manifest(&self.file, output).await;
        }
        if self.has_packages {
            warn::packages(&self.vendor, output).await;
        }
    }
}

fn read(tree: &Path, name: &str) -> Result<Option<Vec<u8>>, PhpError> {
    let unreadable =
        |error| PhpError::Unreadable { file: name.to_owned(), why: crate::errors::chain(&error) };
    read_file(tree, name).map_err(unreadable)
}

fn parse(name: &str, text: &[u8]) -> Result<Value, PhpError> {
    let bad = |why: String| PhpError::NotJson { file: name.to_owned(), why };
    let value: Value = serde_json::from_slice(text).map_err(|error| bad(error.to_string()))?;
    if value.is_object() { Ok(value) } else { Err(bad("it is not an object".into())) }
}

/// The members of an object. An empty one may be written as an empty list.
fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// `gd` of `ext-gd`, as extensions are called everywhere.
fn extension(requirement: &str) -> Option<String> {
    let name = requirement.to_ascii_lowercase();
    name.strip_prefix("ext-").map(|name| name.replace('-', "_"))
}

/// A path inside of the app, without what means nothing in it.
fn inside(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let stays = !path.starts_with('/') && !parts.is_empty() && !parts.contains(&"..");
    let plain =
        parts.iter().all(|part| part.chars().all(|c| c.is_ascii_alphanumeric() || "-_. @+".contains(c)));
    (stays && plain).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(files: &[(&str, &str)], composer: Option<&str>) -> Result<App, PhpError> {
        let tree = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = tree.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let config = composer.map(|name| ("COMPOSER".to_owned(), name.to_owned()));
        App::determine(tree.path(), &ConfigVars(config.into_iter().collect()))
    }

    const LOCK: &str = r#"{
        "packages": [
            {"name": "a/b", "require": {"php": ">=8", "ext-GD": "*", "ext-ctype": "*"}},
            {"name": "c/polyfill", "require": [], "provide": {"ext-ctype": "*"}}
        ],
        "platform": []
    }"#;

    #[test]
    fn what_is_required_and_by_whom() {
        let json =
            r#"{"require": {"php": "^8.2", "ext-pdo-mysql": "*", "a/b": "^1"}, "scripts": {"compile": "x"}}"#;
        let app = app(&[("composer.json", json), ("composer.lock", LOCK)], None).unwrap();
        assert_eq!(app.php.as_deref(), Some("^8.2"));
        let extensions: Vec<_> = app.extensions.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(extensions, [("ctype", "a/b"), ("gd", "a/b"), ("pdo_mysql", "composer.json")]);
        assert_eq!(app.provided, ["ctype".to_owned()].into());
        assert!(app.compiles && app.keeps_packages());
        assert_eq!((app.vendor.as_str(), app.bin.as_str()), ("vendor", "vendor/bin"));
    }

    #[test]
    fn where_packages_go() {
        for (config, expected) in [
            (r#"{"vendor-dir": "lib/php/"}"#, Some(("lib/php", "lib/php/bin"))),
            (r#"{"bin-dir": "{$vendor-dir}/x"}"#, Some(("vendor", "vendor/x"))),
            (r#"{"bin-dir": "bin"}"#, Some(("vendor", "bin"))),
            (r#"{"vendor-dir": "../x"}"#, None),
            (r#"{"vendor-dir": "/x"}"#, None),
        ] {
            let found = app(&[("composer.json", &format!(r#"{{"config": {config}}}"#))], None);
            let found = found.as_ref().ok().map(|app| (app.vendor.as_str(), app.bin.as_str()));
            assert_eq!(found, expected, "{config}");
        }
        let packages = [("composer.json", r#"{"name": "a/b"}"#), ("vendor/autoload.php", "")];
        assert!(!app(&packages, None).unwrap().keeps_packages());
    }

    #[test]
    fn another_name_and_none_at_all() {
        let files = [("c8.json", r#"{"require": {"php": "8"}}"#), ("c8.lock", "{}")];
        assert_eq!(app(&files, Some("c8.json")).unwrap().php.as_deref(), Some("8"));
        for files in [&[("index.php", "")][..], &[("composer.json", " ")][..], &[("composer.json", "{}")][..]]
        {
            assert!(!app(files, None).unwrap().installs, "{files:?}");
        }
    }

    #[test]
    fn what_is_wrong() {
        let requires = ("composer.json", r#"{"require": {"php": "^8"}}"#);
        assert!(matches!(app(&[requires], None), Err(PhpError::NoLockfile { .. })));
        for files in [&[("composer.json", "[]")][..], &[requires, ("composer.lock", "{<<<<<<<")][..]] {
            assert!(matches!(app(files, None), Err(PhpError::NotJson { .. })), "{files:?}");
        }
        assert!(matches!(app(&[], Some("../c.json")), Err(PhpError::Outside("COMPOSER"))));
    }
}
