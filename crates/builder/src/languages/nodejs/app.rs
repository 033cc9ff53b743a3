//! What an app says about itself: `package.json`, its lockfile and the files beside it.

use super::words::{self, NodeError, Warning};
use crate::output::Output;
use crate::source::{has_file, read_file};
use serde_json::{Map, Value};
use std::path::Path;

/// Scripts of the app's own that npm runs when it installs: they may read and write anything of the
/// app, so that they run in every build. In npm's order.
pub(super) const LIFECYCLE: [&str; 7] =
    ["preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare"];

/// The app, as far as a build is concerned.
#[derive(Debug)]
pub(super) struct App {
    /// What `engines.node` asks for.
    pub(super) node: Option<String>,
    /// What `engines.npm` asks for.
    pub(super) npm: Option<String>,
    pub(super) install: Install,
    scripts: Map<String, Value>,
    /// Whether some installed packages are for development only.
    pub(super) has_dev_dependencies: bool,
    /// Whether installed packages run programs of their own, which may look at config vars.
    pub(super) has_install_scripts: bool,
    /// Whether `node_modules` alone is not all that is installed, or refers to the app's files.
    pub(super) has_local_packages: bool,
    pub(super) has_installed_modules: bool,
    /// Everything that decides what gets installed, as bytes to be hashed.
    pub(super) inputs: Vec<u8>,
    warnings: Vec<Warning>,
}

/// Bytes of a range of versions at most.
const RANGE_LIMIT: usize = 500;

/// How dependencies are installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Install {
    /// `npm ci`, which installs exactly what the lockfile says.
    Locked,
    /// `npm install`, for want of a lockfile.
    Unlocked,
}

impl App {
    /// Reads the app in `tree`.
    pub(super) fn determine(tree: &Path) -> Result<Self, NodeError> {
        let read = |name: &'static str| {
            read_file(tree, name)
                .map_err(|error| NodeError::Unreadable { file: name, why: crate::errors::chain(&error) })
        };
        let text = read("package.json")?.unwrap_or_default();
        let package = object("package.json", &text)?;
        let lock_name = lockfile(tree, &package)?;
        let lock_text = match lock_name {
            Some(name) => read(name)?,
            None => None,
        };
        let lock = match (lock_name, &lock_text) {
            (Some(name), Some(text)) => Some(object(name, text)?),
            _ => None,
        };
        let packages = lock.as_ref().and_then(|lock| lock.get("packages")).and_then(Value::as_object);
        let any = |flag: &str| {
            // Without the list of lockfile version 2, everything is possible.
            let has = |one: &Value| one.get(flag) == Some(&Value::Bool(true));
            // The entry without a name is the app itself.
            packages.is_none_or(|all| all.iter().any(|(path, one)| !path.is_empty() && has(one)))
        };
        let scripts = package.get("scripts").and_then(Value::as_object).cloned().unwrap_or_default();
        let has_installed_modules = tree.join("node_modules").symlink_metadata().is_ok_and(|m| m.is_dir());
        let mut app = Self {
            node: engine(&package, "node")?,
            npm: engine(&package, "npm")?,
            install: if lock.is_some() { Install::Locked } else { Install::Unlocked },
            has_dev_dependencies: any("dev") || any("devOptional"),
            has_install_scripts: any("hasInstallScript"),
            has_local_packages: package.contains_key("workspaces")
                || any("link")
                || packages.is_some_and(|all| {
                    all.keys().any(|path| !path.is_empty() && !path.starts_with("node_modules/"))
                }),
            scripts,
            has_installed_modules,
            inputs: inputs(&package, lock_text.as_deref(), read(".npmrc")?.as_deref()),
            warnings: Vec::new(),
        };
        app.warnings = app.look_for_trouble();
        Ok(app)
    }

    fn look_for_trouble(&self) -> Vec<Warning> {
        let open_ended = |range: &str| {
            let range = range.trim();
            (range.starts_with('>') && !range.contains('<'))
                || range == "*"
                || range.is_empty()
                || range == "x"
        };
        let mut warnings = Vec::new();
        match &self.node {
            None => warnings.push(Warning::NoNodeVersion),
            Some(range) if open_ended(range) => warnings.push(Warning::OpenNodeVersion(range.clone())),
            Some(_) => {}
        }
        if self.install == Install::Unlocked {
            warnings.push(Warning::NoLockfile);
        }
        if self.has_installed_modules {
            warnings.push(Warning::InstalledModules);
        }
        warnings
    }

    /// Tells the user what is likely to cause trouble.
    pub(super) async fn warn(&self, output: &Output) {
        for warning in &self.warnings {
            words::warn(warning, output).await;
        }
    }

    fn has_script(&self, name: &str) -> bool {
        self.scripts.get(name).is_some_and(Value::is_string)
    }

    /// The script that builds the app, by Heroku's rule: `heroku-postbuild`, else `build`.
    pub(super) fn build_script(&self) -> Option<&'static str> {
        ["heroku-postbuild", "build"].into_iter().find(|name| self.has_script(name))
    }

    /// The app's own scripts that belong to an installation.
    pub(super) fn lifecycle_scripts(&self) -> Vec<&'static str> {
        LIFECYCLE.into_iter().filter(|name| self.has_script(name)).collect()
    }

    /// Whether a build runs anything that may need packages for development.
    pub(super) fn needs_all_packages(&self) -> bool {
        self.build_script().is_some()
            || !self.lifecycle_scripts().is_empty()
            || self.has_script("heroku-prebuild")
    }

    /// For the program in the container.
    pub(super) fn plan(&self) -> Vec<(String, String)> {
        let flag = |truth: bool| u8::from(truth).to_string();
        vec![
            ("KIGO_INSTALL".into(), if self.install == Install::Locked { "ci" } else { "install" }.into()),
            ("KIGO_PREBUILD".into(), flag(self.has_script("heroku-prebuild"))),
            ("KIGO_LIFECYCLE".into(), self.lifecycle_scripts().join(" ")),
            ("KIGO_BUILD_SCRIPT".into(), self.build_script().unwrap_or("").into()),
            ("KIGO_CLEANUP".into(), flag(self.has_script("heroku-cleanup"))),
            ("KIGO_PRUNE".into(), flag(self.install == Install::Unlocked || self.has_dev_dependencies)),
        ]
    }
}

