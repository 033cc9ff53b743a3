//! The settings of Go that concern registries, as `go env -w` writes them down.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The settings, which are named like variables.
const SETTINGS: [&str; 6] = ["GOPROXY", "GOSUMDB", "GONOSUMDB", "GONOPROXY", "GOPRIVATE", "GOINSECURE"];

/// Reads the file that Go would read.
pub(super) fn from_file(variable: &dyn Fn(&str) -> Option<String>) -> BTreeMap<String, String> {
    let config = || {
        let home = || Some(PathBuf::from(variable("HOME")?).join(".config"));
        Some(variable("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home)?.join("go/env"))
    };
    let file = variable("GOENV").map(PathBuf::from).or_else(config);
    let content = file.and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
    settings(&content)
}

fn settings(content: &str) -> BTreeMap<String, String> {
    let lines = content.lines().filter(|line| !line.starts_with('#'));
    let lines = lines.filter_map(|line| line.split_once('='));
    let known = lines.filter(|(name, value)| SETTINGS.contains(name) && !value.is_empty());
    known.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_registries_are_read() {
        let content =
            "# GOSUMDB=no\nGOPROXY=https://a.example,direct\nGOFLAGS=-mod=mod\nGOPRIVATE=\nnonsense\n";
        let found: Vec<_> = settings(content).into_iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(found, ["GOPROXY=https://a.example,direct"]);
        let nothing = from_file(&|name| (name == "GOENV").then(|| "off".into()));
        assert!(nothing.is_empty());
    }
}
