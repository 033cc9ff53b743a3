//! One `package.json`: the app's own or that of a package in its workspace.

use super::corepack::Pinned;
use super::words::NodeError;
use crate::source::read_file;
use serde_json::{Map, Value};
use std::path::{Component, Path};

/// Bytes of a range of versions at most. Held against every version there is, a long one could keep
/// this process busy for minutes.
const RANGE_LIMIT: usize = 500;

/// Fields that decide nothing about what gets installed, and change for other reasons.
const IDLE: [&str; 17] = [
    "scripts",
    "description",
    "keywords",
    "author",
    "contributors",
    "license",
    "homepage",
    "repository",
    "bugs",
    "main",
    "module",
    "types",
    "browserslist",
    "eslintConfig",
    "prettier",
    "jest",
    "nodemonConfig",
];

/// Lists of dependencies by name.
const DEPENDENCIES: [&str; 4] =
    ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"];

/// A parsed `package.json`.
#[derive(Clone, Debug, Default)]
pub(super) struct Package(Map<String, Value>);

/// A dependency on something that lies in the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LocalDependency {
    /// `file`, `link` or `portal`.
    pub(super) protocol: &'static str,
    pub(super) path: String,
}

/// What came of reading one of many.
pub(super) enum Within {
    Found(Package),
    Missing,
    TooMuch,
}

impl Package {
    /// Reads the file at `path` in `tree`; `None` if there is none.
    pub(super) fn read(tree: &Path, path: &str) -> Result<Option<Self>, NodeError> {
        let unreadable =
            |error| NodeError::Unreadable { file: path.into(), why: crate::errors::chain(&error) };
        read_file(tree, path).map_err(unreadable)?.map(|text| Self::parse(path, &text)).transpose()
    }

    /// As [`Package::read`], if the file is not larger than `left`, which then has so much less.
    pub(super) fn read_within(tree: &Path, path: &str, left: &mut usize) -> Result<Within, NodeError> {
        let unreadable =
            |error| NodeError::Unreadable { file: path.into(), why: crate::errors::chain(&error) };
        let Some(text) = read_file(tree, path).map_err(unreadable)? else { return Ok(Within::Missing) };
        match left.checked_sub(text.len()) {
            Some(less) => *left = less,
            None => return Ok(Within::TooMuch),
        }
        Self::parse(path, &text).map(Within::Found)
    }

    fn parse(path: &str, text: &[u8]) -> Result<Self, NodeError> {
        let wrong = |why: String| NodeError::NotJson { file: path.into(), why };
        match serde_json::from_slice(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            Ok(_) => Err(wrong("it is not an object".into())),
            Err(error) => Err(wrong(error.to_string())),
        }
    }

    fn object(&self, name: &str) -> Option<&Map<String, Value>> {
        self.0.get(name).and_then(Value::as_object)
    }

    /// Whether it has the script `name`.
    pub(super) fn has_script(&self, name: &str) -> bool {
        self.object("scripts").and_then(|scripts| scripts.get(name)).is_some_and(Value::is_string)
    }

    /// What `engines` asks for.
    pub(super) fn engine(&self, name: &'static str) -> Result<Option<String>, NodeError> {
        match self.0.get("engines").and_then(|engines| engines.get(name)) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(range)) => version_text(range, &format!("engines.{name}"), name),
            Some(_) => Err(NodeError::EngineNotText { name }),
        }
    }

    /// What `packageManager` asks for.
    pub(super) fn package_manager(&self) -> Result<Option<Pinned>, NodeError> {
        match self.0.get("packageManager") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Pinned::parse(text).map(Some),
            Some(other) => Err(NodeError::BadPackageManager(other.to_string())),
        }
    }

    /// Whether some of its dependencies are for development only.
    pub(super) fn has_dev_dependencies(&self) -> bool {
        self.object("devDependencies").is_some_and(|list| !list.is_empty())
    }

    /// The patterns of `workspaces`, as npm and Yarn have them.
    pub(super) fn workspaces(&self) -> Vec<String> {
        let list = match self.0.get("workspaces") {
            Some(Value::Object(map)) => map.get("packages"),
            other => other,
        };
        texts(list)
    }

    /// The directories that it wants to find again in the next build, below the app and outside of
    /// what is installed.
    pub(super) fn cached_directories(&self) -> Vec<String> {
        let list = self.0.get("cacheDirectories").or(self.0.get("cache_directories"));
        let mut directories = texts(list);
        directories.retain(|path| {
            let parts = || Path::new(path).components();
            let is_inside = parts().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
            is_inside
                && parts().any(|part| matches!(part, Component::Normal(_)))
                && parts().next() != Some(Component::Normal("node_modules".as_ref()))
                && !path.chars().any(char::is_control)
        });
        directories
    }

    /// Its dependencies that lie in the app.
    pub(super) fn local_dependencies(&self) -> Vec<LocalDependency> {
        let lists = DEPENDENCIES.iter().filter_map(|name| self.object(name));
        lists.flat_map(Map::values).filter_map(Value::as_str).filter_map(local).collect()
    }

    /// What of it decides what gets installed, in one spelling.
    pub(super) fn deciding(&self, is_root: bool) -> String {
        let mut kept = self.0.clone();
        kept.retain(|name, _| !IDLE.contains(&name.as_str()));
        if is_root {
            // Nothing depends on the app itself, and each of its releases may have another one.
            kept.remove("version");
        }
        Value::Object(kept).to_string()
    }
}