fn object(file: &'static str, text: &[u8]) -> Result<Map<String, Value>, NodeError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    match serde_json::from_slice(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(NodeError::NotJson { file, why: "it is not an object".into() }),
        Err(error) => Err(NodeError::NotJson { file, why: error.to_string() }),
    }
}

fn engine(package: &Map<String, Value>, name: &'static str) -> Result<Option<String>, NodeError> {
    match package.get("engines").and_then(|engines| engines.get(name)) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(range)) if range.trim().is_empty() => Ok(None),
        // Held against every version there is, a long one could keep this process busy for minutes.
        Some(Value::String(range)) if range.len() > RANGE_LIMIT => {
            let range = range.chars().take(40).chain(['…']).collect();
            Err(NodeError::BadVersion { name, range })
        }
        Some(Value::String(range)) => Ok(Some(range.trim().to_owned())),
        Some(_) => Err(NodeError::EngineNotText { name }),
    }
}

/// The lockfile of npm, if there is one; an error for another package manager's, or several.
fn lockfile(tree: &Path, package: &Map<String, Value>) -> Result<Option<&'static str>, NodeError> {
    // The first two are npm's.
    const KNOWN: [&str; 6] =
        ["npm-shrinkwrap.json", "package-lock.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb"];
    let found: Vec<_> = KNOWN.into_iter().filter(|name| has_file(tree, name)).collect();
    let of_npm = |name: &str| KNOWN[..2].contains(&name);
    let others: Vec<_> = found.iter().copied().filter(|name| !of_npm(name)).collect();
    let npm = found.into_iter().find(|name| of_npm(name));
    match (npm, others.as_slice()) {
        (Some(npm), [_, ..]) => {
            Err(NodeError::SeveralLockfiles(std::iter::once(npm).chain(others).collect()))
        }
        (None, [_, _, ..]) => Err(NodeError::SeveralLockfiles(others)),
        (None, [other]) => Err(NodeError::OtherPackageManager((*other).to_owned())),
        (npm, []) => match package.get("packageManager").and_then(Value::as_str) {
            Some(manager) if !manager.starts_with("npm@") && npm.is_none() => {
                Err(NodeError::OtherPackageManager(format!("packageManager: {manager}")))
            }
            _ => Ok(npm),
        },
    }
}

