//! Which Node.js and npm: what the app asks for, held against what the registry has.

use super::app::App;
use super::failed;
use super::words::NodeError;
use crate::BuildError;
use crate::output::Output;
use crate::registry::{Package, Registry, Release};
use nodejs_semver::{Range, Version};

/// What an app gets that asks for nothing: the long-term support line that most packages' authors
/// have tested with.
const DEFAULT_NODE: &str = "24.x";

/// Long-term support lines by their code names, newest first (nodejs/Release).
const LINES: [(&str, &str); 11] = [
    ("krypton", "24.x"),
    ("jod", "22.x"),
    ("iron", "20.x"),
    ("hydrogen", "18.x"),
    ("gallium", "16.x"),
    ("fermium", "14.x"),
    ("erbium", "12.x"),
    ("dubnium", "10.x"),
    ("carbon", "8.x"),
    ("boron", "6.x"),
    ("argon", "4.x"),
];

/// The versions that a build uses, with their archives.
#[derive(Debug)]
pub(super) struct Versions {
    pub(super) node: Version,
    pub(super) node_release: Release,
    pub(super) npm: Version,
    pub(super) npm_release: Release,
}

/// The npm package with Node.js for this machine.
pub(super) fn node_package() -> String {
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
        registry: &Registry<'_>,
        output: &Output,
    ) -> Result<Self, BuildError> {
        let asked = |range: &Option<String>| range.clone().unwrap_or_else(|| "unspecified".into());
        output.detail(format!("engines.node (package.json):   {}", asked(&app.node))).await;
        output
            .detail(format!(
                "engines.npm (package.json):    {}",
                app.npm.as_deref().unwrap_or("unspecified (use default)")
            ))
            .await;
        output.detail("").await;
        let nodes = registry.package(&node_package()).await.map_err(BuildError::Registry)?;
        let (node, node_release) = node(app.node.as_deref(), &nodes).map_err(failed)?;
        let asked = app.node.as_deref().unwrap_or(DEFAULT_NODE);
        output.detail(format!("Resolving node version {asked}... {node}")).await;
        let npms = registry.package("npm").await.map_err(BuildError::Registry)?;
        let (npm, npm_release) = npm(app.npm.as_deref(), &node, &npms).map_err(failed)?;
        match &app.npm {
            Some(asked) => output.detail(format!("Resolving npm version {asked}... {npm}")).await,
            None => output.detail(format!("Using default npm version: {npm}")).await,
        }
        Ok(Self { node, node_release, npm, npm_release })
    }
}

fn node(asked: Option<&str>, package: &Package) -> Result<(Version, Release), NodeError> {
    let asked = asked.unwrap_or(DEFAULT_NODE);
    let range = range(asked).ok_or_else(|| NodeError::BadVersion { name: "node", range: asked.into() })?;
    newest(package, &range, |_| true)
        .ok_or_else(|| NodeError::NoVersion { name: "node", range: asked.into() })
}

/// The range that a user means: semver as npm has it, and the names that version managers know.
fn range(asked: &str) -> Option<Range> {
    let name = asked.trim().to_ascii_lowercase();
    let line = name.strip_prefix("lts/").unwrap_or(&name);
    let alias = match name.as_str() {
        "latest" | "current" | "node" | "stable" => Some("*"),
        "lts" | "lts/*" => Some(DEFAULT_NODE),
        _ => LINES.iter().find(|(code, _)| *code == line).map(|(_, range)| *range),
    };
    Range::parse(alias.unwrap_or(asked)).ok()
}