/// The texts in a list; none for anything else.
pub(super) fn texts(list: Option<&Value>) -> Vec<String> {
    let list = list.and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A version or range that somebody wrote at `place`; `None` if it is empty.
pub(super) fn version_text(text: &str, place: &str, name: &'static str) -> Result<Option<String>, NodeError> {
    let text = text.trim();
    if text.len() > RANGE_LIMIT {
        let range = text.chars().take(40).chain(['…']).collect();
        return Err(NodeError::BadVersion { name, place: place.into(), range });
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn local(value: &str) -> Option<LocalDependency> {
    for protocol in ["file", "link", "portal"] {
        if let Some(path) = value.strip_prefix(protocol).and_then(|rest| rest.strip_prefix(':')) {
            // Yarn adds what the path is relative to.
            let path = path.split("::").next().unwrap_or(path);
            return Some(LocalDependency { protocol, path: path.to_owned() });
        }
    }
    let is_path = ["./", "../"].iter().any(|start| value.starts_with(start));
    is_path.then(|| LocalDependency { protocol: "file", path: value.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(text: &str) -> Package {
        Package::parse("package.json", text.as_bytes()).unwrap()
    }

    #[test]
    fn only_what_decides_the_installation_counts() {
        let one = package(r#"{"version":"1","scripts":{"a":"b"},"dependencies":{"a":"1"}}"#);
        let two = package(r#"{"dependencies":{"a":"1"},"version":"2","description":"x","scripts":{}}"#);
        assert_eq!(one.deciding(true), two.deciding(true));
        assert_ne!(one.deciding(false), two.deciding(false));
        for other in [
            r#"{"dependencies":{"a":"2"}}"#,
            r#"{"dependencies":{"a":"1"},"overrides":{"b":"1"}}"#,
            r#"{"dependencies":{"a":"1"},"pnpm":{"onlyBuiltDependencies":["a"]}}"#,
        ] {
            assert_ne!(one.deciding(true), package(other).deciding(true), "{other}");
        }
    }

    #[test]
    fn dependencies_in_the_app_are_told_by_their_protocol() {
        let text = r#"{"dependencies":{"a":"file:lib/a","b":"^1","c":"workspace:*","d":"../d"},
            "devDependencies":{"e":"link:./e","f":"portal:f::locator=x"}}"#;
        let found: Vec<_> = package(text).local_dependencies();
        let found: Vec<_> = found.iter().map(|one| format!("{} {}", one.protocol, one.path)).collect();
        assert_eq!(found, ["file lib/a", "file ../d", "link ./e", "portal f"]);
    }

    #[test]
    fn cached_directories_are_the_apps_own() {
        let text = r#"{"cacheDirectories":[".next/cache","./a","node_modules","node_modules/.cache","../b","/c","",3]}"#;
        assert_eq!(package(text).cached_directories(), [".next/cache", "./a"]);
        assert_eq!(package(r#"{"cache_directories":["a"]}"#).cached_directories(), ["a"]);
        assert_eq!(package("{}").cached_directories(), [""; 0]);
    }

    #[test]
    fn workspaces_have_two_forms() {
        for (text, expected) in [
            (r#"{"workspaces":["a/*","b"]}"#, vec!["a/*", "b"]),
            (r#"{"workspaces":{"packages":["a"],"nohoist":["b"]}}"#, vec!["a"]),
            (r#"{"workspaces":"a"}"#, vec![]),
            ("{}", vec![]),
        ] {
            assert_eq!(package(text).workspaces(), expected, "{text}");
        }
    }
}
