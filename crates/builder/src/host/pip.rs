//! The settings of pip that concern registries, read from its configuration files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Settings of `[global]` and the variables that mean the same.
const SETTINGS: [(&str, &str); 6] = [
    ("index-url", "PIP_INDEX_URL"),
    ("extra-index-url", "PIP_EXTRA_INDEX_URL"),
    ("trusted-host", "PIP_TRUSTED_HOST"),
    ("timeout", "PIP_DEFAULT_TIMEOUT"),
    ("retries", "PIP_RETRIES"),
    ("proxy", "PIP_PROXY"),
];

/// Reads the files that pip would read; later ones win.
pub(super) fn from_files(variable: &dyn Fn(&str) -> Option<String>, root: &Path) -> BTreeMap<String, String> {
    let home = variable("HOME").map(PathBuf::from);
    let in_home = |path: &str| home.as_ref().map(|home| home.join(path));
    let files = [
        Some(root.join("etc/pip.conf")),
        in_home(".pip/pip.conf"),
        in_home(".config/pip/pip.conf"),
        variable("PIP_CONFIG_FILE").map(PathBuf::from),
    ];
    let contents = files.into_iter().flatten().filter_map(|file| std::fs::read_to_string(file).ok());
    contents.flat_map(|content| global(&content)).collect()
}

/// The settings of the section `[global]`. A value may go on in indented lines.
fn global(content: &str) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut inside = false;
    let mut current = None;
    for line in content.lines() {
        let text = line.trim();
        if text.starts_with(['#', ';']) || text.is_empty() {
            continue;
        }
        if text.starts_with('[') {
            inside = text == "[global]";
            current = None;
        } else if line.starts_with(char::is_whitespace) {
            if let Some(value) = current.and_then(|name: &str| found.get_mut(name)) {
                value.push_str(if value.is_empty() { "" } else { " " });
                value.push_str(text);
            }
        } else if let Some((name, value)) = text.split_once(['=', ':']).filter(|_| inside) {
            let name = name.trim().replace('_', "-");
            current = SETTINGS.iter().find(|(setting, _)| *setting == name).map(|(_, variable)| *variable);
            if let Some(variable) = current {
                found.insert(variable.into(), value.trim().to_owned());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_global_section_only() {
        let content = "[install]\nindex-url=https://no/\n[global]\n# c\nindex_url: https://a/simple\nextra-index-url =\n    https://b/\n    https://c/\ncert=/x\n";
        let found: Vec<_> = global(content).into_iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(found, ["PIP_EXTRA_INDEX_URL=https://b/ https://c/", "PIP_INDEX_URL=https://a/simple"]);
    }
}