fn npm(asked: Option<&str>, node: &Version, package: &Package) -> Result<(Version, Release), NodeError> {
    if let Some(asked) = asked {
        let wanted =
            range(asked).ok_or_else(|| NodeError::BadVersion { name: "npm", range: asked.into() })?;
        let found = newest(package, &wanted, |_| true);
        return found.ok_or_else(|| NodeError::NoVersion { name: "npm", range: asked.into() });
    }
    // The line that comes with this Node.js, in its newest version that runs on it.
    let runs = |release: &Release| {
        let engines = release.engines.node.as_deref().and_then(|range| Range::parse(range).ok());
        engines.is_none_or(|engines| engines.satisfies(node))
    };
    let major = bundled_npm(node.major());
    let wanted = Range::parse(format!("{major}.x")).unwrap_or_else(|_| Range::any());
    let found = newest(package, &wanted, runs).or_else(|| newest(package, &Range::any(), runs));
    found.ok_or_else(|| NodeError::NoVersion { name: "npm", range: format!("{major}.x") })
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

fn newest(package: &Package, range: &Range, accept: impl Fn(&Release) -> bool) -> Option<(Version, Release)> {
    let versions =
        package.versions.iter().filter_map(|(text, release)| Some((Version::parse(text).ok()?, release)));
    let fitting = versions.filter(|(version, release)| range.satisfies(version) && accept(release));
    let (version, release) = fitting.max_by(|(one, _), (other, _)| one.cmp(other))?;
    Some((version, release.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(versions: &[(&str, &str)]) -> Package {
        let versions = versions.iter().map(|(version, engines)| {
            let release =
                serde_json::json!({"engines": {"node": engines}, "dist": {"tarball": "https://r/x.tgz"}});
            ((*version).to_owned(), release)
        });
        let versions: serde_json::Map<_, _> = versions.collect();
        serde_json::from_value(serde_json::json!({"versions": versions})).unwrap()
    }

    #[test]
    fn node_versions() {
        let nodes = [
            "4.9.1",
            "18.20.8",
            "20.9.0",
            "20.20.2",
            "22.23.3",
            "24.1.0",
            "24.21.0",
            "25.0.0-rc.1",
            "26.10.0",
        ];
        let nodes = package(&nodes.map(|version| (version, "")));
        for (asked, expected) in [
            (None, Some("24.21.0")),
            (Some("24"), Some("24.21.0")),
            (Some("24.x"), Some("24.21.0")),
            (Some("^20.0.0"), Some("20.20.2")),
            (Some("~20.9"), Some("20.9.0")),
            (Some("20.9.0"), Some("20.9.0")),
            (Some("v20.9.0"), Some("20.9.0")),
            (Some(">=18"), Some("26.10.0")),
            (Some(">=18 <21"), Some("20.20.2")),
            (Some("18 || 22"), Some("22.23.3")),
            (Some("18 - 20"), Some("20.20.2")),
            (Some("*"), Some("26.10.0")),
            (Some("latest"), Some("26.10.0")),
            (Some("lts/*"), Some("24.21.0")),
            (Some("lts/Iron"), Some("20.20.2")),
            (Some("25.x"), None),
            (Some("99"), None),
        ] {
            let found = node(asked, &nodes).ok().map(|(version, _)| version.to_string());
            assert_eq!(found.as_deref(), expected, "{asked:?}");
        }
        assert!(matches!(node(Some("twenty"), &nodes), Err(NodeError::BadVersion { .. })));
    }

    #[test]
    fn npm_goes_with_node_unless_asked_for() {
        let npms = package(&[
            ("6.14.18", "6 >=6.2.0 || 8 || >= 9.3.0"),
            ("10.9.4", "^18.17.0 || >=20.5.0"),
            ("11.1.0", "^20.17.0 || >=22.9.0"),
            ("11.21.2", "^20.17.0 || >=24.5.0"),
            ("12.2.0", ">=26"),
        ]);
        for (asked, node, expected) in [
            (None, "24.21.0", Some("11.21.2")),
            (None, "24.1.0", Some("11.1.0")),
            (None, "22.23.3", Some("10.9.4")),
            (None, "26.10.0", Some("11.21.2")),
            (None, "14.21.3", Some("6.14.18")),
            (Some("10"), "24.21.0", Some("10.9.4")),
            (Some("9.x"), "24.21.0", None),
        ] {
            let node = Version::parse(node).unwrap();
            let found = npm(asked, &node, &npms).ok().map(|(version, _)| version.to_string());
            assert_eq!(found.as_deref(), expected, "{asked:?} {node}");
        }
    }
}
