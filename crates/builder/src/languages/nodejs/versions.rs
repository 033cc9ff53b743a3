//! Which Node.js and which package managers: what the app asks for, held against what the registry
//! has.

use super::app::{App, Asked};
use super::corepack::Checksum;
use super::failed;
use super::ranges::{LONG_TERM, Wish, ended, range};
use super::warnings::Warning;
use super::words::NodeError;
use crate::BuildError;
use crate::output::Output;
use crate::registry::{Package, Registry, Release};
use jiff::Timestamp;
use nodejs_semver::{Range, Version};
use std::collections::BTreeMap;

/// The config var by which users allow more than the long-term support line.
const ALLOW_WIDE: &str = "NODEJS_ALLOW_WIDE_RANGE";

/// A program that a build uses, and the archives that it comes in.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// For example `node` or `pnpm`.
    pub(super) name: &'static str,
    pub(super) version: Version,
    pub(super) release: Release,
    /// The archive with the program for this machine, where the other has none.
    pub(super) native: Option<Release>,
    /// What the app's authors expect it to be, and the file in the archive that this is about.
    pub(super) checksum: Option<Checksum>,
    pub(super) checked_file: Option<&'static str>,
}

/// The programs that a build uses.
#[derive(Debug)]
pub(super) struct Versions {
    pub(super) node: Program,
    pub(super) npm: Program,
    /// The app's package manager, if it is not npm.
    pub(super) manager: Option<Program>,
}

/// The npm package with Node.js for this machine.
fn node_package() -> String {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("node-linux-{arch}")
}

impl Versions {
    /// Decides, and tells the user.
    pub(super) async fn resolve(
        app: &App,
        config: &BTreeMap<String, String>,
        registry: &Registry<'_>,
        output: &Output,
    ) -> Result<Self, BuildError> {
        tell_what_is_asked(app, output).await;
        let node = node(app, config, registry, output).await?;
        let npm = npm(app, &node.version, registry, output).await?;
        let manager = match app.default_version {
            Some(default) => Some(manager(app, default, &node.version, registry, output).await?),
            None => None,
        };
        Ok(Self { node, npm, manager })
    }
}

async fn tell_what_is_asked(app: &App, output: &Output) {
    let line = |name: &str, asked: Option<&Asked>, otherwise: &str| {
        let (text, place) = match asked {
            Some(Asked { text, place }) => (text.as_str(), place.as_str()),
            None => (otherwise, name),
        };
        let place = if place.starts_with('.') { place.to_owned() } else { format!("{place} (package.json)") };
        format!("{:<30} {text}", format!("{place}:"))
    };
    let command = app.manager.command;
    output.detail(line("engines.node", app.node.as_ref(), "unspecified")).await;
    output.detail(line("engines.npm", app.npm.as_ref(), "unspecified (use default)")).await;
    if command != "npm" {
        let engine = format!("engines.{command}");
        output.detail(line(&engine, app.wanted.as_ref(), "unspecified (use default)")).await;
    }
    output.detail("").await;
}

async fn node(
    app: &App,
    config: &BTreeMap<String, String>,
    registry: &Registry<'_>,
    output: &Output,
) -> Result<Program, BuildError> {
    let package = registry.package(&node_package()).await.map_err(BuildError::Registry)?;
    let may_be_wide = config.get(ALLOW_WIDE).is_some_and(|value| value == "true");
    let asked = app.node.as_ref();
    let (version, release, wide) = choose_node(asked, &package, may_be_wide).map_err(failed)?;
    let text = asked.map_or(LONG_TERM, |asked| &asked.text);
    output.detail(format!("Resolving node version {text}... {version}")).await;
    let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let old =
        ended(version.major(), today).map(|end| Warning::EndOfLife { version: version.to_string(), end });
    for warning in wide.into_iter().chain(old) {
        warning.tell(output).await;
    }
    Ok(Program { name: "node", version, release, native: None, checksum: None, checked_file: None })
}

/// The version to use, and what to warn of.
fn choose_node(
    asked: Option<&Asked>,
    package: &Package,
    may_be_wide: bool,
) -> Result<(Version, Release, Option<Warning>), NodeError> {
    let default = Asked { text: LONG_TERM.into(), place: "engines.node".into() };
    let asked = asked.unwrap_or(&default);
    let wish = Wish::of_node(&asked.text).ok_or_else(|| bad("node", asked))?;
    let (version, release) =
        newest(package, &wish.range, |_, _| true).ok_or_else(|| none("node", asked, package))?;
    if !wish.is_wide(&version) {
        return Ok((version, release, None));
    }
    let long_term = range(LONG_TERM).filter(|_| !may_be_wide);
    let lower = long_term
        .and_then(|line| newest(package, &wish.range, |one, _| line.satisfies(one) && *one < version));
    let text = asked.text.clone();
    Ok(match lower {
        Some((limited, release)) => {
            let warning = Warning::LimitedRange { range: text, version: limited.to_string() };
            (limited, release, Some(warning))
        }
        None => (version, release, Some(Warning::WideRange(text))),
    })
}

