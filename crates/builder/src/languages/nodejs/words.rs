//! What users read about Node.js apps that cannot be built.

use super::manager::Manager;
use super::ranges::LONG_TERM;
use crate::errors::{Explain, Words};
use crate::languages::words::{above, copying, unreadable};

/// Why a Node.js app cannot be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NodeError {
    #[error("{file} cannot be read: {why}")]
    Unreadable { file: String, why: String },
    #[error("{file} is not valid: {why}")]
    NotJson { file: String, why: String },
    #[error("{file} is not valid: {why}")]
    NotYaml { file: &'static str, why: String },
    #[error("engines.{name} in package.json is not a text")]
    EngineNotText { name: &'static str },
    #[error("not a package manager and its version: packageManager: {0}")]
    BadPackageManager(String),
    /// Lockfiles, and whose they are.
    #[error("there are several lockfiles: {}", files(.0).join(", "))]
    SeveralLockfiles(Vec<(&'static str, &'static str)>),
    #[error("{lockfile} is not {named}'s")]
    OtherLockfile { lockfile: &'static str, named: String },
    #[error("package.json names several package managers: {}", .0.join(", "))]
    SeveralManagers(Vec<String>),
    #[error("the app uses another package manager: {0}")]
    OtherPackageManager(String),
    #[error("{file} names {path}, which is not there")]
    NoVendoredRelease { file: &'static str, path: String },
    #[error("the config var {name} cannot be used")]
    RefusedSetting { name: &'static str, instead: String },
    #[error("{range:?} is not a version of {name}")]
    BadVersion { name: &'static str, place: String, range: String },
    #[error("there is no {name} that fits {range:?}")]
    NoVersion { name: &'static str, place: String, range: String, offered: Vec<String> },
    #[error("{name} {version} is not what packageManager says")]
    OtherChecksum { name: &'static str, version: String },
    /// A step of the program in the container.
    #[error("the step {step} failed with status {status}")]
    Step { manager: &'static Manager, step: String, status: i32 },
}

fn files(found: &[(&'static str, &'static str)]) -> Vec<&'static str> {
    found.iter().map(|(file, _)| *file).collect()
}

impl Explain for NodeError {
    fn words(&self) -> Words {
        match self {
            Self::Unreadable { file, why } => unreadable(file, why),
            Self::NotJson { file, why } => Words::new(
                format!("{file} of this app is not valid JSON."),
                format!("{why}."),
                "Correct it; `npm pkg get name` finds out whether npm can read it.",
            ),
            Self::NotYaml { file, why } => Words::new(
                format!("{file} of this app is not valid YAML."),
                format!("{why}."),
                "Correct it and push again.",
            ),
            Self::EngineNotText { name } => Words::new(
                format!("engines.{name} in package.json is not a text."),
                "",
                format!(
                    "Write it as a text, for example: \"engines\": {{ \"{name}\": \"{}\" }}",
                    example(name)
                ),
            ),
            Self::BadPackageManager(text) => Words::new(
                "packageManager in package.json is not a package manager and its version.",
                format!("It is {text}."),
                "Write for example \"pnpm@10.1.0\". A checksum may follow, as `corepack use` writes it.",
            ),
            Self::SeveralLockfiles(found) => several_lockfiles(found),
            Self::OtherLockfile { lockfile, named } => Words::new(
                format!("This app has {lockfile}, and packageManager in package.json says {named}."),
                format!("{named} does not read {lockfile}."),
                format!(
                    "If you use {named}: remove {lockfile} with `git rm`, run `{named} install` and commit the\n\
                     lockfile. If not: correct packageManager."
                ),
            ),
            Self::SeveralManagers(fields) => Words::new(
                "package.json names several package managers.",
                format!("It has {}.", fields.join(" and ")),
                "Keep the one that you use, and remove the other fields.",
            ),
            Self::OtherPackageManager(what) => Words::new(
                "This app uses a package manager that is not supported.",
                format!("It has {what}. What is built in is npm, Yarn and pnpm."),
                "Make a lockfile with one of these, for example with `npm install`, and remove the other one. Or\n\
                 choose a buildpack that supports it, by its address, with `heroku buildpacks:set`.",
            ),
            Self::NoVendoredRelease { file, path } => Words::new(
                "Yarn was not found.",
                format!("{file} says that it is {path}, and there is no such file."),
                "Commit it, or remove the setting and name the version as packageManager in package.json.",
            ),
            Self::RefusedSetting { name, instead } => Words::new(
                format!("Yarn 2 and later do not work with the config var {name}."),
                "They take it for a setting that they do not know.",
                format!("Use another one: `heroku config:unset {name}` and `heroku config:set {instead}`."),
            ),
            Self::BadVersion { name, place, range } => Words::new(
                format!("What {} asks for is not a version.", in_file(place)),
                format!("{range:?} is neither a version nor a range of versions."),
                format!("Write for example \"{}\".", example(name)),
            ),
            Self::NoVersion { name, place, range, offered } => Words::new(
                format!("There is no version of {name} that fits {range:?}."),
                format!(
                    "That is what {} asks for. The newest that the npm registry has are:\n{}.",
                    in_file(place),
                    offered.join(", ")
                ),
                format!("Write for example \"{}\".", example(name)),
            ),
            Self::OtherChecksum { name, version } => Words::new(
                format!("{name} {version} is not the one that packageManager in package.json means."),
                "Its checksum there is another one than that of the program in the npm registry.",
                format!(
                    "Run `corepack use {name}@{version}` and commit package.json, if that is the version you trust."
                ),
            ),
            Self::Step { manager, step, status } => step_words(manager, step, *status),
        }
    }
}

fn several_lockfiles(found: &[(&'static str, &'static str)]) -> Words {
    let mut owners: Vec<_> = found.iter().map(|(_, owner)| *owner).collect();
    owners.dedup();
    let advice = owners.iter().map(|owner| {
        let others = found.iter().filter(|(_, of)| of != owner).map(|(file, _)| *file);
        format!("If you use {owner}: `git rm {}`", others.collect::<Vec<_>>().join(" "))
    });
    Words::new(
        "Build failed because of conflicting lock files.",
        format!("The app has {}. They can name different versions of a package.", files(found).join(" and ")),
        format!(
            "Keep the one of the package manager that you use.\n{}",
            advice.collect::<Vec<_>>().join("\n")
        ),
    )
}

/// Where something is written: `engines.node in package.json`, `.nvmrc`.
fn in_file(place: &str) -> String {
    let is_field = place == "packageManager" || place.starts_with("engines.");
    if is_field { format!("{place} in package.json") } else { place.to_owned() }
}

fn example(name: &str) -> &'static str {
    match name {
        "npm" => "11.x",
        "pnpm" => "10.x",
        "yarn" => "4.x",
        _ => LONG_TERM,
    }
}

fn step_words(manager: &Manager, step: &str, status: i32) -> Words {
    let Manager { label, lock_command, .. } = manager;
    let lockfile = manager.lockfiles.first().copied().unwrap_or_default();
    let above = above(status);
    match step {
        "outdated" => Words::new(
            format!("{lockfile} is out of step with package.json."),
            format!("{label} would have to change it, and a build installs exactly what it says."),
            format!("Run `{lock_command}` and commit {lockfile}."),
        ),
        "install" => Words::new(
            "The dependencies could not be installed.",
            above,
            "If a package could not be fetched, check its name and version, and for a private registry the\n\
             config var with its token. If a package could not be compiled, see what it needs.",
        ),
        "lifecycle" | "prebuild" | "build" | "cleanup" => Words::new(
            match step {
                "lifecycle" => "A script in package.json that belongs to the installation failed.",
                "prebuild" => "The script heroku-prebuild in package.json failed.",
                "build" => "The build script in package.json failed.",
                _ => "The script heroku-cleanup in package.json failed.",
            },
            above,
            "Run the script in a fresh clone of the repository. What the build needs must be in\n\
             dependencies or devDependencies; config vars are there as environment variables.",
        ),
        "prune" => Words::new(
            "Packages for development could not be removed.",
            above,
            match (manager.production, manager.keep) {
                (Some(name), _) => format!("Set the config var {name}=false to keep them."),
                (None, Some(name)) => format!("Set the config var {name}=true to keep them."),
                (None, None) => String::new(),
            },
        ),
        _ => copying(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::tests::told;
    use crate::languages::nodejs::failed;
    use crate::languages::nodejs::managers::{npm, pnpm, yarn_berry};

    #[tokio::test]
    async fn every_failure_tells_what_to_do() {
        let step = |manager, step: &str| NodeError::Step { manager, step: step.into(), status: 1 };
        let steps = ["outdated", "install", "lifecycle", "prebuild", "build", "cleanup", "prune", "pack"];
        let steps = steps.map(|name| step(&npm::MANAGER, name));
        let others = [
            NodeError::Unreadable {
                file: "package.json".into(),
                why: "package.json is not a regular file".into(),
            },
            NodeError::NotJson {
                file: "package.json".into(),
                why: "EOF while parsing an object at line 1 column 1".into(),
            },
            NodeError::NotYaml { file: "pnpm-workspace.yaml", why: "it is not a map".into() },
            NodeError::EngineNotText { name: "node" },
            NodeError::BadPackageManager("pnpm".into()),
            NodeError::SeveralLockfiles(vec![("package-lock.json", "npm"), ("yarn.lock", "yarn")]),
            NodeError::OtherLockfile { lockfile: "package-lock.json", named: "pnpm".into() },
            NodeError::SeveralManagers(vec!["engines.npm: 11".into(), "packageManager: pnpm@9.1.0".into()]),
            NodeError::OtherPackageManager("bun.lock".into()),
            NodeError::NoVendoredRelease {
                file: ".yarnrc.yml",
                path: ".yarn/releases/yarn-4.5.0.cjs".into(),
            },
            NodeError::RefusedSetting { name: "YARN_PRODUCTION", instead: "YARN2_SKIP_PRUNING=true".into() },
            NodeError::BadVersion { name: "node", place: ".nvmrc".into(), range: "twenty".into() },
            NodeError::NoVersion {
                name: "npm",
                place: "engines.npm".into(),
                range: "99".into(),
                offered: vec!["12.2.0".into(), "11.21.2".into()],
            },
            NodeError::OtherChecksum { name: "pnpm", version: "10.1.0".into() },
            step(&pnpm::MANAGER, "outdated"),
            step(&pnpm::MANAGER, "prune"),
            step(&yarn_berry::MANAGER, "outdated"),
        ];
        insta::assert_snapshot!(told(others.into_iter().chain(steps).map(failed)).await);
    }
}
