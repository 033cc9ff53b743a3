//! What an app says about itself: `package.json`, its lockfile, those of its own packages, and the
//! files that tell which Node.js.

use super::corepack::Checksum;
use super::fingerprint::Fingerprint;
use super::locals::Locals;
use super::manager::{self, Facts, Manager};
use super::package::{Package, version_text};
use super::warnings::Warning;
use super::words::NodeError;
use crate::source::has_file;
use std::path::Path;

/// A version that an app asks for, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) text: String,
    pub(super) place: String,
}

/// The app, as far as a build is concerned.
#[derive(Debug)]
pub(super) struct App {
    root: Package,
    locals: Locals,
    pub(super) manager: &'static Manager,
    pub(super) facts: Facts,
    pub(super) lockfile: Option<&'static str>,
    /// Which Node.js it wants.
    pub(super) node: Option<Asked>,
    /// Which npm, and which version of its own package manager.
    pub(super) npm: Option<Asked>,
    pub(super) wanted: Option<Asked>,
    /// What the package manager's program must be.
    pub(super) checksum: Option<Checksum>,
    /// The versions, as a range, that made its lockfile.
    pub(super) default_version: Option<&'static str>,
    pub(super) has_installed_modules: bool,
    /// Names all that decides what gets installed. `None` if that is not known.
    pub(super) fingerprint: Option<String>,
    pub(super) warnings: Vec<Warning>,
}

