//! What layers do to the environment: of later buildpacks while an app is built, of its processes
//! when it runs. One list of changes serves both: here they are made, or written down for a shell.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Bytes of one value.
const LIMIT: u64 = 128 << 10;

/// How a value meets the one that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    Append,
    Default,
    Override,
    Prepend,
}

/// One change to one variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    pub(crate) name: String,
    pub(crate) action: Action,
    pub(crate) value: String,
    /// Between the value that is there and this one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) delimiter: String,
}

/// What the platform says itself, whatever a buildpack wants.
const OURS: [&str; 4] = ["DYNO", "HOME", "PORT", "PWD"];

impl Change {
    /// Puts a directory before those that are there.
    pub(crate) fn path(name: &str, directory: &str) -> Self {
        Self {
            name: name.to_owned(),
            action: Action::Prepend,
            value: directory.to_owned(),
            delimiter: ":".into(),
        }
    }

    /// Makes the change.
    pub(crate) fn apply(&self, env: &mut BTreeMap<String, String>) {
        let Self { value, delimiter, .. } = self;
        let old = env.get(&self.name).map(String::as_str).filter(|old| !old.is_empty());
        let new = match (self.action, old) {
            (Action::Override, _) | (_, None) => value.clone(),
            (Action::Default, Some(old)) => old.to_owned(),
            (Action::Append, Some(old)) => format!("{old}{delimiter}{value}"),
            (Action::Prepend, Some(old)) => format!("{value}{delimiter}{old}"),
        };
        env.insert(self.name.clone(), new);
    }

    /// The same for a shell that has `kigo_env`; nothing for what is not to be changed in a dyno.
    pub(crate) fn shell(&self) -> String {
        if OURS.contains(&self.name.as_str()) || self.name.starts_with("BPL_") {
            return String::new();
        }
        let action = match self.action {
            Action::Append => "append",
            Action::Default => "default",
            Action::Override => "override",
            Action::Prepend => "prepend",
        };
        format!("kigo_env {action} {} {} {}\n", self.name, quoted(&self.value), quoted(&self.delimiter))
    }
}

/// A word for a shell.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What the files of a directory like `env.build` say, in the order in which they are to be applied.
/// `files` are their names.
pub(crate) fn read(root: &Path, directory: &Path, files: &[String]) -> std::io::Result<Vec<Change>> {
    let mut contents = BTreeMap::new();
    for file in files {
        let Some(bytes) = image::read_small_file(root, &directory.join(file), LIMIT)? else { continue };
        // A value can have no zero byte.
        contents.insert(file.as_str(), String::from_utf8_lossy(&bytes).replace('\0', ""));
    }
    let mut changes = Vec::new();
    for (file, value) in &contents {
        let (name, suffix) = file.split_once('.').unwrap_or((file, "override"));
        let action = match suffix {
            "append" => Action::Append,
            "default" => Action::Default,
            "override" => Action::Override,
            "prepend" => Action::Prepend,
            // `delim` is said of others; what else there is has no meaning.
            _ => continue,
        };
        if !is_name(name) {
            continue;
        }
        let delimiter = contents.get(format!("{name}.delim").as_str()).cloned().unwrap_or_default();
        changes.push(Change { name: name.to_owned(), action, value: value.clone(), delimiter });
    }
    Ok(changes)
}

fn is_name(text: &str) -> bool {
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    first && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// What becomes of `X`, here and in a shell.
    fn both(before: Option<&str>, files: &[(&str, &str)]) -> Option<String> {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(dir.path().join(name), content).unwrap();
        }
        let names: Vec<_> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
        let changes = read(dir.path(), Path::new(""), &names).unwrap();
        let mut env = BTreeMap::new();
        env.extend(before.map(|before| ("X".to_owned(), before.to_owned())));
        let shell: String = changes.iter().map(Change::shell).collect();
        let script = format!("{}\n{shell}\nbash -c 'printf %s \"${{X-unset}}\"'", include_str!("launch.sh"));
        let mut bash = Command::new("bash");
        bash.args(["-c", &script]).env_clear().env("PATH", "/usr/bin:/bin").envs(&env);
        let said = String::from_utf8(bash.output().unwrap().stdout).unwrap();
        for change in changes {
            change.apply(&mut env);
        }
        assert_eq!(env.get("X").map_or("unset", String::as_str), said, "{files:?}");
        env.remove("X")
    }

    #[test]
    fn values_meet_as_the_files_are_named() {
        for (before, files, after) in [
            (None, &[("X", "a")][..], Some("a")),
            (Some("b"), &[("X", "a\n'$(id)`\"\\")], Some("a\n'$(id)`\"\\")),
            (Some("b"), &[("X.override", "a")], Some("a")),
            (Some("b"), &[("X.append", "a")], Some("ba")),
            (Some("b"), &[("X.append", "a"), ("X.delim", ":")], Some("b:a")),
            (Some("b"), &[("X.prepend", "a"), ("X.delim", ", ")], Some("a, b")),
            (None, &[("X.prepend", "a"), ("X.delim", ":")], Some("a")),
            (Some(""), &[("X.append", "a"), ("X.delim", ":")], Some("a")),
            (Some("b"), &[("X.default", "a")], Some("b")),
            (Some(""), &[("X.default", "a")], Some("a")),
            (None, &[("X.default", "a")], Some("a")),
            (Some("b"), &[("X.delim", ":")], Some("b")),
            (Some("b"), &[("X.nonsense", "a"), ("X Y", "a"), ("1X", "a"), ("X;id", "a")], Some("b")),
        ] {
            assert_eq!(both(before, files).as_deref(), after, "{files:?}");
        }
    }

    #[test]
    fn a_dyno_keeps_what_the_platform_says() {
        for name in ["PORT", "DYNO", "HOME", "BPL_X"] {
            assert_eq!(Change::path(name, "/x").shell(), "", "{name}");
        }
        assert_eq!(Change::path("PATH", "/x").shell(), "kigo_env prepend PATH '/x' ':'\n");
    }
}
