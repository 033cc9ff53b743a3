//! What an app says about itself in its `go.mod`.

use super::words::GoError;
use crate::source::{has_file, read_file};
use std::path::Path;

/// Directories below `src/` that are looked into for an app of the manager gb.
const DIRECTORIES: usize = 1000;

/// Whether an app is one in Go: it has a `go.mod`, or the files of a manager that came before it.
pub(super) fn recognise(tree: &Path) -> bool {
    has_file(tree, "go.mod") || legacy_manager(tree).is_some()
}

/// The app, as far as a build is concerned.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct App {
    /// The module's path.
    pub(super) module: String,
    /// What follows `// +heroku goVersion`.
    pub(super) heroku_version: Option<String>,
    /// What follows `// +heroku install`.
    pub(super) packages: Option<String>,
    /// The directive `toolchain`.
    pub(super) toolchain: Option<String>,
    /// The directive `go`: the oldest version that the app can be built with.
    pub(super) go: Option<String>,
    /// Whether dependencies are a part of the app.
    pub(super) is_vendored: bool,
}

impl App {
    /// Reads the app in `tree`.
    pub(super) fn determine(tree: &Path) -> Result<Self, GoError> {
        let bytes =
            read_file(tree, "go.mod").map_err(|error| GoError::Unreadable(crate::errors::chain(&error)))?;
        let Some(bytes) = bytes else {
            return Err(legacy_manager(tree).map_or(GoError::NoModule, GoError::LegacyManager));
        };
        let app = Self::read(&String::from_utf8_lossy(&bytes))?;
        let has_sums = tree.join("go.sum").metadata().is_ok_and(|file| file.len() > 0);
        Ok(Self { is_vendored: has_sums && tree.join("vendor").is_dir(), ..app })
    }

    /// Of each directive the first counts, as for Heroku's buildpack.
    fn read(text: &str) -> Result<Self, GoError> {
        let mut app = Self {
            module: String::new(),
            heroku_version: None,
            packages: None,
            toolchain: None,
            go: None,
            is_vendored: false,
        };
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (field, value) = match words.as_slice() {
                ["module", path, ..] if app.module.is_empty() => {
                    path.trim_matches(['"', '`']).clone_into(&mut app.module);
                    continue;
                }
                ["//", "+heroku", "goVersion", version, ..] => (&mut app.heroku_version, (*version).into()),
                ["//", "+heroku", "install", packages @ ..] if !packages.is_empty() => {
                    (&mut app.packages, packages.join(" "))
                }
                // `toolchain default` asks for nothing.
                ["toolchain", version, ..] if *version != "default" => {
                    (&mut app.toolchain, (*version).into())
                }
                ["go", version, ..] => (&mut app.go, (*version).into()),
                _ => continue,
            };
            field.get_or_insert(value);
        }
        if app.module.is_empty() { Err(GoError::NoModuleName) } else { Ok(app) }
    }
}

/// A manager of dependencies of before Go had modules, by its files.
fn legacy_manager(tree: &Path) -> Option<&'static str> {
    [
        ("Gopkg.lock", "dep"),
        ("Godeps/Godeps.json", "godep"),
        ("vendor/vendor.json", "govendor"),
        ("glide.yaml", "glide"),
    ]
    .into_iter()
    .find_map(|(file, manager)| has_file(tree, file).then_some(manager))
    .or_else(|| has_go_below_src(tree).then_some("gb"))
}

/// Whether there is a Go file in a directory below `src/`.
fn has_go_below_src(tree: &Path) -> bool {
    let mut directories = vec![(tree.join("src"), 0)];
    let mut seen = 0;
    while let Some((directory, depth)) = directories.pop() {
        seen += 1;
        let is_directory = directory.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
        let Some(entries) = is_directory.then(|| std::fs::read_dir(&directory).ok()).flatten() else {
            continue;
        };
        for entry in entries.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && seen + directories.len() < DIRECTORIES => {
                    directories.push((entry.path(), depth + 1));
                }
                Ok(kind)
                    if kind.is_file() && depth > 0 && entry.path().extension().is_some_and(|e| e == "go") =>
                {
                    return true;
                }
                _ => {}
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_concerns_a_build() {
        let app = App::read(
            "// +heroku goVersion go1.24\n//  +heroku install ./cmd/...   ./special\n\
             // +heroku install ./no\n\nmodule \"example.com/a\" // c\n\ngo 1.23.4\ntoolchain go1.24.1\n\
             require (\n\tgithub.com/x/go v1.0.0\n\tgo.uber.org/zap v1.0.0\n)\n",
        )
        .unwrap();
        assert_eq!(app.module, "example.com/a");
        assert_eq!(app.heroku_version.as_deref(), Some("go1.24"));
        assert_eq!(app.packages.as_deref(), Some("./cmd/... ./special"));
        assert_eq!(app.toolchain.as_deref(), Some("go1.24.1"));
        assert_eq!(app.go.as_deref(), Some("1.23.4"));
        let bare = App::read("module a\ntoolchain default\n").unwrap();
        assert_eq!((bare.go, bare.toolchain, bare.packages), (None, None, None));
        assert!(matches!(App::read("go 1.25\n"), Err(GoError::NoModuleName)));
    }

    #[test]
    fn recognises_modules_and_what_came_before() {
        for (file, recognised, manager) in [
            ("go.mod", true, None),
            ("Gopkg.lock", true, Some("dep")),
            ("Godeps/Godeps.json", true, Some("godep")),
            ("vendor/vendor.json", true, Some("govendor")),
            ("glide.yaml", true, Some("glide")),
            ("src/one/main.go", true, Some("gb")),
            ("src/one/two/main.go", true, Some("gb")),
            ("src/main.go", false, None),
            ("main.go", false, None),
        ] {
            let tree = tempfile::tempdir().unwrap();
            let path = tree.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
            assert_eq!(recognise(tree.path()), recognised, "{file}");
            let found = match App::determine(tree.path()) {
                Err(GoError::LegacyManager(manager)) => Some(manager),
                _ => None,
            };
            assert_eq!(found, manager, "{file}");
        }
    }

    #[test]
    fn dependencies_are_vendored_when_their_sums_are_there() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::write(tree.path().join("go.mod"), "module a\n").unwrap();
        std::fs::create_dir(tree.path().join("vendor")).unwrap();
        std::fs::write(tree.path().join("go.sum"), "").unwrap();
        assert!(!App::determine(tree.path()).unwrap().is_vendored);
        std::fs::write(tree.path().join("go.sum"), "x").unwrap();
        assert!(App::determine(tree.path()).unwrap().is_vendored);
    }
}