impl App {
    /// Reads the app in `tree`.
    pub(super) fn determine(tree: &Path) -> Result<Self, NodeError> {
        let root = Package::read(tree, "package.json")?.unwrap_or_default();
        let choice = manager::choose(tree, &root)?;
        let manager = choice.manager;
        let facts = (manager.facts)(tree, &root)?;
        let locals = Locals::find(tree, &root, manager, &facts)?;
        let pinned = root.package_manager()?;
        let (checksum, pinned) = match pinned {
            Some(pinned) => {
                (pinned.checksum, Some(Asked { text: pinned.version, place: "packageManager".into() }))
            }
            None => (None, None),
        };
        let engine = |name: &'static str| -> Result<Option<Asked>, NodeError> {
            let asked = root.engine(name)?;
            Ok(asked.map(|text| Asked { text, place: format!("engines.{name}") }))
        };
        let is_npm = manager.command == "npm";
        let npm = pinned.clone().filter(|_| is_npm).or(engine("npm")?);
        let wanted = if is_npm { None } else { pinned.or(engine(manager.command)?) };
        let fingerprint = fingerprint(tree, manager, &locals, &choice.lock);
        let mut app = Self {
            node: node(tree, engine("node")?)?,
            npm,
            wanted,
            checksum,
            default_version: (manager.version_of_lockfile)(&choice.lock),
            has_installed_modules: tree.join("node_modules").symlink_metadata().is_ok_and(|m| m.is_dir()),
            fingerprint: fingerprint.filter(|_| choice.lockfile.is_some()),
            lockfile: choice.lockfile,
            manager,
            facts,
            locals,
            root,
            warnings: Vec::new(),
        };
        app.warnings = app.look_for_trouble(tree);
        Ok(app)
    }

    fn look_for_trouble(&self, tree: &Path) -> Vec<Warning> {
        let manager = self.manager;
        let mut warnings = Vec::new();
        if self.node.is_none() {
            warnings.push(Warning::NoNodeVersion);
        }
        if self.lockfile.is_none() {
            warnings.push(Warning::NoLockfile(manager));
        }
        if self.has_installed_modules {
            warnings.push(Warning::InstalledModules);
        }
        if let (Some(wanted), Some(release)) = (&self.wanted, &self.facts.vendored) {
            warnings.push(Warning::OtherRelease { wanted: wanted.clone(), release: release.clone() });
        }
        if self.wanted.is_none()
            && self.facts.vendored.is_none()
            && !["npm", "Yarn 1"].contains(&manager.label)
        {
            warnings.push(Warning::NoManagerVersion(manager));
        }
        if !self.facts.ignored.is_empty() {
            warnings.push(Warning::IgnoredFiles(self.facts.ignored.clone()));
        }
        if !self.root.has_script("start")
            && !["Procfile", "server.js"].iter().any(|name| has_file(tree, name))
        {
            warnings.push(Warning::NoStart);
        }
        warnings
    }

    /// The script that builds the app, by Heroku's rule: `heroku-postbuild`, else `build`.
    pub(super) fn build_script(&self) -> Option<&'static str> {
        ["heroku-postbuild", "build"].into_iter().find(|name| self.root.has_script(name))
    }

    /// Whether a build runs anything that may need packages for development.
    pub(super) fn needs_all_packages(&self) -> bool {
        self.build_script().is_some()
            || !self.locals.with_scripts(self.manager).is_empty()
            || self.root.has_script("heroku-prebuild")
    }

    /// Whether some packages are for development only and can be removed.
    pub(super) fn can_be_pruned(&self) -> bool {
        self.facts.unprunable.is_none() && self.locals.have_dev_dependencies()
    }

    /// Whether it has directories of its own that are kept from one build to the next.
    pub(super) fn caches_directories(&self) -> bool {
        !self.root.cached_directories().is_empty()
    }

    /// For the program in the container: directories, and scripts each with its directory, by the
    /// name of their file.
    pub(super) fn lists(&self) -> [(&'static str, String); 4] {
        let manager = self.manager;
        let lines = |lines: Vec<String>| lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        let scripts = |names| {
            let scripts = self.locals.scripts(manager, names).into_iter();
            lines(scripts.map(|(directory, name)| format!("{directory}\t{name}")).collect())
        };
        let withheld = self.locals.with_scripts(manager).into_iter().map(str::to_owned);
        [
            ("nodejs-withheld", lines(withheld.collect())),
            ("nodejs-before", scripts(manager.before)),
            ("nodejs-after", scripts(manager.after)),
            ("nodejs-cached", lines(self.root.cached_directories())),
        ]
    }

    /// For the program in the container.
    pub(super) fn plan(&self) -> Vec<(String, String)> {
        let flag = |truth: bool| u8::from(truth).to_string();
        let has = |name: &str| self.root.has_script(name);
        let names: Vec<_> = self.manager.before.iter().chain(self.manager.after).copied().collect();
        vec![
            ("KIGO_LOCKED".into(), flag(self.lockfile.is_some())),
            ("KIGO_LOCKFILE".into(), self.lockfile.unwrap_or_default().into()),
            ("KIGO_NODE_MODULES".into(), flag(self.facts.has_node_modules)),
            ("KIGO_LIFECYCLE".into(), names.join(" ")),
            ("KIGO_PREBUILD".into(), flag(has("heroku-prebuild"))),
            ("KIGO_BUILD_SCRIPT".into(), self.build_script().unwrap_or("").into()),
            ("KIGO_TWO_BUILD_SCRIPTS".into(), flag(has("heroku-postbuild") && has("build"))),
            ("KIGO_CLEANUP".into(), flag(has("heroku-cleanup"))),
        ]
    }
}

/// `engines` decides; what version managers read is for apps without.
fn node(tree: &Path, engine: Option<Asked>) -> Result<Option<Asked>, NodeError> {
    if engine.is_some() {
        return Ok(engine);
    }
    for place in [".nvmrc", ".node-version"] {
        let Some(bytes) = manager::read(tree, place)? else { continue };
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or("").trim());
        let Some(line) = lines.into_iter().find(|line| !line.is_empty()) else { continue };
        if let Some(text) = version_text(line, place, "node")? {
            return Ok(Some(Asked { text, place: place.into() }));
        }
    }
    Ok(None)
}

fn fingerprint(tree: &Path, manager: &Manager, locals: &Locals, lock: &[u8]) -> Option<String> {
    let mut fingerprint = Fingerprint::new();
    fingerprint.add("lockfile", lock);
    for (directory, local) in &locals.packages {
        fingerprint.add(directory, local.package.deciding(directory == ".").as_bytes());
    }
    for path in manager.inputs.iter().copied().chain(locals.copied.iter().map(String::as_str)) {
        fingerprint.add_path(tree, path);
    }
    fingerprint.finish().filter(|_| locals.is_complete)
}

#[cfg(test)]
mod tests;
