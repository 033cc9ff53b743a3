//! Files of Java properties: `system.properties`, `project/build.properties` and their like.

use super::words::JvmError;
use crate::source::read_file;
use std::collections::HashMap;
use std::path::Path;

/// The settings of one file; none if there is no such file.
#[derive(Debug, Default)]
pub(crate) struct Properties(HashMap<String, String>);

impl Properties {
    /// Reads the file `name` of a tree.
    pub(crate) fn read(tree: &Path, name: &'static str) -> Result<Self, JvmError> {
        let unreadable = |why: String| JvmError::Unreadable { file: name, why };
        let bytes = read_file(tree, name).map_err(|error| unreadable(crate::errors::chain(&error)))?;
        let Some(bytes) = bytes else { return Ok(Self::default()) };
        let read = java_properties::read(bytes.as_slice());
        read.map(Self).map_err(|error| unreadable(crate::errors::sentence(&error)))
    }

    /// A setting as it is.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A setting that is one word, as versions are. What follows the word is passed over, as on
    /// Heroku, where people have become used to write comments there.
    pub(crate) fn word(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?.trim();
        let end = value.find(|c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c)));
        Some(&value[..end.unwrap_or(value.len())]).filter(|word| !word.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_its_first_word() {
        let tree = tempfile::tempdir().unwrap();
        for (text, expected) in [
            ("java.runtime.version=21", Some("21")),
            ("# c\n  java.runtime.version : zulu-21.0.4 # LTS\r\n", Some("zulu-21.0.4")),
            ("java.runtime.version 17\nmaven.version=3.9.9", Some("17")),
            ("java.runtime.version=", None),
            ("java.runtime.versions=21", None),
            ("", None),
        ] {
            std::fs::write(tree.path().join("system.properties"), text).unwrap();
            let properties = Properties::read(tree.path(), "system.properties").unwrap();
            assert_eq!(properties.word("java.runtime.version"), expected, "{text:?}");
        }
        assert!(Properties::read(tree.path(), "other.properties").unwrap().0.is_empty());
        std::fs::write(tree.path().join("bad.properties"), "a=\\u12").unwrap();
        assert!(Properties::read(tree.path(), "bad.properties").is_err());
    }
}