/// Everything of the app's files that decides what gets installed.
fn inputs(package: &Map<String, Value>, lock: Option<&[u8]>, npmrc: Option<&[u8]>) -> Vec<u8> {
    const KEYS: [&str; 8] = [
        "dependencies",
        "devDependencies",
        "optionalDependencies",
        "peerDependencies",
        "bundleDependencies",
        "bundledDependencies",
        "overrides",
        "workspaces",
    ];
    let mut bytes = Vec::new();
    let mut add = |name: &str, content: &[u8]| {
        bytes.extend(format!("{name} {}\n", content.len()).into_bytes());
        bytes.extend(content);
    };
    for key in KEYS {
        if let Some(value) = package.get(key) {
            add(key, value.to_string().as_bytes());
        }
    }
    add("lock", lock.unwrap_or_default());
    add(".npmrc", npmrc.unwrap_or_default());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(files: &[(&str, &str)]) -> Result<App, NodeError> {
        let tree = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(tree.path().join(name), content).unwrap();
        }
        App::determine(tree.path())
    }

    const LOCK: (&str, &str) = ("package-lock.json", r#"{"lockfileVersion":3,"packages":{"":{}}}"#);

    #[test]
    fn reads_engines_and_scripts() {
        let package = r#"{"engines":{"node":" 24.x ","npm":""},"scripts":{"build":"a","prepare":"b","start":"c","install":1}}"#;
        let read = app(&[("package.json", package), LOCK]).unwrap();
        assert_eq!((read.node.as_deref(), read.npm.as_deref()), (Some("24.x"), None));
        assert_eq!(read.build_script(), Some("build"));
        assert_eq!(read.lifecycle_scripts(), ["prepare"]);
        assert!(read.needs_all_packages() && !read.has_dev_dependencies && !read.has_install_scripts);
        assert_eq!(read.warnings, []);
        let both =
            app(&[("package.json", r#"{"scripts":{"build":"a","heroku-postbuild":"b"}}"#), LOCK]).unwrap();
        assert_eq!(both.build_script(), Some("heroku-postbuild"));
    }

    #[test]
    fn the_lockfile_tells_what_is_installed() {
        for (packages, dev, scripts, local) in [
            (r#"{"":{"name":"x"},"node_modules/a":{}}"#, false, false, false),
            (r#"{"node_modules/a":{"dev":true}}"#, true, false, false),
            (r#"{"node_modules/a":{"hasInstallScript":true}}"#, false, true, false),
            (r#"{"":{"hasInstallScript":true},"node_modules/a":{}}"#, false, false, false),
            (r#"{"node_modules/a":{"link":true,"resolved":"lib/a"},"lib/a":{}}"#, false, false, true),
        ] {
            let lock = format!(r#"{{"packages":{packages}}}"#);
            let read = app(&[("package.json", "{}"), ("package-lock.json", &lock)]).unwrap();
            assert_eq!(
                (read.has_dev_dependencies, read.has_install_scripts, read.has_local_packages),
                (dev, scripts, local),
                "{packages}"
            );
        }
        let old = app(&[("package.json", "{}"), ("package-lock.json", r#"{"dependencies":{}}"#)]).unwrap();
        assert!(old.has_dev_dependencies && old.has_local_packages);
    }

    #[test]
    fn refuses_what_it_cannot_build() {
        let empty = ("package.json", "{}");
        let long = format!(r#"{{"engines":{{"node":"{}1"}}}}"#, "1 || ".repeat(100));
        for (files, expected) in [
            (vec![("package.json", "{")], "package.json is not valid"),
            (vec![("package.json", "[]")], "package.json is not valid"),
            (
                vec![("package.json", long.as_str())],
                "\"1 || 1 || 1 || 1 || 1 || 1 || 1 || 1 || …\" is not a version",
            ),
            (
                vec![("package.json", r#"{"engines":{"node":24}}"#)],
                "engines.node in package.json is not a text",
            ),
            (vec![empty, ("package-lock.json", "x")], "package-lock.json is not valid"),
            (vec![empty, LOCK, ("yarn.lock", "")], "several lockfiles"),
            (vec![empty, ("pnpm-lock.yaml", ""), ("yarn.lock", "")], "several lockfiles"),
            (vec![empty, ("yarn.lock", "")], "another package manager: yarn.lock"),
            (vec![("package.json", r#"{"packageManager":"pnpm@9.0.0"}"#)], "another package manager"),
        ] {
            let error = app(&files).unwrap_err().to_string();
            assert!(error.contains(expected), "{files:?}: {error}");
        }
    }

    #[test]
    fn warns_of_what_is_likely_to_go_wrong() {
        let warnings = |package: &str, locked: bool| {
            let mut files = vec![("package.json", package)];
            if locked {
                files.push(LOCK);
            }
            app(&files).unwrap().warnings
        };
        assert_eq!(warnings("{}", false), [Warning::NoNodeVersion, Warning::NoLockfile]);
        for (range, open) in [(">=18", true), ("*", true), (">=18 <25", false), ("24", false), ("^22", false)]
        {
            let found = warnings(&format!(r#"{{"engines":{{"node":"{range}"}}}}"#), true);
            assert_eq!(found == [Warning::OpenNodeVersion(range.into())], open, "{range}");
        }
    }

    #[test]
    fn only_what_decides_the_installation_is_an_input() {
        let inputs = |package: &str| app(&[("package.json", package), LOCK]).unwrap().inputs;
        let one = inputs(r#"{"version":"1","scripts":{"start":"a"},"dependencies":{"a":"1"}}"#);
        assert_eq!(one, inputs(r#"{"version":"2","scripts":{},"dependencies":{"a":"1"}}"#));
        assert_ne!(one, inputs(r#"{"dependencies":{"a":"2"}}"#));
    }
}