async fn npm(
    app: &App,
    node: &Version,
    registry: &Registry<'_>,
    output: &Output,
) -> Result<Program, BuildError> {
    let package = registry.package("npm").await.map_err(BuildError::Registry)?;
    let (version, release) = choose_npm(app.npm.as_ref(), node, &package).map_err(failed)?;
    match &app.npm {
        Some(asked) => output.detail(format!("Resolving npm version {}... {version}", asked.text)).await,
        None => output.detail(format!("Using default npm version: {version}")).await,
    }
    let checksum = app.checksum.clone().filter(|_| app.manager.command == "npm");
    Ok(Program { name: "npm", version, release, native: None, checksum, checked_file: None })
}

fn choose_npm(
    asked: Option<&Asked>,
    node: &Version,
    package: &Package,
) -> Result<(Version, Release), NodeError> {
    if let Some(asked) = asked {
        let wanted = range(&asked.text).ok_or_else(|| bad("npm", asked))?;
        return newest(package, &wanted, |_, _| true).ok_or_else(|| none("npm", asked, package));
    }
    // The line that comes with this Node.js, in its newest version that runs on it.
    let major = bundled_npm(node.major());
    let asked = Asked { text: format!("{major}.x"), place: "engines.npm".into() };
    let wanted = range(&asked.text).unwrap_or_else(Range::any);
    let runs = |_: &Version, release: &Release| runs_on(release, node);
    let found = newest(package, &wanted, runs).or_else(|| newest(package, &Range::any(), runs));
    found.ok_or_else(|| none("npm", &asked, package))
}

/// The app's own package manager, in the version that it asks for or that made its lockfile.
async fn manager(
    app: &App,
    default: &'static str,
    node: &Version,
    registry: &Registry<'_>,
    output: &Output,
) -> Result<Program, BuildError> {
    let manager = app.manager;
    let package = registry.package(manager.package).await.map_err(BuildError::Registry)?;
    let choose = |wanted| choose_manager(manager.command, wanted, default, node, &package);
    let chosen = match choose(app.wanted.as_ref()) {
        // A release that is checked in runs in any case; an old Yarn is often named to find it.
        Err(NodeError::NoVersion { .. }) if app.facts.vendored.is_some() => choose(None),
        chosen => chosen,
    };
    let (version, release) = chosen.map_err(failed)?;
    let asked = app.wanted.as_ref().map_or(default, |asked| &asked.text);
    output.detail(format!("Resolving {} version {asked}... {version}", manager.command)).await;
    let native = match (manager.native)(version.major()) {
        None => None,
        Some(name) => {
            let package = registry.package(name).await.map_err(BuildError::Registry)?;
            let release = package.versions.get(&version.to_string()).cloned();
            let asked = Asked { text: version.to_string(), place: name.into() };
            Some(release.ok_or_else(|| failed(none(manager.command, &asked, &package)))?)
        }
    };
    let checksum = app.checksum.clone();
    let checked_file = manager.checked_file;
    Ok(Program { name: manager.command, version, release, native, checksum, checked_file })
}

fn choose_manager(
    name: &'static str,
    asked: Option<&Asked>,
    default: &'static str,
    node: &Version,
    package: &Package,
) -> Result<(Version, Release), NodeError> {
    if let Some(asked) = asked {
        let wanted = range(&asked.text).ok_or_else(|| bad(name, asked))?;
        return newest(package, &wanted, |_, _| true).ok_or_else(|| none(name, asked, package));
    }
    let wanted = range(default).unwrap_or_else(Range::any);
    let asked = Asked { text: default.into(), place: "the lockfile".into() };
    newest(package, &wanted, |_, release| runs_on(release, node)).ok_or_else(|| none(name, &asked, package))
}

/// The major version of npm in a release line of Node.js.
fn bundled_npm(node: u64) -> u64 {
    match node {
        0..=7 => 3,
        8..=14 => 6,
        15..=16 => 8,
        17..=18 => 9,
        19..=23 => 10,
        _ => 11,
    }
}

/// Whether a release says that it runs on this Node.js, or says nothing.
fn runs_on(release: &Release, node: &Version) -> bool {
    let engines = release.engines.node.as_deref().and_then(|range| Range::parse(range).ok());
    engines.is_none_or(|engines| engines.satisfies(node))
}

fn newest(
    package: &Package,
    range: &Range,
    accept: impl Fn(&Version, &Release) -> bool,
) -> Option<(Version, Release)> {
    let fitting =
        versions(package).filter(|(version, release)| range.satisfies(version) && accept(version, release));
    let (version, release) = fitting.max_by(|(one, _), (other, _)| one.cmp(other))?;
    Some((version, release.clone()))
}

fn versions(package: &Package) -> impl Iterator<Item = (Version, &Release)> {
    package.versions.iter().filter_map(|(text, release)| Some((Version::parse(text).ok()?, release)))
}

fn bad(name: &'static str, Asked { text, place }: &Asked) -> NodeError {
    NodeError::BadVersion { name, place: place.clone(), range: text.clone() }
}

/// There is none that fits; the newest of each line are.
fn none(name: &'static str, Asked { text, place }: &Asked, package: &Package) -> NodeError {
    let mut lines: BTreeMap<u64, Version> = BTreeMap::new();
    for (version, _) in versions(package).filter(|(version, _)| !version.is_prerelease()) {
        let line = lines.entry(version.major()).or_insert_with(|| version.clone());
        if *line < version {
            *line = version;
        }
    }
    let offered = lines.into_values().rev().take(6).map(|version| version.to_string()).collect();
    NodeError::NoVersion { name, place: place.clone(), range: text.clone(), offered }
}

#[cfg(test)]
mod tests;
